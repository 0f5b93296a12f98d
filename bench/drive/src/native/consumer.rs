//! The consumer's loop: one thread, one fetch in flight to each leader.
//!
//! The next fetch leaves before the records of the last one are judged, so the
//! broker works while this thread checks stamps. Judging never re-orders: a
//! response is judged whole before the next is read. A partition whose leader
//! is lost is left alone until another is found; the others are read on.

use super::aborted::Aborted;
use super::conn::Conn;
use super::fetch_codec::{self, FETCH_KEY, FETCH_VERSION, FetchRequest, FetchResponse};
use super::group;
use super::leadership::{Leadership, Terms};
use crate::clock::{Mono, sharpen_timers, timespec};
use crate::driver::{Consumed, ConsumerJob, Incoming, Inspect};
use crate::error::{DriveError, is_retriable};
use plimsoll_wire::batch::{self, BatchHeader, LENGTH_OVERHEAD};
use plimsoll_wire::types::{NodeId, Offset, PartitionIndex};
use plimsoll_workloads::generate::{STAMP_HEADER, StampPlace};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use std::collections::{BTreeMap, BTreeSet};
use std::io::IoSlice;
use std::ops::Range;
use std::time::Duration;

/// Most bytes that one batch may inflate to.
const BATCH_BYTES_MAX: usize = 128 << 20;
/// The longest sleep, so that the finish line is noticed.
const SLEEP_NANOS_MAX: u64 = 20_000_000;
/// How long to try to reach the leaders before anything is read.
const CONNECT: Duration = Duration::from_secs(10);
/// How long a fetch may go unanswered besides the wait that it asks for, as
/// `request.timeout.ms`.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// Runs one consumer to the finish line.
pub fn consume(job: ConsumerJob) -> Result<Consumed, DriveError> {
    sharpen_timers();
    job.finish.wait_for(job.starts);
    if let Some(seat) = job.seat.clone() {
        return group::consume(job, &seat);
    }
    let mut consumer = Consumer::new(job);
    let deadline = Mono::now().after(CONNECT);
    consumer.leadership.connect(deadline)?;
    while !consumer.is_done() {
        consumer.turn()?;
    }
    Ok(consumer.report())
}

pub(super) struct Consumer {
    pub(super) job: ConsumerJob,
    /// The next offset to read, by partition.
    pub(super) positions: BTreeMap<u32, Offset>,
    leadership: Leadership<Link>,
    spare: Vec<u8>,
    inflater: batch::Inflater,
    /// Partitions of which something was fetched and not judged any more.
    cut_short: BTreeSet<u32>,
}

struct Link {
    conn: Conn,
    /// Bytes of the request that is being written.
    request: Vec<u8>,
    written: usize,
    /// The response that is awaited, and since when.
    awaited: Option<(i32, Mono)>,
}

impl Consumer {
    pub(super) fn new(job: ConsumerJob) -> Self {
        Self {
            positions: job
                .partitions
                .iter()
                .map(|partition| (*partition, Offset(0)))
                .collect(),
            leadership: Leadership::new(
                &job.route,
                job.partitions.clone(),
                Terms {
                    api: (FETCH_KEY, FETCH_VERSION),
                    open: Link::new,
                    patience: job.settings.patience,
                },
            ),
            spare: Vec::new(),
            inflater: batch::Inflater::default(),
            cut_short: BTreeSet::new(),
            job,
        }
    }

    /// Reads these partitions from now on, and no others.
    pub(super) fn take_on(&mut self, positions: BTreeMap<u32, Offset>) -> Result<(), DriveError> {
        let wanted = positions.keys().copied().collect();
        self.positions = positions;
        self.leadership.turn_to(wanted, Mono::now().after(CONNECT))
    }

    /// What it read.
    pub(super) fn report(self) -> Consumed {
        let job = self.job;
        let mut unfinished = job
            .finish
            .unfinished(self.positions.iter().map(|(p, at)| (*p, at.get())));
        unfinished.extend(self.cut_short);
        Consumed {
            partitions: job.partitions,
            unfinished,
            poison: job.inspect.labour.counts(),
            verifier: job.inspect.verifier,
        }
    }

    fn is_done(&self) -> bool {
        let past = |(partition, position): (&u32, &Offset)| {
            self.job.finish.is_past(*partition, position.get())
        };
        self.job.finish.is_abandoned() || self.positions.iter().all(past)
    }

    /// Asks, and judges what has come; waits a little when nothing has.
    pub(super) fn turn(&mut self) -> Result<(), DriveError> {
        let nodes: Vec<NodeId> = self.leadership.links().keys().copied().collect();
        let mut received = false;
        for node in nodes {
            match self.exchange(node) {
                Ok(some) => received |= some,
                Err(error) => drop(self.leadership.lose(node, error)?),
            }
        }
        self.leadership.turn(Mono::now())?;
        self.job.inspect.recorder.turn(Mono::now());
        if received { Ok(()) } else { self.wait() }
    }

    /// Asks `node` and takes what it has answered, if it has.
    fn exchange(&mut self, node: NodeId) -> Result<bool, DriveError> {
        self.ask(node)?;
        let Some((frame, response)) = self.receive(node)? else {
            return Ok(false);
        };
        self.advance(&frame, &response)?;
        let asked = self.ask(node);
        // What has arrived is judged whatever becomes of the connection.
        self.judge(&frame, &response)?;
        self.spare = frame;
        asked.map(|()| true)
    }

    /// Asks `node` for more, unless an answer is already on its way.
    fn ask(&mut self, node: NodeId) -> Result<(), DriveError> {
        let links = self.leadership.links();
        let is_free = links.get(&node).is_some_and(|link| link.awaited.is_none());
        let led = if is_free {
            self.led_by(node)
        } else {
            Vec::new()
        };
        let Some(link) = self.leadership.links_mut().get_mut(&node) else {
            return Ok(());
        };
        if !led.is_empty() {
            let settings = &self.job.settings;
            let request = FetchRequest {
                topic: &self.job.route.topic,
                wait_ms_max: i32::try_from(settings.wait.as_millis()).unwrap_or(i32::MAX),
                bytes_min: settings.min_bytes,
                bytes_max: settings.max_bytes,
                partition_bytes_max: settings.partition_max_bytes,
                read_committed: settings.read_committed,
            };
            let correlation = link.conn.next_correlation();
            link.request = request.encode(correlation, led.into_iter());
            link.written = 0;
            link.awaited = Some((correlation, Mono::now()));
        }
        link.check_timeout(self.job.settings.wait + REQUEST_TIMEOUT)?;
        link.write()
    }

    /// The partitions to ask `node` for, each with where to read on.
    fn led_by(&self, node: NodeId) -> Vec<(PartitionIndex, Offset)> {
        let positions = self.positions.iter();
        positions
            .filter(|(partition, _)| self.leadership.of(**partition) == Some(node))
            .map(|(partition, position)| (PartitionIndex(partition.cast_signed()), *position))
            .collect()
    }

    /// The response of `node`, when it is there whole.
    fn receive(&mut self, node: NodeId) -> Result<Option<(Vec<u8>, FetchResponse)>, DriveError> {
        let Some(link) = self.leadership.links_mut().get_mut(&node) else {
            return Ok(None);
        };
        while link.conn.frame()?.is_none() {
            if !link.conn.receive()? {
                return Ok(None);
            }
        }
        let Some(frame) = link.conn.frame()? else {
            return Ok(None);
        };
        let response = fetch_codec::decode(frame).map_err(|e| link.conn.malformed(&e))?;
        let awaited = link.awaited.take().map(|(correlation, _)| correlation);
        if awaited != Some(response.correlation) {
            return Err(link.conn.malformed(&"an answer to no request"));
        }
        self.job.inspect.recorder.throttled(response.throttled_ms);
        DriveError::check(response.code, "Fetch", None)?;
        Ok(Some((
            link.conn.swap_frame(std::mem::take(&mut self.spare)),
            response,
        )))
    }

    /// Moves the positions past what has arrived.
    fn advance(&mut self, buffer: &[u8], response: &FetchResponse) -> Result<(), DriveError> {
        for part in &response.partitions {
            if part.code != 0 {
                let what = format!("fetching partition {}", part.partition);
                if let Err(error) = DriveError::check(part.code, &what, None) {
                    if !is_retriable(part.code) {
                        return Err(error);
                    }
                    let partition = part.partition.get().cast_unsigned();
                    self.leadership.doubt(partition, error);
                }
                continue;
            }
            let Some(position) = self
                .positions
                .get_mut(&part.partition.get().cast_unsigned())
            else {
                continue;
            };
            for (header, _) in batches(buffer, &part.records) {
                *position = (*position).max(header.last_offset().plus(1));
            }
        }
        Ok(())
    }

    fn judge(&mut self, buffer: &[u8], response: &FetchResponse) -> Result<(), DriveError> {
        for part in &response.partitions {
            let partition = part.partition.get().cast_unsigned();
            let mut aborted = Aborted::new(&part.aborted);
            for (header, bytes) in batches(buffer, &part.records) {
                if aborted.passes_over(&header) {
                    continue;
                }
                let inspect = &mut self.job.inspect;
                if batch::verify_crc(bytes).is_err() {
                    (0..header.record_count).for_each(|_| inspect.damaged(partition));
                    continue;
                }
                if !judge_batch(inspect, partition, bytes, &mut self.inflater)? {
                    self.cut_short.insert(partition);
                    break;
                }
            }
        }
        Ok(())
    }

    fn wait(&self) -> Result<(), DriveError> {
        let links = self.leadership.links();
        let mut fds: Vec<PollFd<'_>> = Vec::with_capacity(links.len());
        for link in links.values() {
            let unwritten = link.written < link.request.len() || link.conn.holds_bytes();
            let writing = if unwritten {
                PollFlags::OUT
            } else {
                PollFlags::empty()
            };
            fds.push(PollFd::new(&link.conn, PollFlags::IN | writing));
        }
        match poll(&mut fds, Some(&timespec(SLEEP_NANOS_MAX))) {
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(error) => Err(DriveError::Io {
                broker: self.job.route.bootstrap.to_string(),
                action: "waiting",
                source: error.into(),
            }),
        }
    }
}

impl Link {
    const fn new(conn: Conn) -> Self {
        Self {
            conn,
            request: Vec::new(),
            written: 0,
            awaited: None,
        }
    }

    fn check_timeout(&self, most: Duration) -> Result<(), DriveError> {
        let since = self.awaited.map(|(_, since)| since);
        let waited = since.map(|since| Mono::now().elapsed_since(since));
        match waited.filter(|waited| *waited > most) {
            None => Ok(()),
            Some(waited) => Err(DriveError::Timeout {
                broker: self.conn.broker().to_owned(),
                request: "Fetch",
                waited_ms: u64::try_from(waited.as_millis()).unwrap_or(u64::MAX),
            }),
        }
    }

    fn write(&mut self) -> Result<(), DriveError> {
        while let Some(rest) = self
            .request
            .get(self.written..)
            .filter(|rest| !rest.is_empty())
        {
            let written = self.conn.write(&[IoSlice::new(rest)])?;
            if written == 0 {
                return Ok(());
            }
            self.written += written;
        }
        if self.conn.holds_bytes() {
            self.conn.write(&[])?;
        }
        Ok(())
    }
}

/// The whole batches within `range` of the frame in `buffer`; a batch that was
/// cut off at the end is left out.
fn batches<'a>(
    buffer: &'a [u8],
    range: &Range<usize>,
) -> impl Iterator<Item = (BatchHeader, &'a [u8])> {
    const FRAME_AT: usize = 4;
    let mut rest = buffer
        .get(FRAME_AT + range.start..FRAME_AT + range.end)
        .unwrap_or_default();
    std::iter::from_fn(move || {
        let header = BatchHeader::parse(rest).ok()?;
        let (batch, after) = rest.split_at_checked(header.total_len().max(LENGTH_OVERHEAD))?;
        rest = after;
        Some((header, batch))
    })
}

/// Judges the records of a batch; `false` when the run ended before all were.
fn judge_batch(
    inspect: &mut Inspect,
    partition: u32,
    bytes: &[u8],
    inflater: &mut batch::Inflater,
) -> Result<bool, DriveError> {
    let now = Mono::now();
    let wants_header = inspect.marking.place == StampPlace::Header;
    for record in inflater
        .records(bytes, BATCH_BYTES_MAX)
        .map_err(unreadable)?
    {
        let record = record.map_err(unreadable)?;
        let value = record.value.unwrap_or_default();
        let mut length = value.len() + record.key.map_or(0, <[u8]>::len);
        let mut stamp = None;
        for header in record.headers {
            length += header.key.len() + header.value.map_or(0, <[u8]>::len);
            if wants_header && header.key == STAMP_HEADER.as_bytes() {
                stamp = header.value;
            }
        }
        let incoming = Incoming {
            partition,
            offset: record.offset.get(),
            key: record.key,
            value,
            stamp,
            bytes: length as u64,
        };
        if !inspect.record(&incoming, now)? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn unreadable(error: batch::BatchError) -> DriveError {
    DriveError::Input(format!(
        "a batch whose checksum holds cannot be read: {error}"
    ))
}
