//! A broker with its sockets, threads and clock, from start to clean stop.

use crate::clock::Clock;
use crate::committer::Committer;
use crate::error::ServerError;
use crate::housekeeper::Housekeeper;
use crate::limits::Limits;
use crate::listeners::ListenerSettings;
use crate::metered_disk::{Brake, MeteredDisk};
use crate::metrics::Source;
use crate::net::{Entrance, Net};
use crate::peers::{Cuts, Peers};
use crate::service::{Outcome, Service};
use crate::settings::{HostPort, Settings};
use crate::threads::Threads;
use crate::worker::Worker;
use bytes::BytesMut;
use plimsoll_broker::config::Endpoint;
use plimsoll_broker::metrics::{Family, Histogram, Kind, Value};
use plimsoll_broker::{
    Broker, BrokerConfig, CleanerClock, Connection, Parked, Response, ScramUser, SecurityProtocol,
    Wake,
};
use plimsoll_wire::time::{Instant, Now};
use plimsoll_wire::types::NodeId;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::io;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs as _};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// A broker that serves.
pub struct Server {
    broker: Arc<Broker>,
    clock: Clock,
    net: Net,
    housekeeper: Housekeeper,
    /// What a node of a cluster runs besides.
    membership: Option<Membership>,
    cuts: Arc<Cuts>,
    brake: Arc<Brake>,
    /// Compaction has threads of its own: a pass takes as long as it takes.
    cleaners: Vec<Housekeeper>,
    /// Where answers wait for a sync.
    committer: Option<Committer>,
    flushes: Arc<Histogram>,
    address: String,
}

/// The threads of a node that is not alone.
struct Membership {
    peers: Peers,
    pulse: Housekeeper,
    worker: Worker,
}

/// Causes faults in a node while it runs.
#[derive(Clone, Debug)]
pub struct Rehearsal {
    cuts: Arc<Cuts>,
    brake: Arc<Brake>,
}

impl Rehearsal {
    /// Loses the requests that this node sends to another, or lets them pass.
    pub fn cut(&self, node: NodeId, cut: bool) {
        self.cuts.set(node, cut);
    }

    /// Makes each write and sync of a log take so much longer.
    pub fn slow_disk(&self, delay: Duration) {
        self.brake.set(delay);
    }
}

/// Addresses that are listened on by a node that does not serve yet.
pub(crate) struct Bound {
    pub(crate) broker: BrokerConfig,
    entrances: Vec<Entrance>,
    scram_users: Vec<ScramUser>,
    limits: Limits,
    ready: String,
}

/// How long a node that stops waits for its partitions to be led elsewhere.
const HANDOVER_WAIT: Duration = Duration::from_secs(10);
/// How often it looks.
const HANDOVER_POLL: Duration = Duration::from_millis(20);

impl Server {
    /// Binds the addresses, opens the data directories and serves.
    ///
    /// # Errors
    /// When the address cannot be listened on or the directories not used; no
    /// data has been touched when it is the address.
    pub fn start(settings: Settings) -> Result<Self, ServerError> {
        Self::bind(settings).and_then(Self::serve)
    }

    /// Binds the addresses.
    pub(crate) fn bind(settings: Settings) -> Result<Bound, ServerError> {
        let Settings {
            mut broker,
            listeners,
            scram_users,
            limits,
            ..
        } = settings;
        let mut entrances = Vec::with_capacity(listeners.len());
        let mut ready = None;
        for one in listeners {
            let socket = bind(&one.listen)?;
            let bound = socket.local_addr()?;
            let told = told(&one, bound);
            ready.get_or_insert_with(|| reached_at(&one.listen, bound, &told.host));
            let (listener, protocol) = (&one.listener.name, one.listener.protocol.name());
            tracing::info!(listener, protocol, %bound, "listening");
            if one.for_clients {
                broker.advertised.push(told);
            }
            broker.listeners.push(one.listener);
            entrances.push(Entrance {
                socket,
                tls: one.tls,
            });
        }
        broker.seed = seed();
        broker.workers = Arc::new(Threads);
        Ok(Bound {
            broker,
            entrances,
            scram_users,
            limits,
            ready: ready.unwrap_or_default(),
        })
    }

    /// Opens the data directories and serves.
    pub(crate) fn serve(bound: Bound) -> Result<Self, ServerError> {
        let Bound {
            broker,
            entrances,
            scram_users,
            limits,
            ready,
        } = bound;
        check_plain(&broker)?;
        let dirs = broker.log_dirs.clone();
        raise_file_limit();
        let clock = Clock::start();
        let disk = MeteredDisk::default();
        let (flushes, brake) = (Arc::clone(disk.flushes()), Arc::clone(disk.brake()));
        let opened = Broker::new(broker, Arc::new(disk), clock.now());
        let broker = Arc::new(opened.map_err(|e| ServerError::Broker(e.to_string()))?);
        let data = &dirs;
        broker
            .keep_scram_users(scram_users, clock.now())
            .map_err(ServerError::Broker)?;
        tracing::info!(?data, "serving");
        let committer = if broker.is_durable() {
            Some(Committer::start(&broker, clock)?)
        } else {
            None
        };
        let net = Net::start(entrances, &broker, limits, clock)?;
        let ticking = Arc::clone(&broker);
        let tick = move |now| ticking.tick(now);
        let housekeeper = Housekeeper::start(clock, net.pools(), tick)?;
        let cuts = Arc::new(Cuts::default());
        let membership = match broker.is_alone() {
            true => None,
            false => Some(Membership::start(&broker, clock, &cuts)?),
        };
        let cleaners = (0..broker.cleaner_threads()).map(|_| {
            let cleaning = Arc::clone(&broker);
            Housekeeper::start(clock, Vec::new(), move |_| cleaning.clean_paced(&clock))
        });
        let cleaners = cleaners.collect::<io::Result<_>>()?;
        Ok(Self {
            broker,
            clock,
            net,
            housekeeper,
            membership,
            cuts,
            brake,
            cleaners,
            committer,
            flushes,
            address: ready,
        })
    }

    /// Whether the node takes part: of a cluster, once it was let in.
    pub fn is_ready(&self) -> bool {
        self.broker.is_ready()
    }

    /// What a node of a cluster waits for, in words, until it takes part.
    pub fn waits_for(&self) -> Option<String> {
        self.broker.waits_for()
    }

    /// Cuts another node off from this one, or lets it back. Both ways are cut
    /// when both nodes do it.
    pub fn cut(&self, node: NodeId, cut: bool) {
        self.cuts.set(node, cut);
    }

    /// What causes faults in this node while it runs, for rehearsals.
    pub fn rehearsal(&self) -> Rehearsal {
        Rehearsal {
            cuts: Arc::clone(&self.cuts),
            brake: Arc::clone(&self.brake),
        }
    }

    /// `HOST:PORT` for clients on this machine.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The addresses that are listened on, in the order of the listeners.
    pub fn bounds(&self) -> &[SocketAddr] {
        self.net.addrs()
    }

    /// How many connections are open.
    pub fn connections(&self) -> usize {
        self.net.connections()
    }

    /// What this node counts, whenever the source is called.
    pub fn metrics(&self) -> (String, Source) {
        let (broker, clock) = (Arc::clone(&self.broker), self.clock);
        let (flushes, guests) = (Arc::clone(&self.flushes), Arc::clone(self.net.guests()));
        let node = broker.node().to_string();
        let source = move || {
            let mut families = broker.metrics(clock.now());
            let mut flush = Family::new(
                "kafka_log_LogFlushStats_LogFlushRateAndTimeMs",
                Kind::Histogram,
                "kafka.log:type=LogFlushStats,name=LogFlushRateAndTimeMs: syncs of segments, in \
                 milliseconds.",
            );
            flush.push(Vec::new(), Value::Spread(flushes.spread()));
            families.push(flush);
            families.push(Family::level(
                "kafka_server_socket_server_metrics_connection_count",
                "kafka.server:type=socket-server-metrics,name=connection-count",
                guests.count() as f64,
            ));
            families
        };
        (node, Box::new(source))
    }

    /// Stops listening, lets answers leave, flushes every log and leaves the
    /// mark of a clean shutdown. A node of a cluster first has its partitions
    /// led elsewhere.
    ///
    /// # Errors
    /// When the disk refuses; the next start then recovers.
    pub fn shutdown(self) -> Result<(), ServerError> {
        let end = std::time::Instant::now() + HANDOVER_WAIT;
        while self.membership.is_some() && !self.broker.prepare_stop(self.clock.now()) {
            if std::time::Instant::now() > end {
                tracing::warn!("stopping though others did not take over within {HANDOVER_WAIT:?}");
                break;
            }
            std::thread::sleep(HANDOVER_POLL);
        }
        self.shutdown_at_once()
    }

    /// As [`Server::shutdown`], without having anyone take over.
    ///
    /// # Errors
    /// When the disk refuses; the next start then recovers.
    pub fn shutdown_at_once(self) -> Result<(), ServerError> {
        if let Some(membership) = self.membership {
            membership.pulse.stop();
            membership.peers.stop();
            membership.worker.stop();
        }
        self.net.stop();
        if let Some(committer) = self.committer {
            committer.stop();
        }
        self.housekeeper.stop();
        self.broker.stop_cleaning();
        self.cleaners.into_iter().for_each(Housekeeper::stop);
        self.broker
            .shutdown(self.clock.now())
            .map_err(|e| ServerError::Broker(format!("not stopped cleanly: {e}")))
    }
}

impl Membership {
    fn start(broker: &Arc<Broker>, clock: Clock, cuts: &Arc<Cuts>) -> io::Result<Self> {
        let worker = Worker::start(broker, clock)?;
        let peers = Peers::start(broker, clock, Arc::clone(cuts))?;
        let beating = Arc::clone(broker);
        let pulse = Housekeeper::start(clock, Vec::new(), move |now| beating.pulse(now))?;
        Ok(Self {
            peers,
            pulse,
            worker,
        })
    }
}

/// Nodes speak to each other in plain text: each needs such a listener. A single
/// combined node does not, for others may never come.
fn check_plain(broker: &BrokerConfig) -> Result<(), ServerError> {
    let is_whole = broker.voters.len() < 2 && broker.roles.broker && broker.roles.controller;
    let mut listeners = broker.listeners.iter();
    let plain = match broker.roles.broker {
        true => (broker.advertised.iter())
            .any(|endpoint: &Endpoint| endpoint.protocol == SecurityProtocol::Plaintext),
        false => listeners.any(|one| one.protocol == SecurityProtocol::Plaintext),
    };
    if is_whole || plain {
        return Ok(());
    }
    Err(ServerError::Cluster(
        "listeners: a cluster's nodes speak to each other in plain text, give each a PLAINTEXT \
         listener"
            .into(),
    ))
}

impl Service for Broker {
    type Session = Connection;
    type Parked = Parked;

    fn connect(&self, peer: SocketAddr, entrance: usize) -> Connection {
        Connection::to(Some(peer), self.listener(entrance))
    }

    fn frame_bytes_max(&self, session: &Connection) -> Option<usize> {
        session.request_bytes_max()
    }

    fn muted_until(&self, session: &Connection) -> Instant {
        session.muted_until()
    }

    fn handle(
        &self,
        now: Now,
        session: &mut Connection,
        frame: BytesMut,
        wake: &Arc<dyn Wake>,
    ) -> Outcome<Parked> {
        match Self::handle(self, now, session, frame, wake) {
            plimsoll_broker::Outcome::Ready(response) => Outcome::Ready(response),
            plimsoll_broker::Outcome::Last(response, reason) => {
                Outcome::Last(response, Box::new(reason))
            }
            plimsoll_broker::Outcome::NoReply => Outcome::NoReply,
            plimsoll_broker::Outcome::Close(reason) => Outcome::Close(Box::new(reason)),
            plimsoll_broker::Outcome::Parked(parked) => Outcome::Parked(parked),
        }
    }

    fn poll(&self, now: Now, parked: &mut Parked) -> Option<Response> {
        parked.poll(self, now)
    }

    fn answered(&self, api: i16, took: Duration) {
        Self::answered(self, api, took);
    }

    fn file_failed(&self, path: &Path, error: std::io::Error) {
        Self::file_failed(self, path, error);
    }

    fn deadline(parked: &Parked) -> Instant {
        parked.deadline()
    }
}

impl CleanerClock for Clock {
    fn now(&self) -> Now {
        Self::now(self)
    }

    fn pause(&self, time: Duration) {
        std::thread::sleep(time);
    }
}

/// Listens on an address, which may stand for all of the machine's.
pub(crate) fn bind(listen: &HostPort) -> Result<TcpListener, ServerError> {
    let bound = if listen.host.is_empty() {
        // Every address of both families where the system has both.
        TcpListener::bind(("::", listen.port))
            .or_else(|_| TcpListener::bind(("0.0.0.0", listen.port)))
    } else {
        TcpListener::bind((listen.host.as_str(), listen.port))
    };
    bound.map_err(|why| ServerError::Listen {
        listen: listen.to_string(),
        why,
    })
}

/// What clients of a listener are told.
fn told(one: &ListenerSettings, bound: SocketAddr) -> Endpoint {
    let at = one.advertised.clone().unwrap_or_else(|| HostPort {
        host: own_host(&one.listen, bound),
        port: bound.port(),
    });
    Endpoint {
        listener: one.listener.name.clone(),
        protocol: one.listener.protocol,
        host: at.host,
        port: at.port,
    }
}

/// `HOST:PORT` for clients on this machine.
fn reached_at(listen: &HostPort, bound: SocketAddr, host: &str) -> String {
    if !listen.is_any() {
        return bound.to_string();
    }
    let (host, port) = (host.to_owned(), bound.port());
    HostPort { host, port }.to_string()
}

/// What clients are told when no `advertised.listeners` says it: the name that
/// was listened on, or for every address the machine's own, if it resolves.
fn own_host(listen: &HostPort, bound: SocketAddr) -> String {
    if !listen.is_any() {
        return listen.host.clone();
    }
    let system = rustix::system::uname();
    let name = system.nodename().to_string_lossy().into_owned();
    if (name.as_str(), bound.port())
        .to_socket_addrs()
        .is_ok_and(|mut found| found.next().is_some())
    {
        return name;
    }
    tracing::warn!("clients are told localhost: {name} does not resolve; set advertised.listeners");
    "localhost".to_owned()
}

/// Partitions hold several files each: takes all descriptors the system grants.
fn raise_file_limit() {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current != maximum
        && let Err(error) = setrlimit(
            Resource::Nofile,
            Rlimit {
                current: maximum,
                maximum,
            },
        )
    {
        tracing::warn!("the limit on open files stays at {current:?}: {error}");
    }
}

/// Differs between any two starts, and cannot be guessed: nonces are drawn from
/// it.
fn seed() -> u64 {
    let (high, low) = uuid::Uuid::new_v4().as_u64_pair();
    high ^ low.rotate_left(17)
}
