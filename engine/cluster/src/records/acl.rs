//! Who may do what: one access control entry, and its end.
//!
//! The numbers are Kafka's, on the wire and in the log alike.

use crate::codec::{Reader, Writer};
use crate::error::ClusterError;
use uuid::Uuid;

macro_rules! coded {
    (
        $(#[$doc:meta])* $name:ident: $what:literal, $accepted:literal;
        $($(#[$variant_doc:meta])* $variant:ident = $code:literal,)*
    ) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(i8)]
        pub enum $name {
            $($(#[$variant_doc])* $variant = $code,)*
        }

        impl $name {
            /// All of them, by number.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// Kafka's number.
            pub const fn code(self) -> i8 {
                self as i8
            }

            /// The one of Kafka's number.
            pub const fn from_code(code: i8) -> Option<Self> {
                match code {
                    $($code => Some(Self::$variant),)*
                    _ => None,
                }
            }

            fn read(from: &mut Reader<'_>) -> Result<Self, ClusterError> {
                Self::from_code(from.i8($what)?).ok_or(ClusterError::Malformed {
                    field: $what,
                    reason: concat!($accepted, " is accepted"),
                })
            }
        }
    };
}

coded! {
    /// A kind of thing that is guarded.
    AclResource: "resource type", "2 to 5";
    /// A topic, by name.
    Topic = 2,
    /// A group, by id.
    Group = 3,
    /// The cluster, of which there is one.
    Cluster = 4,
    /// A transactional id.
    TransactionalId = 5,
}

coded! {
    /// How an entry's name is compared with a thing's.
    AclPattern: "pattern type", "3 or 4";
    /// They are equal, or the entry's is `*`.
    Literal = 3,
    /// The thing's begins with the entry's.
    Prefixed = 4,
}

coded! {
    /// What someone does to a thing.
    AclOperation: "operation", "2 to 15";
    /// Whatever can be done.
    All = 2,
    /// Reads records, or takes part in a group.
    Read = 3,
    /// Writes records.
    Write = 4,
    /// Creates topics.
    Create = 5,
    /// Deletes it.
    Delete = 6,
    /// Alters it.
    Alter = 7,
    /// Learns that it exists, and how it is made.
    Describe = 8,
    /// What only nodes of the cluster do.
    ClusterAction = 9,
    /// Learns its settings.
    DescribeConfigs = 10,
    /// Changes its settings.
    AlterConfigs = 11,
    /// Writes as an idempotent producer.
    IdempotentWrite = 12,
    /// Creates delegation tokens, which are not offered.
    CreateTokens = 13,
    /// Describes delegation tokens, which are not offered.
    DescribeTokens = 14,
    /// Leaves transactions prepared, which is not offered.
    TwoPhaseCommit = 15,
}

coded! {
    /// Whether an entry opens or shuts.
    AclPermission: "permission type", "2 or 3";
    /// It shuts, whatever others open.
    Deny = 2,
    /// It opens.
    Allow = 3,
}

/// What an entry says, without its id.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AclBinding {
    /// The kind of thing.
    pub resource: AclResource,
    /// Its name, or what its name begins with.
    pub name: String,
    /// Which of the two.
    pub pattern: AclPattern,
    /// Who, as `User:NAME`; `User:*` is everyone.
    pub principal: String,
    /// From which address; `*` is from everywhere.
    pub host: String,
    /// Does what.
    pub operation: AclOperation,
    /// May, or may not.
    pub permission: AclPermission,
}

/// Someone may do something, or may not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessControlEntry {
    /// Names the entry.
    pub id: Uuid,
    /// What it says.
    pub binding: AclBinding,
}

impl AccessControlEntry {
    pub(super) fn write(&self, out: &mut Writer) {
        let binding = &self.binding;
        out.uuid(self.id);
        out.i8(binding.resource.code());
        out.string(&binding.name);
        out.i8(binding.pattern.code());
        out.string(&binding.principal);
        out.string(&binding.host);
        out.i8(binding.operation.code());
        out.i8(binding.permission.code());
        out.no_tags();
    }

    pub(super) fn read(from: &mut Reader<'_>) -> Result<Self, ClusterError> {
        let record = Self {
            id: from.uuid("entry id")?,
            binding: AclBinding {
                resource: AclResource::read(from)?,
                name: from.string("resource name")?,
                pattern: AclPattern::read(from)?,
                principal: from.string("principal")?,
                host: from.string("host")?,
                operation: AclOperation::read(from)?,
                permission: AclPermission::read(from)?,
            },
        };
        from.skip_tags()?;
        Ok(record)
    }
}

/// An entry is gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoveAccessControlEntry {
    /// Which one.
    pub id: Uuid,
}

impl RemoveAccessControlEntry {
    pub(super) fn write(&self, out: &mut Writer) {
        out.uuid(self.id);
        out.no_tags();
    }

    pub(super) fn read(from: &mut Reader<'_>) -> Result<Self, ClusterError> {
        let id = from.uuid("entry id")?;
        from.skip_tags()?;
        Ok(Self { id })
    }
}
