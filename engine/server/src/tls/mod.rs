//! TLS on listeners: certificates in, encrypted connections out.
//!
//! The handshake and the records are rustls's; a [`TlsStream`] moves them over
//! a socket without ever blocking. Files pass through this process here, since
//! they have to be encrypted.

mod keys;
mod stream;

pub use keys::{ClientAuth, KeySettings, Pem, Tls};
pub use stream::TlsStream;
