//! The seam between the harness and a Kafka client.
//!
//! A [`Driver`] carries one worker's load: it sends what its [`Source`] yields
//! and records what becomes of it, or reads partitions and verifies them. The
//! harness gives each worker a thread of its own; a driver blocks it until the
//! work is done.

use crate::access::Bootstrap;
use crate::clock::{Mono, sleep_until};
use crate::error::DriveError;
use crate::labour::{Labour, PoisonCounts};
use crate::native::control::Leaders;
use crate::record::{Commit, CommitBoard, Recorder};
use crate::relay::Forward;
use crate::shared_group::{Seat, SharedGroup};
use crate::verify::{Verifier, Written};
use plimsoll_wire::compression::Compression;
use plimsoll_wire::types::Offset;
use plimsoll_workloads::generate::{
    Header, Membership, STAMP_HEADER, STAMP_LEN, Stamp, StampPlace,
};
use serde::{Deserialize, Serialize};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// A Kafka client that can carry load.
pub trait Driver: Send + Sync {
    /// Its name and version, for the result.
    fn describe(&self) -> String;

    /// Sends what the job's source yields until it ends, then waits for what is
    /// unanswered until the window's drain is over.
    fn produce(&self, job: ProducerJob) -> Result<Produced, DriveError>;

    /// Reads the job's partitions up to the finish line.
    fn consume(&self, job: ConsumerJob) -> Result<Consumed, DriveError>;
}

/// When the next record is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// It should have been, or is to be, sent at this time, which has come.
    Now(Mono),
    /// Not before this time.
    Later(Mono),
    /// There are no more.
    Never,
}

/// A record on its way out.
#[derive(Clone, Copy, Debug)]
pub struct Outgoing<'a> {
    /// Where it goes.
    pub partition: u32,
    /// Its number in its lane.
    pub sequence: u64,
    /// Decides the partition.
    pub key: Option<&'a [u8]>,
    /// How its value begins: the stamp, where it stands in the value.
    pub front: &'a [u8],
    /// The rest of its value, which is not copied before it lies in a batch.
    pub value: &'a [u8],
    /// The headers that every record of the cell carries.
    pub headers: &'a [Header],
    /// The stamp, where it stands in a header of its own.
    pub stamp: Option<&'a [u8; STAMP_LEN]>,
    /// Its place in a transaction, when there are any.
    pub transaction: Option<Membership>,
    /// Where it was read, when it is written again.
    pub read_at: Option<i64>,
}

impl Outgoing<'_> {
    /// Bytes of key, value and headers.
    pub fn bytes(&self) -> u32 {
        let headers: usize = self
            .headers()
            .map(|(name, value)| name.len() + value.len())
            .sum();
        let value = self.front.len() + self.value.len();
        let total = self.key.map_or(0, <[u8]>::len) + value + headers;
        u32::try_from(total).unwrap_or(u32::MAX)
    }

    /// Its value in one piece, put together in `room` where that is needed.
    pub fn whole_value<'r>(&'r self, room: &'r mut Vec<u8>) -> &'r [u8] {
        if self.front.is_empty() {
            return self.value;
        }
        room.clear();
        room.extend_from_slice(self.front);
        room.extend_from_slice(self.value);
        room
    }

    /// Whether its transaction is to be aborted.
    pub fn aborts(&self) -> bool {
        self.transaction
            .is_some_and(|transaction| transaction.aborts)
    }

    /// How many headers there are, the stamp's included.
    pub const fn header_count(&self) -> usize {
        self.headers.len() + self.stamp.is_some() as usize
    }

    /// All headers as name and value.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &[u8])> {
        let own = self
            .headers
            .iter()
            .map(|header| (header.name.as_str(), &header.value[..]));
        own.chain(self.stamp.map(|stamp| (STAMP_HEADER, &stamp[..])))
    }
}

/// One producer's records, each with its intended time.
///
/// Where there are transactions, the records of one that is to be aborted are
/// numbered apart from the others, so that a lane of committed records has no
/// gaps.
pub trait Source: Send {
    /// When the next record is due, seen from `now`.
    fn due(&mut self, now: Mono) -> Due;

    /// The next record, which was due at `intended` and is handed off `now`.
    fn next(&mut self, intended: Mono) -> Outgoing<'_>;

    /// Nanoseconds between records on average; 0 when there is no schedule.
    fn gap_nanos(&self) -> u64;

    /// Whether the open transaction is to end although it is not full.
    fn closes(&mut self, _now: Mono) -> bool {
        false
    }

    /// The open transaction has ended.
    fn ended(&mut self, _aborted: bool) {}
}

/// How a producer batches and what it waits for.
#[derive(Clone, Debug)]
pub struct ProducerSettings {
    /// 0, 1, or −1 for all.
    pub acks: i16,
    /// Codec of the batches.
    pub compression: Compression,
    /// Its level, the codec's default when unset.
    pub level: Option<i32>,
    /// Bytes at which a batch is full, before compression.
    pub batch_bytes: usize,
    /// How long a batch waits for more records.
    pub linger: Duration,
    /// Requests in flight on a connection.
    pub in_flight: usize,
    /// Whether the broker drops repeats.
    pub idempotence: bool,
    /// Bytes of unacknowledged records at which the producer waits.
    pub buffer_bytes: usize,
    /// How long a transaction may stay open; `None` without transactions.
    pub transaction_timeout: Option<Duration>,
    /// How long a partition may have no leader to send to.
    pub patience: Duration,
}

/// How a consumer fetches.
#[derive(Clone, Debug)]
pub struct ConsumerSettings {
    /// Bytes that the broker waits for.
    pub min_bytes: i32,
    /// How long it waits for them.
    pub wait: Duration,
    /// Most bytes in one answer.
    pub max_bytes: i32,
    /// Most bytes of one partition in one answer.
    pub partition_max_bytes: i32,
    /// Whether only committed transactions are read.
    pub read_committed: bool,
    /// How long a partition may have no leader to read from.
    pub patience: Duration,
}

/// Where a cell's records go.
#[derive(Clone, Debug)]
pub struct Route {
    /// How the target is reached.
    pub bootstrap: Bootstrap,
    /// The cell's topic.
    pub topic: String,
    /// Who led each partition when the cell began.
    pub leaders: Leaders,
}

/// One producer's work.
pub struct ProducerJob {
    /// Its number, from 0.
    pub worker: u32,
    /// Where to.
    pub route: Arc<Route>,
    /// How.
    pub settings: Arc<ProducerSettings>,
    /// What.
    pub source: Box<dyn Source>,
    /// Where measurements go.
    pub recorder: Recorder,
    /// Whose offsets are part of the transactions, where records that were read
    /// are written again.
    pub reads: Option<GroupOffsets>,
    /// Told of every commit, where there are transactions.
    pub commits: Option<Arc<CommitBoard>>,
    /// Set when the run is to end early.
    pub stop: Arc<AtomicBool>,
}

/// A group whose offsets in a topic are committed with what was made of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupOffsets {
    /// The group.
    pub group: String,
    /// The topic that it reads.
    pub topic: String,
}

impl ProducerJob {
    /// The transactional id of its producer: the topic is the cell's own.
    pub fn transactional_id(&self) -> String {
        format!("{}-{}", self.route.topic, self.worker)
    }
}

/// What one producer did.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Produced {
    /// What it knows of its lanes, by partition.
    pub written: Vec<Written>,
    /// Batches that were acknowledged; 0 when the client does not tell.
    pub batches: u64,
    /// Records in them.
    pub records: u64,
    /// Bytes of those batches as sent; 0 when the client does not tell.
    pub sent_bytes: u64,
    /// Bytes of the records in them before compression.
    pub plain_bytes: u64,
    /// Records of transactions that were aborted on purpose; they are in no
    /// lane.
    pub aborted: u64,
    /// The last failure that did not end the run, for the result.
    pub trouble: Option<String>,
}

/// One consumer's work.
pub struct ConsumerJob {
    /// Its number, from 0, over all groups.
    pub worker: u32,
    /// Where from.
    pub route: Arc<Route>,
    /// How.
    pub settings: Arc<ConsumerSettings>,
    /// When it may begin.
    pub starts: Mono,
    /// Which partitions are its own.
    pub partitions: Vec<u32>,
    /// Judges what is read.
    pub inspect: Inspect,
    /// Its place in a group whose partitions the cluster shares out, in which
    /// case it begins with none.
    pub seat: Option<Seat>,
    /// When to stop.
    pub finish: Arc<FinishLine>,
}

/// Judges records as they are read: stamp, order, latency.
#[derive(Debug)]
pub struct Inspect {
    /// Completeness and order.
    pub verifier: Verifier,
    /// Latency and rates.
    pub recorder: Recorder,
    /// How the run's records are marked.
    pub marking: Marking,
    /// The commits that a reader of committed records waits for; `None` for one
    /// that reads everything, or where there are no transactions.
    pub commits: Option<Arc<CommitBoard>>,
    /// The lane last looked up, and the commit found.
    pub latest: Option<(u32, u32, Commit)>,
    /// What is done with each record.
    pub labour: Labour,
    /// Where records go that are to be written again.
    pub forward: Option<Forward>,
    /// The group that judges what its consumers read, whoever they are.
    pub group: Option<Arc<SharedGroup>>,
}

/// How the records of one run are told from others and dated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Marking {
    /// The run's number in its stamps.
    pub run: u32,
    /// Where the stamps stand.
    pub place: StampPlace,
    /// What turns the monotonic clock into nanoseconds since the Unix epoch,
    /// read once, so that a step of the wall clock cannot bend a latency.
    pub unix_offset_nanos: i64,
}

impl Marking {
    /// The stamp's notation of a time.
    pub const fn to_unix_nanos(self, time: Mono) -> u64 {
        time.0.wrapping_add_signed(self.unix_offset_nanos)
    }

    /// The time that a stamp notes.
    pub const fn from_unix_nanos(self, nanos: u64) -> Mono {
        Mono(nanos.wrapping_sub(self.unix_offset_nanos.cast_unsigned()))
    }
}

/// A record as a consumer got it.
#[derive(Clone, Copy, Debug)]
pub struct Incoming<'a> {
    /// Where it was.
    pub partition: u32,
    /// Where it stands in it.
    pub offset: i64,
    /// Its key.
    pub key: Option<&'a [u8]>,
    /// Its value.
    pub value: &'a [u8],
    /// The value of the stamp's header, looked for only where stamps stand in
    /// headers.
    pub stamp: Option<&'a [u8]>,
    /// Bytes of key, value and headers.
    pub bytes: u64,
}

impl Inspect {
    /// A record has been read at `now`, and is worked on. `false` when the run
    /// ended before that was done, and the record counts as unread.
    pub fn record(&mut self, record: &Incoming<'_>, now: Mono) -> Result<bool, DriveError> {
        let stamp = match self.marking.place {
            StampPlace::ValuePrefix => Stamp::open_prefix(record.value, record.key),
            StampPlace::Header => {
                Stamp::open(record.stamp.unwrap_or_default(), record.key, record.value)
            }
        };
        match stamp {
            Ok(stamp) if stamp.run == self.marking.run && stamp.aborts => {
                self.note(record.partition, |seen, _| seen.observe_aborted());
            }
            Ok(stamp) if stamp.run == self.marking.run => {
                let Some(now) = self.labour.work(record, &stamp, now)? else {
                    return Ok(false);
                };
                let forward = self.forward.as_ref();
                if forward.is_some_and(|f| !f.send(record, &stamp, self.labour.finish())) {
                    return Ok(false);
                }
                self.see(&stamp, record.partition, now);
                self.note(record.partition, |seen, partition| {
                    seen.observe(stamp.producer, partition, stamp.sequence);
                });
                let intended = self.marking.from_unix_nanos(stamp.intended_ns);
                self.recorder.consumed(intended, now, record.bytes);
            }
            _ => self.damaged(record.partition),
        }
        Ok(true)
    }

    /// A record of `partition` is not as it was written.
    pub fn damaged(&mut self, partition: u32) {
        self.note(partition, |seen, _| seen.observe_corrupt());
    }

    /// Notes what was met in a partition, for this consumer or for its group,
    /// which keeps each partition by itself.
    fn note(&mut self, partition: u32, note: impl FnOnce(&mut Verifier, u32)) {
        match &self.group {
            Some(group) => group.judge(partition, |seen| note(seen, 0)),
            None => note(&mut self.verifier, partition),
        }
    }

    /// Times how long the record's commit took to show.
    fn see(&mut self, stamp: &Stamp, partition: u32, now: Mono) {
        let Some(board) = &self.commits else {
            return;
        };
        let known = self.latest.filter(|(producer, its, commit)| {
            (*producer, *its) == (stamp.producer, partition) && stamp.sequence <= commit.last
        });
        let found = known.map(|(.., commit)| commit);
        let found = found.or_else(|| board.find(stamp.producer, partition, stamp.sequence));
        if let Some(commit) = found {
            self.latest = Some((stamp.producer, partition, commit));
            self.recorder.visible(commit.asked, now);
        }
    }
}

/// What one consumer read.
#[derive(Debug, Serialize, Deserialize)]
pub struct Consumed {
    /// Its partitions.
    pub partitions: Vec<u32>,
    /// Those of them that were not read to their end.
    pub unfinished: Vec<u32>,
    /// What it met in them.
    pub verifier: Verifier,
    /// What became of poison.
    pub poison: PoisonCounts,
}

/// How often a consumer that waits looks whether it still should.
const LOOK_NANOS: u64 = 20_000_000;

/// Tells consumers how far to read, once producers are done.
#[derive(Debug, Default)]
pub struct FinishLine {
    ends: OnceLock<Vec<Offset>>,
    abandoned: AtomicBool,
}

impl FinishLine {
    /// Nothing more is produced: read up to these offsets, by partition.
    pub fn draw(&self, ends: Vec<Offset>) {
        drop(self.ends.set(ends));
    }

    /// Stop now, wherever you are.
    pub fn abandon(&self) {
        self.abandoned.store(true, Ordering::Relaxed);
    }

    /// Whether to stop at once.
    pub fn is_abandoned(&self) -> bool {
        self.abandoned.load(Ordering::Relaxed)
    }

    /// Those of a reader's partitions and positions that are not past the line.
    pub fn unfinished(&self, positions: impl Iterator<Item = (u32, i64)>) -> Vec<u32> {
        positions
            .filter(|(partition, position)| !self.is_past(*partition, *position))
            .map(|(partition, _)| partition)
            .collect()
    }

    /// Sleeps until `starts`, or until there is no point in starting.
    pub fn wait_for(&self, starts: Mono) {
        while Mono::now() < starts && !self.is_abandoned() {
            sleep_until(starts.min(Mono::now().plus(LOOK_NANOS)));
        }
    }

    /// Whether the line is drawn.
    pub fn is_drawn(&self) -> bool {
        self.ends.get().is_some()
    }

    /// Where the line is in a partition, once it is drawn.
    pub fn end(&self, partition: u32) -> Option<i64> {
        let end = self.ends.get()?.get(partition as usize)?;
        Some(end.get())
    }

    /// Whether a reader at `position` of `partition` has read all there is.
    pub fn is_past(&self, partition: u32, position: i64) -> bool {
        self.ends.get().is_some_and(|ends| {
            ends.get(partition as usize)
                .is_none_or(|end| position >= end.get())
        })
    }
}
