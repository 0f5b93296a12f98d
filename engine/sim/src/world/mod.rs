//! The world: virtual time, nodes, the network between them and their clients.
//!
//! Everything that happens is an event in one queue, ordered by virtual time
//! and, within an instant, by who was first to plan it. Nothing here knows the
//! real time, starts a thread or draws from any chance but its [`Dice`], so a
//! seed is a run.

pub mod network;
pub mod node;

mod peers;
mod watch;

use crate::checkers::{Checkers, Violation};
use crate::dice::Dice;
use crate::facts::Fact;
use crate::moment::Moment;
use crate::narrator;
use crate::tally::Tally;
use crate::trace::Trace;
use bytes::{Bytes, BytesMut};
use network::{ConnId, Fate, Network, Way};
use node::{Effect, End, Mail, Node};
use plimsoll_broker::{BrokerConfig, PeerFault, Ticket};
use std::cell::RefCell;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};
use std::fmt;
use std::hash::Hash;
use std::rc::Rc;
use std::time::Duration;

/// A node's place in the world, from 0. Its `node.id` is one more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeIx(pub usize);

impl fmt::Display for NodeIx {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "node {}", self.0 + 1)
    }
}

/// A client machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientId(pub usize);

/// Where messages come from and go to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Place {
    /// At a client.
    Client(ClientId),
    /// At a node.
    Node(NodeIx),
}

/// A task of a client or of the plan of faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskId(pub usize);

/// The question under way that an answer belongs to.
pub type Asked = (ConnId, i32);

/// Why a question has no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Broken {
    /// The connection ended.
    Closed,
    /// The answer took too long and the client closed the connection.
    TimedOut,
}

/// What happens at an instant.
#[derive(Debug)]
enum Event {
    /// A message reaches an end of a connection.
    Arrives(ConnId, Way, Bytes),
    /// An end hears that the connection is gone.
    Hears(ConnId, Way),
    /// A question's time is up.
    Overdue(Asked),
    /// A node handles the next request.
    Work(NodeIx, u32),
    /// Time passes at a node.
    Tick(NodeIx, u32),
    /// A node's cleaner has its turn.
    Clean(NodeIx, u32),
    /// A machine is switched on again.
    Start(NodeIx),
    /// Nodes are looked at.
    Watch,
    /// The cluster's work is due at a node.
    Pulse(NodeIx, u32),
    /// A node's request to another has no answer, for this reason.
    Fails(NodeIx, u32, Ticket, PeerFault),
    /// A node's request to another is given up.
    Late(NodeIx, u32, Asked),
    /// A connection's parked request is due.
    LookAt(NodeIx, u32, ConnId),
    /// A task goes on.
    Wake(TaskId),
}

/// An event and its place in the order of things.
struct Planned {
    at: Moment,
    number: u64,
    event: Event,
}

impl PartialEq for Planned {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number
    }
}

impl Eq for Planned {}

impl PartialOrd for Planned {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Planned {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.number).cmp(&(other.at, other.number))
    }
}

/// A question that a task waits to be answered.
struct Question {
    task: TaskId,
    answer: Option<Result<Bytes, Broken>>,
}

/// What all actors share.
pub type Shared = Rc<RefCell<World>>;

/// The world.
pub struct World {
    /// The instant.
    pub now: Moment,
    /// What happened.
    pub trace: Trace,
    /// How often what happened.
    pub tally: Tally,
    /// Who watches.
    pub checkers: Checkers,
    /// The connections and the weather.
    pub network: Network,
    /// The task that runs.
    pub running: TaskId,
    /// Set when clients should finish what they have begun.
    pub is_over: bool,
    /// Writers that have not finished.
    pub writers: usize,
    /// Those of them that write what processors read.
    pub input_writers: usize,
    /// How long a machine that lost power stays dark at least.
    pub dark: Duration,
    /// How many client machines there are.
    pub clients: usize,
    nodes: Vec<Node>,
    queue: BinaryHeap<Reverse<Planned>>,
    planned: u64,
    questions: BTreeMap<Asked, Question>,
    ready: VecDeque<TaskId>,
    said: watch::Said,
    dice: Dice,
}

impl World {
    /// A world of nodes that have not been started.
    pub fn new(configs: Vec<BrokerConfig>, mut dice: Dice, in_words: bool) -> Self {
        narrator::listen(in_words);
        let node = |(n, config)| Node::new(NodeIx(n), config);
        Self {
            now: Moment::START,
            trace: Trace::new(in_words),
            tally: Tally::default(),
            checkers: Checkers::default(),
            network: Network::new(dice.fork()),
            running: TaskId(0),
            is_over: false,
            writers: 0,
            input_writers: 0,
            dark: Duration::ZERO,
            clients: 0,
            nodes: configs.into_iter().enumerate().map(node).collect(),
            queue: BinaryHeap::new(),
            planned: 0,
            questions: BTreeMap::new(),
            ready: VecDeque::new(),
            said: watch::Said::new(),
            dice,
        }
    }

    /// All nodes.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// A node.
    ///
    /// # Panics
    /// When there is no such node.
    pub fn node(&mut self, ix: NodeIx) -> &mut Node {
        self.nodes.get_mut(ix.0).expect("the world has this node")
    }

    /// Plans an event.
    fn plan(&mut self, at: Moment, event: Event) {
        self.planned += 1;
        let number = self.planned;
        self.queue.push(Reverse(Planned { at, number, event }));
    }

    /// Lets a task go on at an instant.
    pub fn wake_at(&mut self, at: Moment, task: TaskId) {
        self.plan(at, Event::Wake(task));
    }

    /// The next task that can go on.
    pub fn next_ready(&mut self) -> Option<TaskId> {
        self.ready.pop_front()
    }

    /// Lets a task go on now.
    pub fn make_ready(&mut self, task: TaskId) {
        self.ready.push_back(task);
    }

    /// When the next thing happens.
    pub fn next_at(&self) -> Moment {
        self.queue.peek().map_or(Moment::NEVER, |next| next.0.at)
    }

    /// Lets the next thing happen. Answers false when nothing ever will.
    pub fn step(&mut self) -> bool {
        let Some(Reverse(next)) = self.queue.pop() else {
            return false;
        };
        self.now = self.now.max(next.at);
        match next.event {
            Event::Arrives(conn, Way::Up, bytes) => self.question_arrives(conn, bytes),
            Event::Arrives(conn, Way::Down, bytes) => self.answer_arrives(conn, bytes),
            Event::Hears(conn, Way::Up) => self.client_hears(conn),
            Event::Hears(conn, Way::Down) => self.server_hears(conn),
            Event::Overdue(asked) => self.overdue(asked),
            Event::Work(ix, life) => self.work(ix, life),
            Event::Tick(ix, life) => self.tick(ix, life),
            Event::Clean(ix, life) => self.clean(ix, life),
            Event::LookAt(ix, life, conn) => {
                if self.node(ix).life == life {
                    let now = self.now;
                    let effects = self.node(ix).look_at(conn, now);
                    self.carry_out(ix, effects);
                }
            }
            Event::Start(ix) => self.start(ix),
            Event::Watch => self.look_at_replicas(),
            Event::Pulse(ix, life) => self.pulse(ix, life),
            Event::Fails(ix, life, ticket, fault) => self.peer_fails(ix, life, ticket, fault),
            Event::Late(ix, life, asked) => self.peer_is_late(ix, life, asked),
            Event::Wake(task) => self.ready.push_back(task),
        }
        for words in narrator::take() {
            self.trace.say(self.now, || words);
        }
        true
    }

    /// Notes something in the trace.
    pub fn note<T: Hash>(&mut self, what: &T, words: impl FnOnce() -> String) {
        self.trace.note(self.now, what, words);
    }

    /// Tells the checkers what an actor saw or did.
    pub fn report(&mut self, fact: &Fact) {
        self.trace.note(self.now, fact, || format!("{fact:?}"));
        self.checkers.see(self.now, fact);
    }

    /// The first violation.
    pub fn violation(&self) -> Option<&Violation> {
        self.checkers.violation()
    }
}

/// Clients.
impl World {
    /// Opens a connection to a node; none when no process listens there.
    pub fn connect(&mut self, from: ClientId, to: NodeIx) -> Option<ConnId> {
        let listens = self.nodes.get(to.0).is_some_and(Node::is_up);
        let (from, to) = (Place::Client(from), Place::Node(to));
        listens.then(|| self.network.connect(from, to, self.now))
    }

    /// A task asks on a connection and waits at most `patience`.
    pub fn ask(&mut self, conn: ConnId, number: i32, frame: Bytes, patience: Duration) -> Asked {
        let asked = (conn, number);
        let task = self.running;
        self.questions
            .insert(asked, Question { task, answer: None });
        self.plan(self.now + patience, Event::Overdue(asked));
        if self.network.is_open(conn, Way::Up) {
            self.send(conn, Way::Up, frame);
        } else {
            self.answer(asked, Err(Broken::Closed));
        }
        asked
    }

    /// A frame leaves without anybody waiting for an answer.
    pub fn tell(&mut self, conn: ConnId, frame: Bytes) {
        self.send(conn, Way::Up, frame);
    }

    /// The answer to a question, once it is there.
    pub fn take_answer(&mut self, asked: Asked) -> Option<Result<Bytes, Broken>> {
        let answer = self.questions.get_mut(&asked)?.answer.take()?;
        self.questions.remove(&asked);
        Some(answer)
    }

    /// Nobody waits for the answer any more.
    pub fn give_up(&mut self, asked: Asked) {
        self.questions.remove(&asked);
    }

    /// Whether a client may still use a connection.
    pub fn is_open(&self, conn: ConnId) -> bool {
        self.network.is_open(conn, Way::Up)
    }

    /// A client closes a connection: whatever it asked there stays unanswered.
    pub fn hang_up(&mut self, conn: ConnId) {
        self.lose(conn, Broken::Closed);
        let travel = self.dice.between(Duration::ZERO, Duration::from_millis(5));
        self.plan(self.now + travel, Event::Hears(conn, Way::Down));
    }

    fn lose(&mut self, conn: ConnId, why: Broken) {
        self.network.close(conn, Way::Up);
        let open: Vec<Asked> = self
            .questions
            .range((conn, i32::MIN)..=(conn, i32::MAX))
            .filter(|(_, question)| question.answer.is_none())
            .map(|(asked, _)| *asked)
            .collect();
        for asked in open {
            self.answer(asked, Err(why));
        }
    }

    fn answer(&mut self, asked: Asked, answer: Result<Bytes, Broken>) {
        if let Some(question) = self.questions.get_mut(&asked) {
            question.answer = Some(answer);
            self.ready.push_back(question.task);
        }
    }

    fn overdue(&mut self, asked: Asked) {
        let waits = self
            .questions
            .get(&asked)
            .is_some_and(|q| q.answer.is_none());
        if waits {
            self.tally.timeouts += 1;
            self.lose(asked.0, Broken::TimedOut);
            // What the kernel has taken it still delivers, then the end.
            let travel = self
                .dice
                .between(Duration::ZERO, Duration::from_millis(500));
            self.plan(self.now + travel, Event::Hears(asked.0, Way::Down));
        }
    }

    fn answer_arrives(&mut self, conn: ConnId, bytes: Bytes) {
        if !self.network.is_open(conn, Way::Up) {
            return;
        }
        self.trace.note(self.now, &(conn, &bytes), || {
            format!("connection {} answers {}", conn.0, answer(&bytes))
        });
        let Some(number) = bytes.first_chunk::<4>().copied().map(i32::from_be_bytes) else {
            return;
        };
        if let Some((Place::Node(ix), _)) = self.network.ends(conn) {
            return self.peer_answers(ix, (conn, number), Ok(bytes));
        }
        self.answer((conn, number), Ok(bytes));
    }

    fn client_hears(&mut self, conn: ConnId) {
        if let Some((Place::Node(ix), _)) = self.network.ends(conn) {
            self.peer_hangs_up(ix, conn);
        }
        self.lose(conn, Broken::Closed);
    }
}

/// The network.
impl World {
    fn send(&mut self, conn: ConnId, way: Way, bytes: Bytes) {
        self.tally.messages += 1;
        match self.network.send(conn, way, bytes, self.now) {
            Fate::Arrives(at, bytes) => self.plan(at, Event::Arrives(conn, way, bytes)),
            Fate::Held => self.tally.held += 1,
            Fate::Gone => {}
            Fate::Reset => self.reset(conn),
        }
    }

    /// A connection ends for both, each hearing of it in its own time.
    pub fn reset(&mut self, conn: ConnId) {
        self.tally.resets += 1;
        self.trace
            .say(self.now, || format!("connection {} is reset", conn.0));
        let most = Duration::from_millis(300);
        for end in [Way::Up, Way::Down] {
            let late = self.dice.between(Duration::ZERO, most);
            self.plan(self.now + late, Event::Hears(conn, end));
        }
    }

    /// Heals one direction between two places.
    pub fn heal(&mut self, from: Place, to: Place) {
        for (conn, way, bytes) in self.network.heal(from, to) {
            self.send(conn, way, bytes);
        }
    }
}

/// Nodes.
impl World {
    /// Starts a node's process, unless it runs.
    pub fn start(&mut self, ix: NodeIx) {
        if self.node(ix).is_up() {
            return;
        }
        let dark_until = self.node(ix).dark_until;
        if self.now < dark_until {
            return self.plan(dark_until, Event::Start(ix));
        }
        let (now, mut dice) = (self.now, self.dice.fork());
        self.tally.starts += 1;
        match self.node(ix).start(now, &mut dice) {
            Ok(()) => {
                let life = self.node(ix).life;
                self.report(&Fact::Started { node: ix });
                self.plan(now, Event::Tick(ix, life));
                self.plan(now, Event::Clean(ix, life));
                self.plan(now, Event::Pulse(ix, life));
            }
            // The disk is full or fails: somebody else mends it first.
            Err(_) if self.node(ix).is_damaged => {
                self.note(&ix, || format!("{ix} cannot start on its damaged disk"));
            }
            Err(error) => {
                let error = error.to_string();
                self.report(&Fact::CannotStart { node: ix, error });
            }
        }
    }

    /// Ends a node's process.
    pub fn end(&mut self, ix: NodeIx, how: End) {
        if !self.node(ix).is_up() {
            return;
        }
        // What a failed sync has left in the kernel's memory must not be read.
        let how = if self.node(ix).is_damaged {
            End::PowerLoss
        } else {
            how
        };
        self.node(ix).is_damaged = false;
        if how == End::PowerLoss {
            let dark_until = self.now + self.dark;
            self.node(ix).dark_until = dark_until;
        }
        match how {
            End::Kill => self.tally.kills += 1,
            End::PowerLoss => self.tally.power_losses += 1,
            End::Stop => self.tally.stops += 1,
        }
        let (now, mut dice) = (self.now, self.dice.fork());
        self.report(&Fact::Ended { node: ix, how });
        let mut conns = self.node(ix).end(how, now, &mut dice);
        conns.extend(self.network.at(Place::Node(ix)));
        conns.sort_unstable();
        conns.dedup();
        // A killed process's kernel says so at once; a dark machine says
        // nothing, and the other end finds out by itself.
        let silence = match how {
            End::PowerLoss => (Duration::from_millis(50), Duration::from_secs(3)),
            End::Kill | End::Stop => (Duration::ZERO, Duration::from_millis(2)),
        };
        for conn in conns {
            let Some((from, to)) = self.network.ends(conn) else {
                continue;
            };
            for (place, end) in [(from, Way::Up), (to, Way::Down)] {
                if place == Place::Node(ix) {
                    self.network.close(conn, end);
                } else {
                    let late = self.dice.between(silence.0, silence.1);
                    self.plan(now + late, Event::Hears(conn, end));
                }
            }
        }
    }

    /// A machine whose process has ended or never began loses power. Whatever
    /// was wrong with its disk is mended.
    pub fn lose_power(&mut self, ix: NodeIx) {
        let seed = self.dice.number();
        let node = self.node(ix);
        node.is_damaged = false;
        node.disk = node.disk.after_crash(seed);
    }

    /// Stops a node in its tracks.
    pub fn pause(&mut self, ix: NodeIx) {
        self.tally.pauses += 1;
        self.note(&ix, || format!("{ix} is paused"));
        self.node(ix).is_paused = true;
    }

    /// Lets a paused node go on.
    pub fn resume(&mut self, ix: NodeIx) {
        self.note(&ix, || format!("{ix} goes on"));
        if self.node(ix).resume() {
            self.plan_work(ix);
        }
    }

    fn plan_work(&mut self, ix: NodeIx) {
        let now = self.now;
        let node = self.node(ix);
        let (at, life) = (node.free_at(now), node.life);
        self.plan(at, Event::Work(ix, life));
    }

    fn question_arrives(&mut self, conn: ConnId, bytes: Bytes) {
        let Some((_, Place::Node(ix))) = self.network.ends(conn) else {
            return;
        };
        if !self.network.is_open(conn, Way::Down) {
            return;
        }
        self.trace.note(self.now, &(conn, &bytes), || {
            format!("connection {} asks {ix}: {}", conn.0, question(&bytes))
        });
        let mail = Mail::Request(conn, BytesMut::from(bytes));
        if self.node(ix).arrive(mail) {
            self.plan_work(ix);
        }
    }

    fn server_hears(&mut self, conn: ConnId) {
        if let Some((_, Place::Node(ix))) = self.network.ends(conn) {
            self.node(ix).forget(conn);
        }
        self.network.close(conn, Way::Down);
    }

    fn work(&mut self, ix: NodeIx, life: u32) {
        let now = self.now;
        let node = self.node(ix);
        if node.life != life || !node.is_up() {
            return;
        }
        self.tally.requests += 1;
        let effects = self.node(ix).work(now);
        self.carry_out(ix, effects);
        if self.node(ix).has_work() {
            self.plan_work(ix);
        }
    }

    fn tick(&mut self, ix: NodeIx, life: u32) {
        let now = self.now;
        let node = self.node(ix);
        if node.life != life || !node.is_up() {
            return;
        }
        let mut effects = Vec::new();
        let next = node.tick(now, &mut effects);
        self.carry_out(ix, effects);
        self.plan(next, Event::Tick(ix, life));
    }

    fn clean(&mut self, ix: NodeIx, life: u32) {
        let now = self.now;
        let node = self.node(ix);
        if node.life != life || !node.is_up() {
            return;
        }
        let next = node.clean(now);
        self.plan(next, Event::Clean(ix, life));
    }

    fn carry_out(&mut self, ix: NodeIx, effects: Vec<Effect>) {
        let life = self.node(ix).life;
        for effect in effects {
            match effect {
                Effect::Send(conn, bytes) => self.send(conn, Way::Down, bytes),
                Effect::Close(conn) => {
                    self.network.close(conn, Way::Down);
                    let late = self.dice.between(Duration::ZERO, Duration::from_millis(2));
                    self.plan(self.now + late, Event::Hears(conn, Way::Up));
                }
                Effect::LookAt(conn, at) => self.plan(at, Event::LookAt(ix, life, conn)),
            }
        }
        self.send_errands(ix);
    }
}

/// The longest answer that the trace shows whole, in bytes.
const SHOWN_BYTES_MAX: usize = 110;

/// An answer's bytes in words: its number, and the rest when there is little.
fn answer(bytes: &[u8]) -> String {
    let number = bytes.first_chunk().copied().map_or(-1, i32::from_be_bytes);
    let rest = bytes.get(4..).unwrap_or_default();
    if bytes.len() > SHOWN_BYTES_MAX {
        return format!("#{number}, {} bytes", bytes.len());
    }
    format!("#{number}: {}", rest.escape_ascii())
}

/// A question's bytes in words.
fn question(bytes: &[u8]) -> String {
    match plimsoll_wire::header::RequestHeader::decode(bytes) {
        Ok((header, _)) => format!(
            "{} {} #{} from {}",
            header.spec.name,
            header.version,
            header.correlation_id,
            header.client_id.unwrap_or("-")
        ),
        Err(error) => error.to_string(),
    }
}
