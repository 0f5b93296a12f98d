//! One producer: its epoch, its last five batches, its open transaction.

use super::{Origin, Verdict};
use crate::error::AppendError;
use plimsoll_wire::batch::BatchHeader;
use plimsoll_wire::types::{Offset, ProducerEpoch, ProducerId, Sequence, TimestampMs};

/// Batches remembered: as many as a producer may have in flight.
const BATCHES_MAX: usize = 5;

/// A batch of a producer, as far as duplicates are told by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BatchMark {
    pub(crate) last_sequence: Sequence,
    pub(crate) last_offset: Offset,
    pub(crate) offset_delta: i32,
    pub(crate) timestamp: TimestampMs,
}

impl BatchMark {
    fn of(header: &BatchHeader) -> Self {
        Self {
            last_sequence: header.last_sequence(),
            last_offset: header.last_offset(),
            offset_delta: header.last_offset_delta,
            timestamp: header.max_timestamp,
        }
    }

    pub(crate) fn base_offset(&self) -> Offset {
        self.last_offset.plus(-i64::from(self.offset_delta))
    }

    /// Whether `header` carries the same sequences.
    fn repeats(&self, header: &BatchHeader) -> bool {
        self.last_sequence == header.last_sequence()
            && self.offset_delta == header.last_offset_delta
            && self.last_sequence.get() >= 0
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Producer {
    pub(crate) epoch: ProducerEpoch,
    pub(crate) coordinator_epoch: i32,
    pub(crate) txn_start: Option<Offset>,
    pub(crate) last_timestamp: TimestampMs,
    /// The latest batches of the epoch in a ring; `last` is the newest.
    batches: [Option<BatchMark>; BATCHES_MAX],
    last: u8,
}

/// A transaction marker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TxnEnd {
    /// Committed rather than aborted.
    pub committed: bool,
    /// The epoch of the transaction coordinator that sent it.
    pub coordinator_epoch: i32,
}

/// A producer as DescribeProducers shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProducerView {
    /// Who.
    pub producer_id: ProducerId,
    /// Its epoch.
    pub epoch: ProducerEpoch,
    /// Its last sequence; −1 when it wrote no data in this epoch.
    pub last_sequence: Sequence,
    /// When it last wrote.
    pub last_timestamp: TimestampMs,
    /// The epoch of the coordinator of its last marker; −1 when there was none.
    pub coordinator_epoch: i32,
    /// The first offset of its open transaction.
    pub txn_start: Option<Offset>,
}

impl Producer {
    pub(crate) fn new(header: &BatchHeader) -> Self {
        Self::restored(header.producer_epoch, None, header.max_timestamp)
    }

    pub(crate) fn restored(
        epoch: ProducerEpoch,
        batch: Option<BatchMark>,
        last_timestamp: TimestampMs,
    ) -> Self {
        let mut batches = [None; BATCHES_MAX];
        if let Some(first) = batches.first_mut() {
            *first = batch;
        }
        Self {
            epoch,
            coordinator_epoch: -1,
            txn_start: None,
            last_timestamp,
            batches,
            last: 0,
        }
    }

    pub(crate) fn last_batch(&self) -> Option<&BatchMark> {
        self.batches.get(usize::from(self.last))?.as_ref()
    }

    /// The batches before the last one, oldest first.
    pub(crate) fn older_batches(&self) -> impl Iterator<Item = &BatchMark> {
        let last = usize::from(self.last);
        let older = (1..BATCHES_MAX).map(move |n| (last + n) % BATCHES_MAX);
        older.filter_map(|at| self.batches.get(at)?.as_ref())
    }

    /// Puts older batches, oldest first, before the one that was restored.
    pub(crate) fn precede(&mut self, older: &[BatchMark]) {
        let Some(last) = self.last_batch().copied() else {
            return;
        };
        self.batches = [None; BATCHES_MAX];
        self.last = 0;
        let room = BATCHES_MAX - 1;
        let kept = older.iter().skip(older.len().saturating_sub(room));
        for (place, mark) in self.batches.iter_mut().zip(kept.chain([&last])) {
            *place = Some(*mark);
        }
        self.last = older.len().min(room) as u8;
    }

    pub(super) fn check(
        &self,
        header: &BatchHeader,
        origin: Origin,
    ) -> Result<Verdict, AppendError> {
        if header.producer_epoch < self.epoch {
            return Err(AppendError::StaleProducerEpoch {
                producer_id: header.producer_id,
                epoch: header.producer_epoch,
                current: self.epoch,
            });
        }
        if let (Some(open_since), false) = (self.txn_start, header.is_transactional()) {
            let producer_id = header.producer_id;
            return Err(AppendError::OutsideTransaction {
                producer_id,
                open_since,
            });
        }
        if origin == Origin::Coordinator {
            return Ok(Verdict::New);
        }
        let same_epoch = header.producer_epoch == self.epoch;
        if same_epoch
            && let Some(mark) = self
                .batches
                .iter()
                .flatten()
                .find(|mark| mark.repeats(header))
        {
            return Ok(Verdict::Duplicate(*mark));
        }
        let last = self.last_batch().filter(|_| same_epoch);
        let expected = last.map_or(Sequence(0), |mark| mark.last_sequence.plus(1));
        if header.base_sequence == expected {
            return Ok(Verdict::New);
        }
        Err(AppendError::OutOfOrderSequence {
            producer_id: header.producer_id,
            epoch: header.producer_epoch,
            sequence: header.base_sequence,
            expected,
        })
    }

    pub(super) fn check_marker(
        &self,
        header: &BatchHeader,
        end: TxnEnd,
    ) -> Result<(), AppendError> {
        if header.producer_epoch < self.epoch {
            return Err(AppendError::StaleProducerEpoch {
                producer_id: header.producer_id,
                epoch: header.producer_epoch,
                current: self.epoch,
            });
        }
        if end.coordinator_epoch < self.coordinator_epoch {
            return Err(AppendError::StaleCoordinatorEpoch {
                producer_id: header.producer_id,
                epoch: end.coordinator_epoch,
                current: self.coordinator_epoch,
            });
        }
        Ok(())
    }

    pub(super) fn note(&mut self, header: &BatchHeader) {
        self.begin_epoch(header.producer_epoch);
        self.last_timestamp = header.max_timestamp;
        let next = (usize::from(self.last) + 1) % BATCHES_MAX;
        if let Some(place) = self.batches.get_mut(next) {
            *place = Some(BatchMark::of(header));
            self.last = next as u8;
        }
    }

    pub(super) fn end_txn(&mut self, header: &BatchHeader, end: TxnEnd) {
        self.begin_epoch(header.producer_epoch);
        self.coordinator_epoch = end.coordinator_epoch;
        self.last_timestamp = header.max_timestamp;
    }

    /// Another epoch counts its sequences from 0.
    fn begin_epoch(&mut self, epoch: ProducerEpoch) {
        if epoch != self.epoch {
            self.epoch = epoch;
            self.batches = [None; BATCHES_MAX];
        }
    }

    pub(super) fn view(&self, producer_id: ProducerId) -> ProducerView {
        ProducerView {
            producer_id,
            epoch: self.epoch,
            last_sequence: self
                .last_batch()
                .map_or(Sequence::NONE, |mark| mark.last_sequence),
            last_timestamp: self.last_timestamp,
            coordinator_epoch: self.coordinator_epoch,
            txn_start: self.txn_start,
        }
    }
}
