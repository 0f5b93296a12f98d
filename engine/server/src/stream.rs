//! A connection's socket, encrypted or not.
//!
//! A plain one goes the way it always went: straight from the socket to the
//! buffer, and from files to the socket.

use crate::outbound::Outbound;
use crate::tls::TlsStream;
use bytes::BytesMut;
use bytes::buf::Limit;
use std::io;
use std::task::{Context, Poll, ready};
use tokio::net::TcpStream;

/// A connection's socket.
pub enum Stream {
    /// In plain text.
    Plain(TcpStream),
    /// Encrypted.
    Tls(Box<TlsStream>),
}

impl Stream {
    /// Reads what has arrived; no bytes at the end.
    pub fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        room: &mut Limit<&mut BytesMut>,
    ) -> Poll<io::Result<usize>> {
        let socket = match self {
            Self::Plain(socket) => socket,
            Self::Tls(stream) => return stream.poll_read(cx, room),
        };
        loop {
            match socket.try_read_buf(room) {
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                    ready!(socket.poll_read_ready(cx))?;
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                read => return Poll::Ready(read),
            }
        }
    }

    /// Writes as [`Outbound::write`] does.
    pub fn write(&mut self, outbound: &mut Outbound, written: &mut u64) -> io::Result<()> {
        match self {
            Self::Plain(socket) => outbound.write(&mut &*socket, written),
            Self::Tls(stream) => outbound.write(&mut **stream, written),
        }
    }

    /// Whether the socket takes more.
    pub fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Plain(socket) => socket.poll_write_ready(cx),
            Self::Tls(stream) => stream.socket().poll_write_ready(cx),
        }
    }

    /// Moves what was taken and is still here to the socket.
    pub fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Plain(_) => Poll::Ready(Ok(())),
            Self::Tls(stream) => stream.poll_flush(cx),
        }
    }

    /// Says that no more comes.
    pub fn close(&mut self) {
        if let Self::Tls(stream) = self {
            stream.close();
        }
    }
}
