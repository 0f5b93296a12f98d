//! One round against one server: so many produce requests, then the same bytes
//! fetched back, then as many more with a consumer that waits for each.

use crate::child::Child;
use crate::frames::{self, Batch};
use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::ops::Range;
use std::time::{Duration, Instant};

/// Requests in flight while producing, as an idempotent producer's bound.
const IN_FLIGHT: usize = 5;
/// How much one fetch asks for.
const FETCH_BYTES: usize = 1 << 20;
/// How long a topic may take to be ready.
const TOPIC_WAIT: Duration = Duration::from_secs(10);

/// CPU seconds per GB (10⁹ bytes of batches).
pub struct Cost {
    pub produce: f64,
    pub fetch: f64,
    /// Producing while a consumer follows; NaN where nobody can wait.
    pub follow: f64,
}

/// A server that takes and gives batches.
pub trait Target: Sync {
    /// The process.
    fn child(&self) -> &Child;
    /// Where to produce and fetch.
    fn addresses(&self) -> (SocketAddr, SocketAddr);
    /// A request that hands over `batch`.
    fn produce(&self, batch: &Batch) -> io::Result<Vec<u8>>;
    /// Whether a fetch may wait for what is not there yet.
    fn can_wait(&self) -> bool;
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

    fn can_wait(&self) -> bool {
        false
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

    fn can_wait(&self) -> bool {
        true
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

/// Produces `requests` batches, fetches them back, and follows as many more.
pub fn round(target: &dyn Target, batch: &Batch, requests: usize) -> io::Result<Cost> {
    let gigabytes = (requests * batch.len()) as f64 / 1e9;
    let cost = |work: &mut dyn FnMut() -> io::Result<()>| {
        let before = target.child().cpu_seconds()?;
        work()?;
        Ok::<f64, io::Error>((target.child().cpu_seconds()? - before) / gigabytes)
    };
    let mut producer = connect(target.addresses().0)?;
    let produce = cost(&mut || send_batches(target, &mut producer, batch, requests))?;
    let mut consumer = connect(target.addresses().1)?;
    let fetch = cost(&mut || fetch_batches(target, &mut consumer, batch, 0..requests))?;
    if !target.can_wait() {
        let follow = f64::NAN;
        return Ok(Cost {
            produce,
            fetch,
            follow,
        });
    }
    let follow = cost(&mut || {
        std::thread::scope(|threads| {
            let more = requests..2 * requests;
            let following = threads.spawn(|| fetch_batches(target, &mut consumer, batch, more));
            send_batches(target, &mut producer, batch, requests)?;
            following
                .join()
                .map_err(|_| io::Error::other("the consumer panicked"))?
        })
    })?;
    Ok(Cost {
        produce,
        fetch,
        follow,
    })
}

fn send_batches(
    target: &dyn Target,
    stream: &mut TcpStream,
    batch: &Batch,
    requests: usize,
) -> io::Result<()> {
    let mut request = target.produce(batch)?;
    let mut answer = Vec::new();
    let mut sent = 0;
    for answered in 0..requests {
        while sent < requests && sent < answered + IN_FLIGHT {
            request[8..12].copy_from_slice(&(sent as u32).to_be_bytes());
            stream.write_all(&request)?;
            sent += 1;
        }
        receive_into(stream, &mut answer)?;
        if !answer.starts_with(&(answered as u32).to_be_bytes()) {
            return Err(io::Error::other(format!(
                "answer {answered} is not right: {answer:?}"
            )));
        }
    }
    Ok(())
}

/// Fetches batches by number, one request at a time, as many as there are.
fn fetch_batches(
    target: &dyn Target,
    stream: &mut TcpStream,
    batch: &Batch,
    numbers: Range<usize>,
) -> io::Result<()> {
    let most = (FETCH_BYTES / batch.len()).max(1);
    let mut answer = Vec::new();
    let mut next = numbers.start;
    while next < numbers.end {
        let asked = most.min(numbers.end - next);
        stream.write_all(&target.fetch(batch, next, asked)?)?;
        receive_into(stream, &mut answer)?;
        // What stands around the records is shorter than any batch.
        let got = answer.len() / batch.len();
        if got > asked || (got == 0 && !target.can_wait()) {
            let length = answer.len();
            return Err(io::Error::other(format!(
                "batch {next}: {length} bytes came"
            )));
        }
        next += got;
    }
    Ok(())
}

fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    Ok(stream)
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
