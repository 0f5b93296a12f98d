//! The producer's loop: one thread, one poll, no locks.
//!
//! Each turn it takes the records that are due, sends the batches that are
//! ready, reads what came back and then sleeps until the next thing is due. A
//! full buffer makes records late rather than lost: their intended time stands,
//! so the wait shows in their latency.
//!
//! It must never re-base the schedule, and never block in a system call other
//! than the one poll while records may be due.

use super::accumulator::Accumulator;
use super::control::Control;
use super::leadership::{Leadership, Terms};
use super::link::Link;
use super::part::Batch;
use super::produce_codec::{Envelope, PRODUCE_KEY, PRODUCE_VERSION, Verdict};
use super::transactor::Transactor;
use crate::clock::{Mono, Pace, sharpen_timers, sleep_until, timespec, wall_ms};
use crate::driver::{Due, Produced, ProducerJob};
use crate::error::{DriveError, is_retriable};
use crate::record::Mark;
use plimsoll_wire::compression::CompressionError;
use plimsoll_wire::types::{NodeId, TimestampMs};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Most bytes of batches in one request, as `max.request.size`.
const REQUEST_BYTES_MAX: usize = 1 << 20;
/// Records taken before the sockets are looked after again.
const RECORDS_PER_TURN: usize = 64;
/// How long a request may go unanswered, as `request.timeout.ms`.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// How long to try to reach the leaders before anything is sent.
const CONNECT: Duration = Duration::from_secs(10);
/// The longest sleep, so that a stop is noticed.
const SLEEP_NANOS_MAX: u64 = 100_000_000;

/// Runs one producer to its end.
pub fn produce(job: ProducerJob) -> Result<Produced, DriveError> {
    sharpen_timers();
    let mut control = Control::reach(&job.route.bootstrap)?;
    let transactor = Transactor::join(&job)?;
    let identity = match &transactor {
        Some(transactor) => Some(transactor.identity()),
        None if job.settings.idempotence => Some(control.producer_identity()?),
        None => None,
    };
    let partitions = job.route.leaders.by_partition.len();
    let mut producer = Producer {
        accumulator: Accumulator::new(partitions, &job.settings, identity),
        leadership: Leadership::new(
            &job.route,
            (0..).take(partitions).collect(),
            Terms {
                api: (PRODUCE_KEY, PRODUCE_VERSION),
                open: Link::new,
                patience: job.settings.patience,
            },
        ),
        produced: Produced {
            written: vec![crate::verify::Written::default(); partitions],
            ..Produced::default()
        },
        buffered: 0,
        exhausted: false,
        wall_offset_ms: wall_ms() - ms(Mono::now()),
        pace: Pace::for_gap(job.source.gap_nanos()),
        idempotent: identity.is_some(),
        stirred: false,
        transactor,
        job,
    };
    producer.leadership.connect(Mono::now().after(CONNECT))?;
    producer.run()?;
    Ok(producer.produced)
}

struct Producer {
    job: ProducerJob,
    accumulator: Accumulator,
    leadership: Leadership<Link>,
    produced: Produced,
    /// Bytes of records taken and not yet settled.
    buffered: usize,
    exhausted: bool,
    wall_offset_ms: i64,
    pace: Pace,
    idempotent: bool,
    /// The last poll found a socket with something to read or room to write.
    stirred: bool,
    transactor: Option<Transactor>,
}

impl Producer {
    fn run(&mut self) -> Result<(), DriveError> {
        sleep_until(self.job.recorder.window().start);
        loop {
            let now = Mono::now();
            let next_record = self.take_due(now)?;
            self.accumulator.expire(Mono::now());
            self.exchange()?;
            self.leadership.turn(Mono::now())?;
            if self.transact()? {
                continue;
            }
            let open = self.transactor.as_ref().is_some_and(|t| !t.is_idle());
            if self.exhausted && self.buffered == 0 && !open {
                return Ok(());
            }
            if Mono::now() >= self.job.recorder.window().give_up {
                self.give_up();
                return Ok(());
            }
            self.wait(next_record)?;
        }
    }

    /// Takes records that are due; says when the next one will be. `None` when
    /// only the sockets can make a difference.
    fn take_due(&mut self, mut now: Mono) -> Result<Option<Mono>, DriveError> {
        if self.job.stop.load(Ordering::Relaxed) && !self.exhausted {
            self.exhaust();
        }
        for _ in 0..RECORDS_PER_TURN {
            let closing = self.transactor.as_ref().is_some_and(Transactor::is_closing);
            if self.exhausted || closing {
                return Ok(None);
            }
            if self.buffered >= self.job.settings.buffer_bytes {
                // As Java's client does: a full buffer does not wait for linger.
                self.accumulator.flush();
                return Ok(None);
            }
            match self.job.source.due(now) {
                Due::Now(intended) => self.take(intended, now)?,
                Due::Later(at) => {
                    if self.job.source.closes(now) {
                        self.close_transaction();
                    }
                    return Ok(Some(at));
                }
                Due::Never => self.exhaust(),
            }
            now = Mono::now();
        }
        Ok(Some(now))
    }

    fn exhaust(&mut self) {
        self.exhausted = true;
        self.close_transaction();
    }

    /// Nothing more comes for the open batches and the open transaction.
    fn close_transaction(&mut self) {
        self.accumulator.flush();
        if let Some(transactor) = &mut self.transactor {
            transactor.close();
        }
    }

    /// Gets on with the open transaction; whether it has ended.
    fn transact(&mut self) -> Result<bool, DriveError> {
        let Some(transactor) = &mut self.transactor else {
            return Ok(false);
        };
        let (commits, worker) = (&self.job.commits, self.job.worker);
        let finished = transactor.step(self.buffered == 0, |partition, commit| {
            if let Some(board) = commits {
                board.post(worker, partition, commit);
            }
        })?;
        let Some(finished) = finished else {
            return Ok(false);
        };
        self.job
            .recorder
            .transaction(&finished.ended, finished.records);
        self.job.source.ended(finished.ended.aborted);
        if finished.ended.aborted {
            self.produced.aborted += finished.records;
            // What was aborted may have to be written again.
            let stopped = self.job.stop.load(Ordering::Relaxed);
            self.exhausted = stopped || self.job.source.due(Mono::now()) == Due::Never;
        }
        Ok(true)
    }

    fn take(&mut self, intended: Mono, now: Mono) -> Result<(), DriveError> {
        let record = self.job.source.next(intended);
        let mark = Mark {
            intended,
            handed_off: now,
            bytes: record.bytes(),
        };
        self.job.recorder.handed_off(&mark);
        if let Some(written) = self
            .produced
            .written
            .get_mut(record.partition as usize)
            .filter(|_| !record.aborts())
        {
            written.count_sent();
        }
        let closes = self.transactor.as_mut().is_some_and(|t| t.take(&record));
        let timestamp = TimestampMs(self.wall_offset_ms + ms(now));
        self.accumulator
            .push(&record, mark, timestamp)
            .map_err(compression)?;
        self.buffered += mark.bytes as usize;
        if closes {
            self.accumulator.flush();
        }
        Ok(())
    }

    /// Sends what is ready and settles what has come back.
    fn exchange(&mut self) -> Result<(), DriveError> {
        self.send_ready()?;
        let (acks, stirred) = (self.job.settings.acks, self.stirred);
        let (mut settled, mut broken) = (Vec::new(), Vec::new());
        for (node, link) in self.leadership.links_mut() {
            let mut come = |batch, verdict| settled.push((batch, verdict));
            let throttled = |millis| self.job.recorder.throttled(millis);
            if let Err(error) = serve(link, (acks, stirred), &mut come, throttled) {
                broken.push((*node, error));
            }
        }
        for (node, error) in broken {
            self.lose(node, error)?;
        }
        if settled.is_empty() {
            return self.check_timeouts();
        }
        let now = Mono::now();
        for (batch, verdict) in settled {
            self.settle(batch, verdict, now)?;
        }
        self.send_ready()?;
        let mut broken = Vec::new();
        for (node, link) in self.leadership.links_mut() {
            broken.extend(link.write().err().map(|error| (*node, error)));
        }
        broken
            .into_iter()
            .try_for_each(|(node, error)| self.lose(node, error))
    }

    fn send_ready(&mut self) -> Result<(), DriveError> {
        if self
            .transactor
            .as_ref()
            .is_some_and(Transactor::holds_batches)
        {
            return Ok(());
        }
        let most = self.job.settings.in_flight;
        while self.has_sendable() {
            let mut room: BTreeMap<NodeId, usize> = BTreeMap::new();
            let leadership = &self.leadership;
            let batches = self.accumulator.take_ready(|partition, bytes| {
                let Some(node) = leadership.of(partition) else {
                    return false;
                };
                let link = leadership.links().get(&node);
                if link.is_none_or(|link| link.in_flight() >= most) {
                    return false;
                }
                let used = room.entry(node).or_default();
                let fits = *used == 0 || *used + bytes <= REQUEST_BYTES_MAX;
                if fits {
                    *used += bytes;
                }
                fits
            });
            let batches = batches.map_err(compression)?;
            if batches.is_empty() {
                break;
            }
            self.dispatch(batches);
        }
        Ok(())
    }

    /// Whether a batch is ready whose leader has room for a request.
    fn has_sendable(&self) -> bool {
        let most = self.job.settings.in_flight;
        let has_room = |link: &Link| link.in_flight() < most;
        self.accumulator.has_ready(|partition| {
            let node = self.leadership.of(partition);
            let link = node.and_then(|node| self.leadership.links().get(&node));
            link.is_some_and(has_room)
        })
    }

    /// One request to each leader of `batches`.
    fn dispatch(&mut self, batches: Vec<Batch>) {
        let now = Mono::now();
        let envelope = Envelope {
            topic: &self.job.route.topic,
            transactional_id: self.transactor.as_ref().map(Transactor::id),
            acks: self.job.settings.acks,
            timeout_ms: i32::try_from(REQUEST_TIMEOUT.as_millis()).unwrap_or(i32::MAX),
        };
        let mut by_leader: BTreeMap<NodeId, Vec<Batch>> = BTreeMap::new();
        for batch in batches {
            let leader = self.leadership.of(batch.partition);
            by_leader
                .entry(leader.unwrap_or_default())
                .or_default()
                .push(batch);
        }
        for (node, batches) in by_leader {
            if let Some(link) = self.leadership.links_mut().get_mut(&node) {
                link.send(&envelope, batches, now);
            }
        }
    }

    /// Enters what became of a batch. Without a verdict the batch was only handed
    /// to the socket, which is all that acks = 0 asks.
    fn settle(
        &mut self,
        batch: Batch,
        verdict: Option<Verdict>,
        now: Mono,
    ) -> Result<(), DriveError> {
        let refused = verdict.filter(|verdict| !verdict.is_appended());
        let Some(verdict) = refused else {
            self.acknowledge(batch, now);
            return Ok(());
        };
        self.job.recorder.failed(batch.marks.len() as u64);
        let follows_a_retry = self.idempotent
            && verdict.is_out_of_order()
            && self.accumulator.is_held(batch.partition);
        if !follows_a_retry && !is_retriable(verdict.code) {
            return Err(verdict.refusal());
        }
        self.produced.trouble = Some(verdict.refusal().to_string());
        self.leadership.doubt(batch.partition, verdict.refusal());
        self.accumulator.retry(batch);
        Ok(())
    }

    fn acknowledge(&mut self, batch: Batch, now: Mono) {
        self.job.recorder.acknowledged(&batch.marks, now);
        let bytes: usize = batch.marks.iter().map(|mark| mark.bytes as usize).sum();
        self.buffered = self.buffered.saturating_sub(bytes);
        self.produced.batches += 1;
        self.produced.records += batch.marks.len() as u64;
        self.produced.sent_bytes += batch.bytes.len() as u64;
        self.produced.plain_bytes += batch.plain_bytes as u64;
        self.accumulator.finished(batch);
    }

    fn check_timeouts(&mut self) -> Result<(), DriveError> {
        let now = Mono::now();
        let overdue = |(node, link): (&NodeId, &Link)| {
            let waited = now.elapsed_since(link.oldest()?);
            (waited > REQUEST_TIMEOUT).then(|| (*node, link.conn.broker().to_owned()))
        };
        let overdue: Vec<_> = (self.leadership.links().iter())
            .filter_map(overdue)
            .collect();
        overdue.into_iter().try_for_each(|(node, broker)| {
            let timeout = DriveError::Timeout {
                broker,
                request: "Produce",
                waited_ms: u64::try_from(REQUEST_TIMEOUT.as_millis()).unwrap_or(u64::MAX),
            };
            self.lose(node, timeout)
        })
    }

    /// Does without a connection that broke: what was in flight on it is sent
    /// again, in order.
    fn lose(&mut self, node: NodeId, error: DriveError) -> Result<(), DriveError> {
        self.produced.trouble = Some(error.to_string());
        let link = self.leadership.lose(node, error)?;
        for batch in link.into_iter().flat_map(Link::abandon) {
            self.job.recorder.failed(batch.marks.len() as u64);
            self.accumulator.retry(batch);
        }
        Ok(())
    }

    /// What is left when the drain is over may or may not be in the log.
    fn give_up(&mut self) {
        let mut left: Vec<Batch> = Vec::new();
        for link in self.leadership.take_links() {
            left.extend(link.abandon());
        }
        left.extend(self.accumulator.abandon());
        left.sort_by_key(|batch| (batch.partition, batch.first));
        let open = self.transactor.as_mut().map(Transactor::abandon);
        for (partition, first) in open.iter().flatten() {
            if let Some(written) = self.produced.written.get_mut(*partition as usize) {
                written.give_up(*first, written.sent() - first);
            }
        }
        for batch in left {
            let count = batch.marks.len() as u64;
            self.job.recorder.failed(count);
            if open.is_some() {
                continue;
            }
            if let Some(written) = self.produced.written.get_mut(batch.partition as usize) {
                written.give_up(batch.first, count);
            }
        }
    }

    /// Sleeps until a socket is ready, a linger ends or `next_record` is due.
    fn wait(&mut self, next_record: Option<Mono>) -> Result<(), DriveError> {
        self.stirred = false;
        let now = Mono::now();
        let links = self.leadership.links();
        let most = self.job.settings.in_flight;
        let room = links.values().any(|link| link.in_flight() < most);
        let transactor = self.transactor.as_ref();
        let held = transactor.is_some_and(Transactor::holds_batches);
        let ends = transactor.is_some_and(|t| t.is_ready(self.buffered == 0));
        if ends || (!held && self.has_sendable()) {
            return Ok(());
        }
        let mut nanos = SLEEP_NANOS_MAX.min(self.job.recorder.window().give_up.since(now));
        if let Some(at) = next_record {
            nanos = nanos.min(self.pace.sleep_nanos(at.since(now)));
        }
        if let Some(deadline) = self.accumulator.next_deadline().filter(|_| room) {
            nanos = nanos.min(deadline.since(now));
        }
        let retry = transactor.and_then(Transactor::retry_at);
        for at in [retry, self.leadership.next()].into_iter().flatten() {
            nanos = nanos.min(at.since(now));
        }
        let mut fds: Vec<PollFd<'_>> = Vec::with_capacity(links.len() + 1);
        if let Some(transactor) = transactor {
            fds.push(PollFd::new(transactor.conn(), PollFlags::IN));
        }
        for link in links.values() {
            let writing = if link.is_unwritten() {
                PollFlags::OUT
            } else {
                PollFlags::empty()
            };
            fds.push(PollFd::new(&link.conn, PollFlags::IN | writing));
        }
        match poll(&mut fds, Some(&timespec(nanos))) {
            Ok(stirred) => {
                self.stirred = stirred > 0;
                Ok(())
            }
            Err(Errno::INTR) => Ok(()),
            Err(error) => Err(DriveError::Io {
                broker: self.job.route.bootstrap.to_string(),
                action: "waiting",
                source: error.into(),
            }),
        }
    }
}

/// Writes what a link has to send, and hands `come` what has come back on it.
fn serve(
    link: &mut Link,
    (acks, stirred): (i16, bool),
    come: &mut dyn FnMut(Batch, Option<Verdict>),
    mut throttled: impl FnMut(u32),
) -> Result<(), DriveError> {
    link.write()?;
    if acks == 0 {
        link.take_written().for_each(|batch| come(batch, None));
    } else if stirred && link.conn.receive()? {
        while let Some(answer) = link.next_verdicts()? {
            throttled(answer.throttled_ms);
            for (batch, verdict) in answer.batches {
                come(batch, Some(verdict));
            }
        }
    }
    Ok(())
}

fn ms(time: Mono) -> i64 {
    i64::try_from(time.0 / 1_000_000).unwrap_or(i64::MAX)
}

fn compression(error: CompressionError) -> DriveError {
    DriveError::Setting {
        field: "producer.compression",
        value: error.to_string(),
        accepted: "a level that the codec has".to_owned(),
    }
}
