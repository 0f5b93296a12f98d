//! The voters' messages, as bytes between nodes.
//!
//! The field by field codec stands in for the library's own, so that what a
//! peer sends is bounded by the bytes that came before anything is allocated.

use crate::codec::{Reader, Writer};
use crate::error::ClusterError;
use bytes::Bytes;
use raft::eraftpb::{ConfState, Entry, EntryType, Message, MessageType, Snapshot};
use thiserror::Error;

/// The version of the encoding.
const VERSION: i8 = 0;

/// One message of one voter to another.
#[derive(Clone, Debug)]
pub struct QuorumMessage(pub(super) Message);

/// Why bytes are no message.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum MessageError {
    /// A field cannot be read.
    #[error(transparent)]
    Field(#[from] ClusterError),
    /// The encoding's version is unknown.
    #[error("quorum message: version {0} is unknown")]
    Version(i8),
    /// The kind of message is not one that voters send each other.
    #[error("quorum message: kind {0} is unknown")]
    Kind(i8),
}

impl QuorumMessage {
    /// The message's bytes.
    pub fn encode(&self) -> Vec<u8> {
        let message = &self.0;
        let mut out = Writer::default();
        out.i8(VERSION);
        out.i8(i8::try_from(message.msg_type as i32).unwrap_or(-1));
        for number in [
            message.to,
            message.from,
            message.term,
            message.log_term,
            message.index,
            message.commit,
            message.commit_term,
            message.request_snapshot,
            message.reject_hint,
        ] {
            out.i64(number as i64);
        }
        out.bool(message.reject);
        out.bytes(&message.context);
        out.i64(message.priority);
        out.array(&message.entries, |out, entry| {
            out.i64(entry.term as i64);
            out.i64(entry.index as i64);
            out.bytes(&entry.data);
        });
        let snapshot = message.get_snapshot();
        let metadata = snapshot.get_metadata();
        out.i64(metadata.index as i64);
        out.i64(metadata.term as i64);
        let voters = metadata.get_conf_state().get_voters();
        out.array(voters, |out, voter| out.i64(*voter as i64));
        out.bytes(&snapshot.data);
        out.into_bytes()
    }

    /// Reads a message.
    ///
    /// # Errors
    /// When the bytes are not those of a message.
    pub fn decode(bytes: &[u8]) -> Result<Self, MessageError> {
        let mut from = Reader::new(bytes);
        let version = from.i8("version")?;
        if version != VERSION {
            return Err(MessageError::Version(version));
        }
        let kind = from.i8("kind")?;
        let mut number = |field: &'static str| from.i64(field).map(|number| number as u64);
        let mut message = Message {
            msg_type: message_type(kind).ok_or(MessageError::Kind(kind))?,
            to: number("to")?,
            from: number("from")?,
            term: number("term")?,
            log_term: number("log term")?,
            index: number("index")?,
            commit: number("commit")?,
            commit_term: number("commit term")?,
            request_snapshot: number("request snapshot")?,
            reject_hint: number("reject hint")?,
            ..Message::default()
        };
        message.reject = from.bool("reject")?;
        message.context = Bytes::copy_from_slice(from.bytes("context")?);
        message.priority = from.i64("priority")?;
        let entries = from.array("entries", |from| {
            Ok(Entry {
                entry_type: EntryType::EntryNormal,
                term: from.i64("entry term")? as u64,
                index: from.i64("entry index")? as u64,
                data: Bytes::copy_from_slice(from.bytes("entry")?),
                ..Entry::default()
            })
        })?;
        message.set_entries(entries.into());
        let mut snapshot = Snapshot::default();
        let metadata = snapshot.mut_metadata();
        metadata.index = from.i64("snapshot index")? as u64;
        metadata.term = from.i64("snapshot term")? as u64;
        let voters = from.array("voters", |from| Ok(from.i64("voter")? as u64))?;
        metadata.set_conf_state(ConfState::from((voters, Vec::new())));
        snapshot.data = Bytes::copy_from_slice(from.bytes("snapshot")?);
        if snapshot.get_metadata().index > 0 {
            message.set_snapshot(snapshot);
        }
        Ok(Self(message))
    }
}

/// The kinds that voters send each other.
fn message_type(kind: i8) -> Option<MessageType> {
    const SENT: &[MessageType] = &[
        MessageType::MsgAppend,
        MessageType::MsgAppendResponse,
        MessageType::MsgRequestVote,
        MessageType::MsgRequestVoteResponse,
        MessageType::MsgSnapshot,
        MessageType::MsgHeartbeat,
        MessageType::MsgHeartbeatResponse,
        MessageType::MsgTimeoutNow,
        MessageType::MsgRequestPreVote,
        MessageType::MsgRequestPreVoteResponse,
    ];
    SENT.iter()
        .copied()
        .find(|sent| *sent as i32 == i32::from(kind))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_reads_back_and_none_is_made_of_less() {
        let mut message = Message {
            msg_type: MessageType::MsgAppend,
            to: 1,
            from: 3,
            term: 7,
            log_term: 6,
            index: 41,
            commit: 40,
            ..Message::default()
        };
        message.set_entries(
            vec![Entry {
                term: 7,
                index: 42,
                data: Bytes::from_static(b"batch"),
                ..Entry::default()
            }]
            .into(),
        );
        let bytes = QuorumMessage(message.clone()).encode();
        let read = QuorumMessage::decode(&bytes).expect("it reads");
        assert_eq!(read.0, message);
        for cut in 0..bytes.len() {
            let cut = bytes.get(..cut).unwrap_or_default();
            assert!(QuorumMessage::decode(cut).is_err());
        }
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in proptest::collection::vec(0u8.., 0..200)) {
            let _ = QuorumMessage::decode(&bytes);
        }
    }
}
