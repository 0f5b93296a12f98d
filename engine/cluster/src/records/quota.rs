//! Client quotas: how much some clients may ask of a node.

use crate::codec::{Reader, Writer};
use crate::error::ClusterError;

/// What is bounded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum QuotaKey {
    /// Bytes a second that are produced.
    ProducerByteRate,
    /// Bytes a second that are fetched.
    ConsumerByteRate,
}

impl QuotaKey {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::ProducerByteRate, Self::ConsumerByteRate];

    /// Kafka's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ProducerByteRate => "producer_byte_rate",
            Self::ConsumerByteRate => "consumer_byte_rate",
        }
    }

    /// The one of Kafka's name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|key| key.name() == name)
    }
}

/// A bound, never "not a number".
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct QuotaValue(f64);

impl Eq for QuotaValue {}

impl QuotaValue {
    /// A bound above 0; nothing when it is none.
    pub fn new(value: f64) -> Option<Self> {
        (value.is_finite() && value > 0.0).then_some(Self(value))
    }

    /// The number, a second.
    pub const fn get(self) -> f64 {
        self.0
    }
}

/// Whose quota it is, of a kind: those without one of their own, or one by name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum QuotaName {
    /// Whoever has none of its own.
    Default,
    /// This one.
    Of(String),
}

impl QuotaName {
    /// As Kafka writes it: nothing is the default.
    pub fn of(name: Option<&str>) -> Self {
        name.map_or(Self::Default, |name| Self::Of(name.to_owned()))
    }

    /// The name; nothing for the default.
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::Default => None,
            Self::Of(name) => Some(name),
        }
    }
}

/// Whose quota it is: a user's, a client's, or a user's by one client.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QuotaEntity {
    /// The user.
    pub user: Option<QuotaName>,
    /// The client, by the name that it gives itself.
    pub client: Option<QuotaName>,
}

impl QuotaEntity {
    /// Kafka's name for users.
    pub const USER: &'static str = "user";
    /// Kafka's name for clients.
    pub const CLIENT: &'static str = "client-id";

    /// What it is made of, with Kafka's names.
    pub fn parts(&self) -> impl Iterator<Item = (&'static str, &QuotaName)> {
        let user = self.user.iter().map(|name| (Self::USER, name));
        user.chain(self.client.iter().map(|name| (Self::CLIENT, name)))
    }
}

/// A quota is set, or removed when its value is absent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientQuota {
    /// Whose it is.
    pub entity: QuotaEntity,
    /// What it bounds.
    pub key: QuotaKey,
    /// The bound.
    pub value: Option<QuotaValue>,
}

impl ClientQuota {
    pub(super) fn write(&self, out: &mut Writer) {
        let parts: Vec<_> = self.entity.parts().collect();
        out.array(&parts, |out, (kind, name)| {
            out.string(kind);
            out.nullable_string(name.name());
            out.no_tags();
        });
        out.string(self.key.name());
        let value = self.value.map_or(0.0, QuotaValue::get);
        out.i64(value.to_bits().cast_signed());
        out.bool(self.value.is_none());
        out.no_tags();
    }

    pub(super) fn read(from: &mut Reader<'_>) -> Result<Self, ClusterError> {
        let parts = from.array("quota entity", |from| {
            let part = (
                from.string("entity type")?,
                from.nullable_string("entity name")?,
            );
            from.skip_tags()?;
            Ok(part)
        })?;
        let mut entity = QuotaEntity::default();
        for (kind, name) in parts {
            let place = match kind.as_str() {
                QuotaEntity::USER => &mut entity.user,
                QuotaEntity::CLIENT => &mut entity.client,
                _ => return Err(malformed("entity type", "user and client-id are accepted")),
            };
            *place = Some(QuotaName::of(name.as_deref()));
        }
        let key = QuotaKey::from_name(&from.string("quota key")?)
            .ok_or(malformed("quota key", "it bounds nothing that is known"))?;
        let value = f64::from_bits(from.i64("quota value")?.cast_unsigned());
        let removed = from.bool("removed")?;
        from.skip_tags()?;
        let value = match removed {
            true => None,
            false => Some(
                QuotaValue::new(value)
                    .ok_or(malformed("quota value", "a number above 0 is accepted"))?,
            ),
        };
        Ok(Self { entity, key, value })
    }
}

const fn malformed(field: &'static str, reason: &'static str) -> ClusterError {
    ClusterError::Malformed { field, reason }
}
