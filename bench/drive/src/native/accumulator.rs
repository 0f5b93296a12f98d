//! Batches under construction and waiting, by partition.
//!
//! Pure: time comes in as an argument. A partition's batches leave in the order
//! in which they were begun, also when some of them come back to be retried:
//! while a batch waits for its retry nothing later leaves. An open batch leaves
//! when it is full, or when it is asked for after its linger; until then it
//! goes on taking records.

use super::part::{Batch, Part};
use crate::clock::Mono;
use crate::driver::{Outgoing, ProducerSettings};
use crate::native::control::ProducerIdentity;
use crate::record::Mark;
use plimsoll_wire::batch::{BatchSettings, HEADER_LEN, Header, Headers, Producer, Record};
use plimsoll_wire::compression::CompressionError;
use plimsoll_wire::types::{Offset, Sequence, TimestampMs};
use std::collections::VecDeque;

/// What a record takes in a batch besides its key, value and headers, at most.
const RECORD_OVERHEAD: usize = 21;
/// What a header takes besides its name and value, at most.
const HEADER_OVERHEAD: usize = 10;
/// Room made for a batch when it is begun, at most.
const RESERVE_MAX: usize = 1 << 20;

/// All batches of one producer that are not in flight.
#[derive(Debug)]
pub struct Accumulator {
    parts: Vec<Part>,
    batch_bytes: usize,
    linger_nanos: u64,
    idempotent: bool,
    lingering: VecDeque<Lingering>,
    ready: VecDeque<u32>,
    spare_marks: Vec<Vec<Mark>>,
}

#[derive(Clone, Copy, Debug)]
struct Lingering {
    deadline: Mono,
    partition: u32,
    order: u64,
}

impl Accumulator {
    /// An accumulator of nothing, for `partitions` partitions.
    pub fn new(
        partitions: usize,
        settings: &ProducerSettings,
        identity: Option<ProducerIdentity>,
    ) -> Self {
        let producer = identity.map_or(Producer::NONE, |identity| Producer {
            id: identity.id,
            epoch: identity.epoch,
            base_sequence: Sequence(0),
        });
        let batch = BatchSettings {
            compression: settings.compression,
            level: settings.level,
            producer,
            transactional: settings.transaction_timeout.is_some(),
            ..BatchSettings::default()
        };
        let linger = settings.linger.as_nanos();
        Self {
            parts: (0..partitions).map(|_| Part::new(batch)).collect(),
            batch_bytes: settings.batch_bytes,
            linger_nanos: u64::try_from(linger).unwrap_or(u64::MAX),
            idempotent: identity.is_some(),
            lingering: VecDeque::new(),
            ready: VecDeque::new(),
            spare_marks: Vec::new(),
        }
    }

    /// Takes a record. `timestamp` is its create time.
    pub fn push(
        &mut self,
        record: &Outgoing<'_>,
        mark: Mark,
        timestamp: TimestampMs,
    ) -> Result<(), CompressionError> {
        let partition = record.partition;
        let Some(part) = self.parts.get_mut(partition as usize) else {
            return Ok(());
        };
        let overhead = RECORD_OVERHEAD + HEADER_OVERHEAD * record.header_count();
        let length = mark.bytes as usize + overhead;
        if part.builder.uncompressed_len() + length > self.batch_bytes && !part.builder.is_empty() {
            part.seal(partition, self.idempotent, self.spare_marks.pop())?;
            list(&mut self.ready, part, partition);
        }
        if part.builder.is_empty() {
            part.builder
                .reserve(self.batch_bytes.max(length + HEADER_LEN).min(RESERVE_MAX));
            part.first = record.sequence;
            part.due = self.linger_nanos == 0;
            if part.due {
                list(&mut self.ready, part, partition);
            } else {
                self.lingering.push_back(Lingering {
                    deadline: mark.handed_off.plus(self.linger_nanos),
                    partition,
                    order: part.order,
                });
            }
        }
        let headers = match record.header_count() {
            0 => Vec::new(),
            _ => record.headers().map(as_wire).collect(),
        };
        let whole = Record {
            offset: Offset(i64::from(part.builder.count())),
            timestamp,
            key: record.key,
            value: Some(record.value),
            headers: Headers::listed(&headers),
        };
        part.builder.append_behind(record.front, &whole);
        part.marks.push(mark);
        Ok(())
    }

    /// Makes the batches ready whose linger has ended.
    pub fn expire(&mut self, now: Mono) {
        while let Some(first) = self
            .lingering
            .front()
            .filter(|l| l.deadline <= now)
            .copied()
        {
            self.lingering.pop_front();
            self.make_due(first);
        }
    }

    /// Makes every open batch ready.
    pub fn flush(&mut self) {
        while let Some(first) = self.lingering.pop_front() {
            self.make_due(first);
        }
    }

    fn make_due(&mut self, lingering: Lingering) {
        if let Some(part) = self.parts.get_mut(lingering.partition as usize)
            && part.order == lingering.order
            && !part.builder.is_empty()
        {
            part.due = true;
            list(&mut self.ready, part, lingering.partition);
        }
    }

    /// When the next linger ends.
    pub fn next_deadline(&self) -> Option<Mono> {
        let is_open = |lingering: &&Lingering| {
            let part = self.parts.get(lingering.partition as usize);
            part.is_some_and(|part| part.order == lingering.order)
        };
        self.lingering
            .iter()
            .find(is_open)
            .map(|first| first.deadline)
    }

    /// Whether a batch is ready to leave of a partition that `wants` accepts.
    pub fn has_ready(&self, wants: impl Fn(u32) -> bool) -> bool {
        self.ready.iter().any(|partition| wants(*partition))
    }

    /// Takes at most one ready batch of each partition that `wants` accepts,
    /// asked with the partition and the batch's size so far.
    pub fn take_ready(
        &mut self,
        mut wants: impl FnMut(u32, usize) -> bool,
    ) -> Result<Vec<Batch>, CompressionError> {
        let mut taken = Vec::new();
        for _ in 0..self.ready.len() {
            let Some(partition) = self.ready.pop_front() else {
                break;
            };
            let Some(part) = self.parts.get_mut(partition as usize) else {
                continue;
            };
            part.listed = false;
            if part.held || !part.is_ready() {
                continue;
            }
            if !wants(partition, part.front_bytes()) {
                list(&mut self.ready, part, partition);
                continue;
            }
            if part.sealed.is_empty() {
                part.seal(partition, self.idempotent, self.spare_marks.pop())?;
            }
            taken.extend(part.sealed.pop_front());
            part.in_flight += 1;
            if part.is_ready() {
                list(&mut self.ready, part, partition);
            }
        }
        Ok(taken)
    }

    /// A batch of `partition` that was in flight is done with.
    pub fn finished(&mut self, batch: Batch) {
        self.landed(batch.partition);
        if self.spare_marks.len() < self.parts.len() + 16 {
            let mut marks = batch.marks;
            marks.clear();
            self.spare_marks.push(marks);
        }
    }

    /// A batch that was in flight has to be sent again.
    pub fn retry(&mut self, batch: Batch) {
        let partition = batch.partition;
        if let Some(part) = self.parts.get_mut(partition as usize) {
            let at = part
                .sealed
                .partition_point(|other| other.order < batch.order);
            part.sealed.insert(at, batch);
            part.held = true;
        }
        self.landed(partition);
    }

    fn landed(&mut self, partition: u32) {
        let Some(part) = self.parts.get_mut(partition as usize) else {
            return;
        };
        part.in_flight = part.in_flight.saturating_sub(1);
        if part.in_flight == 0 {
            part.held = false;
        }
        if !part.held && part.is_ready() {
            list(&mut self.ready, part, partition);
        }
    }

    /// Whether an earlier batch of `partition` is waiting to be sent again.
    pub fn is_held(&self, partition: u32) -> bool {
        self.parts
            .get(partition as usize)
            .is_some_and(|part| part.held)
    }

    /// Gives up everything, in order within each partition.
    pub fn abandon(&mut self) -> Vec<Batch> {
        let idempotent = self.idempotent;
        let mut left = Vec::new();
        for (partition, part) in (0u32..).zip(&mut self.parts) {
            if !part.builder.is_empty() {
                drop(part.seal(partition, idempotent, None));
            }
            left.extend(part.sealed.drain(..));
        }
        self.ready.clear();
        self.lingering.clear();
        left
    }
}

const fn as_wire<'a>((name, value): (&'a str, &'a [u8])) -> Header<'a> {
    Header {
        key: name.as_bytes(),
        value: Some(value),
    }
}

fn list(ready: &mut VecDeque<u32>, part: &mut Part, partition: u32) {
    if !part.listed {
        part.listed = true;
        ready.push_back(partition);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use plimsoll_wire::batch::BatchHeader;
    use plimsoll_wire::compression::Compression;
    use plimsoll_wire::types::{ProducerEpoch, ProducerId};
    use std::time::Duration;

    fn accumulator(linger_ms: u64) -> Accumulator {
        let settings = ProducerSettings {
            acks: -1,
            compression: Compression::None,
            level: None,
            batch_bytes: 390,
            linger: Duration::from_millis(linger_ms),
            in_flight: 5,
            idempotence: true,
            buffer_bytes: 1 << 20,
            transaction_timeout: None,
            patience: Duration::ZERO,
        };
        let identity = ProducerIdentity {
            id: ProducerId(7),
            epoch: ProducerEpoch(0),
        };
        Accumulator::new(2, &settings, Some(identity))
    }

    fn push(accumulator: &mut Accumulator, partition: u32, sequence: u64, at_ms: u64) {
        let at = Mono(at_ms * 1_000_000);
        let value = [7u8; 100];
        let record = Outgoing {
            partition,
            sequence,
            key: None,
            front: &[],
            value: &value,
            headers: &[],
            stamp: None,
            transaction: None,
            read_at: None,
        };
        let mark = Mark {
            intended: at,
            handed_off: at,
            bytes: record.bytes(),
        };
        let pushed = accumulator.push(&record, mark, TimestampMs(1));
        assert_eq!(pushed, Ok(()));
    }

    fn take(accumulator: &mut Accumulator) -> Vec<Batch> {
        accumulator.take_ready(|_, _| true).unwrap_or_default()
    }

    fn firsts(batches: &[Batch]) -> Vec<(u32, u64, usize)> {
        batches
            .iter()
            .map(|b| (b.partition, b.first, b.marks.len()))
            .collect()
    }

    #[test]
    fn a_batch_leaves_when_it_is_full_or_its_linger_ends() {
        let mut accumulator = accumulator(5);
        push(&mut accumulator, 0, 0, 0);
        push(&mut accumulator, 0, 1, 1);
        push(&mut accumulator, 1, 0, 2);
        assert_eq!(firsts(&take(&mut accumulator)), []);
        assert_eq!(accumulator.next_deadline(), Some(Mono(5_000_000)));
        push(&mut accumulator, 0, 2, 3);
        assert_eq!(firsts(&take(&mut accumulator)), [(0, 0, 2)]);
        assert_eq!(accumulator.next_deadline(), Some(Mono(7_000_000)));
        accumulator.expire(Mono(7_000_000));
        assert_eq!(firsts(&take(&mut accumulator)), [(1, 0, 1)]);
        accumulator.flush();
        assert_eq!(firsts(&take(&mut accumulator)), [(0, 2, 1)]);
        assert!(!accumulator.has_ready(|_| true));
    }

    #[test]
    fn without_linger_a_batch_grows_until_it_is_taken() {
        let mut accumulator = accumulator(0);
        push(&mut accumulator, 0, 0, 0);
        assert!(accumulator.has_ready(|_| true));
        push(&mut accumulator, 0, 1, 0);
        assert_eq!(firsts(&take(&mut accumulator)), [(0, 0, 2)]);
    }

    #[test]
    fn a_retried_batch_goes_before_everything_later() {
        let mut accumulator = accumulator(0);
        for sequence in 0..8 {
            push(&mut accumulator, 0, sequence, 0);
        }
        let mut flying = Vec::new();
        for _ in 0..3 {
            flying.extend(take(&mut accumulator));
        }
        assert_eq!(firsts(&flying), [(0, 0, 2), (0, 2, 2), (0, 4, 2)]);
        let mut flying = flying.into_iter();
        let (Some(first), Some(second), Some(third)) =
            (flying.next(), flying.next(), flying.next())
        else {
            panic!("three batches were taken");
        };
        accumulator.finished(first);
        accumulator.retry(second);
        assert!(accumulator.is_held(0));
        assert_eq!(firsts(&take(&mut accumulator)), []);
        accumulator.retry(third);
        let again: Vec<_> = (0..3).flat_map(|_| take(&mut accumulator)).collect();
        assert_eq!(firsts(&again), [(0, 2, 2), (0, 4, 2), (0, 6, 2)]);
        let sequences: Vec<_> = again
            .iter()
            .map(|batch| {
                BatchHeader::parse(&batch.bytes)
                    .map(|h| h.base_sequence.get())
                    .ok()
            })
            .collect();
        assert_eq!(sequences, [Some(2), Some(4), Some(6)]);
    }

    #[test]
    fn what_is_given_up_comes_back_in_order() {
        let mut accumulator = accumulator(5);
        for sequence in 0..5 {
            push(&mut accumulator, 1, sequence, 0);
        }
        assert_eq!(
            firsts(&accumulator.abandon()),
            [(1, 0, 2), (1, 2, 2), (1, 4, 1)]
        );
        assert_eq!(accumulator.next_deadline(), None);
    }
}
