//! A place in the quorum without a vote: the log as the voters committed it.
//!
//! It learns from the active controller's [`News`] and never appends, votes or
//! stands for election. What it finds in its own store at the start may hold
//! entries that never were committed, when the node voted before; so none of
//! them counts until the controller has confirmed the last one. If it does not,
//! they are given up and the log is taken from the node's snapshot on.
//!
//! Invariant: what it once called committed stays so. A controller whose log
//! contradicts that is of another history, and the observer takes no further
//! part.

use super::batches::decode_batch;
use super::{
    After, AppendRefused, Committed, Effects, LogEntry, LogPlace, LogSnapshot, News, Quorum,
    QuorumMessage, QuorumStore, Recovered, Standing, VoterState,
};
use crate::error::ClusterError;
use crate::log::StorageFault;
use crate::records::MetadataRecord;
use bytes::Bytes;
use plimsoll_wire::batch::BatchHeader;
use plimsoll_wire::time::Now;
use plimsoll_wire::types::{LeaderEpoch, NodeId, Offset};

/// A node that follows the log.
pub struct Observer {
    store: Box<dyn QuorumStore>,
    voters: Vec<NodeId>,
    /// The last entry of the log.
    end: LogPlace,
    /// The entry up to which the node's own snapshot reaches.
    snapshot: LogPlace,
    /// The store's entries after the snapshot, until the last is confirmed.
    unconfirmed: Vec<LogEntry>,
    bytes: u64,
    term: LeaderEpoch,
    leader: Option<NodeId>,
    /// The store failed, or the controller's log is of another history.
    broken: Option<StorageFault>,
}

impl Observer {
    /// A follower of these voters, with what its store holds.
    pub fn new(voters: &[NodeId], recovered: Recovered, store: Box<dyn QuorumStore>) -> Self {
        let snapshot = recovered.snapshot.as_ref();
        let snapshot = snapshot.map_or(LogPlace::START, LogPlace::of_snapshot);
        let unconfirmed = recovered.entries;
        Self {
            store,
            voters: voters.to_vec(),
            end: unconfirmed.last().map_or(snapshot, LogPlace::of_entry),
            snapshot,
            bytes: bytes_of(&unconfirmed),
            unconfirmed,
            term: recovered.vote.term,
            leader: None,
            broken: None,
        }
    }

    fn check(&self) -> Result<(), StorageFault> {
        self.broken.clone().map_or(Ok(()), Err)
    }

    fn learn_after(&mut self, after: After, now: Now) -> Result<Effects, StorageFault> {
        let mut effects = Effects::default();
        match after {
            After::Unknown => {}
            After::Nothing => self.confirm(&mut effects)?,
            After::Entries(entries) => {
                self.confirm(&mut effects)?;
                self.take(entries, &mut effects, now)?;
            }
            After::Snapshot(snapshot) => {
                self.store.keep_snapshot(&snapshot, true, now)?;
                self.unconfirmed.clear();
                self.bytes = 0;
                self.snapshot = LogPlace::of_snapshot(&snapshot);
                self.end = self.snapshot;
                effects.snapshot = Some(snapshot);
            }
            After::Elsewhere if self.unconfirmed.is_empty() => {
                return Err(StorageFault(format!(
                    "the controller's log does not hold offset {}, up to which this node's is \
                     committed: they are of different histories; if the controllers lost their \
                     disks, remove this node's metadata log",
                    self.end.last_offset
                )));
            }
            // The store gives them up as soon as others come in their place.
            After::Elsewhere => {
                self.unconfirmed.clear();
                self.bytes = 0;
                self.end = self.snapshot;
            }
        }
        Ok(effects)
    }

    /// The log's end is known to be committed, and so is all before it.
    fn confirm(&mut self, effects: &mut Effects) -> Result<(), StorageFault> {
        for entry in std::mem::take(&mut self.unconfirmed) {
            effects.committed.push(committed(&entry)?);
        }
        Ok(())
    }

    /// Takes the entries that follow the log's end.
    fn take(
        &mut self,
        entries: Vec<LogEntry>,
        effects: &mut Effects,
        now: Now,
    ) -> Result<(), StorageFault> {
        let mut end = self.end;
        for entry in &entries {
            let header = BatchHeader::parse(&entry.batch)
                .map_err(|error| StorageFault(error.to_string()))?;
            if entry.index != end.index + 1 || header.base_offset != end.last_offset.plus(1) {
                // They answer an older question.
                return Ok(());
            }
            end = LogPlace::of_entry(entry);
        }
        self.store.append(&entries, now)?;
        self.bytes += bytes_of(&entries);
        self.end = end;
        for entry in &entries {
            effects.committed.push(committed(entry)?);
        }
        Ok(())
    }
}

fn bytes_of(entries: &[LogEntry]) -> u64 {
    entries.iter().map(|entry| entry.batch.len() as u64).sum()
}

fn committed(entry: &LogEntry) -> Result<Committed, StorageFault> {
    Ok(Committed {
        last_offset: entry.last_offset,
        term: entry.term,
        records: decode_batch(&entry.batch)
            .map_err(|error: ClusterError| StorageFault(error.to_string()))?,
    })
}

impl Quorum for Observer {
    fn tick(&mut self, _now: Now) -> Result<Effects, StorageFault> {
        self.check().map(|()| Effects::default())
    }

    fn step(&mut self, _message: QuorumMessage, _now: Now) -> Result<Effects, StorageFault> {
        self.check().map(|()| Effects::default())
    }

    fn unreachable(&mut self, node: NodeId) {
        if self.leader == Some(node) {
            self.leader = None;
        }
    }

    fn append(
        &mut self,
        _records: &[MetadataRecord],
        _now: Now,
    ) -> Result<(Offset, Effects), AppendRefused> {
        Err(AppendRefused::NotLeader)
    }

    fn campaign(&mut self, _now: Now) -> Result<Effects, StorageFault> {
        self.check().map(|()| Effects::default())
    }

    fn place(&self) -> LogPlace {
        self.end
    }

    fn news_after(&self, _place: LogPlace) -> News {
        News {
            term: self.term,
            leader: self.leader,
            after: After::Unknown,
        }
    }

    fn learn(&mut self, news: News, now: Now) -> Result<Effects, StorageFault> {
        self.check()?;
        if news.term < self.term {
            // A controller that was deposed and does not know it yet. What it calls
            // committed is; who leads it cannot say.
            return Ok(Effects::default());
        }
        self.term = news.term;
        self.leader = news.leader;
        let outcome = self.learn_after(news.after, now);
        if let Err(fault) = &outcome {
            self.broken = Some(fault.clone());
        }
        outcome
    }

    fn standing(&self) -> Standing {
        let committed = match self.unconfirmed.is_empty() {
            true => self.end.last_offset,
            false => self.snapshot.last_offset,
        };
        Standing {
            term: self.term,
            leader: self.leader.filter(|_| self.broken.is_none()),
            active: false,
            committed,
            end: self.end.last_offset,
        }
    }

    fn voters(&self) -> Vec<VoterState> {
        let unknown = |node: &NodeId| VoterState {
            node: *node,
            end: Offset(-1),
        };
        self.voters.iter().map(unknown).collect()
    }

    fn bytes_since_snapshot(&self) -> u64 {
        self.bytes
    }

    fn snapshot(
        &mut self,
        last_offset: Offset,
        records: Bytes,
        now: Now,
    ) -> Result<(), StorageFault> {
        if last_offset != self.end.last_offset || !self.unconfirmed.is_empty() {
            return Ok(());
        }
        let snapshot = LogSnapshot {
            index: self.end.index,
            term: self.end.term,
            last_offset,
            records,
        };
        self.store.keep_snapshot(&snapshot, false, now)?;
        self.snapshot = self.end;
        self.bytes = 0;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quorum::{RaftQuorum, RaftSettings, Vote, encode_batch};
    use crate::records::FeatureLevel;
    use plimsoll_wire::time::Instant;
    use plimsoll_wire::types::TimestampMs;
    use std::sync::{Arc, Mutex};
    use std::time::Duration;

    const NOW: Now = Now {
        wall: TimestampMs(1),
        mono: Instant(Duration::ZERO),
    };

    /// What a store holds, for a test to see and to open another on.
    #[derive(Default)]
    struct Held {
        snapshot: Option<LogSnapshot>,
        entries: Vec<LogEntry>,
    }

    #[derive(Clone, Default)]
    struct Store(Arc<Mutex<Held>>);

    impl QuorumStore for Store {
        fn append(&mut self, entries: &[LogEntry], _: Now) -> Result<(), StorageFault> {
            let mut held = self.0.lock().expect("nobody panicked");
            let first = entries.first().map_or(u64::MAX, |entry| entry.index);
            held.entries.retain(|entry| entry.index < first);
            held.entries.extend_from_slice(entries);
            Ok(())
        }

        fn keep_vote(&mut self, _: Vote) -> Result<(), StorageFault> {
            Ok(())
        }

        fn keep_snapshot(
            &mut self,
            snapshot: &LogSnapshot,
            replaces: bool,
            _: Now,
        ) -> Result<(), StorageFault> {
            let mut held = self.0.lock().expect("nobody panicked");
            held.entries
                .retain(|entry| !replaces && entry.index > snapshot.index);
            held.snapshot = Some(snapshot.clone());
            Ok(())
        }
    }

    impl Store {
        fn recovered(&self) -> Recovered {
            let held = self.0.lock().expect("nobody panicked");
            Recovered {
                vote: Vote::default(),
                snapshot: held.snapshot.clone(),
                entries: held.entries.clone(),
            }
        }

        fn observe(&self) -> Observer {
            Observer::new(&[NodeId(1)], self.recovered(), Box::new(self.clone()))
        }
    }

    fn feature(level: i16) -> MetadataRecord {
        let name = "metadata.version".to_owned();
        MetadataRecord::FeatureLevel(FeatureLevel { name, level })
    }

    /// A quorum of one that leads and has committed these levels, an entry each.
    fn leader(levels: &[i16]) -> RaftQuorum {
        let settings = RaftSettings {
            heartbeat_ticks: 2,
            election_ticks: 10,
            stagger_ticks: 2,
        };
        let (store, node) = (Store::default(), NodeId(1));
        let (recovered, store) = (store.recovered(), Box::new(store));
        let mut quorum =
            RaftQuorum::new(node, &[node], settings, recovered, store).expect("a voter");
        quorum.campaign(NOW).expect("the store works");
        for level in levels {
            quorum.append(&[feature(*level)], NOW).expect("it leads");
        }
        quorum
    }

    /// Lets an observer ask until there is nothing more; the levels it was given.
    fn catch_up(observer: &mut Observer, leader: &RaftQuorum) -> Result<Vec<i16>, StorageFault> {
        let mut levels = Vec::new();
        loop {
            let news = leader.news_after(observer.place());
            let is_last = !news.is_worth_telling();
            let effects = observer.learn(news, NOW)?;
            if let Some(snapshot) = effects.snapshot {
                levels = levels_of(&snapshot.records);
            }
            for batch in effects.committed {
                levels.extend(batch.records.iter().filter_map(level_of));
            }
            if is_last {
                return Ok(levels);
            }
        }
    }

    fn level_of(record: &MetadataRecord) -> Option<i16> {
        match record {
            MetadataRecord::FeatureLevel(feature) => Some(feature.level),
            _ => None,
        }
    }

    fn levels_of(records: &[u8]) -> Vec<i16> {
        let records = decode_batch(records).expect("a batch");
        records.iter().filter_map(level_of).collect()
    }

    #[test]
    fn all_that_was_committed_is_learned_once() {
        let mut quorum = leader(&[1, 2]);
        let store = Store::default();
        let mut observer = store.observe();
        assert_eq!(catch_up(&mut observer, &quorum), Ok(vec![1, 2]));
        quorum.append(&[feature(3)], NOW).expect("it leads");
        assert_eq!(catch_up(&mut observer, &quorum), Ok(vec![3]));
        let standing = observer.standing();
        assert_eq!(standing.committed, quorum.standing().committed);
        assert_eq!((standing.leader, standing.active), (Some(NodeId(1)), false));
    }

    #[test]
    fn a_new_run_tells_what_it_holds_once_that_is_confirmed() {
        let mut quorum = leader(&[1, 2]);
        let store = Store::default();
        catch_up(&mut store.observe(), &quorum).expect("the store works");
        quorum.append(&[feature(3)], NOW).expect("it leads");
        let mut again = store.observe();
        assert_eq!(again.standing().committed, Offset(-1), "nothing is certain");
        assert_eq!(catch_up(&mut again, &quorum), Ok(vec![1, 2, 3]));
    }

    /// The node voted before, and its last entry lost against another.
    #[test]
    fn entries_that_never_were_committed_are_given_up() {
        let quorum = leader(&[1, 2]);
        let store = Store::default();
        catch_up(&mut store.observe(), &quorum).expect("the store works");
        {
            let mut held = store.0.lock().expect("nobody panicked");
            let last = held.entries.last().expect("there are entries").clone();
            let batch = encode_batch(
                last.last_offset.plus(1),
                last.term,
                TimestampMs(0),
                &[feature(9)],
            );
            held.entries.push(LogEntry {
                index: last.index + 1,
                last_offset: last.last_offset.plus(1),
                batch: batch.expect("it encodes").into(),
                ..last
            });
        }
        let mut again = store.observe();
        assert_eq!(catch_up(&mut again, &quorum), Ok(vec![1, 2]));
        assert_eq!(again.place(), quorum.place());
    }

    #[test]
    fn a_snapshot_stands_for_what_the_controller_has_forgotten() {
        let mut quorum = leader(&[1, 2]);
        let store = Store::default();
        let mut late = store.observe();
        let records = encode_batch(Offset(0), LeaderEpoch(0), TimestampMs(0), &[feature(2)]);
        let at = quorum.standing().committed;
        let kept = quorum.snapshot(at, records.expect("it encodes").into(), NOW);
        kept.expect("the store works");
        quorum.append(&[feature(3)], NOW).expect("it leads");
        assert_eq!(catch_up(&mut late, &quorum), Ok(vec![2, 3]));
        assert_eq!(catch_up(&mut store.observe(), &quorum), Ok(vec![3]));
    }

    #[test]
    fn its_own_snapshot_lets_it_begin_there() {
        let quorum = leader(&[1, 2]);
        let store = Store::default();
        let mut observer = store.observe();
        catch_up(&mut observer, &quorum).expect("the store works");
        let records = encode_batch(Offset(0), LeaderEpoch(0), TimestampMs(0), &[feature(2)]);
        let at = observer.standing().committed;
        let kept = observer.snapshot(at, records.expect("it encodes").into(), NOW);
        kept.expect("the store works");
        assert_eq!(observer.bytes_since_snapshot(), 0);
        let mut again = store.observe();
        assert_eq!(again.standing().committed, at);
        assert_eq!(catch_up(&mut again, &quorum), Ok(Vec::new()));
    }

    #[test]
    fn controllers_of_another_history_are_not_followed() {
        let store = Store::default();
        let mut observer = store.observe();
        catch_up(&mut observer, &leader(&[1, 2])).expect("the store works");
        let others = leader(&[4]);
        let fault = catch_up(&mut observer, &others).expect_err("it is refused");
        assert!(fault.0.contains("different histories"), "{fault}");
        assert_eq!(observer.standing().leader, None);
    }

    #[test]
    fn who_was_deposed_is_not_believed_to_lead() {
        let store = Store::default();
        let mut observer = store.observe();
        let told = |term, leader| News {
            term: LeaderEpoch(term),
            leader: Some(NodeId(leader)),
            after: After::Unknown,
        };
        observer.learn(told(4, 2), NOW).expect("it learns");
        observer.learn(told(3, 1), NOW).expect("it learns");
        assert_eq!(observer.standing().leader, Some(NodeId(2)));
        observer.unreachable(NodeId(2));
        assert_eq!(observer.standing().leader, None);
    }
}
