//! The floors: what disk, loopback, checksum and memory do when nothing else is
//! asked of them. No broker on this machine can be faster.
//!
//! Each is measured for a fraction of a second, enough for two digits; the chain of
//! calls, whose tail matters, for four.

use super::chain;
use hdrhistogram::Histogram;
use plimsoll_results::{Floor, FloorUnit as Unit, HIGHEST_NS};
use plimsoll_wire::batch::crc32c;
use std::hint::black_box;
use std::io::{self, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

/// How long each floor is measured.
const SPAN: Duration = Duration::from_millis(400);
/// How long chains of calls are measured: for the 99.9th percentile of 9 calls
/// 500 times a second.
const CHAIN_SPAN: Duration = Duration::from_secs(4);
/// The size of one write, one record batch.
const BATCH_BYTES: usize = 64 * 1024;
/// The most that is written to the disk.
const APPEND_BYTES_MAX: u64 = 512 * 1024 * 1024;
/// Bytes of a durable write.
const DURABLE_BYTES: usize = 4096;
/// The most durable writes.
const DURABLE_MAX: u64 = 2000;
/// Bytes of a small request and its answer.
const MESSAGE_BYTES: usize = 64;
/// A memory block that no cache holds.
const MEMORY_BYTES: usize = 64 * 1024 * 1024;

/// Measures all of them; files go to `dir` and are removed.
///
/// # Errors
/// When the disk cannot be written or the loopback not be used.
pub fn measure(dir: &Path) -> io::Result<Vec<Floor>> {
    let mut floors = measure_io(dir, SPAN)?;
    floors.extend(chain::measure(CHAIN_SPAN)?);
    floors.push(checksum());
    floors.push(copy());
    Ok(floors)
}

/// Measures those of disk and loopback, each for `span`.
///
/// # Errors
/// As [`measure`].
pub fn measure_io(dir: &Path, span: Duration) -> io::Result<Vec<Floor>> {
    let mut floors = vec![append(dir, span)?];
    floors.extend(durable(dir, span)?);
    floors.extend(round_trip(span)?);
    floors.push(stream(span)?);
    Ok(floors)
}

fn rate(name: &str, bytes: u64, took: Duration, how: &str) -> Floor {
    Floor {
        name: name.to_owned(),
        value: bytes as f64 / took.as_secs_f64().max(1e-9),
        unit: Unit::BytesPerSecond,
        how: how.to_owned(),
    }
}

/// The median and the 99th percentile, in microseconds.
fn quantiles(names: [&str; 2], nanos: &Histogram<u64>, how: &str) -> [Floor; 2] {
    let floor = |name: &str, quantile| Floor {
        name: name.to_owned(),
        value: nanos.value_at_quantile(quantile) as f64 / 1e3,
        unit: Unit::Microseconds,
        how: how.to_owned(),
    };
    [floor(names[0], 0.5), floor(names[1], 0.99)]
}

pub(super) fn histogram() -> io::Result<Histogram<u64>> {
    // Of fixed bounds: one that grows by itself clamps what is recorded saturating.
    Histogram::new_with_bounds(1, HIGHEST_NS, 3).map_err(io::Error::other)
}

pub(super) fn note(nanos: &mut Histogram<u64>, took: Duration) {
    nanos.saturating_record(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX));
}

fn append(dir: &Path, span: Duration) -> io::Result<Floor> {
    let mut file = tempfile::tempfile_in(dir)?;
    let batch = vec![0x5a; BATCH_BYTES];
    let started = Instant::now();
    let mut written = 0;
    while started.elapsed() < span && written < APPEND_BYTES_MAX {
        file.write_all(&batch)?;
        written += BATCH_BYTES as u64;
    }
    let how = "64 KiB writes to the end of a file, not forced to the disk";
    Ok(rate(Floor::APPEND, written, started.elapsed(), how))
}

fn durable(dir: &Path, span: Duration) -> io::Result<[Floor; 2]> {
    let mut file = tempfile::tempfile_in(dir)?;
    let piece = vec![0xa5; DURABLE_BYTES];
    let mut nanos = histogram()?;
    let started = Instant::now();
    while started.elapsed() < span && nanos.len() < DURABLE_MAX {
        let before = Instant::now();
        file.write_all(&piece)?;
        file.sync_data()?;
        note(&mut nanos, before.elapsed());
    }
    let how = "4 KiB appended and forced to the disk";
    Ok(quantiles([Floor::FSYNC_P50, Floor::FSYNC_P99], &nanos, how))
}

/// Two ends of a connection over the loopback.
pub(super) fn loopback() -> io::Result<(TcpStream, TcpStream)> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let client = TcpStream::connect(listener.local_addr()?)?;
    let (server, _) = listener.accept()?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    Ok((client, server))
}

fn round_trip(span: Duration) -> io::Result<[Floor; 2]> {
    let (mut client, mut server) = loopback()?;
    let echo = thread::spawn(move || {
        let mut message = [0; MESSAGE_BYTES];
        while server.read_exact(&mut message).is_ok() && server.write_all(&message).is_ok() {}
    });
    let mut message = [7; MESSAGE_BYTES];
    let mut nanos = histogram()?;
    let started = Instant::now();
    while started.elapsed() < span {
        let before = Instant::now();
        client.write_all(&message)?;
        client.read_exact(&mut message)?;
        note(&mut nanos, before.elapsed());
    }
    drop(client);
    let _ended = echo.join();
    let how = "64 bytes there and back over the loopback, between two threads";
    Ok(quantiles(
        [Floor::ROUND_TRIP_P50, Floor::ROUND_TRIP_P99],
        &nanos,
        how,
    ))
}

fn stream(span: Duration) -> io::Result<Floor> {
    let (mut client, mut server) = loopback()?;
    let sink = thread::spawn(move || {
        let mut buffer = vec![0; BATCH_BYTES * 4];
        let mut read = 0;
        while let Ok(n) = server.read(&mut buffer) {
            if n == 0 {
                break;
            }
            read += n as u64;
        }
        (read, Instant::now())
    });
    let batch = vec![1; BATCH_BYTES];
    let started = Instant::now();
    while started.elapsed() < span {
        client.write_all(&batch)?;
    }
    drop(client);
    let (read, ended) = sink
        .join()
        .map_err(|_| io::Error::other("the reader panicked"))?;
    let how = "64 KiB writes over the loopback, between two threads";
    Ok(rate(Floor::LOOPBACK, read, ended - started, how))
}

fn checksum() -> Floor {
    let batch = vec![0x3c; BATCH_BYTES];
    let started = Instant::now();
    let mut bytes = 0;
    while started.elapsed() < SPAN / 2 {
        black_box(crc32c(black_box(&batch)));
        bytes += BATCH_BYTES as u64;
    }
    let how = "64 KiB in the cache, one thread";
    rate("CRC-32C", bytes, started.elapsed(), how)
}

fn copy() -> Floor {
    let from = vec![0x77; MEMORY_BYTES];
    let mut to = vec![0; MEMORY_BYTES];
    to.copy_from_slice(&from);
    let started = Instant::now();
    let mut bytes = 0;
    while started.elapsed() < SPAN / 2 {
        black_box(&mut to).copy_from_slice(black_box(&from));
        bytes += MEMORY_BYTES as u64;
    }
    let how = "64 MiB that no cache holds, one thread";
    rate("memory copy", bytes, started.elapsed(), how)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_floor_is_measured() {
        let dir = tempfile::tempdir().unwrap();
        let floors = measure(dir.path()).unwrap();
        let names: Vec<_> = floors.iter().map(|floor| floor.name.as_str()).collect();
        assert_eq!(
            names,
            [
                "disk append",
                "fsync p50",
                "fsync p99",
                "round trip p50",
                "round trip p99",
                "loopback",
                "call p50",
                "call p90",
                "call p99",
                "call p99.9",
                "CRC-32C",
                "memory copy"
            ]
        );
        assert!(floors.iter().all(|floor| floor.value > 0.0), "{floors:?}");
        // The floors of time once read 2 ns, the end of a histogram's first range:
        // no message passes between two threads in a tenth of a microsecond.
        let mut times = floors.iter().filter(|f| f.unit == Unit::Microseconds);
        assert!(times.all(|floor| floor.value > 0.1), "{floors:?}");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}
