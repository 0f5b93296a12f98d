//! Threads and sockets: one thread per worker, each with a runtime of its own.
//!
//! A connection lives on one worker from its first byte to its last, so
//! nothing of it is ever shared between threads but its wake. The first worker
//! also accepts and deals the connections out in turn.

use crate::arrival::Arrival;
use crate::budget::Budget;
use crate::clock::Clock;
use crate::connection::Connection;
use crate::context::{Context, Guests};
use crate::limits::Limits;
use crate::pool::BufferPool;
use crate::service::Service;
use crate::tls::Tls;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};

/// Connections that wait to be accepted; the system may grant fewer.
const BACKLOG: i32 = 1024;
/// How long the listener rests when the process is out of file descriptors.
const ACCEPT_RETRY: Duration = Duration::from_millis(100);
/// How often a stopping worker looks whether its connections have ended.
const DRAIN_POLL: Duration = Duration::from_millis(2);

/// Where connections come in. Its number is its place in the list that
/// [`Net::start`] is given.
#[derive(Debug)]
pub struct Entrance {
    /// A socket that is bound.
    pub socket: std::net::TcpListener,
    /// What its connections are encrypted with.
    pub tls: Option<Tls>,
}

impl From<std::net::TcpListener> for Entrance {
    fn from(socket: std::net::TcpListener) -> Self {
        Self { socket, tls: None }
    }
}

/// Sockets being served.
#[derive(Debug)]
pub struct Net {
    addrs: Vec<SocketAddr>,
    guests: Arc<Guests>,
    pools: Vec<Arc<BufferPool>>,
    stops: Vec<oneshot::Sender<()>>,
    threads: Vec<JoinHandle<()>>,
}

impl Net {
    /// Serves the connections that come in by `entrances`.
    pub fn start<S: Service>(
        entrances: Vec<Entrance>,
        service: &Arc<S>,
        limits: Limits,
        clock: Clock,
    ) -> io::Result<Self> {
        let mut addrs = Vec::with_capacity(entrances.len());
        for entrance in &entrances {
            entrance.socket.set_nonblocking(true)?;
            rustix::net::listen(&entrance.socket, BACKLOG)?;
            addrs.push(entrance.socket.local_addr()?);
        }
        let limits = Arc::new(limits);
        let guests = Arc::new(Guests::default());
        let budget = Arc::new(Budget::new(limits.large_frames_bytes_max));
        let mut net = Self {
            addrs,
            guests,
            pools: Vec::new(),
            stops: Vec::new(),
            threads: Vec::new(),
        };
        let mut queues = Vec::new();
        let mut first = None;
        for _ in 0..limits.workers.max(1) {
            let context = Arc::new(Context {
                service: Arc::clone(service),
                clock,
                limits: Arc::clone(&limits),
                pool: Arc::new(BufferPool::default()),
                guests: Arc::clone(&net.guests),
                budget: Arc::clone(&budget),
            });
            net.pools.push(Arc::clone(&context.pool));
            let (queue, arrivals) = mpsc::unbounded_channel();
            queues.push(queue);
            if first.is_none() {
                first = Some((context, arrivals));
            } else {
                net.spawn(move || work(&context, arrivals, async {}))?;
            }
        }
        if let Some((context, arrivals)) = first {
            let door = Arc::new(Door {
                limits,
                guests: Arc::clone(&net.guests),
                queues,
            });
            let mut open = Vec::with_capacity(entrances.len());
            for entrance in entrances.into_iter().enumerate() {
                let (stop, stopped) = oneshot::channel();
                net.stops.push(stop);
                open.push(Arc::clone(&door).open(entrance, stopped));
            }
            drop(door);
            let extra = async {
                open.into_iter().map(tokio::spawn).for_each(drop);
            };
            net.spawn(move || work(&context, arrivals, extra))?;
        }
        Ok(net)
    }

    fn spawn(&mut self, body: impl FnOnce() -> io::Result<()> + Send + 'static) -> io::Result<()> {
        let name = format!("net-{}", self.threads.len());
        let thread = std::thread::Builder::new().name(name).spawn(move || {
            if let Err(error) = body() {
                tracing::error!("a network thread ended: {error}");
            }
        })?;
        self.threads.push(thread);
        Ok(())
    }

    /// Where it listens, by entrance.
    pub fn addrs(&self) -> &[SocketAddr] {
        &self.addrs
    }

    /// Who is connected.
    pub(crate) const fn guests(&self) -> &Arc<Guests> {
        &self.guests
    }

    /// How many connections are open.
    pub fn connections(&self) -> usize {
        self.guests.count()
    }

    /// The read buffers of every worker, for trimming.
    pub fn pools(&self) -> Vec<Arc<BufferPool>> {
        self.pools.clone()
    }

    /// Stops listening, lets answers that are ready leave, and closes.
    pub fn stop(self) {
        self.guests.dismiss();
        drop(self.stops);
        for thread in self.threads {
            if thread.join().is_err() {
                tracing::error!("a network thread panicked");
            }
        }
    }
}

/// The body of a worker's thread: `extra` runs beside its connections, which
/// end when no more can arrive.
fn work<S: Service>(
    context: &Arc<Context<S>>,
    mut arrivals: mpsc::UnboundedReceiver<Arrival>,
    extra: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        tokio::spawn(extra);
        while let Some(mut arrival) = arrivals.recv().await {
            match arrival.open() {
                Ok(stream) => {
                    let context = Arc::clone(context);
                    tokio::spawn(Connection::new(arrival, stream, context).serve());
                }
                Err(error) => {
                    let peer = arrival.peer;
                    tracing::warn!(%peer, "connection closed: {error}");
                }
            }
        }
        let drained = async {
            while context.guests.count() > 0 {
                tokio::time::sleep(DRAIN_POLL).await;
            }
        };
        if tokio::time::timeout(context.limits.drain, drained)
            .await
            .is_err()
        {
            tracing::warn!(drain = ?context.limits.drain, "connections closed with answers unsent");
        }
    });
    Ok(())
}

/// Where connections come in.
struct Door {
    limits: Arc<Limits>,
    guests: Arc<Guests>,
    queues: Vec<mpsc::UnboundedSender<Arrival>>,
}

impl Door {
    async fn open(
        self: Arc<Self>,
        (number, entrance): (usize, Entrance),
        mut stopped: oneshot::Receiver<()>,
    ) {
        let Entrance { socket, tls } = entrance;
        let listener = match TcpListener::from_std(socket) {
            Ok(listener) => listener,
            Err(error) => return tracing::error!("cannot accept connections: {error}"),
        };
        let mut turn = 0;
        loop {
            let accepted = tokio::select! {
                _ = &mut stopped => return,
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, peer)) => {
                    let peer = SocketAddr::new(peer.ip().to_canonical(), peer.port());
                    if let Some(mut arrival) = self.admit(stream, peer) {
                        arrival.entrance = number;
                        arrival.tls.clone_from(&tls);
                        let _gone_when_stopping = self.queues[turn].send(arrival);
                    }
                    turn = (turn + 1) % self.queues.len();
                }
                Err(error) => {
                    tracing::warn!("cannot accept a connection: {error}");
                    tokio::time::sleep(ACCEPT_RETRY).await;
                }
            }
        }
    }

    fn admit(&self, stream: TcpStream, peer: SocketAddr) -> Option<Arrival> {
        let ticket = match self.guests.admit(peer, &self.limits) {
            Ok(ticket) => ticket,
            Err(refusal) => {
                tracing::warn!(%peer, "connection refused: {refusal}");
                return None;
            }
        };
        let handed = stream.set_nodelay(true).and_then(|()| stream.into_std());
        match handed {
            Ok(socket) => Some(Arrival {
                socket: Some(socket),
                peer,
                entrance: 0,
                tls: None,
                ticket,
            }),
            Err(error) => {
                tracing::warn!(%peer, "connection closed: {error}");
                None
            }
        }
    }
}
