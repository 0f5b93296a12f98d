//! From responses to a socket: what is queued leaves in order, in as few
//! system calls as there are runs of memory and ranges of files.
//!
//! A range of a file goes to the socket without passing through this process,
//! and the bytes before it wait in the socket for it (`MSG_MORE`), so that a
//! fetch response leaves as full packets.

use crate::service::{Part, Response};
use plimsoll_log::FileRange;
use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::path::PathBuf;

/// How many runs of bytes one gathered write takes.
const GATHER_MAX: usize = 64;

/// How much is written before other connections get their turn.
const TURN_BYTES: u64 = 4 * 1024 * 1024;

/// Where bytes go: a non-blocking socket.
pub trait Sink {
    /// Writes from `slices`; `more` says that a file's bytes follow at once.
    fn send(&mut self, slices: &[IoSlice<'_>], more: bool) -> io::Result<usize>;
    /// Writes from the range's bytes, all but the first `skip`.
    fn send_file(&mut self, range: &FileRange, skip: u64) -> io::Result<usize>;
}

/// Responses on their way out.
#[derive(Debug, Default)]
pub struct Outbound {
    parts: VecDeque<Part>,
    /// How much of the first part has been written.
    sent: u64,
    /// The bytes of memory, not of files, that the parts hold.
    held: usize,
}

impl Outbound {
    /// Queues a response behind what is there.
    pub fn push(&mut self, response: Response) {
        for part in response.parts {
            if let Part::Bytes(bytes) = &part {
                self.held += bytes.len();
            }
            if length(&part) > 0 {
                self.parts.push_back(part);
            }
        }
    }

    /// Whether everything has been written.
    pub fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// How many bytes of memory wait to be written.
    pub const fn held_bytes(&self) -> usize {
        self.held
    }

    /// Writes until everything is out, [`TURN_BYTES`] are, or the sink would
    /// block, which is returned as its error. Counts the bytes in `written`.
    pub fn write(&mut self, sink: &mut impl Sink, written: &mut u64) -> io::Result<()> {
        loop {
            let n = match self.parts.front() {
                None => return Ok(()),
                Some(_) if *written >= TURN_BYTES => return Ok(()),
                Some(Part::Bytes(_)) => self.gather(|slices, more| sink.send(slices, more))?,
                Some(Part::File(range)) => sink
                    .send_file(range, self.sent)
                    .map_err(|error| blame(range, error))?,
            };
            if n == 0 {
                return Err(io::Error::new(
                    io::ErrorKind::WriteZero,
                    "nothing more can be sent",
                ));
            }
            *written += n as u64;
            self.advance(n);
        }
    }

    /// Hands the bytes up to the next file range to `send`.
    fn gather<R>(&self, send: impl FnOnce(&[IoSlice<'_>], bool) -> R) -> R {
        let mut slices = [IoSlice::new(&[]); GATHER_MAX];
        let (mut count, mut more) = (0, false);
        let mut skip = usize::try_from(self.sent).unwrap_or(usize::MAX);
        for part in &self.parts {
            match part {
                Part::Bytes(bytes) if count < GATHER_MAX => {
                    slices[count] = IoSlice::new(&bytes[skip..]);
                    skip = 0;
                    count += 1;
                }
                _ => {
                    more = true;
                    break;
                }
            }
        }
        send(&slices[..count], more)
    }

    /// Forgets the first `n` bytes.
    fn advance(&mut self, n: usize) {
        let mut n = n as u64;
        while let Some(part) = self.parts.front() {
            let left = length(part) - self.sent;
            if n < left {
                self.sent += n;
                return;
            }
            n -= left;
            self.sent = 0;
            if let Some(Part::Bytes(bytes)) = self.parts.pop_front() {
                self.held -= bytes.len();
            }
        }
        assert!(n == 0, "more was sent than was queued");
    }
}

/// A file that could not be read while it was sent.
#[derive(Debug, thiserror::Error)]
#[error("cannot read {}: {source}", path.display())]
pub struct FileFailed {
    /// What it was called when it was opened.
    pub path: PathBuf,
    /// What the disk said.
    pub source: io::Error,
}

/// Tells the errors that only a disk gives from those of the socket.
fn blame(range: &FileRange, error: io::Error) -> io::Error {
    const EIO: i32 = rustix::io::Errno::IO.raw_os_error();
    if error.raw_os_error() != Some(EIO) {
        return error;
    }
    io::Error::other(FileFailed {
        path: range.file.path().to_owned(),
        source: error,
    })
}

fn length(part: &Part) -> u64 {
    match part {
        Part::Bytes(bytes) => bytes.len() as u64,
        Part::File(range) => range.len,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use plimsoll_log::{Disk as _, MemDisk, Open};
    use proptest::prelude::*;
    use std::path::Path;
    use std::sync::Arc;

    /// Takes a few bytes at a time and blocks now and then.
    struct Narrow {
        out: Vec<u8>,
        takes: Vec<usize>,
        turn: usize,
    }

    impl Narrow {
        fn take(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let most = self.takes[self.turn % self.takes.len()];
            self.turn += 1;
            if most == 0 {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            let n = most.min(bytes.len());
            self.out.extend(&bytes[..n]);
            Ok(n)
        }
    }

    impl Sink for Narrow {
        fn send(&mut self, slices: &[IoSlice<'_>], _more: bool) -> io::Result<usize> {
            let gathered: Vec<u8> = slices.iter().flat_map(|s| s.iter().copied()).collect();
            self.take(&gathered)
        }

        fn send_file(&mut self, range: &FileRange, skip: u64) -> io::Result<usize> {
            let mut bytes = Vec::new();
            range.read_into(&mut bytes)?;
            self.take(&bytes[skip as usize..])
        }
    }

    fn response(pieces: &[(bool, usize)], seed: u8) -> (Response, Vec<u8>) {
        let disk = MemDisk::default();
        let mut expected = Vec::new();
        let parts = pieces.iter().enumerate().map(|(i, &(in_file, len))| {
            let bytes: Vec<u8> = (0..len).map(|b| (b + i) as u8 ^ seed).collect();
            expected.extend(&bytes);
            if !in_file {
                return Part::Bytes(Bytes::from(bytes));
            }
            let file = disk
                .open(Path::new(&format!("/{i}")), Open::Create)
                .unwrap();
            file.write_at(&bytes, 5).unwrap();
            Part::File(FileRange {
                file: Arc::clone(&file),
                pos: 5,
                len: len as u64,
            })
        });
        (Response::of(parts.collect()), expected)
    }

    proptest! {
        #[test]
        fn everything_leaves_in_order_however_little_the_sink_takes(
            first in prop::collection::vec((any::<bool>(), 0usize..300), 0..8),
            second in prop::collection::vec((any::<bool>(), 0usize..300), 0..80),
            takes in prop::collection::vec(0usize..200, 1..6),
        ) {
            prop_assume!(takes.iter().any(|&t| t > 0));
            let mut sink = Narrow { out: Vec::new(), takes, turn: 0 };
            let mut outbound = Outbound::default();
            let mut expected = Vec::new();
            let mut written = 0;
            for (pieces, seed) in [(&first, 1), (&second, 2)] {
                let (response, bytes) = response(pieces, seed);
                outbound.push(response);
                expected.extend(bytes);
                let _may_block = outbound.write(&mut sink, &mut written);
            }
            while let Err(e) = outbound.write(&mut sink, &mut written) {
                prop_assert_eq!(e.kind(), io::ErrorKind::WouldBlock);
            }
            prop_assert!(outbound.is_empty());
            prop_assert_eq!(outbound.held_bytes(), 0);
            prop_assert_eq!(written, expected.len() as u64);
            prop_assert_eq!(sink.out, expected);
        }
    }

    #[test]
    fn a_large_file_is_sent_in_turns() {
        let (large, expected) = response(&[(true, 3 * TURN_BYTES as usize)], 0);
        let mut outbound = Outbound::default();
        outbound.push(large);
        let (out, takes) = (Vec::new(), vec![1 << 20]);
        let mut sink = Narrow {
            out,
            takes,
            turn: 0,
        };
        for turn in 1..=3 {
            assert!(!outbound.is_empty());
            outbound.write(&mut sink, &mut 0).unwrap();
            assert_eq!(sink.out.len() as u64, turn * TURN_BYTES);
        }
        assert!(outbound.is_empty() && sink.out == expected);
    }

    #[test]
    fn a_disk_that_cannot_be_read_is_told_from_a_socket_that_is_gone() {
        struct Fails(i32);
        impl Sink for Fails {
            fn send(&mut self, _: &[IoSlice<'_>], _: bool) -> io::Result<usize> {
                unreachable!("there is only a file")
            }
            fn send_file(&mut self, _: &FileRange, _: u64) -> io::Result<usize> {
                Err(io::Error::from_raw_os_error(self.0))
            }
        }
        let check = |errno: rustix::io::Errno, blamed: Option<&str>| {
            let mut outbound = Outbound::default();
            outbound.push(response(&[(true, 10)], 0).0);
            let error = outbound
                .write(&mut Fails(errno.raw_os_error()), &mut 0)
                .unwrap_err();
            let file = error.get_ref().and_then(|e| e.downcast_ref::<FileFailed>());
            assert_eq!(file.map(|f| f.path.to_str().unwrap()), blamed, "{error}");
        };
        check(rustix::io::Errno::IO, Some("/0"));
        check(rustix::io::Errno::CONNRESET, None);
    }

    #[test]
    fn a_file_that_lost_its_end_ends_the_connection_instead_of_spinning() {
        struct Cut;
        impl Sink for Cut {
            fn send(&mut self, _: &[IoSlice<'_>], _: bool) -> io::Result<usize> {
                unreachable!("there is only a file")
            }
            fn send_file(&mut self, _: &FileRange, _: u64) -> io::Result<usize> {
                Ok(0)
            }
        }
        let mut outbound = Outbound::default();
        outbound.push(response(&[(true, 10)], 0).0);
        let error = outbound.write(&mut Cut, &mut 0).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::WriteZero);
    }
}
