//! Fetch, versions 4 to 18, both sides, without touching records.
//!
//! The broker's side borrows a request from its frame, and answers with pieces:
//! bytes that the codec wrote, and in between the places where a partition's
//! records go, which may be ranges of a file. The client's side borrows the
//! records from the frame that they arrived in.
//!
//! Versions: 7 has sessions (KIP-227), 9 leader epochs (KIP-320), 11 racks
//! (KIP-392), 12 is flexible and tells of diverging epochs (KIP-595), 13 names
//! topics by id (KIP-516), 15 has replica state (KIP-903), 16 tells where new
//! leaders are (KIP-951), 17 directory ids (KIP-853), 18 a follower's high
//! watermark (KIP-1166).

mod request;
mod response;

pub use request::{
    FetchPartition, FetchRequest, FetchTopic, ForgottenTopic, IsolationLevel, Replica, Session,
};
pub use response::{
    AbortedTransaction, EpochEndOffset, FetchResponse, FetchedPartition, FetchedTopic, RecordsLen,
};

/// The first flexible version.
const FLEXIBLE: i16 = 12;
/// The first version with topics by id.
const TOPIC_IDS: i16 = 13;

#[cfg(test)]
mod tests;
