//! The part of the log that consensus looks at, in memory: everything since
//! the last snapshot.

use super::{After, LogEntry, LogPlace, LogSnapshot, Vote};
use bytes::{BufMut, Bytes, BytesMut};
use plimsoll_wire::types::{LeaderEpoch, NodeId, Offset};
use raft::eraftpb::{ConfState, Entry, EntryType, HardState, Snapshot};
use raft::{GetEntriesContext, RaftState, Storage, StorageError};

/// A node's number among voters: the library keeps 0 for nobody.
pub(super) fn voter_id(node: NodeId) -> u64 {
    u64::try_from(node.get()).unwrap_or(0) + 1
}

/// The node of a voter's number.
pub(super) fn node_of(voter: u64) -> Option<NodeId> {
    let node = voter.checked_sub(1)?;
    i32::try_from(node).ok().map(NodeId)
}

pub(super) fn term_of(term: u64) -> LeaderEpoch {
    LeaderEpoch(i32::try_from(term).unwrap_or(i32::MAX))
}

pub(super) fn raw_term(term: LeaderEpoch) -> u64 {
    u64::try_from(term.get()).unwrap_or(0)
}

/// Entries since the last snapshot, and the snapshot.
pub(super) struct Mirror {
    voters: ConfState,
    vote: Vote,
    commit: u64,
    snapshot: LogSnapshot,
    entries: Vec<LogEntry>,
    bytes: u64,
}

impl Mirror {
    pub(super) fn new(
        voters: &[NodeId],
        vote: Vote,
        snapshot: LogSnapshot,
        entries: Vec<LogEntry>,
    ) -> Self {
        let ids: Vec<u64> = voters.iter().map(|node| voter_id(*node)).collect();
        let bytes = entries.iter().map(|entry| entry.batch.len() as u64).sum();
        Self {
            voters: ConfState::from((ids, Vec::new())),
            vote,
            commit: snapshot.index,
            snapshot,
            entries,
            bytes,
        }
    }

    pub(super) const fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(super) const fn vote(&self) -> Vote {
        self.vote
    }

    pub(super) const fn set_vote(&mut self, vote: Vote) {
        self.vote = vote;
    }

    pub(super) const fn set_commit(&mut self, commit: u64) {
        self.commit = commit;
    }

    /// The offset of the last record of the log.
    pub(super) fn end(&self) -> Offset {
        let last = self.entries.last();
        last.map_or(self.snapshot.last_offset, |entry| entry.last_offset)
    }

    /// The entry of this number, when it is here.
    pub(super) fn entry(&self, index: u64) -> Option<&LogEntry> {
        let at = index.checked_sub(self.snapshot.index + 1)?;
        usize::try_from(at).ok().and_then(|at| self.entries.get(at))
    }

    /// The offset of the last record of an entry.
    pub(super) fn offset_at(&self, index: u64) -> Option<Offset> {
        if index == self.snapshot.index {
            return Some(self.snapshot.last_offset);
        }
        self.entry(index).map(|entry| entry.last_offset)
    }

    /// The last record of the log before the entry of this number.
    pub(super) fn end_before(&self, index: u64) -> Offset {
        self.offset_at(index.saturating_sub(1))
            .unwrap_or(self.snapshot.last_offset)
    }

    /// Where the log ends.
    pub(super) fn place(&self) -> LogPlace {
        let last = self.entries.last();
        last.map_or(LogPlace::of_snapshot(&self.snapshot), LogPlace::of_entry)
    }

    /// What was committed after `place`, at most about `room` bytes of it.
    pub(super) fn after(&self, place: LogPlace, committed: u64, room: u64) -> After {
        if place.index < self.snapshot.index {
            return After::Snapshot(self.snapshot.clone());
        }
        let term = match place.index == self.snapshot.index {
            true => Some(self.snapshot.term),
            false => self.entry(place.index).map(|entry| entry.term),
        };
        if place.index > committed || term != Some(place.term) {
            return After::Elsewhere;
        }
        let mut taken = 0u64;
        let mut found = Vec::new();
        for entry in (place.index + 1..=committed).map_while(|index| self.entry(index)) {
            taken = taken.saturating_add(entry.batch.len() as u64);
            if taken > room && !found.is_empty() {
                break;
            }
            found.push(entry.clone());
        }
        match found.is_empty() {
            true => After::Nothing,
            false => After::Entries(found),
        }
    }

    /// Adds entries in the place of all at or after the first one.
    pub(super) fn append(&mut self, entries: Vec<LogEntry>) {
        let Some(first) = entries.first() else {
            return;
        };
        let keep = first.index.saturating_sub(self.snapshot.index + 1);
        self.entries.truncate(usize::try_from(keep).unwrap_or(0));
        self.entries.extend(entries);
        self.bytes = self.entries.iter().map(|e| e.batch.len() as u64).sum();
    }

    /// The entry that ends at this offset.
    pub(super) fn index_of(&self, last_offset: Offset) -> Option<u64> {
        let found = self
            .entries
            .binary_search_by_key(&last_offset, |entry| entry.last_offset);
        found
            .ok()
            .and_then(|at| self.entries.get(at))
            .map(|entry| entry.index)
    }

    /// Lets a snapshot stand for the entries up to it.
    pub(super) fn compact(&mut self, snapshot: LogSnapshot) {
        self.entries.retain(|entry| entry.index > snapshot.index);
        self.bytes = self.entries.iter().map(|e| e.batch.len() as u64).sum();
        self.commit = self.commit.max(snapshot.index);
        self.snapshot = snapshot;
    }

    /// A snapshot from the leader takes the place of everything.
    pub(super) fn restart(&mut self, snapshot: LogSnapshot) {
        self.entries.clear();
        self.bytes = 0;
        self.commit = snapshot.index;
        self.snapshot = snapshot;
    }
}

/// The data of a snapshot on the wire: its last offset, then its records.
pub(super) fn snapshot_data(snapshot: &LogSnapshot) -> Bytes {
    let mut data = BytesMut::with_capacity(8 + snapshot.records.len());
    data.put_i64(snapshot.last_offset.get());
    data.extend_from_slice(&snapshot.records);
    data.freeze()
}

/// The snapshot of a message.
pub(super) fn snapshot_of(snapshot: &Snapshot) -> Option<LogSnapshot> {
    let (offset, records) = snapshot.data.split_first_chunk::<8>()?;
    Some(LogSnapshot {
        index: snapshot.get_metadata().index,
        term: term_of(snapshot.get_metadata().term),
        last_offset: Offset(i64::from_be_bytes(*offset)),
        records: Bytes::copy_from_slice(records),
    })
}

impl Storage for Mirror {
    fn initial_state(&self) -> raft::Result<RaftState> {
        let hard = HardState {
            term: raw_term(self.vote.term),
            vote: self.vote.voted.map_or(0, voter_id),
            commit: self.commit,
            ..HardState::default()
        };
        Ok(RaftState::new(hard, self.voters.clone()))
    }

    fn entries(
        &self,
        low: u64,
        high: u64,
        max_size: impl Into<Option<u64>>,
        _: GetEntriesContext,
    ) -> raft::Result<Vec<Entry>> {
        if low <= self.snapshot.index {
            return Err(raft::Error::Store(StorageError::Compacted));
        }
        let room = max_size.into().unwrap_or(u64::MAX);
        let mut taken = 0u64;
        let mut found = Vec::new();
        for index in low..high {
            let Some(entry) = self.entry(index) else {
                return Err(raft::Error::Store(StorageError::Unavailable));
            };
            taken = taken.saturating_add(entry.batch.len() as u64);
            if taken > room && !found.is_empty() {
                break;
            }
            found.push(Entry {
                entry_type: EntryType::EntryNormal,
                term: raw_term(entry.term),
                index,
                data: entry.batch.clone(),
                ..Entry::default()
            });
        }
        Ok(found)
    }

    fn term(&self, index: u64) -> raft::Result<u64> {
        if index == self.snapshot.index {
            return Ok(raw_term(self.snapshot.term));
        }
        if index < self.snapshot.index {
            return Err(raft::Error::Store(StorageError::Compacted));
        }
        self.entry(index)
            .map(|entry| raw_term(entry.term))
            .ok_or(raft::Error::Store(StorageError::Unavailable))
    }

    fn first_index(&self) -> raft::Result<u64> {
        Ok(self.snapshot.index + 1)
    }

    fn last_index(&self) -> raft::Result<u64> {
        Ok(self.snapshot.index + self.entries.len() as u64)
    }

    fn snapshot(&self, request_index: u64, _to: u64) -> raft::Result<Snapshot> {
        if request_index > self.snapshot.index {
            let later = StorageError::SnapshotTemporarilyUnavailable;
            return Err(raft::Error::Store(later));
        }
        let mut snapshot = Snapshot {
            data: snapshot_data(&self.snapshot),
            ..Snapshot::default()
        };
        let metadata = snapshot.mut_metadata();
        metadata.index = self.snapshot.index;
        metadata.term = raw_term(self.snapshot.term);
        metadata.set_conf_state(self.voters.clone());
        Ok(snapshot)
    }
}
