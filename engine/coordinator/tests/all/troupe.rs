//! A transaction coordinator on a stage, with partitions that take markers.

use crate::stage::secs;
use bytes::Bytes;
use plimsoll_coordinator::schema::TransactionState;
use plimsoll_coordinator::transaction::{
    AddPartitions, EndTransaction, InitProducer, Markers, TransactionCommand, TransactionReply,
    TransactionStep, TransactionWorld,
};
use plimsoll_coordinator::{
    Append, AppendRefused, Appended, Producer, Token, TransactionConfig, TransactionShard,
};
use plimsoll_wire::time::{Instant, Now};
use plimsoll_wire::types::{Offset, PartitionIndex, ProducerEpoch, ProducerId, TimestampMs};
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

pub struct Troupe {
    pub shard: TransactionShard,
    pub journal: Vec<(Bytes, Option<Bytes>)>,
    pub replies: BTreeMap<Token, TransactionReply>,
    /// Markers as they were written: where, by whom, commit or abort.
    pub markers: Vec<(i32, Producer, bool)>,
    pub refuse: Option<AppendRefused>,
    pub hold: bool,
    pub hold_markers: bool,
    /// How often markers were asked for.
    pub asked: usize,
    held: Vec<Markers>,
    high_watermark: Offset,
    now: Now,
    tokens: u64,
    producer_ids: i64,
    epoch: i32,
}

impl Troupe {
    pub fn new() -> Self {
        let mut troupe = Self {
            shard: TransactionShard::new(TransactionConfig::default()),
            journal: Vec::new(),
            replies: BTreeMap::new(),
            markers: Vec::new(),
            refuse: None,
            hold: false,
            hold_markers: false,
            asked: 0,
            held: Vec::new(),
            high_watermark: Offset(0),
            now: Now {
                wall: TimestampMs(1_700_000_000_000),
                mono: Instant::default(),
            },
            tokens: 0,
            producer_ids: 1000,
            epoch: 0,
        };
        troupe.shard.loaded(troupe.now, Offset(0), 0);
        troupe
    }

    pub fn now(&self) -> Now {
        self.now
    }

    fn carry(&mut self, first: TransactionStep) {
        let mut steps = VecDeque::from([first]);
        while let Some(step) = steps.pop_front() {
            self.replies.extend(step.replies);
            if let Some(append) = step.append {
                let outcome = self.append(append);
                steps.push_front(self.shard.outcome(self.now, outcome));
            }
            for markers in step.markers {
                self.asked += 1;
                if self.hold_markers {
                    self.held.push(markers);
                } else {
                    // Whatever is still to be appended comes first.
                    while let Some(next) = steps.pop_front() {
                        self.carry(next);
                    }
                    self.write(markers);
                }
            }
        }
    }

    fn append(&mut self, append: Append) -> Result<Appended, AppendRefused> {
        if let Some(why) = self.refuse {
            return Err(why);
        }
        let base = Offset(self.journal.len() as i64);
        self.journal.extend(append.records);
        if !self.hold {
            self.high_watermark = Offset(self.journal.len() as i64);
        }
        Ok(Appended {
            base,
            high_watermark: self.high_watermark,
        })
    }

    fn write(&mut self, markers: Markers) {
        for (_, partition) in &markers.partitions {
            let entry = (partition.get(), markers.producer, markers.commit);
            self.markers.push(entry);
        }
        let (id, epoch) = (&markers.id, markers.producer.epoch);
        let step = self
            .shard
            .markers_written(self.now, id, epoch, &markers.partitions);
        self.carry(step);
    }

    pub fn release_markers(&mut self) {
        self.hold_markers = false;
        for markers in std::mem::take(&mut self.held) {
            self.write(markers);
        }
    }

    /// The markers of a producer, by partition, each once.
    pub fn markers_of(&self, producer: Producer) -> Vec<(i32, bool)> {
        let mut found: Vec<_> = self
            .markers
            .iter()
            .filter(|m| m.1 == producer)
            .map(|m| (m.0, m.2))
            .collect();
        found.sort_unstable();
        found.dedup();
        found
    }

    pub fn send(&mut self, command: TransactionCommand) -> Token {
        self.tokens += 1;
        let token = Token(self.tokens);
        let producer_ids = &mut self.producer_ids;
        let mut draw = || {
            *producer_ids += 1;
            Some(ProducerId(*producer_ids - 1))
        };
        let mut world = TransactionWorld {
            now: self.now,
            producer_ids: &mut draw,
        };
        let step = self.shard.handle(&mut world, token, command);
        self.carry(step);
        token
    }

    pub fn ask(&mut self, command: TransactionCommand) -> TransactionReply {
        let token = self.send(command);
        self.replies.remove(&token).expect("an answer at once")
    }

    pub fn pass(&mut self, wait: Duration) {
        let end = self.now.mono.after(wait);
        while let Some(due) = self.shard.next_deadline().filter(|due| *due <= end) {
            self.set_mono(due.max(self.now.mono));
            let step = self.shard.expire(self.now);
            self.carry(step);
        }
        self.set_mono(end);
    }

    fn set_mono(&mut self, to: Instant) {
        let moved = i64::try_from(to.since(self.now.mono).as_millis()).unwrap();
        self.now.wall = TimestampMs(self.now.wall.get() + moved);
        self.now.mono = to;
    }

    pub fn release(&mut self) {
        self.hold = false;
        self.high_watermark = Offset(self.journal.len() as i64);
        let step = self.shard.committed(self.now, self.high_watermark);
        self.carry(step);
    }

    pub fn fail_over(&mut self) {
        let shard = self.replayed();
        assert_eq!(
            shard.hard_state(),
            self.shard.hard_state(),
            "replay from empty"
        );
        self.take_over(shard);
    }

    /// The same, and the records above the high watermark are lost.
    pub fn crash_over(&mut self) {
        self.journal.truncate(self.high_watermark.get() as usize);
        let shard = self.replayed();
        self.take_over(shard);
    }

    /// The same, and all but the first `records` are lost.
    pub fn crash_at(&mut self, records: usize) {
        self.high_watermark = Offset(records as i64);
        self.crash_over();
    }

    fn replayed(&self) -> TransactionShard {
        let mut shard = TransactionShard::new(TransactionConfig::default());
        for (key, value) in &self.journal {
            let replayed = shard.replay(key, value.as_deref());
            replayed.expect("records that the shard itself wrote");
        }
        shard
    }

    fn take_over(&mut self, mut shard: TransactionShard) {
        self.epoch += 1;
        self.held.clear();
        self.high_watermark = Offset(self.journal.len() as i64);
        shard.loaded(self.now, self.high_watermark, self.epoch);
        let old = std::mem::replace(&mut self.shard, shard);
        self.replies.extend(old.unload());
    }

    /// Begins, and begins again for as long as an older transaction is in the
    /// way.
    pub fn begin(&mut self, id: &str) -> Producer {
        loop {
            match self.ask(init(id, None)) {
                TransactionReply::Init(Ok(producer)) => return producer,
                TransactionReply::Init(Err(_)) => self.pass(secs(1)),
                other => panic!("expected a producer, got {other:?}"),
            }
        }
    }

    /// Raises the epoch one by one.
    pub fn raise_to(&mut self, id: &str, from: Producer, epoch: i16) -> Producer {
        let mut producer = from;
        while producer.epoch < ProducerEpoch(epoch) {
            producer = self.begin(id);
        }
        producer
    }

    pub fn state(&self, id: &str) -> TransactionState {
        self.shard.describe(&id.into()).expect("the id").state
    }
}

pub fn init(id: &str, expected: Option<Producer>) -> TransactionCommand {
    TransactionCommand::Init(InitProducer {
        id: id.into(),
        timeout: secs(60),
        expected,
    })
}

pub fn add(id: &str, producer: Producer, partitions: &[i32]) -> TransactionCommand {
    let partitions = partitions
        .iter()
        .map(|p| ("topic".into(), PartitionIndex(*p)));
    TransactionCommand::AddPartitions(AddPartitions {
        id: id.into(),
        producer,
        partitions: partitions.collect(),
        client_version: 0,
        verify_only: false,
    })
}

pub fn commit(id: &str, producer: Producer, client_version: i16) -> TransactionCommand {
    TransactionCommand::End(EndTransaction {
        id: id.into(),
        producer,
        commit: true,
        client_version,
    })
}

pub fn abort(id: &str, producer: Producer, client_version: i16) -> TransactionCommand {
    TransactionCommand::End(EndTransaction {
        id: id.into(),
        producer,
        commit: false,
        client_version,
    })
}
