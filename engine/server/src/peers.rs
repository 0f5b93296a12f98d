//! Connections to other nodes: one for each peer and lane, opened when there is
//! something to send and kept.
//!
//! Requests leave in the order in which the broker made them and several are
//! under way at once; a peer answers in the same order. A connection on which a
//! request passes its deadline is closed: what would come on it later is out of
//! step. The quorum's lanes have a thread of its own, so that no follower's
//! append holds up a heartbeat.

use crate::clock::Clock;
use bytes::BytesMut;
use parking_lot::Mutex;
use plimsoll_broker::{Broker, Lane, Outgoing, Peer, PeerFault, Ticket, Wake};
use plimsoll_wire::frame;
use plimsoll_wire::time::Instant;
use plimsoll_wire::types::NodeId;
use std::collections::{BTreeSet, HashMap, VecDeque};
use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::{Notify, mpsc};

/// How long a connection may take to come about.
const CONNECT_WAIT: Duration = Duration::from_secs(2);
/// The longest response that is read.
const RESPONSE_BYTES_MAX: usize = 128 << 20;
/// How often a connection looks whether its peer was cut off.
const CUT_POLL: Duration = Duration::from_millis(100);

/// The nodes that this one is cut off from, for rehearsals.
#[derive(Debug, Default)]
pub struct Cuts(Mutex<BTreeSet<NodeId>>);

impl Cuts {
    /// Cuts a node off, or lets it back.
    pub fn set(&self, node: NodeId, cut: bool) {
        let mut cuts = self.0.lock();
        if cut {
            cuts.insert(node);
        } else {
            cuts.remove(&node);
        }
    }

    fn has(&self, node: NodeId) -> bool {
        self.0.lock().contains(&node)
    }
}

/// The threads that speak to other nodes.
#[derive(Debug)]
pub struct Peers {
    stop: Arc<Notify>,
    threads: Vec<JoinHandle<()>>,
}

/// Tells the threads that there is something to send.
struct Bell(Arc<Notify>);

impl Wake for Bell {
    fn wake(&self) {
        self.0.notify_one();
    }
}

/// What the tasks of a thread share.
struct Shared {
    broker: Arc<Broker>,
    clock: Clock,
    cuts: Arc<Cuts>,
}

type Queue = mpsc::UnboundedSender<Outgoing>;

impl Peers {
    /// Starts to send what the broker leaves for other nodes.
    pub fn start(broker: &Arc<Broker>, clock: Clock, cuts: Arc<Cuts>) -> io::Result<Self> {
        let bell = Arc::new(Notify::new());
        let stop = Arc::new(Notify::new());
        broker.notify_outgoing(Arc::new(Bell(Arc::clone(&bell))));
        let shared = Arc::new(Shared {
            broker: Arc::clone(broker),
            clock,
            cuts,
        });
        let (bulk, arrivals) = mpsc::unbounded_channel();
        let (sending, sent) = (Arc::clone(&shared), Arc::clone(&stop));
        let urgent = move || {
            run(async move {
                let mut lanes = HashMap::new();
                loop {
                    tokio::select! {
                        () = bell.notified() => {}
                        () = sent.notified() => return,
                    }
                    for out in sending.broker.take_outgoing() {
                        if matches!(out.lane, Lane::Quorum | Lane::Metadata) {
                            pass_on(&sending, &mut lanes, out);
                        } else if bulk.send(out).is_err() {
                            return;
                        }
                    }
                }
            });
        };
        let others = move || {
            run(async move {
                let mut arrivals = arrivals;
                let mut lanes = HashMap::new();
                while let Some(out) = arrivals.recv().await {
                    pass_on(&shared, &mut lanes, out);
                }
            });
        };
        let thread = |name: &str, body: Box<dyn FnOnce() + Send>| {
            std::thread::Builder::new().name(name.into()).spawn(body)
        };
        let threads = vec![
            thread("quorum", Box::new(urgent))?,
            thread("peers", Box::new(others))?,
        ];
        Ok(Self { stop, threads })
    }

    /// Sends no more.
    pub fn stop(self) {
        self.stop.notify_one();
        for thread in self.threads {
            if thread.join().is_err() {
                tracing::error!("a thread that speaks to other nodes panicked");
            }
        }
    }
}

/// Runs a thread's tasks until the first one ends.
fn run(body: impl Future<Output = ()>) {
    match tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime.block_on(body),
        Err(error) => tracing::error!("cannot speak to other nodes: {error}"),
    }
}

/// Hands a request to the task of its connection.
fn pass_on(shared: &Arc<Shared>, lanes: &mut HashMap<(Arc<Peer>, Lane), Queue>, out: Outgoing) {
    let key = (Arc::clone(&out.to), out.lane);
    let queue = lanes.entry(key).or_insert_with(|| {
        let (queue, arrivals) = mpsc::unbounded_channel();
        let shared = Arc::clone(shared);
        tokio::spawn(serve(shared, Arc::clone(&out.to), arrivals));
        queue
    });
    let _gone_when_stopping = queue.send(out);
}

/// One lane to one peer, for as long as requests may come.
async fn serve(shared: Arc<Shared>, peer: Arc<Peer>, mut queue: mpsc::UnboundedReceiver<Outgoing>) {
    while let Some(first) = queue.recv().await {
        let now = shared.clock.now().mono;
        if now >= first.deadline {
            shared.answer(first.ticket, Err(PeerFault::TimedOut));
            continue;
        }
        match connect(&shared, &peer, first.deadline).await {
            Ok(stream) => {
                let mut line = Line::new(&shared, &peer);
                line.send(first);
                line.run(stream, &mut queue).await;
            }
            Err(why) => {
                tracing::debug!(node = %peer.node, why, "no connection");
                shared.answer(first.ticket, Err(PeerFault::Unreachable(why.clone())));
                while let Ok(more) = queue.try_recv() {
                    shared.answer(more.ticket, Err(PeerFault::Unreachable(why.clone())));
                }
            }
        }
    }
}

async fn connect(shared: &Shared, peer: &Peer, deadline: Instant) -> Result<TcpStream, String> {
    if shared.cuts.has(peer.node) {
        return Err("cut off".into());
    }
    let wait = shared.clock.until(deadline).min(CONNECT_WAIT);
    let connecting = TcpStream::connect((peer.host.as_str(), peer.port));
    let stream = match tokio::time::timeout(wait, connecting).await {
        Ok(connected) => connected.map_err(|error| error.to_string())?,
        Err(_) => return Err(format!("no connection within {wait:?}")),
    };
    stream
        .set_nodelay(true)
        .map_err(|error| error.to_string())?;
    Ok(stream)
}

impl Shared {
    fn answer(&self, ticket: Ticket, outcome: Result<bytes::Bytes, PeerFault>) {
        self.broker.peer_answered(self.clock.now(), ticket, outcome);
    }
}

/// One connection: what is to be written, and who waits for answers, in order.
struct Line<'a> {
    shared: &'a Shared,
    peer: &'a Peer,
    outbound: BytesMut,
    inbound: BytesMut,
    waiting: VecDeque<(Ticket, Instant)>,
}

impl<'a> Line<'a> {
    fn new(shared: &'a Shared, peer: &'a Peer) -> Self {
        Self {
            shared,
            peer,
            outbound: BytesMut::new(),
            inbound: BytesMut::new(),
            waiting: VecDeque::new(),
        }
    }

    fn send(&mut self, out: Outgoing) {
        self.outbound.extend_from_slice(&out.frame);
        self.waiting.push_back((out.ticket, out.deadline));
    }

    /// Writes and reads until the connection ends, one way or another.
    async fn run(&mut self, mut stream: TcpStream, queue: &mut mpsc::UnboundedReceiver<Outgoing>) {
        let (mut read, mut write) = stream.split();
        let fault = loop {
            let nearest = self.waiting.iter().map(|(_, deadline)| *deadline).min();
            let alarm = nearest.map(|at| self.shared.clock.alarm(at));
            let expiry = async {
                match alarm {
                    Some(at) => tokio::time::sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                more = queue.recv() => match more {
                    Some(out) => self.send(out),
                    None => break PeerFault::Closed,
                },
                written = write.write_buf(&mut self.outbound), if !self.outbound.is_empty() => {
                    if written.is_err() {
                        break PeerFault::Closed;
                    }
                }
                read = read.read_buf(&mut self.inbound) => {
                    if !matches!(read, Ok(bytes) if bytes > 0) || !self.take_answers() {
                        break PeerFault::Closed;
                    }
                }
                () = expiry => break PeerFault::TimedOut,
                () = tokio::time::sleep(CUT_POLL) => {}
            }
            if self.shared.cuts.has(self.peer.node) {
                break PeerFault::Closed;
            }
        };
        for (ticket, _) in self.waiting.drain(..) {
            self.shared.answer(ticket, Err(fault.clone()));
        }
    }

    /// Hands whole responses out. Answers whether the peer keeps to the order.
    fn take_answers(&mut self) -> bool {
        loop {
            match frame::split(&mut self.inbound, RESPONSE_BYTES_MAX) {
                Ok(Some(response)) => {
                    let Some((ticket, _)) = self.waiting.pop_front() else {
                        return false;
                    };
                    self.shared.answer(ticket, Ok(response.freeze()));
                }
                Ok(None) => return true,
                Err(_) => return false,
            }
        }
    }
}
