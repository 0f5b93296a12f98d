//! Brokers: registration, departure, fencing.

use crate::codec::{Reader, Writer};
use crate::error::ClusterError;
use plimsoll_wire::types::{BrokerEpoch, NodeId};
use uuid::Uuid;

/// Where clients reach a broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokerEndpoint {
    /// The listener's name.
    pub name: String,
    /// The advertised host.
    pub host: String,
    /// The advertised port.
    pub port: u16,
    /// 0 plain text, 1 TLS, 2 SASL over plain text, 3 SASL over TLS.
    pub security_protocol: i16,
}

/// The levels of a feature that a broker supports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokerFeature {
    /// The feature's name.
    pub name: String,
    /// The lowest level.
    pub min: i16,
    /// The highest level.
    pub max: i16,
}

/// A broker process joined the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegisterBroker {
    /// The broker's node id.
    pub broker: NodeId,
    /// Names this run of the process.
    pub incarnation: Uuid,
    /// The registration's epoch.
    pub epoch: BrokerEpoch,
    /// Where clients reach it.
    pub endpoints: Vec<BrokerEndpoint>,
    /// The features it supports.
    pub features: Vec<BrokerFeature>,
    /// The rack it stands in.
    pub rack: Option<String>,
    /// Whether it may not lead yet.
    pub fenced: bool,
    /// Whether it is about to leave.
    pub in_controlled_shutdown: bool,
    /// The ids of its log directories.
    pub log_dirs: Vec<Uuid>,
}

impl RegisterBroker {
    pub(super) fn write(&self, out: &mut Writer) {
        out.i32(self.broker.get());
        // Kafka's migration from ZooKeeper: never the case here.
        out.bool(false);
        out.uuid(self.incarnation);
        out.i64(self.epoch.get());
        out.array(&self.endpoints, |out, endpoint| {
            out.string(&endpoint.name);
            out.string(&endpoint.host);
            out.u16(endpoint.port);
            out.i16(endpoint.security_protocol);
            out.no_tags();
        });
        out.array(&self.features, |out, feature| {
            out.string(&feature.name);
            out.i16(feature.min);
            out.i16(feature.max);
            out.no_tags();
        });
        out.nullable_string(self.rack.as_deref());
        out.bool(self.fenced);
        out.bool(self.in_controlled_shutdown);
        let dirs = Writer::field(|out| out.array(&self.log_dirs, |out, dir| out.uuid(*dir)));
        out.tagged(if self.log_dirs.is_empty() {
            vec![]
        } else {
            vec![(0, dirs)]
        });
    }

    pub(super) fn read(from: &mut Reader<'_>, version: u32) -> Result<Self, ClusterError> {
        let broker = NodeId(from.i32("broker id")?);
        if version >= 2 {
            from.bool("is migrating")?;
        }
        let incarnation = from.uuid("incarnation id")?;
        let epoch = BrokerEpoch(from.i64("broker epoch")?);
        let endpoints = from.array("endpoints", |from| {
            let endpoint = BrokerEndpoint {
                name: from.string("listener name")?,
                host: from.string("host")?,
                port: from.u16("port")?,
                security_protocol: from.i16("security protocol")?,
            };
            from.skip_tags()?;
            Ok(endpoint)
        })?;
        let features = from.array("features", |from| {
            let feature = BrokerFeature {
                name: from.string("feature name")?,
                min: from.i16("lowest level")?,
                max: from.i16("highest level")?,
            };
            from.skip_tags()?;
            Ok(feature)
        })?;
        let rack = from.nullable_string("rack")?;
        let fenced = from.bool("fenced")?;
        let in_controlled_shutdown = version >= 1 && from.bool("in controlled shutdown")?;
        let mut log_dirs = Vec::new();
        from.tagged(|tag, field| {
            if tag == 0 {
                log_dirs = field.array("log dirs", |from| from.uuid("log dirs"))?;
            }
            Ok(())
        })?;
        Ok(Self {
            broker,
            incarnation,
            epoch,
            endpoints,
            features,
            rack,
            fenced,
            in_controlled_shutdown,
            log_dirs,
        })
    }
}

/// A broker left for good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnregisterBroker {
    /// The broker's node id.
    pub broker: NodeId,
    /// The registration that ends.
    pub epoch: BrokerEpoch,
}

impl UnregisterBroker {
    pub(super) fn write(&self, out: &mut Writer) {
        out.i32(self.broker.get());
        out.i64(self.epoch.get());
        out.no_tags();
    }

    pub(super) fn read(from: &mut Reader<'_>) -> Result<Self, ClusterError> {
        let record = Self {
            broker: NodeId(from.i32("broker id")?),
            epoch: BrokerEpoch(from.i64("broker epoch")?),
        };
        from.skip_tags()?;
        Ok(record)
    }
}

/// A broker's fencing or shutdown state changes; absent fields stay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokerRegistrationChange {
    /// The broker's node id.
    pub broker: NodeId,
    /// The registration that changes.
    pub epoch: BrokerEpoch,
    /// Whether the broker may not lead.
    pub fenced: Option<bool>,
    /// Whether the broker is about to leave.
    pub in_controlled_shutdown: Option<bool>,
}

impl BrokerRegistrationChange {
    pub(super) fn write(&self, out: &mut Writer) {
        out.i32(self.broker.get());
        out.i64(self.epoch.get());
        let mut fields = Vec::new();
        if let Some(fenced) = self.fenced {
            // 1 fences, -1 lifts the fence, 0 leaves it.
            fields.push((0, Writer::field(|out| out.i8(if fenced { 1 } else { -1 }))));
        }
        if let Some(leaving) = self.in_controlled_shutdown {
            fields.push((1, Writer::field(|out| out.i8(i8::from(leaving)))));
        }
        out.tagged(fields);
    }

    pub(super) fn read(from: &mut Reader<'_>) -> Result<Self, ClusterError> {
        let mut change = Self {
            broker: NodeId(from.i32("broker id")?),
            epoch: BrokerEpoch(from.i64("broker epoch")?),
            fenced: None,
            in_controlled_shutdown: None,
        };
        from.tagged(|tag, field| {
            match tag {
                0 => change.fenced = Some(field.i8("fenced")? > 0),
                1 => change.in_controlled_shutdown = Some(field.i8("shutdown")? > 0),
                _ => {}
            }
            Ok(())
        })?;
        Ok(change)
    }
}
