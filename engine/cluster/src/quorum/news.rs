//! What observers ask of the active controller, and what they are told.
//!
//! An observer holds the metadata log without a vote. It says where its log
//! ends, and is given what was committed after that: entries are never taken
//! back once they were committed, so nothing it was given has to be undone. Its
//! place names an entry and the entry's term; two logs that have an entry of the
//! same number and term are the same up to there.

use super::{LogEntry, LogSnapshot};
use crate::codec::{Reader, Writer};
use crate::error::ClusterError;
use bytes::Bytes;
use plimsoll_wire::batch::BatchHeader;
use plimsoll_wire::types::{LeaderEpoch, NodeId, Offset};

/// Where a log ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogPlace {
    /// The number of its last entry, 0 when it has none.
    pub index: u64,
    /// That entry's term.
    pub term: LeaderEpoch,
    /// The offset of that entry's last record, −1 when it has none.
    pub last_offset: Offset,
}

impl LogPlace {
    /// The end of a log that is empty.
    pub const START: Self = Self {
        index: 0,
        term: LeaderEpoch(0),
        last_offset: Offset(-1),
    };

    /// The last entry that a snapshot stands for.
    pub const fn of_snapshot(snapshot: &LogSnapshot) -> Self {
        Self {
            index: snapshot.index,
            term: snapshot.term,
            last_offset: snapshot.last_offset,
        }
    }

    /// Where a log ends of which this is the last entry.
    pub const fn of_entry(entry: &LogEntry) -> Self {
        Self {
            index: entry.index,
            term: entry.term,
            last_offset: entry.last_offset,
        }
    }

    /// Adds the place to a message.
    pub fn write(&self, out: &mut Writer) {
        out.i64(self.index as i64);
        out.i32(self.term.get());
        out.i64(self.last_offset.get());
    }

    /// Reads a place.
    ///
    /// # Errors
    /// When there are too few bytes.
    pub fn read(from: &mut Reader<'_>) -> Result<Self, ClusterError> {
        Ok(Self {
            index: from.i64("index")? as u64,
            term: LeaderEpoch(from.i32("term")?),
            last_offset: Offset(from.i64("last offset")?),
        })
    }
}

/// What a voter tells an observer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct News {
    /// The latest term that the voter knows.
    pub term: LeaderEpoch,
    /// The leader of that term, when it knows one.
    pub leader: Option<NodeId>,
    /// What comes after the observer's place, from the active controller alone.
    pub after: After,
}

/// What comes after an observer's place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum After {
    /// The voter is not the active controller and cannot say.
    Unknown,
    /// Nothing yet.
    Nothing,
    /// These entries, the next first.
    Entries(Vec<LogEntry>),
    /// The entries that would come next are forgotten; this stands for them.
    Snapshot(LogSnapshot),
    /// The place is not one of the committed log's: the observer has entries
    /// that never were committed.
    Elsewhere,
}

const UNKNOWN: i8 = 0;
const NOTHING: i8 = 1;
const ENTRIES: i8 = 2;
const SNAPSHOT: i8 = 3;
const ELSEWHERE: i8 = 4;

impl News {
    /// Whether an observer need not wait for more.
    pub const fn is_worth_telling(&self) -> bool {
        !matches!(self.after, After::Nothing)
    }

    /// Adds the news to a message.
    pub fn write(&self, out: &mut Writer) {
        out.i32(self.term.get());
        out.i32(self.leader.map_or(-1, NodeId::get));
        match &self.after {
            After::Unknown => out.i8(UNKNOWN),
            After::Nothing => out.i8(NOTHING),
            After::Entries(entries) => {
                out.i8(ENTRIES);
                out.array(entries, |out, entry| {
                    out.i64(entry.index as i64);
                    out.i32(entry.term.get());
                    out.bytes(&entry.batch);
                });
            }
            After::Snapshot(snapshot) => {
                out.i8(SNAPSHOT);
                LogPlace::of_snapshot(snapshot).write(out);
                out.bytes(&snapshot.records);
            }
            After::Elsewhere => out.i8(ELSEWHERE),
        }
    }

    /// Reads news.
    ///
    /// # Errors
    /// When the bytes are not those of news, or an entry holds no batch.
    pub fn read(from: &mut Reader<'_>) -> Result<Self, ClusterError> {
        let term = LeaderEpoch(from.i32("term")?);
        let leader = from.i32("leader")?;
        let after = match from.i8("kind")? {
            UNKNOWN => After::Unknown,
            NOTHING => After::Nothing,
            ENTRIES => After::Entries(from.array("entries", read_entry)?),
            SNAPSHOT => {
                let place = LogPlace::read(from)?;
                After::Snapshot(LogSnapshot {
                    index: place.index,
                    term: place.term,
                    last_offset: place.last_offset,
                    records: Bytes::copy_from_slice(from.bytes("snapshot")?),
                })
            }
            ELSEWHERE => After::Elsewhere,
            _ => {
                return Err(ClusterError::Malformed {
                    field: "kind",
                    reason: "it is none of the kinds of news",
                });
            }
        };
        Ok(Self {
            term,
            leader: (leader >= 0).then_some(NodeId(leader)),
            after,
        })
    }
}

fn read_entry(from: &mut Reader<'_>) -> Result<LogEntry, ClusterError> {
    let index = from.i64("entry index")? as u64;
    let term = LeaderEpoch(from.i32("entry term")?);
    let batch = from.bytes("entry")?;
    let header =
        BatchHeader::parse(batch).map_err(|error| ClusterError::Batch(error.to_string()))?;
    Ok(LogEntry {
        index,
        term,
        last_offset: header.next_offset().plus(-1),
        batch: Bytes::copy_from_slice(batch),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quorum::encode_batch;
    use crate::records::MetadataRecord;
    use plimsoll_wire::types::TimestampMs;

    fn check(after: After) {
        let news = News {
            term: LeaderEpoch(7),
            leader: Some(NodeId(3)),
            after,
        };
        let mut out = Writer::default();
        news.write(&mut out);
        let bytes = out.into_bytes();
        assert_eq!(News::read(&mut Reader::new(&bytes)), Ok(news));
        for cut in 0..bytes.len() {
            let cut = bytes.get(..cut).unwrap_or_default();
            assert!(News::read(&mut Reader::new(cut)).is_err());
        }
    }

    #[test]
    fn news_read_back_and_none_are_made_of_less() {
        let nothing = [MetadataRecord::NoOp];
        let batch = encode_batch(Offset(41), LeaderEpoch(6), TimestampMs(1), &nothing);
        check(After::Unknown);
        check(After::Nothing);
        check(After::Elsewhere);
        check(After::Entries(vec![LogEntry {
            index: 9,
            term: LeaderEpoch(6),
            last_offset: Offset(41),
            batch: batch.expect("it encodes").into(),
        }]));
        check(After::Snapshot(LogSnapshot {
            index: 5,
            term: LeaderEpoch(2),
            last_offset: Offset(17),
            records: Bytes::from_static(b"records"),
        }));
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in proptest::collection::vec(0u8.., 0..200)) {
            let _ = News::read(&mut Reader::new(&bytes));
        }
    }
}
