//! A connection on its way to its worker.

use crate::context::Ticket;
use crate::stream::Stream;
use crate::tls::{Tls, TlsStream};
use std::io;
use std::net::SocketAddr;
use tokio::net::TcpStream;

/// A connection on its way to its worker.
pub struct Arrival {
    /// Its socket, which belongs to no runtime yet.
    pub socket: Option<std::net::TcpStream>,
    /// Who is there.
    pub peer: SocketAddr,
    /// By which entrance it came.
    pub entrance: usize,
    /// What that entrance encrypts with.
    pub tls: Option<Tls>,
    /// Its place among the guests.
    pub ticket: Ticket,
}

impl Arrival {
    /// The socket, on the runtime of this thread.
    pub fn open(&mut self) -> io::Result<Stream> {
        let socket = self.socket.take().ok_or(io::ErrorKind::NotConnected)?;
        let socket = TcpStream::from_std(socket)?;
        Ok(match &self.tls {
            None => Stream::Plain(socket),
            Some(tls) => {
                let stream = TlsStream::accept(socket, tls).map_err(io::Error::other)?;
                Stream::Tls(Box::new(stream))
            }
        })
    }
}
