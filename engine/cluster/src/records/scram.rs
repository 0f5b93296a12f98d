//! Users' SCRAM credentials.

use crate::codec::{Reader, Writer};
use crate::error::ClusterError;
use plimsoll_wire::scram::{Credential, ScramMechanism};

/// A user may prove a password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScramCredential {
    /// The user's name.
    pub user: String,
    /// How it is proven.
    pub mechanism: ScramMechanism,
    /// What the proof is checked against.
    pub credential: Credential,
}

impl ScramCredential {
    pub(super) fn write(&self, out: &mut Writer) {
        out.string(&self.user);
        out.i8(self.mechanism.code());
        out.bytes(&self.credential.salt);
        out.bytes(&self.credential.stored_key);
        out.bytes(&self.credential.server_key);
        out.i32(i32::try_from(self.credential.iterations).unwrap_or(i32::MAX));
        out.no_tags();
    }

    pub(super) fn read(from: &mut Reader<'_>) -> Result<Self, ClusterError> {
        let (user, mechanism) = (from.string("user")?, mechanism(from)?);
        let credential = Credential {
            salt: from.bytes("salt")?.to_vec(),
            stored_key: from.bytes("stored key")?.to_vec(),
            server_key: from.bytes("server key")?.to_vec(),
            iterations: u32::try_from(from.i32("iterations")?).map_err(|_| {
                ClusterError::Malformed {
                    field: "iterations",
                    reason: "a number below 0",
                }
            })?,
        };
        from.skip_tags()?;
        Ok(Self {
            user,
            mechanism,
            credential,
        })
    }
}

/// A user's password no longer opens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoveScramCredential {
    /// The user's name.
    pub user: String,
    /// How it was proven.
    pub mechanism: ScramMechanism,
}

impl RemoveScramCredential {
    pub(super) fn write(&self, out: &mut Writer) {
        out.string(&self.user);
        out.i8(self.mechanism.code());
        out.no_tags();
    }

    pub(super) fn read(from: &mut Reader<'_>) -> Result<Self, ClusterError> {
        let record = Self {
            user: from.string("user")?,
            mechanism: mechanism(from)?,
        };
        from.skip_tags()?;
        Ok(record)
    }
}

fn mechanism(from: &mut Reader<'_>) -> Result<ScramMechanism, ClusterError> {
    ScramMechanism::from_code(from.i8("mechanism")?).ok_or(ClusterError::Malformed {
        field: "mechanism",
        reason: "1 or 2 is accepted",
    })
}
