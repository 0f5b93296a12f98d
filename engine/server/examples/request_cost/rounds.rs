//! One round against one server: so many produce requests, then the same bytes
//! fetched back.

use crate::child::Child;
use crate::frames::{self, Batch};
use std::collections::VecDeque;
use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// Requests in flight while producing, as an idempotent producer's bound.
const IN_FLIGHT: usize = 5;
/// Requests in flight while fetching.
const FETCH_IN_FLIGHT: usize = 1;
/// How much one fetch asks for.
const FETCH_BYTES: usize = 1 << 20;
/// How long a topic may take to be ready.
const TOPIC_WAIT: Duration = Duration::from_secs(10);

/// CPU seconds per GB (10⁹ bytes of batches).
pub struct Cost {
    pub produce: f64,
    pub fetch: f64,
}

/// A server that takes and gives batches.
pub trait Target {
    /// The process.
    fn child(&self) -> &Child;
    /// Where to produce and fetch.
    fn addresses(&self) -> (SocketAddr, SocketAddr);
    /// A request that hands over `batch`.
    fn produce(&self, batch: &Batch) -> io::Result<Vec<u8>>;
    /// A request for `batches` batches from number `from` on.
    fn fetch(&self, batch: &Batch, from: usize, batches: usize) -> io::Result<Vec<u8>>;
}

/// The floor program.
pub struct Floor<'a> {
    child: &'a Child,
}

impl<'a> Floor<'a> {
    /// Drives a running floor.
    pub fn new(child: &'a Child) -> Self {
        Self { child }
    }
}

impl Target for Floor<'_> {
    fn child(&self) -> &Child {
        self.child
    }

    fn addresses(&self) -> (SocketAddr, SocketAddr) {
        (self.child.address(0), self.child.address(1))
    }

    fn produce(&self, batch: &Batch) -> io::Result<Vec<u8>> {
        Ok(frames::produce("floor", batch)?.to_vec())
    }

    fn fetch(&self, batch: &Batch, from: usize, batches: usize) -> io::Result<Vec<u8>> {
        let mut request = 12u32.to_be_bytes().to_vec();
        request.extend(((from * batch.len()) as u64).to_be_bytes());
        request.extend(((batches * batch.len()) as u32).to_be_bytes());
        Ok(request)
    }
}

/// A broker and one topic of it.
pub struct Broker<'a> {
    child: &'a Child,
    topic: String,
}

impl<'a> Broker<'a> {
    /// Creates the topic and waits until it takes batches.
    pub fn new(child: &'a Child, topic: &str) -> io::Result<Self> {
        let mut stream = TcpStream::connect(child.address(0))?;
        let probe = frames::produce(topic, &Batch::of(1))?;
        let started = Instant::now();
        loop {
            stream.write_all(&frames::metadata(topic)?)?;
            receive(&mut stream)?;
            stream.write_all(&probe)?;
            let answer = receive(&mut stream)?;
            // Correlation id, tags, one topic with its name, one partition with its index.
            let at = 4 + 1 + 1 + 1 + topic.len() + 1 + 4;
            if answer.get(at..at + 2) == Some(&[0, 0]) {
                let topic = topic.to_owned();
                return Ok(Self { child, topic });
            }
            if started.elapsed() > TOPIC_WAIT {
                return Err(io::Error::other(format!(
                    "{topic} takes no batch: {answer:?}"
                )));
            }
        }
    }
}

impl Target for Broker<'_> {
    fn child(&self) -> &Child {
        self.child
    }

    fn addresses(&self) -> (SocketAddr, SocketAddr) {
        (self.child.address(0), self.child.address(0))
    }

    fn produce(&self, batch: &Batch) -> io::Result<Vec<u8>> {
        Ok(frames::produce(&self.topic, batch)?.to_vec())
    }

    fn fetch(&self, batch: &Batch, from: usize, batches: usize) -> io::Result<Vec<u8>> {
        // The probe took offset 0.
        let (offset, bytes) = (1 + from * batch.records(), batches * batch.len());
        Ok(frames::fetch(&self.topic, offset, bytes)?.to_vec())
    }
}

/// Produces `requests` batches and fetches them back.
pub fn round(target: &mut dyn Target, batch: &Batch, requests: usize) -> io::Result<Cost> {
    let (produce_at, fetch_at) = target.addresses();
    let gigabytes = (requests * batch.len()) as f64 / 1e9;
    let mut request = target.produce(batch)?;
    let before = target.child().cpu_seconds()?;
    let mut stream = connect(produce_at)?;
    let send = |stream: &mut TcpStream, i: usize| {
        request[8..12].copy_from_slice(&(i as u32).to_be_bytes());
        stream.write_all(&request)
    };
    let check = |i: usize, answer: &[u8]| answer.starts_with(&(i as u32).to_be_bytes());
    pipeline(&mut stream, requests, IN_FLIGHT, send, check)?;
    let between = target.child().cpu_seconds()?;
    let batches = (FETCH_BYTES / batch.len()).max(1);
    let fetches = requests / batches;
    let asked: VecDeque<Vec<u8>> = (0..fetches)
        .map(|i| target.fetch(batch, i * batches, batches))
        .collect::<Result<_, _>>()?;
    let mut fetching = connect(fetch_at)?;
    let started = target.child().cpu_seconds()?;
    let bytes = batches * batch.len();
    let send = |stream: &mut TcpStream, i: usize| stream.write_all(&asked[i]);
    pipeline(
        &mut fetching,
        fetches,
        FETCH_IN_FLIGHT,
        send,
        |_, answer| answer.len() >= bytes,
    )?;
    let ended = target.child().cpu_seconds()?;
    let fetched = (fetches * bytes) as f64 / 1e9;
    Ok(Cost {
        produce: (between - before) / gigabytes,
        fetch: (ended - started) / fetched,
    })
}

fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Keeps up to `window` requests unanswered and checks each answer.
fn pipeline(
    stream: &mut TcpStream,
    requests: usize,
    window: usize,
    mut send: impl FnMut(&mut TcpStream, usize) -> io::Result<()>,
    check: impl Fn(usize, &[u8]) -> bool,
) -> io::Result<()> {
    let mut answer = Vec::new();
    let mut sent = 0;
    for answered in 0..requests {
        while sent < requests && sent < answered + window {
            send(stream, sent)?;
            sent += 1;
        }
        receive_into(stream, &mut answer)?;
        if !check(answered, &answer) {
            let start = &answer[..answer.len().min(64)];
            return Err(io::Error::other(format!(
                "answer {answered} is not right: {start:?}"
            )));
        }
    }
    Ok(())
}

fn receive(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut answer = Vec::new();
    receive_into(stream, &mut answer)?;
    Ok(answer)
}

fn receive_into(stream: &mut TcpStream, answer: &mut Vec<u8>) -> io::Result<()> {
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    answer.resize(u32::from_be_bytes(length) as usize, 0);
    stream.read_exact(answer)
}
