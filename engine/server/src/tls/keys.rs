//! From PEM to what rustls serves with.
//!
//! No error shows a key: it names the property and, when there is one, the file.

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, SupportedProtocolVersion};
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

/// Where a PEM text is.
#[derive(Clone)]
pub enum Pem {
    /// In a file.
    File(PathBuf),
    /// Here.
    Text(String),
}

impl Pem {
    fn read(&self) -> Result<Vec<u8>, String> {
        match self {
            Self::Text(text) => Ok(text.clone().into_bytes()),
            Self::File(path) => std::fs::read(path).map_err(|error| {
                let why = crate::error::reason(&error);
                format!("{}: cannot be read: {why}", path.display())
            }),
        }
    }

    fn at(&self) -> String {
        match self {
            Self::File(path) => path.display().to_string(),
            Self::Text(_) => "the value".to_owned(),
        }
    }

    /// Every certificate in it.
    fn certificates(&self) -> Result<Vec<CertificateDer<'static>>, String> {
        let bytes = self.read()?;
        let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
        let found = found.map_err(|error| format!("{}: not PEM: {error}", self.at()))?;
        if found.is_empty() {
            return Err(format!(
                "{}: no certificate in it; PEM is accepted, convert other stores with \
                 `openssl pkcs12 -nodes` or keytool",
                self.at()
            ));
        }
        Ok(found)
    }

    fn key(&self) -> Result<PrivateKeyDer<'static>, String> {
        PrivateKeyDer::from_pem_slice(&self.read()?).map_err(|_| {
            let at = self.at();
            format!("{at}: no private key in it; PEM without a password is accepted")
        })
    }
}

/// Whether clients show a certificate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClientAuth {
    /// They are not asked.
    #[default]
    None,
    /// They may.
    Requested,
    /// They must.
    Required,
}

/// What a listener's TLS is made from.
#[derive(Clone)]
pub struct KeySettings {
    /// The node's certificates, its own first.
    pub chain: Pem,
    /// Its private key.
    pub key: Pem,
    /// Whose clients are trusted.
    pub trust: Option<Pem>,
    /// Whether they have to show it.
    pub client_auth: ClientAuth,
    /// Names of the versions that are spoken.
    pub versions: Vec<String>,
}

/// What a listener encrypts with.
#[derive(Clone)]
pub struct Tls(pub(super) Arc<ServerConfig>);

impl Tls {
    /// Reads certificates and keys.
    ///
    /// # Errors
    /// With the property that is wrong, and why.
    pub fn load(settings: &KeySettings) -> Result<Self, (&'static str, String)> {
        let chain = settings.chain.certificates();
        let chain = chain.map_err(|why| ("ssl.keystore.location", why))?;
        let key = settings.key.key();
        let key = key.map_err(|why| ("ssl.keystore.location", why))?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let versions = versions(&settings.versions);
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&versions)
            .map_err(|error| ("ssl.enabled.protocols", error.to_string()))?;
        let builder = if settings.client_auth == ClientAuth::None {
            builder.with_no_client_auth()
        } else {
            let trust = settings.trust.as_ref().ok_or_else(|| {
                let why = "set it too: ssl.client.auth needs to know whom to trust";
                ("ssl.truststore.location", why.to_owned())
            })?;
            let roots = roots(trust).map_err(|why| ("ssl.truststore.location", why))?;
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            let verifier = match settings.client_auth {
                ClientAuth::Requested => verifier.allow_unauthenticated(),
                _ => verifier,
            };
            let verifier = verifier
                .build()
                .map_err(|error| ("ssl.truststore.location", error.to_string()))?;
            builder.with_client_cert_verifier(verifier)
        };
        let config = builder
            .with_single_cert(chain, key)
            .map_err(|error| ("ssl.keystore.location", error.to_string()))?;
        Ok(Self(Arc::new(config)))
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tls")
    }
}

fn roots(trust: &Pem) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    for certificate in trust.certificates()? {
        roots
            .add(certificate)
            .map_err(|error| format!("{}: {error}", trust.at()))?;
    }
    Ok(roots)
}

fn versions(names: &[String]) -> Vec<&'static SupportedProtocolVersion> {
    let known = [
        ("TLSv1.2", &rustls::version::TLS12),
        ("TLSv1.3", &rustls::version::TLS13),
    ];
    let wanted = |name: &str| names.iter().any(|one| one == name);
    known
        .into_iter()
        .filter(|(name, _)| wanted(name))
        .map(|(_, version)| version)
        .collect()
}
