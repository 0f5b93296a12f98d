//! A log, its model, and the steps that move both.

use crate::model::{Batch, Model, Record, Role};
use plimsoll_log::{
    AppendAs, AppendError, Appended, Checkpointed, Checkpoints, LogConfig, LogDir, LogError,
    MemDisk, OffsetCheckpoint, Origin, PartitionLog,
};
use plimsoll_wire::batch::BatchHeader;
use plimsoll_wire::compression::Compression;
use plimsoll_wire::types::{LeaderEpoch, Offset, TimestampMs};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;

mod checks;
mod settings;

use settings::partition;
pub use settings::{config, keyed_config};

/// The disk failed under a step.
#[derive(Debug)]
pub struct Crashed;

pub struct World {
    pub disk: MemDisk,
    pub dir: Option<LogDir>,
    pub log: Option<PartitionLog>,
    pub model: Model,
    /// What the model would be had the step under way been done.
    pub after: Model,
    /// Batches below this offset survive a crash.
    pub durable: i64,
    pub rng: ChaCha8Rng,
    seed: u64,
    clock: i64,
    /// The recovery point in the stored checkpoint.
    stored: Offset,
    /// Passes of compaction that came to their end.
    pub passes: usize,
    /// Compaction may have been anywhere below this offset; the log itself may
    /// have forgotten in a crash.
    pub cleaned: i64,
    /// What was stable when compaction relied on it: no leader takes it back.
    settled: i64,
    leader_epoch: i32,
    config: Arc<LogConfig>,
}

impl World {
    /// A new log on `disk`.
    pub fn new(seed: u64, disk: &MemDisk) -> Result<Self, Crashed> {
        Self::with(seed, disk, config())
    }

    /// A new log on `disk` with other settings.
    pub fn with(seed: u64, disk: &MemDisk, config: LogConfig) -> Result<Self, Crashed> {
        let mut world = Self {
            disk: disk.clone(),
            dir: None,
            log: None,
            model: Model::default(),
            after: Model::default(),
            durable: 0,
            rng: ChaCha8Rng::seed_from_u64(seed),
            seed,
            clock: 1_000_000,
            stored: Offset(0),
            passes: 0,
            cleaned: 0,
            settled: 0,
            leader_epoch: 0,
            config: Arc::new(config),
        };
        world.open()?;
        Ok(world)
    }

    /// The world as the next process finds it on `disk`.
    pub fn reopen(mut self, disk: MemDisk) -> Self {
        self.log = None;
        self.dir = None;
        self.disk = disk;
        self.open().unwrap();
        self
    }

    pub fn log(&self) -> &PartitionLog {
        self.log.as_ref().unwrap()
    }

    fn log_mut(&mut self) -> &mut PartitionLog {
        self.log.as_mut().unwrap()
    }

    fn now(&self) -> TimestampMs {
        TimestampMs(self.clock)
    }

    pub fn open(&mut self) -> Result<(), Crashed> {
        self.log = None;
        self.dir = None;
        let dir = self.lived(LogDir::open(
            Arc::new(self.disk.clone()),
            PathBuf::from("/data"),
        ))?;
        let from = dir.checkpointed(&partition());
        let opened = PartitionLog::open(
            Arc::new(self.disk.clone()),
            dir.partition_path(&partition()),
            Arc::clone(&self.config),
            Checkpointed {
                high_watermark: Offset(i64::MAX),
                ..from
            },
            self.now(),
        );
        let (log, recovered) = self.lived(opened)?;
        self.stored = from.recovery_point.min(log.recovery_point());
        self.dir = Some(dir);
        self.log = Some(log);
        if recovered.recovery_point_lowered {
            self.checkpoint()?;
        }
        Ok(())
    }

    /// A log that lies on `disk`, its model unknown.
    pub fn on(disk: &MemDisk, config: LogConfig) -> Self {
        Self::with(0, disk, config).unwrap()
    }

    /// Ends a transaction one time in five.
    pub fn end_some(&mut self) -> Result<(), Crashed> {
        self.after = self.model.clone();
        if self.rng.random_bool(0.2) {
            self.end_transaction()
        } else {
            Ok(())
        }
    }

    /// Ends every transaction and the active segment, and flushes.
    pub fn settle(&mut self) -> Result<(), Crashed> {
        for id in self.model.open().into_keys().collect::<Vec<_>>() {
            self.after = self.model.clone();
            let committed = self.rng.random();
            self.end_transaction_of(id, committed)?;
        }
        self.roll()?;
        self.flush()?;
        self.checkpoint()
    }

    /// Appends a few batches and settles.
    pub fn dirty_again(&mut self) -> Result<(), Crashed> {
        for _ in 0..5 {
            self.append_some()?;
        }
        self.settle()
    }

    /// One step that appends.
    pub fn append_some(&mut self) -> Result<(), Crashed> {
        self.after = self.model.clone();
        match self.rng.random_range(0..3) {
            0 => self.append(Role::Plain),
            1 => self.append_idempotent(),
            _ => self.append_transactional(),
        }
    }

    /// One random step.
    pub fn step(&mut self) -> Result<(), Crashed> {
        self.clock += self.rng.random_range(0..50);
        self.after = self.model.clone();
        match self.rng.random_range(0..100) {
            _ if self.config.cleanup_policy.compact && self.rng.random_bool(0.1) => self.compact(),
            0..30 => self.append(Role::Plain),
            30..45 => self.append_idempotent(),
            45..58 => self.append_transactional(),
            58..66 => self.end_transaction(),
            66..70 => self.repeat(),
            70..73 => self.refuse(),
            73..76 => self.roll(),
            76..82 => self.flush(),
            82..86 => self.checkpoint(),
            86..88 => self.rest(),
            88..89 => self.retain(),
            89..91 => self.delete_records(),
            91..94 => self.truncate(),
            94..97 => self.stop_clean(),
            _ => self.stop_hard(),
        }
    }

    fn append(&mut self, role: Role) -> Result<(), Crashed> {
        let count = self.rng.random_range(1..6);
        let records = (0..count).map(|_| self.record()).collect();
        let codec = Compression::ALL[self.rng.random_range(0..5)];
        self.append_records(role, codec, records)
    }

    fn record(&mut self) -> Record {
        let timestamp = self.clock + self.rng.random_range(-40..40);
        if self.config.cleanup_policy.compact {
            let key = Some(vec![self.rng.random_range(0..12)]);
            let value = self
                .rng
                .random_bool(0.8)
                .then(|| vec![self.rng.random(); 30]);
            return Record {
                timestamp,
                key,
                value,
            };
        }
        let mut bytes = |max: usize| -> Option<Vec<u8>> {
            let len = self.rng.random_range(0..max);
            let byte: u8 = self.rng.random();
            self.rng.random_bool(0.9).then(|| vec![byte; len])
        };
        Record {
            timestamp,
            key: bytes(10),
            value: bytes(80),
        }
    }

    fn append_records(
        &mut self,
        role: Role,
        codec: Compression,
        records: Vec<Record>,
    ) -> Result<(), Crashed> {
        let (base, leader_epoch) = (self.model.end(), self.leader_epoch);
        let mut batch = Batch {
            base,
            leader_epoch,
            role,
            codec,
            records,
            len: 0,
        };
        let mut bytes = batch.encode();
        batch.len = bytes.len();
        self.after.push(batch.clone());
        let appended = match self.offer(&mut bytes, role) {
            Ok(appended) => appended,
            Err(AppendError::Log(e)) => return self.lived(Err(e)),
            Err(e) => panic!("seed {}: {role:?}: {e}", self.seed),
        };
        assert_eq!(
            (appended.base_offset.get(), appended.duplicate),
            (base, false)
        );
        assert_eq!(appended.last_offset.get() + 1, batch.next());
        self.model.push(batch);
        let end = self.log().log_end();
        self.log_mut().set_high_watermark(end);
        Ok(())
    }

    fn offer(&mut self, bytes: &mut [u8], role: Role) -> Result<Appended, AppendError> {
        let header = BatchHeader::parse(bytes).unwrap();
        let origin = match role {
            Role::Marker(..) => Origin::Coordinator,
            _ => Origin::Client,
        };
        let how = AppendAs {
            leader_epoch: LeaderEpoch(self.leader_epoch),
            now: self.now(),
            origin,
        };
        self.log_mut().append(bytes, &header, how)
    }

    fn next_sequence(&self, id: i64) -> i32 {
        let last = self.model.last_of(id);
        // The first is near the end of the range, so that all wrap.
        last.map_or(i32::MAX - 7, |batch| batch.next_sequence().unwrap())
    }

    fn append_idempotent(&mut self) -> Result<(), Crashed> {
        let id = self.rng.random_range(1..4);
        let sequence = self.next_sequence(id);
        self.append(Role::Idempotent(id, sequence))
    }

    fn append_transactional(&mut self) -> Result<(), Crashed> {
        let id = self.rng.random_range(10..13);
        let sequence = self.next_sequence(id);
        self.append(Role::Transactional(id, sequence))
    }

    fn end_transaction(&mut self) -> Result<(), Crashed> {
        let id = self.rng.random_range(10..13);
        let committed: bool = self.rng.random();
        self.end_transaction_of(id, committed)
    }

    fn end_transaction_of(&mut self, id: i64, committed: bool) -> Result<(), Crashed> {
        let known = self
            .model
            .batches
            .iter()
            .any(|batch| batch.producer() == Some(id));
        if !known || self.model.last_of(id).is_none() {
            return Ok(());
        }
        let record = Record {
            timestamp: self.clock,
            key: Some(vec![0, 0, 0, u8::from(committed)]),
            value: Some(vec![0, 0, 0, 0, 0, 1]),
        };
        self.append_records(Role::Marker(id, committed), Compression::None, vec![record])
    }

    /// Sends a producer's last batch again.
    fn repeat(&mut self) -> Result<(), Crashed> {
        let id = self.rng.random_range(1..4);
        let Some(last) = self.model.last_of(id).cloned() else {
            return Ok(());
        };
        let appended = match self.offer(&mut last.encode(), last.role) {
            Ok(appended) => appended,
            Err(AppendError::Log(e)) => return self.lived(Err(e)),
            Err(e) => panic!("seed {}: repeated {}: {e}", self.seed, last.base),
        };
        assert_eq!(
            (appended.base_offset.get(), appended.duplicate),
            (last.base, true)
        );
        Ok(())
    }

    /// Sends a batch that leaves a gap in its producer's sequence.
    fn refuse(&mut self) -> Result<(), Crashed> {
        let id = self.rng.random_range(1..4);
        let Some(last) = self.model.last_of(id).cloned() else {
            return Ok(());
        };
        let role = Role::Idempotent(id, (last.next_sequence().unwrap() & 0xffff) + 9);
        let refused = self.offer(&mut Batch { role, ..last }.encode(), role);
        assert!(
            matches!(refused, Err(AppendError::OutOfOrderSequence { .. })),
            "seed {}: {refused:?}",
            self.seed
        );
        Ok(())
    }

    fn roll(&mut self) -> Result<(), Crashed> {
        let now = self.now();
        let outcome = self.log_mut().roll(now);
        self.lived(outcome)
    }

    fn flush(&mut self) -> Result<(), Crashed> {
        let now = self.now();
        let outcome = self.log_mut().flush(now);
        self.lived(outcome)?;
        assert_eq!(self.log().recovery_point().get(), self.model.end());
        self.durable = self.model.end();
        Ok(())
    }

    fn checkpoint(&mut self) -> Result<(), Crashed> {
        let at = |offset| OffsetCheckpoint::from([(partition(), offset)]);
        let log = self.log();
        let checkpoints = Checkpoints {
            recovery_points: at(log.recovery_point()),
            log_starts: at(log.log_start()),
            high_watermarks: at(log.high_watermark()),
            cleaned: at(log.cleaned_to()),
        };
        let stored = log.recovery_point();
        let outcome = self.dir.as_ref().unwrap().store(&checkpoints);
        self.lived(outcome)?;
        self.stored = stored;
        Ok(())
    }

    /// One pass of compaction, when one is wanted, with room for few keys or
    /// many. What readers of committed records see stays as it is, so the model
    /// does.
    fn compact(&mut self) -> Result<(), Crashed> {
        if self.rng.random() {
            // A pass takes only what has ended and is known to be durable.
            self.settle()?;
            self.after = self.model.clone();
        }
        let (now, stored) = (self.now(), self.stored);
        let map_bytes = if self.rng.random() { 24 * 5 } else { 1 << 20 };
        let planned = self.log().plan_clean(now, stored);
        let Some(plan) = self.lived(planned)? else {
            return Ok(());
        };
        let pass = plan.run(map_bytes, &mut |_| ControlFlow::Continue(()));
        let Some(cleaned) = self.lived(pass)? else {
            return Ok(());
        };
        // The batch that did not fit into the map may be cleaned in part.
        let to = cleaned.cleaned_to.get();
        let batches = self.model.batches.iter();
        let partly = batches.map(Batch::next).find(|next| *next > to);
        self.cleaned = self.cleaned.max(partly.unwrap_or(to));
        self.settled = self.settled.max(self.log().last_stable_offset().get());
        let installed = self.log_mut().install(cleaned, now);
        if let Some(doomed) = self.lived(installed)? {
            self.passes += 1;
            let removed = doomed.remove(&self.disk);
            self.lived(removed)?;
        }
        Ok(())
    }

    fn rest(&mut self) -> Result<(), Crashed> {
        let outcome = self.log_mut().rest();
        self.lived(outcome)
    }

    fn delete_records(&mut self) -> Result<(), Crashed> {
        let (start, end) = (self.model.start, self.model.end());
        let to = self.rng.random_range(start..=start + (end - start) / 3);
        self.after.start = to;
        let moved = self.log_mut().delete_records_to(Offset(to)).unwrap();
        assert_eq!(moved, Offset(to));
        self.model.start = to;
        self.checkpoint()
    }

    fn retain(&mut self) -> Result<(), Crashed> {
        self.after.start = self.model.end();
        let now = self.now();
        let outcome = self.log_mut().enforce_retention(now);
        for expired in self.lived(outcome)? {
            let outcome = expired.files.remove(&self.disk);
            self.lived(outcome)?;
        }
        let start = self.log().log_start().get();
        assert!(start >= self.model.start);
        let bounded = self.config.cleanup_policy.delete;
        assert!(!bounded || self.log().size_bytes() < 5000 + 1500);
        self.model.start = start;
        self.after.start = start;
        self.checkpoint()
    }

    /// As a follower does whose leader knows less, under a new leader then.
    fn truncate(&mut self) -> Result<(), Crashed> {
        let (start, end) = (self.model.start, self.model.end());
        // What compaction relied on was replicated.
        let from = (end - 20).max(start).max(self.settled.min(end));
        let to = self.rng.random_range(from..=end);
        self.after.truncate(to);
        self.durable = self.durable.min(self.after.end());
        let now = self.now();
        let outcome = self.log_mut().truncate_to(Offset(to), now);
        self.lived(outcome)?;
        self.model = self.after.clone();
        self.leader_epoch += 1;
        self.checkpoint()
    }

    fn stop_clean(&mut self) -> Result<(), Crashed> {
        let now = self.now();
        let outcome = self.log_mut().close_clean(now);
        self.lived(outcome)?;
        self.durable = self.model.end();
        self.checkpoint()?;
        let outcome = self.dir.as_ref().unwrap().mark_clean();
        self.lived(outcome)?;
        self.open()
    }

    /// The process dies and the machine lives: nothing written is lost.
    fn stop_hard(&mut self) -> Result<(), Crashed> {
        self.open()
    }

    fn lived<T>(&self, outcome: Result<T, LogError>) -> Result<T, Crashed> {
        match outcome {
            Ok(done) => Ok(done),
            Err(e) if e.to_string().contains("power is gone") => Err(Crashed),
            Err(e) => panic!("seed {}: {e}", self.seed),
        }
    }
}
