//! One node: a process of the broker's code over a disk in memory.
//!
//! What a node does to its broker:
//! - *kill*: the process is gone; the disk keeps what was written, synced or
//!   not, as the kernel does;
//! - *power loss*: of what was not synced any part may be missing, torn
//!   included ([`MemDisk::after_crash`]);
//! - *stop*: an orderly shutdown;
//! - *pause*: nothing happens for a while and then everything that came in
//!   meanwhile is handled at once, as after SIGSTOP;
//! - *slow disk*: every request takes long;
//! - *full disk* and *failing sync*: what they hit stays offline until the
//!   process is started again, which is what an operator does;
//! - *clock jumps*: the wall clock jumps either way; the monotonic one never
//!   does.

use super::NodeIx;
use super::network::ConnId;
use crate::dice::Dice;
use crate::moment::Moment;
use bytes::{Bytes, BytesMut};
use plimsoll_broker::{
    Broker, BrokerConfig, BrokerError, Connection, Lane, Outcome, Outgoing, Parked, Part,
    PeerFault, Response, Ticket, Wake,
};
use plimsoll_log::MemDisk;
use plimsoll_wire::time::{Instant, Now};
use plimsoll_wire::types::TimestampMs;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// When every world begins, by the wall clock.
pub const START_MS: i64 = 1_700_000_000_000;

/// The shortest and longest time between two ticks, as the server has them.
const TICK_MIN: Duration = Duration::from_millis(1);
const TICK_MAX: Duration = Duration::from_millis(50);

/// When a parked request is asked again that had no answer at its deadline.
const OVERDUE_RETRY: Duration = Duration::from_millis(5);

/// How many requests of one connection may wait for their answers.
const PENDING_MAX: usize = 128;

/// What a node wants done.
#[derive(Debug)]
pub enum Effect {
    /// A frame leaves on a connection.
    Send(ConnId, Bytes),
    /// The node closes a connection.
    Close(ConnId),
    /// A connection is to be looked at again by then.
    LookAt(ConnId, Moment),
}

/// What reaches a node.
#[derive(Debug)]
pub enum Mail {
    /// A request.
    Request(ConnId, BytesMut),
    /// What became of a request to another node.
    Answer(Ticket, Result<Bytes, PeerFault>),
}

/// A request in the order of arrival.
enum Slot {
    Ready(Bytes),
    Parked(Parked),
}

/// A connection at its server's end.
struct Session {
    connection: Connection,
    pending: VecDeque<Slot>,
    waker: Arc<dyn Wake>,
    /// The deadline that was last announced.
    announced: Moment,
}

/// The connections whose parked requests are worth a poll.
type Woken = Arc<Mutex<Vec<ConnId>>>;

struct Bell {
    conn: ConnId,
    woken: Woken,
}

impl Wake for Bell {
    fn wake(&self) {
        let mut woken = self.woken.lock().unwrap_or_else(PoisonError::into_inner);
        woken.push(self.conn);
    }
}

/// A node, running or not.
pub struct Node {
    /// Which.
    pub ix: NodeIx,
    /// Its disk, which outlives its processes.
    pub disk: MemDisk,
    /// How often it was started: events of earlier lives are void.
    pub life: u32,
    /// What the wall clock is off by.
    pub wall_off_ms: i64,
    /// What every request takes.
    pub service: Duration,
    /// Stopped in its tracks.
    pub is_paused: bool,
    /// The life that ended uncleanly last, or is sure to.
    unclean: Option<u32>,
    /// The life in which it last lost what it had not synced, or may yet.
    exposed: Option<u32>,
    /// Something is wrong with its disk until it is started anew.
    pub is_damaged: bool,
    config: BrokerConfig,
    broker: Option<Box<Broker>>,
    mono_at_start: Duration,
    sessions: BTreeMap<ConnId, Session>,
    inbox: VecDeque<Mail>,
    busy_until: Moment,
    is_working: bool,
    woken: Woken,
    /// The node's connections to others.
    pub lanes: BTreeMap<(NodeIx, Lane), ConnId>,
    /// Its requests under way, by connection and correlation id.
    pub errands: BTreeMap<(ConnId, i32), Ticket>,
}

impl Node {
    /// A node that has not been started.
    pub fn new(ix: NodeIx, config: BrokerConfig) -> Self {
        Self {
            ix,
            disk: MemDisk::new(),
            life: 0,
            wall_off_ms: 0,
            service: Duration::ZERO,
            is_paused: false,
            unclean: None,
            exposed: None,
            is_damaged: false,
            config,
            broker: None,
            mono_at_start: Duration::from_secs(1000),
            sessions: BTreeMap::new(),
            inbox: VecDeque::new(),
            busy_until: Moment::START,
            is_working: false,
            woken: Woken::default(),
            lanes: BTreeMap::new(),
            errands: BTreeMap::new(),
        }
    }

    /// Whether its process runs, paused or not.
    pub const fn is_up(&self) -> bool {
        self.broker.is_some()
    }

    /// The broker, while its process runs.
    pub fn broker(&self) -> Option<&Broker> {
        self.broker.as_deref()
    }

    /// What it has not synced is lost, or may be before its process ends.
    pub const fn expose(&mut self) {
        self.exposed = Some(self.life);
        self.unclean = Some(self.life);
    }

    /// Whether it may lack what the cluster counts on: until the process that
    /// came after the loss is let into the cluster, which takes it out of all
    /// that it was in sync with.
    pub fn is_exposed(&self) -> bool {
        self.exposed.is_some_and(|life| !self.is_past(life))
    }

    /// Whether the cluster will not count on what it has, or does so in vain: its
    /// process ended without a word, and none after it has been let in.
    pub fn is_in_doubt(&self) -> bool {
        self.unclean.is_some_and(|life| !self.is_past(life))
    }

    fn is_past(&self, life: u32) -> bool {
        self.life > life && self.broker().is_some_and(Broker::is_ready)
    }

    /// Both clocks as the process reads them.
    pub fn clocks(&self, at: Moment) -> Now {
        let ms = i64::try_from(at.elapsed().as_millis()).unwrap_or(i64::MAX);
        Now {
            wall: TimestampMs(START_MS + ms + self.wall_off_ms),
            mono: Instant(self.mono_at_start + at.elapsed()),
        }
    }

    fn moment_of(&self, mono: Instant) -> Moment {
        if mono.0 == Duration::MAX {
            return Moment::NEVER;
        }
        Moment::START + mono.0.saturating_sub(self.mono_at_start)
    }

    /// Starts the process on the disk as it is.
    pub fn start(&mut self, at: Moment, dice: &mut Dice) -> Result<(), BrokerError> {
        self.config.seed = dice.number();
        self.life += 1;
        // Another boot, another zero of the monotonic clock.
        self.mono_at_start = Duration::from_secs(1000 + dice.below(100_000) as u64);
        self.busy_until = at;
        self.is_working = false;
        self.is_paused = false;
        let disk = Arc::new(self.disk.clone());
        let broker = Broker::new(self.config.clone(), disk, self.clocks(at))?;
        self.broker = Some(Box::new(broker));
        Ok(())
    }

    /// Ends the process. Answers with the connections it had.
    pub fn end(&mut self, end: End, at: Moment, dice: &mut Dice) -> Vec<ConnId> {
        if end == End::Stop
            && let Some(broker) = &self.broker
        {
            // A shutdown that cannot write leaves no clean mark, no more.
            let _outcome = broker.shutdown(self.clocks(at));
        }
        let conns = std::mem::take(&mut self.sessions).into_keys().collect();
        self.inbox.clear();
        self.lanes.clear();
        self.errands.clear();
        self.broker = None;
        self.is_paused = false;
        match end {
            End::PowerLoss => self.expose(),
            End::Kill => self.unclean = Some(self.life),
            End::Stop => {}
        }
        self.disk = match end {
            End::PowerLoss => self.disk.after_crash(dice.number()),
            End::Kill | End::Stop => self.disk.fork(),
        };
        conns
    }

    /// Something arrives. Answers whether a turn of work must be planned.
    pub fn arrive(&mut self, mail: Mail) -> bool {
        if !self.is_up() {
            return false;
        }
        self.inbox.push_back(mail);
        !self.is_paused && !std::mem::replace(&mut self.is_working, true)
    }

    /// When the next turn of work may begin.
    pub fn free_at(&self, now: Moment) -> Moment {
        self.busy_until.max(now)
    }

    /// Whether work waits that no turn is planned for, after a pause.
    pub fn resume(&mut self) -> bool {
        self.is_paused = false;
        !self.inbox.is_empty() && !std::mem::replace(&mut self.is_working, true)
    }

    /// Handles one request. Answers with what it leads to; [`Node::has_work`]
    /// says whether another turn must be planned.
    pub fn work(&mut self, now: Moment) -> Vec<Effect> {
        let mut effects = Vec::new();
        self.is_working = false;
        if self.is_paused {
            return effects;
        }
        match self.inbox.pop_front() {
            Some(Mail::Request(conn, frame)) => {
                self.busy_until = now + self.service;
                self.handle(conn, frame, now, &mut effects);
            }
            Some(Mail::Answer(ticket, outcome)) => {
                let clocks = self.clocks(now);
                if let Some(broker) = &self.broker {
                    broker.peer_answered(clocks, ticket, outcome);
                }
            }
            None => return effects,
        }
        self.settle(now, &mut effects);
        self.is_working = !self.inbox.is_empty();
        effects
    }

    /// Whether requests wait and a turn was promised to them.
    pub const fn has_work(&self) -> bool {
        self.is_working
    }

    fn handle(&mut self, conn: ConnId, frame: BytesMut, now: Moment, effects: &mut Vec<Effect>) {
        let clocks = self.clocks(now);
        let Some(broker) = &self.broker else { return };
        let woken = &self.woken;
        let session = self.sessions.entry(conn).or_insert_with(|| Session {
            connection: Connection::new(Some(([127, 0, 0, 1], 5).into())),
            pending: VecDeque::new(),
            waker: Arc::new(Bell {
                conn,
                woken: Arc::clone(woken),
            }),
            announced: Moment::NEVER,
        });
        assert!(
            session.pending.len() < PENDING_MAX,
            "no client of this world has so many requests under way"
        );
        match broker.handle(clocks, &mut session.connection, frame, &session.waker) {
            Outcome::Ready(response) => match whole(&response) {
                Some(bytes) => session.pending.push_back(Slot::Ready(bytes)),
                None => return self.refuse(conn, effects),
            },
            Outcome::Parked(parked) => session.pending.push_back(Slot::Parked(parked)),
            Outcome::NoReply => {}
            Outcome::Last(..) | Outcome::Close(_) => return self.refuse(conn, effects),
        }
        self.release(conn, now, effects);
    }

    fn refuse(&mut self, conn: ConnId, effects: &mut Vec<Effect>) {
        self.sessions.remove(&conn);
        effects.push(Effect::Close(conn));
    }

    /// Sends the answers of a connection whose turn has come.
    fn release(&mut self, conn: ConnId, now: Moment, effects: &mut Vec<Effect>) {
        let clocks = self.clocks(now);
        let (Some(broker), Some(session)) = (&self.broker, self.sessions.get_mut(&conn)) else {
            return;
        };
        let mut deadline = None;
        while let Some(front) = session.pending.front_mut() {
            let bytes = match front {
                Slot::Ready(bytes) => std::mem::take(bytes),
                Slot::Parked(parked) => match parked.poll(broker, clocks) {
                    Some(response) => match whole(&response) {
                        Some(bytes) => bytes,
                        None => return self.refuse(conn, effects),
                    },
                    None => {
                        deadline = Some(parked.deadline());
                        break;
                    }
                },
            };
            session.pending.pop_front();
            effects.push(Effect::Send(conn, bytes));
        }
        let Some(deadline) = deadline else { return };
        let at = self.moment_of(deadline);
        let at = if at <= now { now + OVERDUE_RETRY } else { at };
        if let Some(session) = self.sessions.get_mut(&conn)
            && session.announced != at
            && at != Moment::NEVER
        {
            session.announced = at;
            effects.push(Effect::LookAt(conn, at));
        }
    }

    /// Polls every connection that was woken.
    pub fn settle(&mut self, now: Moment, effects: &mut Vec<Effect>) {
        loop {
            let woken = {
                let mut woken = self.woken.lock().unwrap_or_else(PoisonError::into_inner);
                std::mem::take(&mut *woken)
            };
            if woken.is_empty() {
                return;
            }
            for conn in woken {
                self.release(conn, now, effects);
            }
        }
    }

    /// Looks at a connection whose deadline has come.
    pub fn look_at(&mut self, conn: ConnId, now: Moment) -> Vec<Effect> {
        let mut effects = Vec::new();
        if let Some(session) = self.sessions.get_mut(&conn) {
            session.announced = Moment::NEVER;
        }
        if self.is_paused {
            return vec![Effect::LookAt(conn, now + TICK_MAX)];
        }
        self.release(conn, now, &mut effects);
        self.settle(now, &mut effects);
        effects
    }

    /// Lets time pass in the broker. Answers when to do so next.
    pub fn tick(&mut self, now: Moment, effects: &mut Vec<Effect>) -> Moment {
        let clocks = self.clocks(now);
        let Some(broker) = self.broker.as_ref().filter(|_| !self.is_paused) else {
            return now + TICK_MAX;
        };
        let next = broker.tick(clocks);
        self.settle(now, effects);
        self.moment_of(next).clamp(now + TICK_MIN, now + TICK_MAX)
    }

    /// Lets time pass in the cluster's work. Answers when to do so next.
    pub fn pulse(&mut self, now: Moment, effects: &mut Vec<Effect>) -> Moment {
        let clocks = self.clocks(now);
        let Some(broker) = self.broker.as_ref().filter(|_| !self.is_paused) else {
            return now + TICK_MAX;
        };
        let next = broker.pulse(clocks);
        self.settle(now, effects);
        self.moment_of(next).max(now + TICK_MIN)
    }

    /// The requests that the broker wants sent, and by when each is given up.
    pub fn take_outgoing(&mut self) -> Vec<(Outgoing, Moment)> {
        let Some(broker) = self.broker.as_ref().filter(|_| !self.is_paused) else {
            return Vec::new();
        };
        let taken = broker.take_outgoing().into_iter();
        taken
            .map(|out| {
                let deadline = self.moment_of(out.deadline);
                (out, deadline)
            })
            .collect()
    }

    /// Gives the broker's cleaner a turn. Answers when its next is due.
    pub fn clean(&mut self, now: Moment) -> Moment {
        let clocks = self.clocks(now);
        let Some(broker) = self.broker.as_ref().filter(|_| !self.is_paused) else {
            return now + TICK_MAX;
        };
        let next = broker.clean(clocks);
        self.moment_of(next).max(now + TICK_MAX)
    }

    /// The node hears that a connection is gone.
    pub fn forget(&mut self, conn: ConnId) {
        self.sessions.remove(&conn);
    }
}

/// How a process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum End {
    /// Killed: what was written stays.
    Kill,
    /// The machine loses power.
    PowerLoss,
    /// An orderly shutdown.
    Stop,
}

/// The frame of a response without its length; none when a file cannot be read.
fn whole(response: &Response) -> Option<Bytes> {
    let mut frame = Vec::new();
    for part in &response.parts {
        match part {
            Part::Bytes(bytes) => frame.extend_from_slice(bytes),
            Part::File(range) => range.read_into(&mut frame).ok()?,
        }
    }
    Some(Bytes::from(frame).slice(4..))
}
