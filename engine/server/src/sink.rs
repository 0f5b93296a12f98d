//! The socket as a sink for answers.

use crate::outbound::Sink;
use plimsoll_log::FileRange;
use rustix::net::{SendAncillaryBuffer, SendFlags};
use std::io::{self, IoSlice};
use tokio::io::Interest;
use tokio::net::TcpStream;

/// How much of a file one call sends.
const FILE_BYTES: usize = 1024 * 1024;
/// How much of a file without a descriptor is copied at once.
const COPY_BYTES: usize = 64 * 1024;

/// Reads at most `most` of the range's bytes, all but the first `skip`, to the
/// front of `piece`.
pub fn read_some(
    range: &FileRange,
    skip: u64,
    piece: &mut Vec<u8>,
    most: usize,
) -> io::Result<usize> {
    let left = usize::try_from(range.len - skip).unwrap_or(usize::MAX);
    piece.resize(left.min(most), 0);
    range.file.read_at(piece, range.pos + skip)
}

impl Sink for &TcpStream {
    fn send(&mut self, slices: &[IoSlice<'_>], more: bool) -> io::Result<usize> {
        let flags = SendFlags::NOSIGNAL
            | if more {
                SendFlags::MORE
            } else {
                SendFlags::empty()
            };
        self.try_io(Interest::WRITABLE, || {
            Ok(match slices {
                [one] => rustix::net::send(*self, one, flags)?,
                many => {
                    let mut none = SendAncillaryBuffer::default();
                    rustix::net::sendmsg(*self, many, &mut none, flags)?
                }
            })
        })
    }

    fn send_file(&mut self, range: &FileRange, skip: u64) -> io::Result<usize> {
        let mut at = range.pos + skip;
        let left = usize::try_from(range.len - skip)
            .unwrap_or(usize::MAX)
            .min(FILE_BYTES);
        let Some(file) = range.file.as_file() else {
            let mut copy = Vec::new();
            let n = read_some(range, skip, &mut copy, COPY_BYTES)?;
            return if n == 0 {
                Ok(0)
            } else {
                self.send(&[IoSlice::new(&copy[..n])], false)
            };
        };
        self.try_io(Interest::WRITABLE, || {
            Ok(rustix::fs::sendfile(*self, file, Some(&mut at), left)?)
        })
    }
}
