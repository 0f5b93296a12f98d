//! Settings, features and producer ids.

use crate::codec::{Reader, Writer};
use crate::error::ClusterError;
use plimsoll_wire::types::{BrokerEpoch, NodeId, ProducerId};

/// What a setting belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ResourceType {
    /// A topic, by name.
    Topic,
    /// A broker, by node id; the empty name stands for every broker.
    Broker,
    /// A subscription to client metrics, by name.
    ClientMetrics,
    /// A consumer group, by id.
    Group,
}

impl ResourceType {
    /// Kafka's number.
    pub const fn code(self) -> i8 {
        match self {
            Self::Topic => 2,
            Self::Broker => 4,
            Self::ClientMetrics => 16,
            Self::Group => 32,
        }
    }

    /// The type of Kafka's number.
    pub const fn from_code(code: i8) -> Option<Self> {
        match code {
            2 => Some(Self::Topic),
            4 => Some(Self::Broker),
            16 => Some(Self::ClientMetrics),
            32 => Some(Self::Group),
            _ => None,
        }
    }
}

/// A setting is set, or removed when its value is absent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigChange {
    /// What kind of thing it belongs to.
    pub resource: ResourceType,
    /// The name of that thing.
    pub name: String,
    /// The property's name.
    pub key: String,
    /// Its value.
    pub value: Option<String>,
}

impl ConfigChange {
    pub(super) fn write(&self, out: &mut Writer) {
        out.i8(self.resource.code());
        out.string(&self.name);
        out.string(&self.key);
        out.nullable_string(self.value.as_deref());
        out.no_tags();
    }

    pub(super) fn read(from: &mut Reader<'_>) -> Result<Self, ClusterError> {
        let resource =
            ResourceType::from_code(from.i8("resource type")?).ok_or(ClusterError::Malformed {
                field: "resource type",
                reason: "2, 4, 16 or 32 is accepted",
            })?;
        let record = Self {
            resource,
            name: from.string("resource name")?,
            key: from.string("property name")?,
            value: from.nullable_string("property value")?,
        };
        from.skip_tags()?;
        Ok(record)
    }
}

/// A feature is finalised at a level; level 0 takes it away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeatureLevel {
    /// The feature's name.
    pub name: String,
    /// The level in force.
    pub level: i16,
}

impl FeatureLevel {
    pub(super) fn write(&self, out: &mut Writer) {
        out.string(&self.name);
        out.i16(self.level);
        out.no_tags();
    }

    pub(super) fn read(from: &mut Reader<'_>) -> Result<Self, ClusterError> {
        let record = Self {
            name: from.string("feature name")?,
            level: from.i16("level")?,
        };
        from.skip_tags()?;
        Ok(record)
    }
}

/// All producer ids below `next` belong to some broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProducerIds {
    /// The broker that took the last block.
    pub broker: NodeId,
    /// Its registration.
    pub epoch: BrokerEpoch,
    /// The first id that is free.
    pub next: ProducerId,
}

impl ProducerIds {
    pub(super) fn write(&self, out: &mut Writer) {
        out.i32(self.broker.get());
        out.i64(self.epoch.get());
        out.i64(self.next.get());
        out.no_tags();
    }

    pub(super) fn read(from: &mut Reader<'_>) -> Result<Self, ClusterError> {
        let record = Self {
            broker: NodeId(from.i32("broker id")?),
            epoch: BrokerEpoch(from.i64("broker epoch")?),
            next: ProducerId(from.i64("next producer id")?),
        };
        from.skip_tags()?;
        Ok(record)
    }
}
