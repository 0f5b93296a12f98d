//! Where this voter keeps its part of the metadata quorum: the partition log
//! `__cluster_metadata-0`, and beside it what it promised and its last
//! snapshot.
//!
//! A batch of the log is an entry. Entries are counted from the snapshot's on;
//! batches that the snapshot covers may linger until their segment goes.

use crate::error::BrokerError;
use crate::log_scan::for_each_batch;
use crate::storage::DiskFaults;
use bytes::{Buf, BufMut, Bytes};
use plimsoll_cluster::StorageFault;
use plimsoll_cluster::quorum::{LogEntry, LogSnapshot, QuorumStore, Recovered, Vote};
use plimsoll_log::{
    AppendError, Disk, LogConfig, LogError, PartitionLog, read_whole, replace_whole,
};
use plimsoll_wire::batch::{BatchHeader, crc32c};
use plimsoll_wire::time::Now;
use plimsoll_wire::types::{LeaderEpoch, NodeId, Offset};
use std::path::PathBuf;
use std::sync::Arc;

/// What this voter promised.
const STATE_FILE: &str = "quorum-state";
/// Its last snapshot.
const SNAPSHOT_FILE: &str = "quorum-snapshot";
/// The version of both files.
const VERSION: i32 = 0;
/// Bytes before a snapshot's records.
const SNAPSHOT_HEAD: usize = 4 + 4 + 8 + 4 + 8 + 1;

/// The store of one voter.
pub(crate) struct QuorumLog {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    log: PartitionLog,
    /// Told when the disk fails, which takes its log directory offline.
    faults: Arc<DiskFaults>,
}

/// How the metadata log is kept: only a snapshot lets go of a part of it.
pub(crate) fn log_config() -> LogConfig {
    LogConfig {
        retention_ms: None,
        retention_bytes: None,
        ..LogConfig::default()
    }
}

impl QuorumLog {
    /// Takes a log over, and answers with what it and the files beside it hold.
    pub(crate) fn open(
        (disk, faults): (Arc<dyn Disk>, Arc<DiskFaults>),
        mut log: PartitionLog,
        now: Now,
    ) -> Result<(Self, Recovered), BrokerError> {
        let dir = log.dir().to_owned();
        let snapshot = match read_whole(&*disk, &dir.join(SNAPSHOT_FILE))? {
            Some(bytes) => Some(read_snapshot(&bytes).ok_or_else(|| BrokerError::Quorum {
                path: dir.join(SNAPSHOT_FILE),
                reason: "it is cut short or its checksum is wrong",
            })?),
            None => None,
        };
        if let Some((snapshot, true)) = &snapshot {
            let after = snapshot.last_offset.plus(1);
            if log.log_start() < after {
                // The node stopped between a snapshot and giving up its log.
                log.restart_at(after, now.wall)?;
            }
        }
        let snapshot = snapshot.map(|(snapshot, _)| snapshot);
        let mut entries = Vec::new();
        let (mut index, covered) = snapshot
            .as_ref()
            .map_or((0, Offset(-1)), |s| (s.index, s.last_offset));
        for_each_batch(&log, |header, batch| {
            if header.base_offset > covered {
                index += 1;
                entries.push(LogEntry {
                    index,
                    term: header.partition_leader_epoch,
                    last_offset: header.next_offset().plus(-1),
                    batch: Bytes::copy_from_slice(batch),
                });
            }
            Ok(())
        })?;
        let mut vote = match read_whole(&*disk, &dir.join(STATE_FILE))? {
            Some(bytes) => read_vote(&bytes).ok_or_else(|| BrokerError::Quorum {
                path: dir.join(STATE_FILE),
                reason: "it holds no term and vote",
            })?,
            None => Vote::default(),
        };
        let latest = entries.last().map(|entry: &LogEntry| entry.term);
        let latest = latest.or(snapshot.as_ref().map(|snapshot| snapshot.term));
        if latest.is_some_and(|latest| latest > vote.term) {
            // A log from before there was a file of votes.
            vote = Vote {
                term: latest.unwrap_or_default(),
                voted: None,
            };
        }
        vote.term = vote.term.max(LeaderEpoch(0));
        let recovered = Recovered {
            vote,
            snapshot,
            entries,
        };
        let opened = Self {
            disk,
            dir,
            log,
            faults,
        };
        Ok((opened, recovered))
    }

    fn write(&self, name: &str, bytes: &[u8]) -> Result<(), StorageFault> {
        replace_whole(&*self.disk, &self.dir.join(name), bytes).map_err(|e| self.failed(&e))
    }

    /// A file of the quorum could not be written: its directory is not to be relied
    /// on, like that of any other log.
    fn failed(&self, error: &LogError) -> StorageFault {
        if let Some(log_dir) = self.dir.parent() {
            self.faults.note(log_dir, error);
        }
        fault(error)
    }
}

fn fault(error: impl std::fmt::Display) -> StorageFault {
    StorageFault(error.to_string())
}

impl QuorumStore for QuorumLog {
    fn append(&mut self, entries: &[LogEntry], now: Now) -> Result<(), StorageFault> {
        let Some(first) = entries.first() else {
            return Ok(());
        };
        let base = BatchHeader::parse(&first.batch).map_err(fault)?.base_offset;
        if base < self.log.log_end() {
            let cut = self.log.truncate_to(base, now.wall);
            cut.map_err(|e| self.failed(&e))?;
        }
        for entry in entries {
            let appended = self.log.append_follower(&entry.batch, now.wall);
            appended.map_err(|error| match &error {
                AppendError::Log(error) => self.failed(error),
                other => fault(other),
            })?;
        }
        let flushed = self.log.flush(now.wall);
        flushed.map_err(|e| self.failed(&e))
    }

    fn keep_vote(&mut self, vote: Vote) -> Result<(), StorageFault> {
        let voted = vote.voted.map_or(-1, NodeId::get);
        let text = format!("version={VERSION}\nterm={}\nvoted={voted}\n", vote.term);
        self.write(STATE_FILE, text.as_bytes())
    }

    fn keep_snapshot(
        &mut self,
        snapshot: &LogSnapshot,
        replaces: bool,
        now: Now,
    ) -> Result<(), StorageFault> {
        self.write(SNAPSHOT_FILE, &write_snapshot(snapshot, replaces))?;
        let after = snapshot.last_offset.plus(1);
        if replaces {
            let restarted = self.log.restart_at(after, now.wall);
            return restarted.map_err(|e| self.failed(&e));
        }
        let rolled = self.log.roll(now.wall);
        rolled.map_err(|e| self.failed(&e))?;
        self.log.set_high_watermark(self.log.log_end());
        self.log.delete_records_to(after).map_err(fault)?;
        let expired = self.log.enforce_retention(now.wall);
        for expired in expired.map_err(|e| self.failed(&e))? {
            let removed = expired.files.remove(&*self.disk);
            removed.map_err(|e| self.failed(&e))?;
        }
        Ok(())
    }
}

fn write_snapshot(snapshot: &LogSnapshot, replaces: bool) -> Vec<u8> {
    let mut body = Vec::with_capacity(SNAPSHOT_HEAD + snapshot.records.len());
    body.put_i64(snapshot.index as i64);
    body.put_i32(snapshot.term.get());
    body.put_i64(snapshot.last_offset.get());
    body.put_u8(u8::from(replaces));
    body.extend_from_slice(&snapshot.records);
    let mut out = Vec::with_capacity(8 + body.len());
    out.put_i32(VERSION);
    out.put_u32(crc32c(&body));
    out.extend_from_slice(&body);
    out
}

fn read_snapshot(bytes: &[u8]) -> Option<(LogSnapshot, bool)> {
    let mut from = bytes;
    if bytes.len() < SNAPSHOT_HEAD || from.get_i32() != VERSION || !sum_fits(&mut from) {
        return None;
    }
    let snapshot = LogSnapshot {
        index: from.get_i64() as u64,
        term: LeaderEpoch(from.get_i32()),
        last_offset: Offset(from.get_i64()),
        records: Bytes::new(),
    };
    let replaces = from.get_u8() != 0;
    let records = Bytes::copy_from_slice(from);
    Some((
        LogSnapshot {
            records,
            ..snapshot
        },
        replaces,
    ))
}

/// Reads a checksum and compares it with that of the rest.
fn sum_fits(from: &mut &[u8]) -> bool {
    let sum = from.get_u32();
    sum == crc32c(from)
}

fn read_vote(bytes: &[u8]) -> Option<Vote> {
    let text = std::str::from_utf8(bytes).ok()?;
    let number = |name: &str| {
        text.lines()
            .filter_map(|line| line.split_once('='))
            .find(|(key, _)| *key == name)
            .and_then(|(_, value)| value.parse::<i32>().ok())
    };
    if number("version") != Some(VERSION) {
        return None;
    }
    let (term, voted) = (number("term")?, number("voted")?);
    Some(Vote {
        term: LeaderEpoch(term),
        voted: (voted >= 0).then_some(NodeId(voted)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_reads_back_and_a_broken_one_does_not() {
        let snapshot = LogSnapshot {
            index: 7,
            term: LeaderEpoch(3),
            last_offset: Offset(41),
            records: Bytes::from_static(b"records"),
        };
        let bytes = write_snapshot(&snapshot, true);
        assert_eq!(read_snapshot(&bytes), Some((snapshot, true)));
        for at in 0..bytes.len() {
            let mut broken = bytes.clone();
            if let Some(byte) = broken.get_mut(at) {
                *byte ^= 1;
            }
            assert_eq!(read_snapshot(&broken), None, "byte {at}");
            assert_eq!(read_snapshot(bytes.get(..at).unwrap_or_default()), None);
        }
    }

    #[test]
    fn a_vote_is_read_only_when_it_is_whole() {
        let check = |text: &str, expected: Option<Vote>| {
            assert_eq!(read_vote(text.as_bytes()), expected, "{text}");
        };
        let vote = |voted| Vote {
            term: LeaderEpoch(4),
            voted,
        };
        check("version=0\nterm=4\nvoted=2\n", Some(vote(Some(NodeId(2)))));
        check("version=0\nterm=4\nvoted=-1\n", Some(vote(None)));
        check("version=1\nterm=4\nvoted=2\n", None);
        check("version=0\nterm=4\n", None);
    }
}
