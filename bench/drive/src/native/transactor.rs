//! One producer's transactions, one after the other.
//!
//! The producer's loop tells it what it takes and asks it, each turn, to get
//! on. Nothing here waits but a search for a coordinator that is gone: every
//! request is sent in one turn and answered in a later one.
//!
//! Invariants: no record is taken while a transaction closes; no batch leaves
//! before its partition is part of the transaction; the end is asked for only
//! when everything is acknowledged.

use super::conn::{Asked, Conn};
use super::control::ProducerIdentity;
use super::coordinator::{self, Coordinator};
use crate::clock::Mono;
use crate::driver::{GroupOffsets, Outgoing, ProducerJob};
use crate::error::{DriveError, is_retriable};
use crate::record::{Commit, Ended};
use kafka_protocol::ResponseError;
use kafka_protocol::messages::{AddPartitionsToTxnRequest, EndTxnRequest};
use std::collections::BTreeMap;
use std::time::Duration;

/// How long to wait while the markers of the last transaction are written.
/// Java's client waits 20 ms; a load generator that did would measure itself.
const CONCURRENT_GAP_NANOS: u64 = 500_000;
/// How long to wait for a coordinator that is not ready.
const RETRY_GAP_NANOS: u64 = 20_000_000;
/// How long a request may take, and a new coordinator may take to be found.
const ANSWER: Duration = Duration::from_secs(30);
/// How long the last try to abort may take.
const LAST_ABORT: Duration = Duration::from_secs(2);

/// The transactions of one producer.
#[derive(Debug)]
pub struct Transactor {
    coordinator: Coordinator,
    topic: String,
    lanes: Vec<Touched>,
    /// Partitions of the open transaction, the first `added` of which the
    /// coordinator knows.
    touched: Vec<u32>,
    added: usize,
    records: u64,
    aborts: bool,
    closing: bool,
    /// When the end was first asked for.
    end_asked: Option<Mono>,
    pending: Option<Pending>,
    retry_at: Option<Mono>,
    /// Where the transaction's records were read: next offset by partition.
    read: BTreeMap<u32, i64>,
    reads: Option<GroupOffsets>,
}

/// What the open transaction wrote to one partition.
#[derive(Clone, Copy, Debug, Default)]
struct Touched {
    is_in: bool,
    first: u64,
    last: u64,
}

#[derive(Clone, Copy, Debug)]
struct Pending {
    asked: Asked,
    sent: Mono,
    request: Request,
}

#[derive(Clone, Copy, Debug)]
enum Request {
    /// Adds the touched partitions up to this many.
    Add(usize),
    End,
}

/// A transaction that has ended, with what was in it.
#[derive(Clone, Copy, Debug)]
pub struct Finished {
    /// How and when.
    pub ended: Ended,
    /// Its records.
    pub records: u64,
}

impl Transactor {
    /// The transactions of the job's producer; `None` when it has none.
    pub fn join(job: &ProducerJob) -> Result<Option<Self>, DriveError> {
        let Some(timeout) = job.settings.transaction_timeout else {
            return Ok(None);
        };
        let id = job.transactional_id();
        let partitions = job.route.leaders.by_partition.len();
        Ok(Some(Self {
            coordinator: Coordinator::join(&job.route.bootstrap, &id, timeout)?,
            topic: job.route.topic.clone(),
            lanes: vec![Touched::default(); partitions],
            touched: Vec::new(),
            added: 0,
            records: 0,
            aborts: false,
            closing: false,
            end_asked: None,
            pending: None,
            retry_at: None,
            read: BTreeMap::new(),
            reads: job.reads.clone(),
        }))
    }

    /// Who the producer is.
    pub const fn identity(&self) -> ProducerIdentity {
        self.coordinator.identity()
    }

    /// The transactional id.
    pub fn id(&self) -> &str {
        self.coordinator.id()
    }

    /// The connection to poll.
    pub const fn conn(&self) -> &Conn {
        &self.coordinator.conn
    }

    /// Whether the transaction takes no more records.
    pub const fn is_closing(&self) -> bool {
        self.closing
    }

    /// Whether no transaction is open.
    pub const fn is_idle(&self) -> bool {
        self.records == 0 && self.pending.is_none()
    }

    /// Whether batches must wait for the coordinator.
    pub const fn holds_batches(&self) -> bool {
        self.added < self.touched.len()
    }

    /// When to try again, if that is what it waits for.
    pub const fn retry_at(&self) -> Option<Mono> {
        self.retry_at
    }

    /// Whether [`Transactor::step`] has something to send at once.
    pub fn is_ready(&self, drained: bool) -> bool {
        self.pending.is_none()
            && self.retry_at.is_none()
            && (self.holds_batches() || (self.closing && drained))
    }

    /// A record becomes part of the transaction; whether it is its last.
    pub fn take(&mut self, record: &Outgoing<'_>) -> bool {
        let Some(membership) = record.transaction else {
            return false;
        };
        self.records += 1;
        self.aborts = membership.aborts;
        if let Some(lane) = self.lanes.get_mut(record.partition as usize) {
            if !lane.is_in {
                *lane = Touched {
                    is_in: true,
                    first: record.sequence,
                    last: record.sequence,
                };
                self.touched.push(record.partition);
            }
            lane.last = record.sequence;
        }
        if let Some(offset) = record.read_at {
            self.read.insert(record.partition, offset + 1);
        }
        self.closing |= membership.closes;
        membership.closes
    }

    /// Nothing more comes: the open transaction ends as it is.
    pub const fn close(&mut self) {
        self.closing |= self.records > 0;
    }

    /// Gets on; `drained` when every record taken is acknowledged. `post` is
    /// told of each partition's share in a commit before it is asked for.
    pub fn step(
        &mut self,
        drained: bool,
        post: impl Fn(u32, Commit),
    ) -> Result<Option<Finished>, DriveError> {
        match self.attempt(drained, post) {
            Err(error @ (DriveError::Io { .. } | DriveError::Timeout { .. })) => {
                tracing::debug!(%error, "looking for the transaction's coordinator again");
                self.pending = None;
                self.coordinator.find_again(Mono::now().after(ANSWER))?;
                Ok(None)
            }
            outcome => outcome,
        }
    }

    fn attempt(
        &mut self,
        drained: bool,
        post: impl Fn(u32, Commit),
    ) -> Result<Option<Finished>, DriveError> {
        if let Some(pending) = self.pending {
            return self.answer(pending);
        }
        let now = Mono::now();
        if self.retry_at.is_some_and(|at| now < at) {
            return Ok(None);
        }
        self.retry_at = None;
        let request = if self.holds_batches() {
            Request::Add(self.touched.len())
        } else if self.closing && drained {
            Request::End
        } else {
            return Ok(None);
        };
        let deadline = now.after(ANSWER);
        let asked = match request {
            Request::Add(all) => {
                let new = self.touched.get(self.added..all).unwrap_or_default();
                let request = self.coordinator.add_partitions(&self.topic, new);
                let versions = coordinator::ADD_PARTITIONS_VERSIONS;
                self.coordinator.conn.ask(&request, versions, deadline)?
            }
            Request::End => {
                self.announce(now, post);
                if !self.aborts && !self.read.is_empty() {
                    self.commit_offsets(deadline)?;
                }
                let request = self.coordinator.end(self.aborts);
                let versions = coordinator::END_VERSIONS;
                self.coordinator.conn.ask(&request, versions, deadline)?
            }
        };
        self.pending = Some(Pending {
            asked,
            sent: now,
            request,
        });
        Ok(None)
    }

    /// Makes the offsets of what was read part of the transaction. A program
    /// waits for this, too.
    fn commit_offsets(&mut self, deadline: Mono) -> Result<(), DriveError> {
        if let Some(reads) = &self.reads {
            self.coordinator
                .commit_offsets(reads, &self.read, deadline)?;
        }
        self.read.clear();
        Ok(())
    }

    /// Notes that the end is asked for, and tells who waits for a commit.
    fn announce(&mut self, now: Mono, post: impl Fn(u32, Commit)) {
        if self.end_asked.is_some() {
            return;
        }
        self.end_asked = Some(now);
        let touched = self.touched.iter().filter(|_| !self.aborts);
        for partition in touched {
            if let Some(lane) = self.lanes.get(*partition as usize) {
                let last = lane.last;
                post(*partition, Commit { last, asked: now });
            }
        }
    }

    fn answer(&mut self, pending: Pending) -> Result<Option<Finished>, DriveError> {
        let conn = &mut self.coordinator.conn;
        conn.receive()?;
        let code = match pending.request {
            Request::Add(_) => conn
                .answer::<AddPartitionsToTxnRequest>(pending.asked)?
                .map(|response| coordinator::worst_code(&response)),
            Request::End => conn
                .answer::<EndTxnRequest>(pending.asked)?
                .map(|response| response.error_code),
        };
        let now = Mono::now();
        let Some(code) = code else {
            if now.elapsed_since(pending.sent) > ANSWER {
                return Err(DriveError::Timeout {
                    broker: conn.broker().to_owned(),
                    request: "the transaction's end",
                    waited_ms: u64::try_from(ANSWER.as_millis()).unwrap_or(u64::MAX),
                });
            }
            return Ok(None);
        };
        self.pending = None;
        if code != 0 {
            self.postpone(code, now)?;
            return Ok(None);
        }
        match pending.request {
            Request::Add(all) => {
                self.added = all;
                Ok(None)
            }
            Request::End => Ok(Some(self.finish(now))),
        }
    }

    /// Waits and tries again, where that can help.
    fn postpone(&mut self, code: i16, now: Mono) -> Result<(), DriveError> {
        if !is_retriable(code) {
            let what = format!("the transaction of {}", self.id());
            return DriveError::check(code, &what, None);
        }
        let gap = if code == ResponseError::ConcurrentTransactions.code() {
            CONCURRENT_GAP_NANOS
        } else {
            self.coordinator.find_again(now.after(ANSWER))?;
            RETRY_GAP_NANOS
        };
        self.retry_at = Some(now.plus(gap));
        Ok(())
    }

    fn finish(&mut self, answered: Mono) -> Finished {
        let ended = Ended {
            aborted: self.aborts,
            asked: self.end_asked.take().unwrap_or(answered),
            answered,
        };
        let records = self.records;
        self.forget();
        Finished { ended, records }
    }

    fn forget(&mut self) {
        for partition in self.touched.drain(..) {
            if let Some(lane) = self.lanes.get_mut(partition as usize) {
                lane.is_in = false;
            }
        }
        self.added = 0;
        self.read.clear();
        self.records = 0;
        self.closing = false;
    }

    /// Gives the open transaction up. Returns where its records begin, by
    /// partition: unless it was to be aborted anyhow, nobody will see them.
    pub fn abandon(&mut self) -> Vec<(u32, u64)> {
        let deadline = Mono::now().after(LAST_ABORT);
        let begun = self.added > 0 && self.coordinator.find_again(deadline).is_ok();
        if begun {
            let request = self.coordinator.end(true);
            let versions = coordinator::END_VERSIONS;
            if let Err(error) = self.coordinator.conn.call(&request, versions, deadline) {
                tracing::debug!(%error, "the open transaction is left to its timeout");
            }
        }
        let touched = self.touched.iter().filter(|_| !self.aborts);
        let first = |partition: &u32| {
            let lane = self.lanes.get(*partition as usize)?;
            Some((*partition, lane.first))
        };
        let firsts = touched.filter_map(first).collect();
        self.forget();
        firsts
    }
}
