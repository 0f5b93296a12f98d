//! A group coordinator: everything of one partition of `__consumer_offsets`.
//!
//! Hard state (committed offsets, stored groups) changes in `replay` alone,
//! when records have been appended; a new coordinator replays the partition
//! from its start. Replies that tell of a change wait until its records are
//! committed (below the high watermark). One append is open at a time: between
//! a step with an append and the report of its outcome nothing else may be
//! asked of the shard.

use crate::classic::ClassicGroup;
use crate::command::Command;
use crate::config::GroupConfig;
use crate::consumer::ConsumerGroup;
use crate::group::Group;
use crate::names::{GroupId, IdSource};
use crate::offsets::OffsetStore;
use crate::refusal::Refusal;
use crate::reply::{JoinRefused, Reply};
use crate::schema::{GroupRecord, SchemaError};
use crate::settle::Parts;
use crate::step::{Append, AppendRefused, Appended, Effects, Producer, Step, Then, Token};
use crate::timers::Timers;
use crate::turn::{TimerKey, Turn, World};
use plimsoll_wire::time::Instant;
use plimsoll_wire::types::{Offset, ProducerId};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// The groups of a shard.
pub(crate) type Groups = BTreeMap<GroupId, Group>;

/// Records handed out to be appended.
#[derive(Debug)]
struct Open {
    records: Vec<GroupRecord>,
    producer: Option<Producer>,
    then: Then,
}

/// A group coordinator. See the module.
#[derive(Debug)]
pub struct GroupShard {
    pub(crate) config: GroupConfig,
    pub(crate) groups: Groups,
    pub(crate) offsets: OffsetStore,
    pub(crate) timers: Timers<TimerKey>,
    ids: IdSource,
    open: Option<Open>,
    /// What waits for the high watermark to pass an offset, in order.
    uncommitted: VecDeque<(Offset, Then)>,
    high_watermark: Offset,
}

impl GroupShard {
    /// A coordinator that knows nothing yet. Member ids are drawn from `seed`,
    /// which should differ from one coordinator's life to the next.
    pub fn new(config: GroupConfig, seed: u64) -> Self {
        Self {
            config,
            groups: Groups::new(),
            offsets: OffsetStore::default(),
            timers: Timers::default(),
            ids: IdSource::new(seed),
            open: None,
            uncommitted: VecDeque::new(),
            high_watermark: Offset(0),
        }
    }

    /// Takes in a record of the partition while the coordinator loads.
    /// `producer` is the batch's, when it is transactional.
    ///
    /// # Errors
    /// When the record's bytes are damaged; the state is as before.
    pub fn replay(
        &mut self,
        at: Offset,
        producer: Option<ProducerId>,
        key: &[u8],
        value: Option<&[u8]>,
    ) -> Result<(), SchemaError> {
        let record = GroupRecord::decode(key, value)?;
        if let GroupRecord::Classic(id, Some(_)) = &record
            && let Some(Group::Classic(_)) = self.groups.get(id)
        {
            self.groups.remove(id);
        }
        self.apply(at, producer, record);
        Ok(())
    }

    /// Takes in a transaction's marker in the partition, while the coordinator
    /// loads or when one has just been appended.
    pub fn replay_marker(&mut self, producer: ProducerId, committed: bool) {
        self.offsets.replay_marker(producer, committed);
    }

    /// Begins to serve after loading: every known member gets a session.
    pub fn loaded(&mut self, world: World<'_>, high_watermark: Offset) -> Step<Reply> {
        self.high_watermark = high_watermark;
        self.decide(world, |shard, turn| {
            turn.set_timer(TimerKey::Expiry, turn.config.offsets_check_interval);
            for group in shard.groups.values_mut() {
                match group {
                    Group::Classic(group) => group.resume(turn),
                    Group::Consumer(group) => group.resume_sessions(turn),
                }
            }
        })
    }

    /// Decides on a request. Its reply comes under `token`, in this step or a
    /// later one.
    pub fn handle(&mut self, world: World<'_>, token: Token, command: Command) -> Step<Reply> {
        self.decide(world, |shard, turn| shard.command(token, command, turn))
    }

    /// When [`GroupShard::expire`] has something to do next.
    pub fn next_deadline(&self) -> Option<Instant> {
        self.timers.next_deadline()
    }

    /// Acts on the earliest deadline that has passed; ask again while
    /// `next_deadline` is not in the future.
    pub fn expire(&mut self, world: World<'_>) -> Step<Reply> {
        match self.timers.pop_due(world.now.mono) {
            Some(key) => self.decide(world, |shard, turn| shard.deadline(key, turn)),
            None => Step::default(),
        }
    }

    /// The open append's outcome.
    ///
    /// # Panics
    /// When there is no open append.
    pub fn outcome(
        &mut self,
        world: World<'_>,
        outcome: Result<Appended, AppendRefused>,
    ) -> Step<Reply> {
        let open = self.open.take().expect("an outcome follows an append");
        match outcome {
            Ok(appended) => {
                let mut at = appended.base;
                let mut last = at;
                for record in open.records {
                    self.apply(at, open.producer.map(|p| p.id), record);
                    last = at;
                    at = at.plus(1);
                }
                self.uncommitted.push_back((last, open.then));
                self.committed(world, appended.high_watermark)
            }
            Err(refused) => {
                let why = refused.refusal();
                let groups = open.records.iter().filter_map(GroupRecord::consumer_group);
                let groups: BTreeSet<GroupId> = groups.map(|(id, _)| id).collect();
                let step = self.decide(world, |parts, turn| {
                    for id in groups {
                        parts.on_consumers(&id, |group| group.resume_sessions(turn));
                    }
                    parts.settle(open.then, Err(why), turn);
                });
                self.release(world, step)
            }
        }
    }

    /// The partition's high watermark has moved.
    pub fn committed(&mut self, world: World<'_>, high_watermark: Offset) -> Step<Reply> {
        self.high_watermark = self.high_watermark.max(high_watermark);
        self.release(world, Step::default())
    }

    /// The offset that the high watermark must reach before anyone who waits for
    /// it is told.
    pub fn awaits(&self) -> Option<Offset> {
        self.uncommitted.front().map(|(last, _)| last.plus(1))
    }

    /// The coordinator moves elsewhere: everyone who waits is told.
    pub fn unload(mut self) -> Vec<(Token, Reply)> {
        let why = Refusal::NotCoordinator;
        let mut replies = Vec::new();
        let open = self.open.take().map(|o| o.then);
        for then in self.uncommitted.into_iter().map(|(_, t)| t).chain(open) {
            replies.extend(then.refused(why));
        }
        for group in self.groups.into_values() {
            let Group::Classic(group) = group else {
                continue;
            };
            for (token, member) in group.waiting_joins() {
                replies.push((token, Reply::Join(Err(JoinRefused { member, why }))));
            }
            let syncs = group.waiting_syncs();
            replies.extend(syncs.into_iter().map(|t| (t, Reply::Sync(Err(why)))));
        }
        replies
    }

    /// The records, with the transactions they wait for, that would bring a
    /// new coordinator to this one's hard state.
    pub fn hard_state(&self) -> Vec<(Option<ProducerId>, GroupRecord)> {
        let stored = self.groups.values().flat_map(Group::records);
        let stored = stored.map(|record| (None, record));
        stored.chain(self.offsets.hard_state()).collect()
    }

    /// The one place where hard state changes.
    fn apply(&mut self, at: Offset, producer: Option<ProducerId>, record: GroupRecord) {
        match record {
            GroupRecord::Offset(key, value) => {
                if let Some(value) = &value
                    && !self.groups.contains_key(&key.group)
                {
                    let group = ClassicGroup::new(key.group.clone(), value.committed_at);
                    let group = Group::Classic(Box::new(group));
                    self.groups.insert(key.group.clone(), group);
                }
                self.offsets.replay(at, producer, key, value);
            }
            GroupRecord::Classic(id, None) => {
                if let Some(Group::Classic(_)) = self.groups.get(&id) {
                    self.groups.remove(&id);
                }
            }
            GroupRecord::Classic(id, Some(value)) => match self.groups.get_mut(&id) {
                Some(Group::Classic(group)) => group.stored = Some(value),
                _ => {
                    let group = ClassicGroup::from_value(id.clone(), value);
                    self.groups.insert(id, Group::Classic(Box::new(group)));
                }
            },
            GroupRecord::Epoch(id, None) => {
                if let Some(Group::Consumer(_)) = self.groups.get(&id) {
                    self.groups.remove(&id);
                }
            }
            record => self.apply_to_consumers(record),
        }
    }

    /// A record of the consumer protocol; one that is no tombstone brings the
    /// group into being.
    fn apply_to_consumers(&mut self, record: GroupRecord) {
        let Some((id, is_tombstone)) = record.consumer_group() else {
            return;
        };
        let is_consumer = matches!(self.groups.get(&id), Some(Group::Consumer(_)));
        if !is_consumer && is_tombstone {
            return;
        }
        if !is_consumer {
            let group = Group::Consumer(Box::new(ConsumerGroup::new(id.clone())));
            self.groups.insert(id.clone(), group);
        }
        if let Some(Group::Consumer(group)) = self.groups.get_mut(&id) {
            group.apply(record);
        }
    }

    /// Lets a handler decide, then puts its decision in order.
    fn decide(
        &mut self,
        world: World<'_>,
        handler: impl FnOnce(&mut Parts<'_>, &mut Turn<'_>),
    ) -> Step<Reply> {
        assert!(
            self.open.is_none(),
            "the outcome of the open append comes first"
        );
        let mut turn = Turn {
            world,
            config: &self.config,
            timers: &mut self.timers,
            ids: &mut self.ids,
            out: Effects::default(),
        };
        let mut parts = Parts {
            groups: &mut self.groups,
            offsets: &self.offsets,
        };
        handler(&mut parts, &mut turn);
        let decided = turn.out;
        self.arrange(world, decided)
    }

    fn arrange(&mut self, world: World<'_>, mut decided: Effects) -> Step<Reply> {
        if let Some((group, rebalance)) = decided.downgraded.take() {
            let then = Box::new(std::mem::replace(&mut decided.then, Then::Nothing));
            decided.then = Then::Downgraded {
                group,
                rebalance,
                then,
            };
        }
        let mut step = Step {
            append: None,
            replies: decided.replies,
        };
        if !decided.records.is_empty() {
            let records = decided.records.iter().map(|r| (r.key(), r.value()));
            step.append = Some(Append {
                records: records.collect(),
                producer: decided.producer,
            });
            self.open = Some(Open {
                records: decided.records,
                producer: decided.producer,
                then: decided.then,
            });
            return step;
        }
        match (decided.then, self.uncommitted.back()) {
            (Then::Nothing, _) => step,
            (Then::Answer { token, reply, .. }, None) => {
                step.replies.push((token, reply));
                step
            }
            (then, None) => {
                let next = self.decide(world, |parts, turn| parts.settle(then, Ok(()), turn));
                step.replies.extend(next.replies);
                step.append = next.append;
                step
            }
            // What was read may not be committed yet: the reply waits for it.
            (then, Some((last, _))) => {
                let last = *last;
                self.uncommitted.push_back((last, then));
                step
            }
        }
    }

    /// Settles everything that the high watermark has passed, up to the first
    /// thing that leads to another append.
    fn release(&mut self, world: World<'_>, mut step: Step<Reply>) -> Step<Reply> {
        while step.append.is_none() {
            let due = self.uncommitted.front();
            if due.is_none_or(|(at, _)| *at >= self.high_watermark) {
                break;
            }
            let Some((_, then)) = self.uncommitted.pop_front() else {
                break;
            };
            let next = match then {
                Then::Nothing => continue,
                Then::Answer { token, reply, .. } => {
                    step.replies.push((token, reply));
                    continue;
                }
                then => self.decide(world, |parts, turn| parts.settle(then, Ok(()), turn)),
            };
            step.replies.extend(next.replies);
            step.append = next.append;
        }
        step
    }
}
