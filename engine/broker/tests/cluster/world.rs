//! Nodes over disks in memory, a clock that tests move, and a network that
//! delivers at once or not at all.

use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::{RequestHeader, ResponseHeader};
use kafka_protocol::protocol::{Decodable, Encodable, StrBytes};
use plimsoll_broker::{
    Broker, BrokerConfig, Connection, Endpoint, Outcome, Parked, Part, Peer, PeerFault, Response,
    SecurityProtocol, Ticket, Wake,
};
use plimsoll_cluster::PartitionImage;
use plimsoll_log::MemDisk;
use plimsoll_wire::api::ApiKey;
use plimsoll_wire::time::{Instant, Now};
use plimsoll_wire::types::{NodeId, PartitionIndex, TimestampMs};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// How far time moves at once.
const STEP: Duration = Duration::from_millis(10);
/// The longest that a test waits, in virtual time.
const PATIENCE: Duration = Duration::from_secs(60);

/// Nobody needs to be told: everything is polled in every step.
struct Deaf;

impl Wake for Deaf {
    fn wake(&self) {}
}

struct Node {
    broker: Option<Broker>,
    disk: MemDisk,
    paused: bool,
}

/// A request of one node at another that waits.
struct Waiting {
    from: usize,
    to: usize,
    ticket: Ticket,
    deadline: Instant,
    parked: Parked,
}

/// Nodes 1, 2, 3 … and the time.
pub struct World {
    nodes: Vec<Node>,
    waiting: Vec<Waiting>,
    /// Pairs (from, to) between which nothing goes.
    cut: BTreeSet<(usize, usize)>,
    pub now: Now,
    settings: Vec<(String, String)>,
    /// The first so many nodes are controllers and nothing else, the others
    /// brokers; all are both when none is given.
    controllers: Option<usize>,
}

impl World {
    /// So many nodes, each broker and controller, with these settings, in which
    /// `{node}` stands for the node's number.
    pub fn new(count: usize, settings: &[(&str, &str)]) -> Self {
        Self::of_roles(count, None, settings)
    }

    fn of_roles(count: usize, controllers: Option<usize>, settings: &[(&str, &str)]) -> Self {
        let owned = settings.iter().map(|(k, v)| ((*k).into(), (*v).into()));
        let mut world = Self {
            nodes: Vec::new(),
            waiting: Vec::new(),
            cut: BTreeSet::new(),
            now: Now {
                wall: TimestampMs(1_700_000_000_000),
                mono: Instant(Duration::from_secs(100)),
            },
            settings: owned.collect(),
            controllers,
        };
        for _ in 0..count {
            world.nodes.push(Node {
                broker: None,
                disk: MemDisk::new(),
                paused: false,
            });
        }
        for node in 1..=count {
            world.start(node);
        }
        world
    }

    /// A cluster whose nodes have all been let in.
    pub fn ready(count: usize, settings: &[(&str, &str)]) -> Self {
        Self::new(count, settings).once_ready()
    }

    /// As [`World::ready`], with controllers that are no brokers, and brokers
    /// without a vote after them.
    pub fn split(controllers: usize, brokers: usize, settings: &[(&str, &str)]) -> Self {
        Self::of_roles(controllers + brokers, Some(controllers), settings).once_ready()
    }

    fn once_ready(mut self) -> Self {
        let count = self.nodes.len();
        self.until("all nodes are let in", |world| {
            (1..=count).all(|node| world.broker(node).is_ready())
        });
        self
    }

    pub fn broker(&self, node: usize) -> &Broker {
        self.nodes[node - 1].broker.as_ref().expect("the node runs")
    }

    /// Starts a node on what its disk holds.
    pub fn start(&mut self, node: usize) {
        let count = self.nodes.len();
        let number = node.to_string();
        let of_node =
            |(name, value): &(String, String)| (name.clone(), value.replace("{node}", &number));
        let mut settings: Vec<_> = self.settings.iter().map(of_node).collect();
        settings.push(("node.id".into(), number.clone()));
        let voters = self.controllers.unwrap_or(count);
        if let Some(controllers) = self.controllers {
            let role = if node <= controllers {
                "controller"
            } else {
                "broker"
            };
            settings.push(("process.roles".into(), role.into()));
            let listed = (1..=voters).map(|node| format!("{node}@node:{}", port(node)));
            let listed = listed.collect::<Vec<_>>().join(",");
            settings.push(("controller.quorum.voters".into(), listed));
        }
        let (mut config, _) = BrokerConfig::from_properties(settings).expect("good settings");
        config.voters = (1..=voters).map(|node| Arc::new(peer(node))).collect();
        if !self.settings.iter().any(|(name, _)| name == "log.dirs") {
            config.log_dirs = vec![PathBuf::from("/data")];
        }
        // Another in each run: ids are drawn from it.
        config.seed = node as u64 + 7 + self.now.mono.0.as_secs() * 1000;
        config.advertised = vec![Endpoint {
            listener: "PLAINTEXT".into(),
            host: "node".into(),
            port: port(node),
            protocol: SecurityProtocol::Plaintext,
        }];
        let disk = self.nodes[node - 1].disk.clone();
        let broker = Broker::new(config, Arc::new(disk), self.now).expect("it starts");
        self.nodes[node - 1].broker = Some(broker);
    }

    /// Ends a node's process: what it wrote stays, synced or not.
    pub fn kill(&mut self, node: usize) {
        let slot = &mut self.nodes[node - 1];
        slot.broker = None;
        slot.disk = slot.disk.fork();
        self.drop_waiting(node);
    }

    /// Ends a node's machine: what it had not synced may be lost.
    pub fn lose_power(&mut self, node: usize, seed: u64) {
        let slot = &mut self.nodes[node - 1];
        slot.broker = None;
        slot.disk = slot.disk.after_crash(seed);
        self.drop_waiting(node);
    }

    fn drop_waiting(&mut self, node: usize) {
        let (gone, stay) = std::mem::take(&mut self.waiting)
            .into_iter()
            .partition(|waiting| waiting.from == node || waiting.to == node);
        self.waiting = stay;
        let gone: Vec<Waiting> = gone;
        for waiting in gone {
            self.answer(waiting.from, waiting.ticket, Err(PeerFault::Closed));
        }
    }

    /// The disk of a node.
    pub fn disk(&self, node: usize) -> &MemDisk {
        &self.nodes[node - 1].disk
    }

    /// Stops a node's time, or lets it go on.
    pub fn pause(&mut self, node: usize, paused: bool) {
        self.nodes[node - 1].paused = paused;
    }

    /// Cuts a node off from all others, or lets it back.
    pub fn isolate(&mut self, node: usize, cut: bool) {
        for other in (1..=self.nodes.len()).filter(|other| *other != node) {
            for pair in [(node, other), (other, node)] {
                if cut {
                    self.cut.insert(pair);
                } else {
                    self.cut.remove(&pair);
                }
            }
        }
        if cut {
            self.drop_waiting(node);
        }
    }

    fn lives(&self, node: usize) -> bool {
        let slot = &self.nodes[node - 1];
        slot.broker.is_some() && !slot.paused
    }

    fn answer(&self, node: usize, ticket: Ticket, outcome: Result<Bytes, PeerFault>) {
        if let Some(broker) = &self.nodes[node - 1].broker {
            broker.peer_answered(self.now, ticket, outcome);
        }
    }

    /// Lets a little time pass.
    pub fn step(&mut self) {
        self.now.mono = self.now.mono.after(STEP);
        self.now.wall = TimestampMs(self.now.wall.get() + 10);
        for node in 1..=self.nodes.len() {
            if self.lives(node) {
                let broker = self.broker(node);
                broker.pulse(self.now);
                broker.tick(self.now);
            }
        }
        for _ in 0..20 {
            if !self.exchange() {
                break;
            }
        }
    }

    /// Delivers what is to be sent, and what is answered. Answers whether there
    /// was anything.
    fn exchange(&mut self) -> bool {
        let mut moved = false;
        for from in 1..=self.nodes.len() {
            if !self.lives(from) {
                continue;
            }
            for out in self.broker(from).take_outgoing() {
                moved = true;
                let to = usize::from(out.to.port - PORT);
                if self.cut.contains(&(from, to)) || self.nodes[to - 1].broker.is_none() {
                    let fault = PeerFault::Unreachable("cut off".into());
                    self.answer(from, out.ticket, Err(fault));
                    continue;
                }
                let frame = BytesMut::from(&out.frame[4..]);
                let mut connection = Connection::new(None);
                let wake: Arc<dyn Wake> = Arc::new(Deaf);
                let outcome = self
                    .broker(to)
                    .handle(self.now, &mut connection, frame, &wake);
                match outcome {
                    Outcome::Ready(response) => {
                        self.answer(from, out.ticket, Ok(bytes_of(&response)));
                    }
                    Outcome::Parked(parked) => self.waiting.push(Waiting {
                        from,
                        to,
                        ticket: out.ticket,
                        deadline: out.deadline,
                        parked,
                    }),
                    Outcome::NoReply | Outcome::Last(..) | Outcome::Close(_) => {
                        self.answer(from, out.ticket, Err(PeerFault::Closed));
                    }
                }
            }
        }
        self.poll_waiting() || moved
    }

    fn poll_waiting(&mut self) -> bool {
        let mut moved = false;
        for mut waiting in std::mem::take(&mut self.waiting) {
            if self.now.mono >= waiting.deadline {
                self.answer(waiting.from, waiting.ticket, Err(PeerFault::TimedOut));
                moved = true;
                continue;
            }
            let polled = if self.lives(waiting.to) {
                waiting.parked.poll(self.broker(waiting.to), self.now)
            } else {
                None
            };
            match polled {
                Some(response) => {
                    self.answer(waiting.from, waiting.ticket, Ok(bytes_of(&response)));
                    moved = true;
                }
                None => self.waiting.push(waiting),
            }
        }
        moved
    }

    /// Lets time pass.
    pub fn pass(&mut self, time: Duration) {
        let end = self.now.mono.after(time);
        while self.now.mono < end {
            self.step();
        }
    }

    /// Lets time pass until something holds.
    pub fn until(&mut self, what: &str, holds: impl Fn(&Self) -> bool) {
        let end = self.now.mono.after(PATIENCE);
        while !holds(self) {
            assert!(self.now.mono < end, "{what}: not after {PATIENCE:?}");
            self.step();
        }
    }

    /// The active controller's node.
    pub fn controller(&self) -> Option<usize> {
        (1..=self.nodes.len())
            .find(|node| self.lives(*node) && self.broker(*node).is_active_controller())
    }

    /// A partition as a node sees it.
    pub fn partition(&self, node: usize, topic: &str, index: i32) -> Option<PartitionImage> {
        let image = self.broker(node).image();
        let topic = image.topic(topic)?;
        topic.partitions.get(&PartitionIndex(index)).cloned()
    }

    /// The leader of a partition, when a node that lives says that it lives.
    pub fn leader(&self, topic: &str, index: i32) -> Option<usize> {
        let node = (1..=self.nodes.len()).find(|node| self.lives(*node))?;
        let leader = self.partition(node, topic, index)?.leader;
        (leader != NodeId::NONE).then(|| usize::try_from(leader.get()).expect("a node"))
    }

    /// Asks a node something and lets time pass until it answers.
    pub fn ask<Q: Encodable, R: Decodable>(
        &mut self,
        node: usize,
        api: ApiKey,
        version: i16,
        query: &Q,
    ) -> R {
        let mut body = BytesMut::new();
        query.encode(&mut body, version).expect("it encodes");
        let response = self.ask_bytes(node, api, version, &body);
        let mut rest = response;
        R::decode(&mut rest, version).expect("it decodes")
    }

    /// Whether a node closes the connection over such a request.
    pub fn closes<Q: Encodable>(&self, node: usize, api: ApiKey, version: i16, query: &Q) -> bool {
        let mut body = BytesMut::new();
        query.encode(&mut body, version).expect("it encodes");
        let mut connection = Connection::new(None);
        let (frame, wake): (_, Arc<dyn Wake>) = (frame(api, version, &body), Arc::new(Deaf));
        let outcome = self
            .broker(node)
            .handle(self.now, &mut connection, frame, &wake);
        matches!(outcome, Outcome::Close(_))
    }

    /// The same, over a connection of the caller's.
    pub fn ask_over<Q: Encodable, R: Decodable>(
        &mut self,
        node: usize,
        connection: &mut Connection,
        (api, version): (ApiKey, i16),
        query: &Q,
    ) -> R {
        let mut body = BytesMut::new();
        query.encode(&mut body, version).expect("it encodes");
        let mut rest = self.bytes_over(node, connection, (api, version), &body);
        R::decode(&mut rest, version).expect("it decodes")
    }

    /// The body of a node's answer.
    pub fn ask_bytes(&mut self, node: usize, api: ApiKey, version: i16, body: &[u8]) -> Bytes {
        self.bytes_over(node, &mut Connection::new(None), (api, version), body)
    }

    fn bytes_over(
        &mut self,
        node: usize,
        connection: &mut Connection,
        api: (ApiKey, i16),
        body: &[u8],
    ) -> Bytes {
        let begun = self.begin(node, connection, api, body);
        self.finish(begun)
    }

    /// Asks a node something; time stands still.
    pub fn begin(
        &self,
        node: usize,
        connection: &mut Connection,
        api: (ApiKey, i16),
        body: &[u8],
    ) -> Begun {
        let frame = frame(api.0, api.1, body);
        let wake: Arc<dyn Wake> = Arc::new(Deaf);
        let outcome = self.broker(node).handle(self.now, connection, frame, &wake);
        Begun { node, api, outcome }
    }

    /// Lets time pass until a node answers. The answer's body.
    pub fn finish(&mut self, begun: Begun) -> Bytes {
        let (node, (api, version)) = (begun.node, begun.api);
        let response = match begun.outcome {
            Outcome::Ready(response) => response,
            Outcome::Parked(mut parked) => {
                let end = self.now.mono.after(PATIENCE);
                loop {
                    if let Some(response) = parked.poll(self.broker(node), self.now) {
                        break response;
                    }
                    assert!(self.now.mono < end, "{api}: no answer");
                    self.step();
                }
            }
            other => panic!("{api} {version}: {other:?}"),
        };
        let mut rest = bytes_of(&response);
        let header = api.spec().response_header_version(version);
        ResponseHeader::decode(&mut rest, header).expect("a header");
        rest
    }
}

/// A request whose answer nobody has asked for yet.
pub struct Begun {
    node: usize,
    api: (ApiKey, i16),
    outcome: Outcome,
}

/// A request with its header.
fn frame(api: ApiKey, version: i16, body: &[u8]) -> BytesMut {
    let mut frame = BytesMut::new();
    RequestHeader::default()
        .with_request_api_key(api.key())
        .with_request_api_version(version)
        .with_correlation_id(42)
        .with_client_id(Some(StrBytes::from_static_str("tests")))
        .encode(&mut frame, api.spec().request_header_version(version))
        .expect("the header encodes");
    frame.extend_from_slice(body);
    frame
}

const PORT: u16 = 19_000;

fn port(node: usize) -> u16 {
    PORT + u16::try_from(node).expect("a small number")
}

fn peer(node: usize) -> Peer {
    Peer {
        node: NodeId(i32::try_from(node).expect("a small number")),
        host: "node".into(),
        port: port(node),
    }
}

/// A response without its length.
fn bytes_of(response: &Response) -> Bytes {
    let mut whole = Vec::new();
    for part in &response.parts {
        match part {
            Part::Bytes(bytes) => whole.extend_from_slice(bytes),
            Part::File(range) => range.read_into(&mut whole).expect("the range is there"),
        }
    }
    Bytes::from(whole).slice(4..)
}
