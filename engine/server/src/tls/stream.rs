//! TLS over a socket that is never waited for.
//!
//! Invariant: plain bytes are taken only when the records of earlier ones have
//! left, so what waits here is bounded by [`PLAIN_BYTES`] and its overhead.

use super::keys::Tls;
use crate::outbound::Sink;
use crate::sink::read_some;
use bytes::buf::Limit;
use bytes::{BufMut as _, BytesMut};
use plimsoll_log::FileRange;
use rustls::{Error, ServerConnection};
use std::io::{self, BufRead as _, IoSlice, Read, Write};
use std::task::{Context, Poll, ready};
use tokio::net::TcpStream;

/// How many plain bytes are taken at once.
const PLAIN_BYTES: usize = 64 * 1024;

/// An encrypted connection.
pub struct TlsStream {
    socket: TcpStream,
    tls: ServerConnection,
    /// A piece of a file on its way.
    piece: Vec<u8>,
}

/// The socket, seen by rustls.
struct Raw<'a>(&'a TcpStream);

impl Read for Raw<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.try_read(buffer)
    }
}

impl Write for Raw<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.try_write(bytes)
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.0.try_write_vectored(slices)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl TlsStream {
    /// Waits for a client's handshake on `socket`.
    pub fn accept(socket: TcpStream, tls: &Tls) -> Result<Self, Error> {
        let mut tls = ServerConnection::new(std::sync::Arc::clone(&tls.0))?;
        tls.set_buffer_limit(Some(PLAIN_BYTES));
        Ok(Self {
            socket,
            tls,
            piece: Vec::new(),
        })
    }

    /// The socket below.
    pub const fn socket(&self) -> &TcpStream {
        &self.socket
    }

    /// Moves plain bytes that have arrived to `room`; none at the end.
    pub fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        room: &mut Limit<&mut BytesMut>,
    ) -> Poll<io::Result<usize>> {
        loop {
            match self.tls.reader().fill_buf() {
                Ok(plain) => {
                    let n = plain.len().min(room.remaining_mut());
                    room.put_slice(&plain[..n]);
                    self.tls.reader().consume(n);
                    return Poll::Ready(Ok(n));
                }
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
                // The peer left without a word of it: its requests are whole
                // or they are not, which frames tell.
                Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => return Poll::Ready(Ok(0)),
                Err(e) => return Poll::Ready(Err(e)),
            }
            ready!(self.poll_receive(cx))?;
        }
    }

    /// Takes records from the socket and answers those of the handshake.
    fn poll_receive(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            match self.tls.read_tls(&mut Raw(&self.socket)) {
                Ok(_) => break,
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                    ready!(self.socket.poll_read_ready(cx))?;
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Poll::Ready(Err(e)),
            }
        }
        let processed = self.tls.process_new_packets();
        // An alert tells the peer what was wrong, if it still listens.
        let flushed = self.poll_flush(cx);
        if let Err(error) = processed {
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, error)));
        }
        match flushed {
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            _ => Poll::Ready(Ok(())),
        }
    }

    /// Moves all records to the socket.
    pub fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            match self.push() {
                Ok(()) => return Poll::Ready(Ok(())),
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                    ready!(self.socket.poll_write_ready(cx))?;
                }
                Err(e) => return Poll::Ready(Err(e)),
            }
        }
    }

    /// Says that no more comes, as far as the socket takes it at once.
    pub fn close(&mut self) {
        self.tls.send_close_notify();
        let _peer_may_be_gone = self.push();
    }

    fn push(&mut self) -> io::Result<()> {
        while self.tls.wants_write() {
            match self.tls.write_tls(&mut Raw(&self.socket)) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(_) => {}
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }

    /// Encrypts what `take` hands over. Whether it has left, a later flush says.
    fn seal(&mut self, slices: &[IoSlice<'_>], more: bool) -> io::Result<usize> {
        self.push()?;
        let n = self.tls.writer().write_vectored(slices)?;
        if more {
            return Ok(n);
        }
        match self.push() {
            Err(e) if e.kind() != io::ErrorKind::WouldBlock => Err(e),
            _ => Ok(n),
        }
    }
}

impl Sink for TlsStream {
    fn send(&mut self, slices: &[IoSlice<'_>], more: bool) -> io::Result<usize> {
        self.seal(slices, more)
    }

    fn send_file(&mut self, range: &FileRange, skip: u64) -> io::Result<usize> {
        self.push()?;
        let mut piece = std::mem::take(&mut self.piece);
        let n = read_some(range, skip, &mut piece, PLAIN_BYTES)?;
        let sent = self.seal(&[IoSlice::new(&piece[..n])], false);
        self.piece = piece;
        sent
    }
}
