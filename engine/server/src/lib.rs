//! A broker as a process: sockets, threads, clock and configuration.

use std::net::{SocketAddr, TcpListener};

/// What a server is started with.
#[derive(Clone, Debug)]
pub struct ServerConfig {
    /// `HOST:PORT` to listen on; port 0 takes any free port.
    pub listen: String,
}

/// Why a server could not start.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The address cannot be listened on.
    #[error("cannot listen on {listen}: {source}")]
    Listen {
        /// The address as configured.
        listen: String,
        /// Why not.
        source: std::io::Error,
    },
}

/// A server that accepts connections.
#[derive(Debug)]
pub struct Running {
    listener: TcpListener,
    addr: SocketAddr,
}

impl Running {
    /// The address that the server listens on.
    pub const fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Stops the server.
    pub fn shutdown(self) {
        drop(self.listener);
    }
}

/// Starts a server.
pub fn start(config: &ServerConfig) -> Result<Running, ServerError> {
    let error = |source| ServerError::Listen {
        listen: config.listen.clone(),
        source,
    };
    let listener = TcpListener::bind(&config.listen).map_err(error)?;
    let addr = listener.local_addr().map_err(error)?;
    Ok(Running { listener, addr })
}
