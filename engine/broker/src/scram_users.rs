//! Users that are given when the broker is started, so that there is a first
//! one who can add the others.

use crate::broker::Broker;
use plimsoll_cluster::{MetadataRecord, ScramCredential};
use plimsoll_wire::scram::{Credential, ScramMechanism};
use plimsoll_wire::time::Now;
use std::fmt;

/// A user with a password in the clear.
#[derive(Clone, PartialEq, Eq)]
pub struct ScramUser {
    /// The user's name.
    pub name: String,
    /// How the password is proven.
    pub mechanism: ScramMechanism,
    /// The password.
    pub password: String,
    /// Drawn at random.
    pub salt: Vec<u8>,
    /// How often the password is hashed.
    pub iterations: u32,
}

/// Shows no password.
impl fmt::Debug for ScramUser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScramUser")
            .field("name", &self.name)
            .field("mechanism", &self.mechanism)
            .finish_non_exhaustive()
    }
}

impl Broker {
    /// Keeps users' credentials, in place of those they had.
    ///
    /// # Errors
    /// When the metadata cannot be written.
    pub fn keep_scram_users(&self, users: Vec<ScramUser>, now: Now) -> Result<(), String> {
        if users.is_empty() {
            return Ok(());
        }
        let kept = self.change(now, true, |change| {
            for user in users {
                let ScramUser {
                    name,
                    mechanism,
                    password,
                    salt,
                    iterations,
                } = user;
                change.push(MetadataRecord::ScramCredential(ScramCredential {
                    user: name,
                    mechanism,
                    credential: Credential::new(mechanism, &password, salt, iterations),
                }));
            }
        });
        kept.map_err(|refusal| refusal.words)
    }
}
