//! The client's side of TLS.
//!
//! Invariant: plain bytes are taken only when the records of earlier ones have
//! left, so what waits here is bounded by [`PLAIN_BYTES`] and its overhead; and
//! a read hands over every plain byte that is there, so that a poll of the
//! socket tells whether there will be more.

use super::pipe::{Pipe, wait};
use crate::clock::Mono;
use crate::error::DriveError;
use rustix::event::PollFlags;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, ClientConnection, DigitallySignedStruct, Error, RootCertStore,
    SignatureScheme,
};
use std::fmt;
use std::io::{self, BufRead as _, IoSlice, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;
use std::sync::Arc;

/// How many plain bytes are taken at once.
const PLAIN_BYTES: usize = 64 << 10;
/// How much one read takes before the caller looks at it.
const READ_BYTES: usize = 256 << 10;

/// Whom to trust and what to show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsSettings {
    /// A PEM file of the authorities that are trusted; the system's when absent.
    pub authorities: Option<PathBuf>,
    /// PEM files of one's own certificates and their key.
    pub identity: Option<(PathBuf, PathBuf)>,
    /// Whether a broker's certificate must name its host.
    pub checks_names: bool,
}

impl Default for TlsSettings {
    fn default() -> Self {
        Self {
            authorities: None,
            identity: None,
            checks_names: true,
        }
    }
}

/// Reads the files.
pub fn config(settings: &TlsSettings) -> Result<Arc<ClientConfig>, DriveError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let roots = Arc::new(roots(settings)?);
    let unusable = |error: &dyn fmt::Display| DriveError::Input(format!("TLS: {error}"));
    let verifier =
        WebPkiServerVerifier::builder_with_provider(Arc::clone(&roots), Arc::clone(&provider))
            .build()
            .map_err(|error| unusable(&error))?;
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| unusable(&error))?;
    let builder = if settings.checks_names {
        builder.with_webpki_verifier(verifier)
    } else {
        builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(AnyName(verifier)))
    };
    let config = match &settings.identity {
        None => builder.with_no_client_auth(),
        Some((chain, key)) => {
            let certificates = certificates("ssl.certificate.location", chain)?;
            let bytes = read("ssl.key.location", key)?;
            let key = PrivateKeyDer::from_pem_slice(&bytes).map_err(|_| {
                let at = key.display();
                DriveError::Input(format!(
                    "ssl.key.location {at}: no private key in it; PEM without a password is \
                     accepted"
                ))
            })?;
            builder
                .with_client_auth_cert(certificates, key)
                .map_err(|error| unusable(&error))?
        }
    };
    Ok(Arc::new(config))
}

fn roots(settings: &TlsSettings) -> Result<RootCertStore, DriveError> {
    let mut roots = RootCertStore::empty();
    if let Some(path) = &settings.authorities {
        for certificate in certificates("ssl.ca.location", path)? {
            roots.add(certificate).map_err(|error| {
                DriveError::Input(format!("ssl.ca.location {}: {error}", path.display()))
            })?;
        }
        return Ok(roots);
    }
    let system = rustls_native_certs::load_native_certs();
    let (added, _unreadable) = roots.add_parsable_certificates(system.certs);
    if added == 0 {
        return Err(DriveError::Input(
            "this system trusts no authority; give a PEM file as ssl.ca.location".into(),
        ));
    }
    Ok(roots)
}

fn read(property: &str, path: &PathBuf) -> Result<Vec<u8>, DriveError> {
    std::fs::read(path).map_err(|error| {
        let at = path.display();
        DriveError::Input(format!("{property} {at}: cannot be read: {error}"))
    })
}

fn certificates(
    property: &str,
    path: &PathBuf,
) -> Result<Vec<CertificateDer<'static>>, DriveError> {
    let bytes = read(property, path)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    found.ok().filter(|found| !found.is_empty()).ok_or_else(|| {
        let at = path.display();
        DriveError::Input(format!(
            "{property} {at}: no certificate in it; PEM is accepted, convert other stores \
                 with `keytool -exportcert -rfc` or openssl"
        ))
    })
}

/// Checks a broker's certificate in all but its name.
#[derive(Debug)]
struct AnyName(Arc<WebPkiServerVerifier>);

impl ServerCertVerifier for AnyName {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verified =
            self.0
                .verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
        match verified {
            Err(Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) => Ok(ServerCertVerified::assertion()),
            other => other,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}

/// An encrypted connection.
pub struct TlsPipe {
    socket: TcpStream,
    tls: ClientConnection,
}

/// Waits until both sides have agreed.
pub fn shake_hands(
    broker: &str,
    socket: TcpStream,
    config: &Arc<ClientConfig>,
    deadline: Mono,
) -> Result<Pipe, DriveError> {
    let refused = |reason: String| DriveError::Security {
        broker: broker.to_owned(),
        reason,
    };
    let host = broker.rsplit_once(':').map_or(broker, |(host, _)| host);
    let host = host
        .trim_start_matches('[')
        .trim_end_matches(']')
        .to_owned();
    let name = ServerName::try_from(host).map_err(|error| refused(error.to_string()))?;
    let mut tls = ClientConnection::new(Arc::clone(config), name)
        .map_err(|error| refused(error.to_string()))?;
    tls.set_buffer_limit(Some(PLAIN_BYTES));
    let mut pipe = TlsPipe { socket, tls };
    while pipe.tls.is_handshaking() || pipe.tls.wants_write() {
        let flags = match pipe.step() {
            Ok(flags) => flags,
            Err(error) => return Err(refused(handshake_words(&error))),
        };
        let ready = wait(&pipe.socket, flags, deadline).map_err(|source| DriveError::Io {
            broker: broker.to_owned(),
            action: "waiting",
            source,
        })?;
        if !ready {
            return Err(refused("no answer to the TLS handshake in time".into()));
        }
    }
    Ok(Pipe::Tls(Box::new(pipe)))
}

fn handshake_words(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset => {
            "it closed the connection in the TLS handshake; is this an SSL listener?".into()
        }
        _ => format!("the TLS handshake failed: {error}"),
    }
}

impl TlsPipe {
    /// The socket below.
    pub const fn socket(&self) -> &TcpStream {
        &self.socket
    }

    /// Whether records wait for room in the socket.
    pub fn holds_bytes(&self) -> bool {
        self.tls.wants_write()
    }

    /// One step of the handshake; what to wait for next.
    fn step(&mut self) -> io::Result<PollFlags> {
        match self.push() {
            Ok(()) => {}
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(PollFlags::OUT),
            Err(e) => return Err(e),
        }
        match self.pull() {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(_) => {}
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(PollFlags::IN),
            Err(e) => return Err(e),
        }
        let waits_for = if self.tls.wants_write() || !self.tls.is_handshaking() {
            PollFlags::OUT
        } else {
            PollFlags::IN
        };
        Ok(waits_for)
    }

    /// Moves records to the socket.
    fn push(&mut self) -> io::Result<()> {
        while self.tls.wants_write() {
            match self.tls.write_tls(&mut self.socket) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(_) => {}
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }

    /// Takes records from the socket; 0 at its end.
    fn pull(&mut self) -> io::Result<usize> {
        let n = loop {
            match self.tls.read_tls(&mut self.socket) {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                read => break read?,
            }
        };
        if let Err(error) = self.tls.process_new_packets() {
            // An alert tells the broker what was wrong, if it still listens.
            let _sent = self.push();
            return Err(io::Error::new(io::ErrorKind::InvalidData, error));
        }
        Ok(n)
    }

    /// Writes as [`Pipe::write`] does.
    pub fn write(&mut self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        self.push()?;
        let n = self.tls.writer().write_vectored(parts)?;
        match self.push() {
            Err(e) if e.kind() != io::ErrorKind::WouldBlock => Err(e),
            _ => Ok(n),
        }
    }

    /// Reads as [`Pipe::read`] does.
    pub fn read(&mut self, input: &mut Vec<u8>) -> io::Result<usize> {
        let before = input.len();
        let mut stopped = None;
        while stopped.is_none() && input.len() - before < READ_BYTES {
            stopped = match self.pull() {
                Ok(0) => Some(Ok(0)),
                Ok(_) => None,
                Err(error) => Some(Err(error)),
            };
            self.drain(input)?;
        }
        match (input.len() - before, stopped) {
            (0, Some(stopped)) => stopped,
            (n, _) => Ok(n),
        }
    }

    fn drain(&mut self, input: &mut Vec<u8>) -> io::Result<()> {
        let mut reader = self.tls.reader();
        loop {
            let n = match reader.fill_buf() {
                Ok([]) => return Ok(()),
                Ok(plain) => {
                    input.extend_from_slice(plain);
                    plain.len()
                }
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
                Err(e) => return Err(e),
            };
            reader.consume(n);
        }
    }
}

impl fmt::Debug for TlsPipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TlsPipe").field(&self.socket).finish()
    }
}
