//! The world: virtual time, nodes, the network between them and their clients.
//!
//! Everything that happens is an event in one queue, ordered by virtual time
//! and, within an instant, by who was first to plan it. Nothing here knows the
//! real time, starts a thread or draws from any chance but its [`Dice`], so a
//! seed is a run.

pub mod network;
pub mod node;

mod askers;
mod exposure;
mod peers;
mod processes;
mod watch;

use crate::checkers::{Checkers, Violation};
use crate::dice::Dice;
use crate::facts::Fact;
use crate::moment::Moment;
use crate::narrator;
use crate::tally::Tally;
use crate::trace::Trace;
use bytes::Bytes;
use network::{ConnId, Fate, Network, Way};
use node::Node;
use plimsoll_broker::{BrokerConfig, PeerFault, Ticket};
use plimsoll_wire::types::NodeId;
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

impl NodeIx {
    /// The place of a `node.id`.
    pub fn of(node: NodeId) -> Option<Self> {
        usize::try_from(node.get()).ok()?.checked_sub(1).map(Self)
    }
}

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
    /// From then on what a leader shows is all there is: one that is new may not
    /// have heard yet how far its followers are.
    pub shows_all_at: Moment,
    /// Writers that have not finished.
    pub writers: usize,
    /// Those of them that write what processors read.
    pub input_writers: usize,
    /// Whether nothing is answered before it is synced.
    pub syncs_each: bool,
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
            shows_all_at: Moment::NEVER,
            writers: 0,
            input_writers: 0,
            syncs_each: true,
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

    /// Whether a leader's high watermark is the end of what was acknowledged.
    pub fn shows_all(&self) -> bool {
        self.is_over && self.now >= self.shows_all_at
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
