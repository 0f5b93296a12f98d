//! A broker with its sockets, threads and clock, from start to clean stop.

use crate::clock::Clock;
use crate::error::ServerError;
use crate::housekeeper::Housekeeper;
use crate::metered_disk::MeteredDisk;
use crate::metrics::Source;
use crate::net::Net;
use crate::service::{Outcome, Service};
use crate::settings::{HostPort, Settings};
use crate::threads::Threads;
use bytes::BytesMut;
use plimsoll_broker::config::Endpoint;
use plimsoll_broker::metrics::{Family, Histogram, Kind, Value};
use plimsoll_broker::{Broker, CleanerClock, Connection, Parked, Response, Wake};
use plimsoll_wire::time::{Instant, Now};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::io;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs as _};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A broker that serves.
pub struct Server {
    broker: Arc<Broker>,
    clock: Clock,
    net: Net,
    housekeeper: Housekeeper,
    /// Compaction has threads of its own: a pass takes as long as it takes.
    cleaners: Vec<Housekeeper>,
    flushes: Arc<Histogram>,
    address: String,
}

impl Server {
    /// Binds the address, opens the data directories and serves.
    ///
    /// # Errors
    /// When the address cannot be listened on or the directories not used; no
    /// data has been touched when it is the address.
    pub fn start(settings: Settings) -> Result<Self, ServerError> {
        let Settings {
            mut broker,
            listener,
            listen,
            advertised,
            limits,
            ..
        } = settings;
        let socket = bind(&listen)?;
        let bound = socket.local_addr()?;
        let told = match advertised {
            Some(endpoint) => endpoint,
            None => Endpoint {
                listener,
                host: own_host(&listen, bound),
                port: bound.port(),
            },
        };
        let ready = if listen.is_any() {
            HostPort {
                host: told.host.clone(),
                port: bound.port(),
            }
            .to_string()
        } else {
            bound.to_string()
        };
        broker.advertised = vec![told];
        broker.seed = seed();
        broker.workers = Arc::new(Threads);
        let dirs = broker.log_dirs.clone();
        raise_file_limit();
        let clock = Clock::start();
        let disk = MeteredDisk::default();
        let flushes = Arc::clone(disk.flushes());
        let opened = Broker::new(broker, Arc::new(disk), clock.now());
        let broker = Arc::new(opened.map_err(|e| ServerError::Broker(e.to_string()))?);
        let data = &dirs;
        tracing::info!(listen = %bound, ?data, "serving");
        let net = Net::start(socket, &broker, limits, clock)?;
        let ticking = Arc::clone(&broker);
        let tick = move |now| ticking.tick(now);
        let housekeeper = Housekeeper::start(clock, net.pools(), tick)?;
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
            cleaners,
            flushes,
            address: ready,
        })
    }

    /// `HOST:PORT` for clients on this machine.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The address that is listened on.
    pub const fn bound(&self) -> SocketAddr {
        self.net.addr()
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
    /// mark of a clean shutdown.
    ///
    /// # Errors
    /// When the disk refuses; the next start then recovers.
    pub fn shutdown(self) -> Result<(), ServerError> {
        self.net.stop();
        self.housekeeper.stop();
        self.broker.stop_cleaning();
        self.cleaners.into_iter().for_each(Housekeeper::stop);
        self.broker
            .shutdown(self.clock.now())
            .map_err(|e| ServerError::Broker(format!("not stopped cleanly: {e}")))
    }
}

impl Service for Broker {
    type Session = Connection;
    type Parked = Parked;

    fn connect(&self, peer: SocketAddr) -> Connection {
        Connection::new(Some(peer))
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

/// Differs between any two starts, also within one process.
fn seed() -> u64 {
    static STARTS: AtomicU64 = AtomicU64::new(0);
    let time = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let start = STARTS.fetch_add(1, Ordering::Relaxed);
    (time.as_nanos() as u64) ^ u64::from(std::process::id()).rotate_left(32) ^ start.rotate_left(56)
}
