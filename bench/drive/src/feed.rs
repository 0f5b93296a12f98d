//! One producer's records: when each is due, what it says and where it goes.
//!
//! Joins the workload's generators (times, keys, payloads) with the partition
//! and the stamp. The schedule is fixed beforehand: a record that could not be
//! handed off in time keeps its intended time.

use crate::clock::Mono;
use crate::driver::{Due, Marking, Outgoing, Source};
use crate::partitioner::Partitioner;
use crate::record::Window;
use plimsoll_workloads::generate::{
    Arrivals, RecordStream, Records, STAMP_LEN, Schedule, Stamp, StampPlace, Transactions, Worker,
    body_checksum,
};

/// Values whose checksum is remembered.
const BODIES_MAX: usize = 1 << 20;

/// One producer's records.
pub struct Feed {
    arrivals: Option<Arrivals>,
    due: Option<Mono>,
    gap_nanos: u64,
    window: Window,
    stream: RecordStream,
    partitioner: Partitioner,
    /// The next number of each lane.
    sequences: Vec<u64>,
    /// The same for records of transactions that are to be aborted.
    aborted: Vec<u64>,
    transactions: Option<Transactions>,
    producer: u32,
    marking: Marking,
    stamp: [u8; STAMP_LEN],
    bodies: Bodies,
}

/// Checksums of values that come again, by the value's number.
#[derive(Debug, Default)]
struct Bodies(Vec<Option<u32>>);

impl Bodies {
    /// The checksum of `body`, which always is that of its number.
    fn checksum(&mut self, number: Option<usize>, body: &[u8]) -> u32 {
        let Some(number) = number.filter(|number| *number < BODIES_MAX) else {
            return body_checksum(body);
        };
        if self.0.len() <= number {
            self.0.resize(number + 1, None);
        }
        match self.0.get_mut(number) {
            Some(known) => *known.get_or_insert_with(|| body_checksum(body)),
            None => body_checksum(body),
        }
    }
}

/// What the feeds of a cell have in common.
#[derive(Clone, Copy, Debug)]
pub struct FeedSettings {
    /// When to begin and end.
    pub window: Window,
    /// How records are marked.
    pub marking: Marking,
    /// Partitions of the topic.
    pub partitions: u32,
    /// After how many bytes records without a key move on.
    pub batch_bytes: usize,
}

impl Feed {
    /// The records of one of a cell's producers.
    pub fn new(
        schedule: &Schedule,
        records: &Records,
        worker: Worker,
        settings: &FeedSettings,
    ) -> Self {
        let mut arrivals = schedule.worker(worker);
        let window = settings.window;
        let due = arrivals.as_mut().and_then(Iterator::next);
        let load_nanos = window.to.since(window.start) as f64;
        let of_all = schedule.records().unwrap_or(0.0) / f64::from(worker.of.max(1));
        let gap_nanos = if of_all > 0.0 {
            (load_nanos / of_all) as u64
        } else {
            0
        };
        Self {
            arrivals,
            due: due.map(|nanos| window.start.plus(nanos)),
            gap_nanos,
            window,
            stream: records.worker(worker),
            partitioner: Partitioner::new(settings.partitions, settings.batch_bytes, worker.index),
            sequences: vec![0; settings.partitions as usize],
            aborted: Vec::new(),
            transactions: None,
            producer: worker.index,
            marking: settings.marking,
            stamp: [0; STAMP_LEN],
            bodies: Bodies::default(),
        }
    }

    /// The same records from a producer of another number.
    #[must_use]
    pub const fn as_producer(mut self, producer: u32) -> Self {
        self.producer = producer;
        self
    }

    /// The same records in transactions.
    #[must_use]
    pub fn in_transactions(mut self, transactions: Option<Transactions>) -> Self {
        if transactions.is_some() {
            self.aborted = vec![0; self.sequences.len()];
        }
        self.transactions = transactions;
        self
    }
}

impl Source for Feed {
    fn due(&mut self, now: Mono) -> Due {
        if self.arrivals.is_none() {
            return if now < self.window.to {
                Due::Now(now)
            } else {
                Due::Never
            };
        }
        match self.due {
            None => Due::Never,
            Some(at) if at <= now => Due::Now(at),
            Some(at) => Due::Later(at),
        }
    }

    fn next(&mut self, intended: Mono) -> Outgoing<'_> {
        if let Some(arrivals) = &mut self.arrivals {
            self.due = arrivals.next().map(|nanos| self.window.start.plus(nanos));
        }
        let record = self.stream.next();
        let bytes = record.value.len() + record.key.map_or(0, <[u8]>::len);
        let partition = self.partitioner.assign(record.key, bytes);
        let transaction = self.transactions.as_mut().map(Transactions::step);
        let aborts = transaction.is_some_and(|transaction| transaction.aborts);
        let lanes = if aborts {
            &mut self.aborted
        } else {
            &mut self.sequences
        };
        let sequence = lanes.get_mut(partition as usize).map_or(0, |next| {
            *next += 1;
            *next - 1
        });
        let place = self.marking.place;
        let body = match place {
            StampPlace::ValuePrefix => record.value.get(STAMP_LEN..).unwrap_or_default(),
            StampPlace::Header => record.value,
        };
        let known = self.bodies.checksum(record.number, body);
        let stamp = Stamp {
            run: self.marking.run,
            producer: self.producer,
            sequence,
            intended_ns: self.marking.to_unix_nanos(intended),
            aborts,
        };
        self.stamp = stamp.seal_known(record.key, known);
        let in_front = place == StampPlace::ValuePrefix;
        Outgoing {
            partition,
            sequence,
            key: record.key,
            front: if in_front { &self.stamp } else { &[] },
            value: body,
            headers: record.headers,
            stamp: (!in_front).then_some(&self.stamp),
            transaction,
            read_at: None,
        }
    }

    fn gap_nanos(&self) -> u64 {
        self.gap_nanos
    }
}
