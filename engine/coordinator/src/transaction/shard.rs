//! The machinery around the handlers: appends, commits, markers, deadlines.

use super::deadlines::TransactionTimer;
use super::end::complete;
use super::{Answer, Decision, Entry, Markers, TopicPartition};
use super::{TransactionCommand, TransactionReply};
use crate::config::TransactionConfig;
use crate::names::TransactionalId;
use crate::refusal::Refusal;
use crate::schema::{SchemaError, TransactionRecord, TransactionState};
use crate::step::{Append, AppendRefused, Appended, Token};
use crate::timers::Timers;
use plimsoll_wire::time::{Instant, Now};
use plimsoll_wire::types::{Offset, ProducerEpoch, ProducerId};
use std::collections::{BTreeMap, VecDeque};

/// The moment a decision is made in, and where producer ids come from.
pub struct TransactionWorld<'a> {
    /// The time.
    pub now: Now,
    /// Hands out a producer id never used before; `None` when none is at hand
    /// just now.
    pub producer_ids: &'a mut dyn FnMut() -> Option<ProducerId>,
}

impl TransactionWorld<'_> {
    pub(super) fn draw_producer_id(&mut self) -> Result<ProducerId, Refusal> {
        (self.producer_ids)().ok_or(Refusal::CoordinatorLoadInProgress)
    }
}

/// What is to be done next.
#[derive(Debug, Default)]
#[must_use]
pub struct TransactionStep {
    /// To be appended; report with [`TransactionShard::outcome`] before
    /// anything else is asked of the shard.
    pub append: Option<Append>,
    /// To be sent.
    pub replies: Vec<(Token, TransactionReply)>,
    /// To be written; report with [`TransactionShard::markers_written`]. Those
    /// not reported are asked for again.
    pub markers: Vec<Markers>,
}

/// A change of one id, or its end.
#[derive(Debug)]
struct Change {
    record: TransactionRecord,
    last_epoch: ProducerEpoch,
}

#[derive(Debug)]
struct Open {
    changes: Vec<Change>,
    answer: Option<Answer>,
}

/// What waits to be committed.
#[derive(Debug)]
struct Waiting {
    last: Offset,
    ids: Vec<TransactionalId>,
    answer: Option<Answer>,
}

/// A transaction coordinator. See the module.
#[derive(Debug)]
pub struct TransactionShard {
    pub(super) config: TransactionConfig,
    pub(super) entries: BTreeMap<TransactionalId, Entry>,
    pub(super) timers: Timers<TransactionTimer>,
    coordinator_epoch: i32,
    open: Option<Open>,
    uncommitted: VecDeque<Waiting>,
    high_watermark: Offset,
}

impl TransactionShard {
    /// A coordinator that knows nothing yet.
    pub fn new(config: TransactionConfig) -> Self {
        Self {
            config,
            entries: BTreeMap::new(),
            timers: Timers::default(),
            coordinator_epoch: 0,
            open: None,
            uncommitted: VecDeque::new(),
            high_watermark: Offset(0),
        }
    }

    /// Takes in a record of the partition while the coordinator loads.
    ///
    /// # Errors
    /// When the record's bytes are damaged; the state is as before.
    pub fn replay(&mut self, key: &[u8], value: Option<&[u8]>) -> Result<(), SchemaError> {
        let record = TransactionRecord::decode(key, value)?;
        self.apply(Change {
            record,
            last_epoch: ProducerEpoch::NONE,
        });
        Ok(())
    }

    /// Begins to serve after loading, as leader of the partition in
    /// `coordinator_epoch`: open transactions get their deadline, decided ones
    /// are carried on with at the next [`TransactionShard::expire`].
    pub fn loaded(&mut self, now: Now, high_watermark: Offset, coordinator_epoch: i32) {
        self.high_watermark = high_watermark;
        self.coordinator_epoch = coordinator_epoch;
        let check = now.mono.after(self.config.id_check_interval);
        self.timers.set(TransactionTimer::Expiry, check);
        for id in self.entries.keys().cloned().collect::<Vec<_>>() {
            self.watch(&id, now);
            if self.entries.get(&id).is_some_and(Entry::is_preparing) {
                self.timers.set(TransactionTimer::Markers(id), now.mono);
            }
        }
    }

    /// Decides on a request. Its reply comes under `token`, in this step or a
    /// later one.
    pub fn handle(
        &mut self,
        world: &mut TransactionWorld<'_>,
        token: Token,
        command: TransactionCommand,
    ) -> TransactionStep {
        let refused: fn(Refusal) -> TransactionReply;
        let (id, decision) = match command {
            TransactionCommand::Init(request) => {
                refused = |why| TransactionReply::Init(Err(why));
                (request.id.clone(), self.init(&request, world))
            }
            TransactionCommand::AddPartitions(request) => {
                refused = |why| TransactionReply::AddPartitions(Err(why));
                let id = request.id.clone();
                (id, self.add_partitions(request, world.now.wall))
            }
            TransactionCommand::End(request) => {
                refused = |why| TransactionReply::End(Err(why));
                (request.id.clone(), self.end(&request, world))
            }
        };
        match decision {
            Err(why) => say(token, refused(why)),
            Ok(Decision::Say(reply)) => say(token, reply),
            Ok(Decision::Store {
                value,
                last_epoch,
                reply,
                refused,
            }) => {
                let record = TransactionRecord {
                    id,
                    value: Some(*value),
                };
                let answer = Answer {
                    token,
                    reply,
                    refused,
                };
                self.store(vec![Change { record, last_epoch }], Some(answer))
            }
        }
    }

    /// When [`TransactionShard::expire`] has something to do next.
    pub fn next_deadline(&self) -> Option<Instant> {
        self.timers.next_deadline()
    }

    /// The open append's outcome.
    ///
    /// # Panics
    /// When there is no open append.
    pub fn outcome(
        &mut self,
        now: Now,
        outcome: Result<Appended, AppendRefused>,
    ) -> TransactionStep {
        let open = self.open.take().expect("an outcome follows an append");
        match outcome {
            Ok(appended) => {
                let count = i64::try_from(open.changes.len()).unwrap_or(i64::MAX);
                let mut ids = Vec::with_capacity(open.changes.len());
                for change in open.changes {
                    let id = change.record.id.clone();
                    self.apply(change);
                    if let Some(entry) = self.entries.get_mut(&id) {
                        entry.in_flux = true;
                    }
                    self.watch(&id, now);
                    ids.push(id);
                }
                self.uncommitted.push_back(Waiting {
                    last: appended.base.plus(count - 1),
                    ids,
                    answer: open.answer,
                });
                self.committed(now, appended.high_watermark)
            }
            Err(why) => {
                for change in &open.changes {
                    self.try_later(&change.record.id, now);
                }
                match open.answer {
                    Some(a) => say(a.token, (a.refused)(why.refusal())),
                    None => TransactionStep::default(),
                }
            }
        }
    }

    /// The partition's high watermark has moved.
    pub fn committed(&mut self, now: Now, high_watermark: Offset) -> TransactionStep {
        self.high_watermark = self.high_watermark.max(high_watermark);
        let mut step = TransactionStep::default();
        while step.append.is_none()
            && let Some(waiting) = self.uncommitted.front()
            && waiting.last < self.high_watermark
            && let Some(waiting) = self.uncommitted.pop_front()
        {
            if let Some(answer) = waiting.answer {
                step.replies.push((answer.token, answer.reply));
            }
            for id in waiting.ids {
                if let Some(entry) = self.entries.get_mut(&id) {
                    entry.in_flux = false;
                }
                self.carry_on(&id, now, &mut step);
            }
        }
        step
    }

    /// Markers asked for are written and committed in these partitions, or the
    /// partitions are gone. What is of an earlier transaction is ignored.
    pub fn markers_written(
        &mut self,
        now: Now,
        id: &TransactionalId,
        epoch: ProducerEpoch,
        partitions: &[TopicPartition],
    ) -> TransactionStep {
        match self.entries.get_mut(id) {
            Some(entry) if entry.is_preparing() && entry.value.epoch == epoch => {
                for partition in partitions {
                    entry.unwritten.remove(partition);
                }
                let mut step = TransactionStep::default();
                if entry.unwritten.is_empty() {
                    self.carry_on(id, now, &mut step);
                }
                step
            }
            _ => TransactionStep::default(),
        }
    }

    /// The offset that the high watermark must reach before anything that waits
    /// for it goes on.
    pub fn awaits(&self) -> Option<Offset> {
        self.uncommitted.front().map(|waiting| waiting.last.plus(1))
    }

    /// The coordinator moves elsewhere: everyone who waits is told.
    pub fn unload(self) -> Vec<(Token, TransactionReply)> {
        let open = self.open.and_then(|o| o.answer);
        let waiting = self.uncommitted.into_iter().filter_map(|w| w.answer);
        let tell = |a: Answer| (a.token, (a.refused)(Refusal::NotCoordinator));
        waiting.chain(open).map(tell).collect()
    }

    /// The records that would bring a new coordinator to this hard state.
    pub fn hard_state(&self) -> Vec<TransactionRecord> {
        let entries = self.entries.iter();
        let record = |(id, entry): (&TransactionalId, &Entry)| TransactionRecord {
            id: id.clone(),
            value: Some(entry.value.clone()),
        };
        entries.map(record).collect()
    }

    /// The one place where hard state changes.
    fn apply(&mut self, change: Change) {
        let TransactionRecord { id, value } = change.record;
        let Some(value) = value.filter(|v| v.state != TransactionState::Dead) else {
            self.entries.remove(&id);
            return;
        };
        let entry = Entry::new(value);
        let unwritten = match entry.is_preparing() {
            true => pairs(&entry),
            false => Vec::new(),
        };
        let entry = Entry {
            last_epoch: change.last_epoch,
            unwritten: unwritten.into_iter().collect(),
            ..entry
        };
        self.entries.insert(id, entry);
    }

    pub(super) fn store_all(&mut self, records: Vec<TransactionRecord>) -> TransactionStep {
        let changes = records.into_iter().map(|record| {
            let entry = self.entries.get(&record.id);
            let last_epoch = entry.map_or(ProducerEpoch::NONE, |e| e.last_epoch);
            Change { record, last_epoch }
        });
        let changes = changes.collect();
        self.store(changes, None)
    }

    fn store(&mut self, changes: Vec<Change>, answer: Option<Answer>) -> TransactionStep {
        assert!(
            self.open.is_none(),
            "the outcome of the open append comes first"
        );
        let records = changes
            .iter()
            .map(|c| (c.record.key(), c.record.encoded_value()));
        let append = Append {
            records: records.collect(),
            producer: None,
        };
        self.open = Some(Open { changes, answer });
        TransactionStep {
            append: Some(append),
            ..TransactionStep::default()
        }
    }

    /// Takes a decided transaction further: asks for the markers that are
    /// missing, now and until they are written, then records that it is
    /// complete.
    pub(super) fn carry_on(&mut self, id: &TransactionalId, now: Now, step: &mut TransactionStep) {
        let entry = self.entries.get(id);
        let Some(entry) = entry.filter(|e| e.is_preparing() && !e.in_flux) else {
            return;
        };
        let again = TransactionTimer::Markers(id.clone());
        if !entry.unwritten.is_empty() {
            step.markers.push(Markers {
                id: id.clone(),
                producer: entry.producer(),
                commit: entry.value.state == TransactionState::PrepareCommit,
                coordinator_epoch: self.coordinator_epoch,
                partitions: entry.unwritten.iter().cloned().collect(),
            });
            self.timers
                .set(again, now.mono.after(self.config.marker_retry));
        } else if step.append.is_some() {
            self.timers.set(again, now.mono);
        } else {
            let value = Some(complete(entry, now.wall));
            self.timers.cancel(&again);
            let id = id.clone();
            step.append = self.store_all(vec![TransactionRecord { id, value }]).append;
        }
    }
}

fn pairs(entry: &Entry) -> Vec<TopicPartition> {
    let topics = entry.value.partitions.iter();
    let pairs =
        topics.flat_map(|(topic, partitions)| partitions.iter().map(|p| (topic.clone(), *p)));
    pairs.collect()
}

fn say(token: Token, reply: TransactionReply) -> TransactionStep {
    TransactionStep {
        replies: vec![(token, reply)],
        ..TransactionStep::default()
    }
}
