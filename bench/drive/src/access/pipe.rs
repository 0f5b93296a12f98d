//! A connection's bytes, encrypted or not, never waited for.

use super::tls::TlsPipe;
use crate::clock::{Mono, timespec};
use crate::error::DriveError;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use std::io::{self, IoSlice};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::time::Duration;

/// A connection's bytes.
#[derive(Debug)]
pub enum Pipe {
    /// In plain text.
    Plain(TcpStream),
    /// Encrypted.
    Tls(Box<TlsPipe>),
}

impl Pipe {
    /// The socket, to poll.
    pub const fn socket(&self) -> &TcpStream {
        match self {
            Self::Plain(socket) => socket,
            Self::Tls(pipe) => pipe.socket(),
        }
    }

    /// Writes what the socket takes.
    ///
    /// # Errors
    /// `WouldBlock` when it takes nothing.
    pub fn write(&mut self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => Ok(rustix::io::writev(socket, parts)?),
            Self::Tls(pipe) => pipe.write(parts),
        }
    }

    /// Appends what has arrived to `input`; 0 at the end.
    ///
    /// # Errors
    /// `WouldBlock` when nothing has.
    pub fn read(&mut self, input: &mut Vec<u8>) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => {
                let room = rustix::buffer::spare_capacity(input);
                Ok(rustix::io::read(socket, room)?)
            }
            Self::Tls(pipe) => pipe.read(input),
        }
    }

    /// Whether bytes that were taken have not reached the socket. They go on
    /// with the next write, even of nothing.
    pub fn holds_bytes(&self) -> bool {
        match self {
            Self::Plain(_) => false,
            Self::Tls(pipe) => pipe.holds_bytes(),
        }
    }
}

/// A socket that does not block, connected to `broker` (`HOST:PORT`).
pub fn connect(broker: &str, deadline: Mono) -> Result<TcpStream, DriveError> {
    let io = |action, source| DriveError::Io {
        broker: broker.to_owned(),
        action,
        source,
    };
    let addresses = broker.to_socket_addrs().map_err(|e| io("resolving", e))?;
    let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for address in addresses {
        let left = Duration::from_nanos(deadline.since(Mono::now()));
        if left.is_zero() {
            last = io::ErrorKind::TimedOut.into();
            break;
        }
        match TcpStream::connect_timeout(&address, left) {
            Ok(stream) => {
                stream.set_nodelay(true).map_err(|e| io("configuring", e))?;
                stream
                    .set_nonblocking(true)
                    .map_err(|e| io("configuring", e))?;
                return Ok(stream);
            }
            Err(error) => last = error,
        }
    }
    Err(io("connecting", last))
}

/// Waits until the socket is ready; `false` when the deadline comes first.
pub fn wait(socket: &TcpStream, flags: PollFlags, deadline: Mono) -> io::Result<bool> {
    loop {
        let left = deadline.since(Mono::now());
        if left == 0 {
            return Ok(false);
        }
        let mut fds = [PollFd::new(socket, flags)];
        match poll(&mut fds, Some(&timespec(left))) {
            Ok(0) | Err(Errno::INTR) => {}
            Ok(_) => return Ok(true),
            Err(error) => return Err(error.into()),
        }
    }
}
