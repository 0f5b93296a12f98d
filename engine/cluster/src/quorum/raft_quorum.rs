//! The quorum by the `raft` crate.
//!
//! Election timeouts are not drawn at random, so that a simulated world
//! repeats exactly: each voter waits a little longer than the one before it.
//! A voter whose log is behind asks before it raises the term (pre-vote), so
//! that it does not disturb those who can win.

use super::batches::{decode_batch, encode_batch};
use super::messages::QuorumMessage;
use super::mirror::{Mirror, node_of, snapshot_of, term_of, voter_id};
use super::{
    After, AppendRefused, Committed, Effects, LogEntry, LogPlace, LogSnapshot, News, Quorum,
    QuorumStore, Standing, Vote, VoterState,
};
use crate::error::ClusterError;
use crate::log::StorageFault;
use crate::records::MetadataRecord;
use bytes::Bytes;
use plimsoll_wire::batch::BatchHeader;
use plimsoll_wire::time::Now;
use plimsoll_wire::types::{LeaderEpoch, NodeId, Offset, TimestampMs};
use raft::eraftpb::{Entry, Message};
use raft::{Config, RawNode, StateRole, Storage as _};
use slog::{Discard, Logger, o};

/// The most bytes of entries in one message; a single larger entry is sent
/// all the same.
const MESSAGE_BYTES_MAX: u64 = 1 << 20;
/// How many messages to a voter are under way at once.
const INFLIGHT_MAX: usize = 64;
/// How many bytes of batches may wait to be committed.
const UNCOMMITTED_BYTES_MAX: u64 = 64 << 20;

/// How a voter keeps time, in ticks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RaftSettings {
    /// Between two heartbeats of the leader.
    pub heartbeat_ticks: usize,
    /// Without a sign of a leader before an election.
    pub election_ticks: usize,
    /// How much longer each further voter waits.
    pub stagger_ticks: usize,
}

/// What a voter's store held when it was opened.
#[derive(Clone, Debug)]
pub struct Recovered {
    /// What it promised.
    pub vote: Vote,
    /// The last snapshot, when there is one.
    pub snapshot: Option<LogSnapshot>,
    /// The entries after it.
    pub entries: Vec<LogEntry>,
}

/// A voter.
pub struct RaftQuorum {
    raft: RawNode<Mirror>,
    store: Box<dyn QuorumStore>,
    me: NodeId,
    nodes: Vec<NodeId>,
    /// The store failed: nothing may be promised any more.
    broken: Option<StorageFault>,
}

impl RaftQuorum {
    /// A voter of `nodes`, with what its store holds.
    ///
    /// # Errors
    /// When this node is none of the voters, or the settings contradict each
    /// other.
    pub fn new(
        me: NodeId,
        nodes: &[NodeId],
        settings: RaftSettings,
        recovered: Recovered,
        store: Box<dyn QuorumStore>,
    ) -> Result<Self, ClusterError> {
        let mut nodes = nodes.to_vec();
        nodes.sort_unstable();
        nodes.dedup();
        let place = nodes
            .binary_search(&me)
            .map_err(|_| ClusterError::NotAVoter(me))?;
        let wait = settings.election_ticks + place * settings.stagger_ticks;
        let snapshot = recovered.snapshot.unwrap_or(LogSnapshot {
            index: 0,
            term: LeaderEpoch(0),
            last_offset: Offset(-1),
            records: Bytes::new(),
        });
        let config = Config {
            id: voter_id(me),
            election_tick: settings.election_ticks,
            heartbeat_tick: settings.heartbeat_ticks,
            // A range of one: the library draws from it.
            min_election_tick: wait,
            max_election_tick: wait + 1,
            applied: snapshot.index,
            max_size_per_msg: MESSAGE_BYTES_MAX,
            max_inflight_msgs: INFLIGHT_MAX,
            max_uncommitted_size: UNCOMMITTED_BYTES_MAX,
            check_quorum: true,
            pre_vote: true,
            ..Config::default()
        };
        let mirror = Mirror::new(&nodes, recovered.vote, snapshot, recovered.entries);
        let raft = RawNode::new(&config, mirror, &Logger::root(Discard, o!()))
            .map_err(|error| ClusterError::Quorum(error.to_string()))?;
        Ok(Self {
            raft,
            store,
            me,
            nodes,
            broken: None,
        })
    }

    fn mirror(&mut self) -> &mut Mirror {
        self.raft.mut_store()
    }

    fn check(&self) -> Result<(), StorageFault> {
        self.broken.clone().map_or(Ok(()), Err)
    }

    /// Makes durable what has to be, and collects what there is to be done.
    fn settle(&mut self, now: Now) -> Result<Effects, StorageFault> {
        self.check()?;
        let mut effects = Effects::default();
        let outcome = self.settle_into(&mut effects, now);
        if let Err(fault) = &outcome {
            self.broken = Some(fault.clone());
        }
        outcome.map(|()| effects)
    }

    fn settle_into(&mut self, effects: &mut Effects, now: Now) -> Result<(), StorageFault> {
        while self.raft.has_ready() {
            let mut ready = self.raft.ready();
            push_messages(effects, ready.take_messages());
            if !ready.snapshot().is_empty() {
                let snapshot = snapshot_of(ready.snapshot())
                    .ok_or_else(|| StorageFault("a snapshot that is cut short".into()))?;
                self.store.keep_snapshot(&snapshot, true, now)?;
                self.mirror().restart(snapshot.clone());
                effects.committed.clear();
                effects.snapshot = Some(snapshot);
            }
            push_committed(effects, ready.take_committed_entries())?;
            let entries = self.log_entries(ready.take_entries())?;
            if !entries.is_empty() {
                self.store.append(&entries, now)?;
                self.mirror().append(entries);
            }
            if let Some(hard) = ready.hs() {
                let vote = Vote {
                    term: term_of(hard.term),
                    voted: node_of(hard.vote),
                };
                let commit = hard.commit;
                if vote != self.mirror().vote() {
                    self.store.keep_vote(vote)?;
                    self.mirror().set_vote(vote);
                }
                self.mirror().set_commit(commit);
            }
            push_messages(effects, ready.take_persisted_messages());
            let mut light = self.raft.advance(ready);
            if let Some(commit) = light.commit_index() {
                self.mirror().set_commit(commit);
            }
            push_messages(effects, light.take_messages());
            push_committed(effects, light.take_committed_entries())?;
            self.raft.advance_apply();
        }
        Ok(())
    }

    /// Entries as they are kept: one that the library made of nothing becomes
    /// a batch that changes nothing.
    fn log_entries(&mut self, entries: Vec<Entry>) -> Result<Vec<LogEntry>, StorageFault> {
        let Some(first) = entries.first() else {
            return Ok(Vec::new());
        };
        let mut end = self.mirror().end_before(first.index);
        let mut kept = Vec::with_capacity(entries.len());
        for entry in entries {
            let term = term_of(entry.term);
            let batch = if entry.data.is_empty() {
                nothing(end.plus(1), term)?
            } else {
                entry.data
            };
            let header =
                BatchHeader::parse(&batch).map_err(|error| StorageFault(error.to_string()))?;
            end = header.next_offset().plus(-1);
            kept.push(LogEntry {
                index: entry.index,
                term,
                last_offset: end,
                batch,
            });
        }
        Ok(kept)
    }
}

/// A batch that changes nothing, the same wherever it is made.
fn nothing(base: Offset, term: LeaderEpoch) -> Result<Bytes, StorageFault> {
    encode_batch(base, term, TimestampMs(0), &[MetadataRecord::NoOp])
        .map(Bytes::from)
        .map_err(|error| StorageFault(error.to_string()))
}

fn push_messages(effects: &mut Effects, messages: Vec<Message>) {
    for message in messages {
        if let Some(to) = node_of(message.to) {
            effects.messages.push((to, QuorumMessage(message)));
        }
    }
}

fn push_committed(effects: &mut Effects, entries: Vec<Entry>) -> Result<(), StorageFault> {
    for entry in entries {
        if entry.data.is_empty() {
            continue;
        }
        let broken = |error: ClusterError| StorageFault(error.to_string());
        let header = BatchHeader::parse(&entry.data)
            .map_err(|e| broken(ClusterError::Batch(e.to_string())))?;
        effects.committed.push(Committed {
            last_offset: header.next_offset().plus(-1),
            term: term_of(entry.term),
            records: decode_batch(&entry.data).map_err(broken)?,
        });
    }
    Ok(())
}

impl Quorum for RaftQuorum {
    fn tick(&mut self, now: Now) -> Result<Effects, StorageFault> {
        self.check()?;
        self.raft.tick();
        self.settle(now)
    }

    fn step(&mut self, message: QuorumMessage, now: Now) -> Result<Effects, StorageFault> {
        self.check()?;
        let ours = message.0.to == voter_id(self.me);
        let from = node_of(message.0.from);
        if ours
            && from.is_some_and(|node| node != self.me && self.nodes.contains(&node))
            && let Err(error) = self.raft.step(message.0)
        {
            // The library refuses what is out of date; its sender tries again.
            let _refused = error;
        }
        self.settle(now)
    }

    fn unreachable(&mut self, node: NodeId) {
        self.raft.report_unreachable(voter_id(node));
    }

    fn append(
        &mut self,
        records: &[MetadataRecord],
        now: Now,
    ) -> Result<(Offset, Effects), AppendRefused> {
        self.check()?;
        if self.raft.raft.state != StateRole::Leader {
            return Err(AppendRefused::NotLeader);
        }
        let term = term_of(self.raft.raft.term);
        let base = self.raft.store().end().plus(1);
        let batch = encode_batch(base, term, now.wall, records)
            .map_err(|error| AppendRefused::Malformed(error.to_string()))?;
        match self.raft.propose(Vec::new(), batch) {
            Ok(()) => {}
            Err(raft::Error::ProposalDropped) => return Err(AppendRefused::Busy),
            Err(_) => return Err(AppendRefused::NotLeader),
        }
        let effects = self.settle(now)?;
        let count = i64::try_from(records.len()).unwrap_or(i64::MAX);
        Ok((base.plus(count - 1), effects))
    }

    fn campaign(&mut self, now: Now) -> Result<Effects, StorageFault> {
        self.check()?;
        if self.raft.campaign().is_err() {
            return Ok(Effects::default());
        }
        self.settle(now)
    }

    fn place(&self) -> LogPlace {
        self.raft.store().place()
    }

    fn news_after(&self, place: LogPlace) -> News {
        let standing = self.standing();
        let committed = self.raft.raft.raft_log.committed;
        News {
            term: standing.term,
            leader: standing.leader,
            after: match standing.active {
                true => self.raft.store().after(place, committed, MESSAGE_BYTES_MAX),
                false => After::Unknown,
            },
        }
    }

    fn learn(&mut self, _news: News, _now: Now) -> Result<Effects, StorageFault> {
        self.check().map(|()| Effects::default())
    }

    fn standing(&self) -> Standing {
        let raft = &self.raft.raft;
        let mirror = self.raft.store();
        let leads = raft.state == StateRole::Leader && self.broken.is_none();
        Standing {
            term: term_of(raft.term),
            leader: node_of(raft.leader_id),
            active: leads && raft.commit_to_current_term(),
            committed: mirror
                .offset_at(raft.raft_log.committed)
                .unwrap_or(Offset(-1)),
            end: mirror.end(),
        }
    }

    fn voters(&self) -> Vec<VoterState> {
        let raft = &self.raft.raft;
        let mirror = self.raft.store();
        let state = |node: &NodeId| {
            let end = if *node == self.me {
                mirror.end()
            } else {
                let progress = raft.prs().get(voter_id(*node));
                let matched = progress.filter(|_| raft.state == StateRole::Leader);
                matched
                    .and_then(|progress| mirror.offset_at(progress.matched))
                    .unwrap_or(Offset(-1))
            };
            VoterState { node: *node, end }
        };
        self.nodes.iter().map(state).collect()
    }

    fn bytes_since_snapshot(&self) -> u64 {
        self.raft.store().bytes()
    }

    fn snapshot(
        &mut self,
        last_offset: Offset,
        records: Bytes,
        now: Now,
    ) -> Result<(), StorageFault> {
        let Some(index) = self.raft.store().index_of(last_offset) else {
            return Ok(());
        };
        if index > self.raft.raft.raft_log.applied {
            return Ok(());
        }
        let term = self
            .raft
            .store()
            .term(index)
            .map_err(|error| StorageFault(error.to_string()))?;
        let snapshot = LogSnapshot {
            index,
            term: term_of(term),
            last_offset,
            records,
        };
        self.store.keep_snapshot(&snapshot, false, now)?;
        self.mirror().compact(snapshot);
        Ok(())
    }
}
