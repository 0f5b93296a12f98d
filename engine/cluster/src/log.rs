//! Where metadata records are made durable.
//!
//! A single node writes them to its own log; a quorum will replicate them
//! first. Either way the caller replays a record only after it was accepted.

use crate::records::MetadataRecord;
use plimsoll_wire::time::Now;
use plimsoll_wire::types::Offset;
use std::fmt;

/// The ordered, durable log of metadata records.
pub trait MetadataLog: Send {
    /// Appends the records as one atomic batch and makes them durable. Answers
    /// with the offset of the first one.
    ///
    /// # Errors
    /// When the records could not be made durable. Then none of them count.
    fn append(&mut self, records: &[MetadataRecord], now: Now) -> Result<Offset, StorageFault>;
}

/// Why records could not be made durable, in words for an operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StorageFault(pub String);

impl fmt::Display for StorageFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for StorageFault {}
