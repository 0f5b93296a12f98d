//! The guard: walks a request's body against its shape before anything is
//! allocated for it.
//!
//! The codec library believes an array's length and allocates for it at once,
//! so that twenty bytes can ask for gigabytes. What has passed [`check`] cannot:
//! every length and count fits the bytes that are there and every field ends
//! where it says.
//!
//! Bytes after the last field are ignored, as Kafka ignores them: when librdkafka
//! (2.16) asks for brokers alone it writes the empty list of topics as four bytes
//! into versions that count in one, and three are left over.
//!
//! Arrays still decode into more memory than they take on the wire: a topic
//! whose name is empty is two bytes there and well over a hundred here. The
//! guard adds up what the decoded structures take, and refuses a request past
//! [`DECODED_MAX_BYTES`]. So a request of *n* bytes that passes makes the
//! library allocate at most that constant, besides the *n* bytes themselves,
//! which strings and byte fields share when the library decodes from
//! [`bytes::Bytes`].
//!
//! The walk takes time linear in the body and recurses no deeper than the
//! shape, which is finite. It is for requests only.

mod sample;
mod shape;
mod walk;

pub use sample::sample;
pub use shape::Shape;

use crate::api::ApiSpec;
use crate::read::ReadError;
use thiserror::Error;

/// The most memory, in bytes, that a request's decoded structures may take.
/// Enough for a request that names half a million partitions.
pub const DECODED_MAX_BYTES: usize = 64 << 20;

/// Why a request's body is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{api} {version}, field `{field}`: {fault}")]
pub struct GuardError {
    /// The API's name.
    pub api: &'static str,
    /// The request's version.
    pub version: i16,
    /// The innermost field that was being read.
    pub field: &'static str,
    /// What is wrong with it.
    pub fault: Fault,
}

/// What is wrong with a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Fault {
    /// The version is not served, so that there is no shape to walk.
    #[error("version is not served")]
    Version,
    /// The body ends early, or a length is negative.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A field is null that cannot be.
    #[error("null, expected a value")]
    Null,
    /// An array claims more elements than there are bytes.
    #[error("array of {count} elements, {left} bytes left")]
    Count {
        /// The claimed count.
        count: usize,
        /// Bytes after the count.
        left: usize,
    },
    /// The byte before an optional structure is neither −1 nor 1.
    #[error("presence {byte}, expected -1 or 1")]
    Presence {
        /// The byte.
        byte: i8,
    },
    /// A tagged field's value does not fill its length.
    #[error("tagged field {tag}: {left} bytes left over after its value")]
    TagLength {
        /// The tag.
        tag: u32,
        /// Bytes left over.
        left: usize,
    },
    /// A tagged field belongs to other versions.
    #[error("tagged field {tag} is not of this version")]
    TagVersion {
        /// The tag.
        tag: u32,
    },
    /// The decoded request would take too much memory.
    #[error("request decodes to more than {DECODED_MAX_BYTES} bytes")]
    Memory,
}

/// Checks that `body`, a request's bytes after its header, begins with
/// what `spec` says a request of `version` looks like.
///
/// # Errors
/// When it is not, or when decoding it would take too much memory. The peer is
/// at fault; Kafka closes such a connection.
pub fn check(spec: &ApiSpec, version: i16, body: &[u8]) -> Result<(), GuardError> {
    let error = |field, fault| GuardError {
        api: spec.name,
        version,
        field,
        fault,
    };
    if !spec.serves(version) {
        return Err(error("version", Fault::Version));
    }
    let mut walk = walk::Walk::new(body, version, spec.is_flexible(version));
    walk.request(spec.shape())
        .map_err(|(field, fault)| error(field, fault))
}
