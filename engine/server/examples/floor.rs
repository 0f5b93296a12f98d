//! The floor: the least that a broker's work can cost on this machine.
//!
//! `floor DIR` listens twice and prints `ready PRODUCE_ADDRESS FETCH_ADDRESS`.
//! - To the first address come frames (a 4-byte length and that many bytes).
//!   Each is checksummed (CRC-32C), written to a file in `DIR` and answered
//!   with its own bytes 4 to 8, which is where Kafka keeps a correlation id.
//! - To the second come frames of 12 bytes, a position and a length; each is
//!   answered with the length and those bytes of the file, by `sendfile`.
//!
//! A thread blocks on each connection: no readiness, no timers, no limits and
//! no meaning, which is what makes it the floor. Each connection to the first
//! address writes a file of its own, and each to the second reads the newest.
//! It ends when its standard input does.

use plimsoll_wire::batch::crc32c;
use std::fs::File;
use std::hint::black_box;
use std::io::{self, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// The largest frame that is taken.
const FRAME_BYTES_MAX: usize = 8 * 1024 * 1024;

/// How many files there have been.
static FILES: AtomicU64 = AtomicU64::new(0);

fn file_name(dir: &Path, number: u64) -> PathBuf {
    dir.join(format!("floor-{number}.data"))
}

fn main() -> io::Result<()> {
    let dir = std::env::args_os().nth(1).map(PathBuf::from);
    let dir = dir.ok_or_else(|| io::Error::other("usage: floor DIR"))?;
    let produce = TcpListener::bind("127.0.0.1:0")?;
    let fetch = TcpListener::bind("127.0.0.1:0")?;
    println!("ready {} {}", produce.local_addr()?, fetch.local_addr()?);
    let produced = dir.clone();
    std::thread::spawn(move || accept(&produce, &produced, receive));
    std::thread::spawn(move || accept(&fetch, &dir, send));
    io::copy(&mut io::stdin(), &mut io::sink())?;
    Ok(())
}

fn accept(listener: &TcpListener, dir: &Path, serve: fn(TcpStream, &Path) -> io::Result<()>) {
    for stream in listener.incoming().flatten() {
        let dir = dir.to_owned();
        std::thread::spawn(move || {
            let served = stream.set_nodelay(true).and_then(|()| serve(stream, &dir));
            if let Err(error) = served {
                eprintln!("a connection ended: {error}");
            }
        });
    }
}

/// Checksums, writes and answers frames until the peer goes.
fn receive(mut stream: TcpStream, dir: &Path) -> io::Result<()> {
    let number = FILES.fetch_add(1, Ordering::Relaxed) + 1;
    let file = File::create(file_name(dir, number))?;
    let mut buffer = vec![0u8; FRAME_BYTES_MAX];
    let (mut filled, mut position) = (0, 0);
    loop {
        let frame = match buffer[..filled].first_chunk::<4>() {
            Some(length) => 4 + u32::from_be_bytes(*length) as usize,
            None => 4,
        };
        if filled >= frame && frame > 12 {
            let body = &buffer[4..frame];
            black_box(crc32c(body));
            file.write_all_at(body, position)?;
            position += body.len() as u64;
            let mut answer = [0, 0, 0, 4, 0, 0, 0, 0];
            answer[4..].copy_from_slice(&body[4..8]);
            stream.write_all(&answer)?;
            buffer.copy_within(frame..filled, 0);
            filled -= frame;
            continue;
        }
        let end = (frame + 4).min(buffer.len());
        match stream.read(&mut buffer[filled..end])? {
            0 => break,
            n => filled += n,
        }
    }
    Ok(())
}

/// Sends ranges of the file until the peer goes.
fn send(mut stream: TcpStream, dir: &Path) -> io::Result<()> {
    let file = File::open(file_name(dir, FILES.load(Ordering::Relaxed)))?;
    let mut request = [0; 16];
    while stream.read_exact(&mut request).is_ok() {
        let (at, length) = request[4..].split_at(8);
        let mut at = u64::from_be_bytes(at.try_into().map_err(io::Error::other)?);
        let length: [u8; 4] = length.try_into().map_err(io::Error::other)?;
        let mut left = u32::from_be_bytes(length) as usize;
        rustix::net::send(&stream, &length, rustix::net::SendFlags::MORE)?;
        while left > 0 {
            match rustix::fs::sendfile(&stream, &file, Some(&mut at), left)? {
                0 => return Err(io::Error::other("the file ends before the range")),
                n => left -= n,
            }
        }
    }
    Ok(())
}
