//! Produce, versions 3 to 13, both sides, without copying records.
//!
//! The broker's side borrows a request from its frame, records mutably, so that
//! a batch is checked, given its offset and appended where it was received. The
//! client's side hands its batches to the socket as they are.
//!
//! Versions: 9 is flexible (KIP-482), 10 tells of new leaders (KIP-951), 13 names
//! topics by id (KIP-516). Versions below 3 are advertised but not served.

mod request;
mod response;

pub use request::{PartitionData, ProduceRequest, TopicData};
pub use response::{PartitionResponse, ProduceResponse, RecordError, TopicResponse};

/// The first flexible version.
const FLEXIBLE: i16 = 9;
/// The first version with topics by id.
const TOPIC_IDS: i16 = 13;

#[cfg(test)]
mod tests;
