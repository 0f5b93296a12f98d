//! SCRAM, both sides: a password is proven without being sent. RFC 5802 and
//! RFC 7677 as Kafka uses them (KIP-84): no channel binding, SHA-256 or SHA-512.
//!
//! The client's half is [`ClientExchange`], the server's [`ServerExchange`];
//! each is fed messages and answers with messages, and random nonces are
//! arguments. A server keeps [`Credential`]s, from which no password can be
//! told. Secrets are compared in constant time, and no `Debug` shows one.

mod client;
mod message;
mod server;

pub use client::ClientExchange;
pub use server::{ServerExchange, first_user};

use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256, Sha512};
use std::fmt;

/// The fewest hashing rounds that Kafka accepts.
pub const ITERATIONS_MIN: u32 = 4096;
/// The most; each costs the server time for a client that is not yet known.
pub const ITERATIONS_MAX: u32 = 16_384;
/// The longest message that is read.
pub const MESSAGE_BYTES_MAX: usize = 4096;

/// A mechanism of the family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ScramMechanism {
    /// SCRAM-SHA-256.
    Sha256,
    /// SCRAM-SHA-512.
    Sha512,
}

/// Why an exchange failed. The words are for a log, not for the peer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScramError {
    /// A message is not of SCRAM.
    #[error("not a SCRAM message: {0}")]
    Malformed(&'static str),
    /// The peer wants what is not offered.
    #[error("{0} is not offered")]
    NotOffered(&'static str),
    /// The proof, or the server's signature, is wrong.
    #[error("the proof is wrong")]
    WrongProof,
    /// The server refused, in its own words.
    #[error("the server refused: {0}")]
    Refused(String),
}

impl ScramMechanism {
    /// Both, weaker first.
    pub const ALL: [Self; 2] = [Self::Sha256, Self::Sha512];

    /// The name in SASL.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "SCRAM-SHA-256",
            Self::Sha512 => "SCRAM-SHA-512",
        }
    }

    /// Kafka's number.
    pub const fn code(self) -> i8 {
        match self {
            Self::Sha256 => 1,
            Self::Sha512 => 2,
        }
    }

    /// The mechanism of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.name() == name)
    }

    /// The mechanism of Kafka's number.
    pub fn from_code(code: i8) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.code() == code)
    }

    /// `SaltedPassword`: the password hashed `iterations` times.
    pub fn salted_password(self, password: &str, salt: &[u8], iterations: u32) -> Vec<u8> {
        let (password, bytes) = (password.as_bytes(), self.hash_bytes());
        let mut out = vec![0; bytes];
        match self {
            Self::Sha256 => {
                pbkdf2::pbkdf2_hmac::<Sha256>(password, salt, iterations, &mut out);
            }
            Self::Sha512 => {
                pbkdf2::pbkdf2_hmac::<Sha512>(password, salt, iterations, &mut out);
            }
        }
        out
    }

    const fn hash_bytes(self) -> usize {
        match self {
            Self::Sha256 => 32,
            Self::Sha512 => 64,
        }
    }

    fn hash(self, bytes: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha256 => Sha256::digest(bytes).to_vec(),
            Self::Sha512 => Sha512::digest(bytes).to_vec(),
        }
    }

    fn hmac(self, key: &[u8], bytes: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha256 => sign::<Hmac<Sha256>>(key, bytes),
            Self::Sha512 => sign::<Hmac<Sha512>>(key, bytes),
        }
    }

    fn client_key(self, salted: &[u8]) -> Vec<u8> {
        self.hmac(salted, b"Client Key")
    }

    fn server_key(self, salted: &[u8]) -> Vec<u8> {
        self.hmac(salted, b"Server Key")
    }
}

fn sign<M: Mac + hmac::digest::KeyInit>(key: &[u8], bytes: &[u8]) -> Vec<u8> {
    // HMAC takes a key of any length, so there is always a signature.
    <M as Mac>::new_from_slice(key)
        .map(|mac| mac.chain_update(bytes).finalize().into_bytes().to_vec())
        .unwrap_or_default()
}

/// What a server keeps of a user's password.
#[derive(Clone, PartialEq, Eq)]
pub struct Credential {
    /// Makes equal passwords different.
    pub salt: Vec<u8>,
    /// The hash of the client's key: checks a client's proof.
    pub stored_key: Vec<u8>,
    /// Signs the server's own proof.
    pub server_key: Vec<u8>,
    /// How often the password is hashed.
    pub iterations: u32,
}

impl Credential {
    /// The credential of a password that has been salted, as a client sends it
    /// to be stored.
    pub fn of_salted(
        mechanism: ScramMechanism,
        salted: &[u8],
        salt: Vec<u8>,
        iterations: u32,
    ) -> Self {
        Self {
            salt,
            stored_key: mechanism.hash(&mechanism.client_key(salted)),
            server_key: mechanism.server_key(salted),
            iterations,
        }
    }

    /// The credential of a password.
    pub fn new(mechanism: ScramMechanism, password: &str, salt: Vec<u8>, iterations: u32) -> Self {
        let salted = mechanism.salted_password(password, &salt, iterations);
        Self::of_salted(mechanism, &salted, salt, iterations)
    }

    fn is_proven(&self, mechanism: ScramMechanism, proof: &[u8], auth_message: &str) -> bool {
        let signature = mechanism.hmac(&self.stored_key, auth_message.as_bytes());
        proof.len() == signature.len()
            && same(&mechanism.hash(&xor(proof, &signature)), &self.stored_key)
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credential")
            .field("iterations", &self.iterations)
            .finish_non_exhaustive()
    }
}

fn xor(a: &[u8], b: &[u8]) -> Vec<u8> {
    a.iter().zip(b).map(|(a, b)| a ^ b).collect()
}

/// Whether two secrets are equal, in a time that does not tell where they differ.
pub fn same(a: &[u8], b: &[u8]) -> bool {
    let differing = a.iter().zip(b).fold(0, |all, (a, b)| all | (a ^ b));
    a.len() == b.len() && std::hint::black_box(differing) == 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The exchange of RFC 7677, section 3.
    const NONCE: &str = "rOprNGfwEbeRWgbNEkqO";
    const SERVER_NONCE: &str = "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
    const SALT: &[u8] = &[
        0x5b, 0x6d, 0x99, 0x68, 0x9d, 0x12, 0x35, 0x8e, 0xec, 0xa0, 0x4b, 0x14, 0x12, 0x36, 0xfa,
        0x81,
    ];

    fn credential(mechanism: ScramMechanism, password: &str) -> Credential {
        Credential::new(mechanism, password, SALT.to_vec(), ITERATIONS_MIN)
    }

    #[test]
    fn both_sides_say_what_the_rfc_prints() {
        let sha256 = ScramMechanism::Sha256;
        let (mut client, first) = ClientExchange::begin(sha256, "user", "pencil", NONCE);
        assert_eq!(first, b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO");
        assert_eq!(first_user(&first), Ok("user".to_owned()));
        let (server, challenge) =
            ServerExchange::begin(sha256, &first, SERVER_NONCE, credential(sha256, "pencil"))
                .unwrap();
        assert_eq!(
            String::from_utf8_lossy(&challenge),
            "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
        );
        let proof = client.prove(&challenge).unwrap();
        assert_eq!(
            String::from_utf8_lossy(&proof),
            "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
             p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
        );
        let verdict = server.verify(&proof).unwrap();
        assert_eq!(
            String::from_utf8_lossy(&verdict),
            "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="
        );
        assert_eq!(client.check(&verdict), Ok(()));
    }

    #[test]
    fn only_the_password_opens() {
        let check = |mechanism, user: &str, password: &str, tried: &str, expected| {
            let (mut client, first) = ClientExchange::begin(mechanism, user, tried, "nonce");
            assert_eq!(first_user(&first).as_deref(), Ok(user));
            let kept = credential(mechanism, password);
            let (server, challenge) =
                ServerExchange::begin(mechanism, &first, "more", kept).unwrap();
            let verdict = server.verify(&client.prove(&challenge).unwrap());
            assert_eq!(
                verdict.map(|v| client.check(&v)),
                expected,
                "{user} {password} {tried}"
            );
        };
        for mechanism in ScramMechanism::ALL {
            check(mechanism, "alice", "secret", "secret", Ok(Ok(())));
            check(mechanism, "a,b=c", "", "", Ok(Ok(())));
            check(mechanism, "é", "pässwörd", "pässwörd", Ok(Ok(())));
            check(
                mechanism,
                "alice",
                "secret",
                "Secret",
                Err(ScramError::WrongProof),
            );
            check(
                mechanism,
                "alice",
                "secret",
                "",
                Err(ScramError::WrongProof),
            );
        }
    }

    #[test]
    fn a_server_that_does_not_know_the_password_is_found_out() {
        let sha512 = ScramMechanism::Sha512;
        let (mut client, first) = ClientExchange::begin(sha512, "alice", "secret", "nonce");
        let kept = credential(sha512, "other");
        let (_, challenge) = ServerExchange::begin(sha512, &first, "more", kept).unwrap();
        client.prove(&challenge).unwrap();
        assert_eq!(client.check(b"v=AAAA"), Err(ScramError::WrongProof));
        assert_eq!(
            client.check(b"e=other-error"),
            Err(ScramError::Refused("other-error".into()))
        );
    }

    #[test]
    fn what_is_not_offered_and_what_is_no_message_is_refused() {
        let check = |bytes: &[u8], expected: ScramError| {
            assert_eq!(first_user(bytes), Err(expected), "{bytes:?}");
        };
        let malformed = ScramError::Malformed;
        check(
            b"p=tls-unique,,n=a,r=b",
            ScramError::NotOffered("channel binding"),
        );
        check(b"", malformed("no channel binding flag"));
        check(b"n,,r=b", malformed("a name is missing"));
        check(b"n,,n=a", malformed("a nonce is missing"));
        check(
            b"n,,n=a=2,r=b",
            malformed("an escape that is neither =2C nor =3D"),
        );
        check(
            b"n,a=b,n=c,r=d",
            ScramError::NotOffered("acting for another user"),
        );
        check(&[b'n', b',', b',', 0xff], malformed("not UTF-8"));
        let kept = || credential(ScramMechanism::Sha256, "x");
        let begin = |first: &[u8]| {
            ServerExchange::begin(ScramMechanism::Sha256, first, "more", kept()).unwrap()
        };
        let (server, _) = begin(b"n,,n=a,r=b");
        assert_eq!(
            server.verify(b"c=biws,r=other,p=AAAA"),
            Err(malformed("another nonce"))
        );
        let (server, _) = begin(b"n,,n=a,r=b");
        assert_eq!(
            server.verify(b"c=biws,r=bbmore,p=AAAA"),
            Err(ScramError::WrongProof),
            "an old librdkafka's nonce is read on to the proof"
        );
        let (mut client, _) = ClientExchange::begin(ScramMechanism::Sha256, "a", "x", "mine");
        assert_eq!(
            client.prove(b"r=theirs,s=AAAA,i=4096"),
            Err(malformed("another nonce"))
        );
        assert_eq!(
            client.prove(b"r=mine1,s=AAAA,i=1"),
            Err(ScramError::NotOffered("so few iterations"))
        );
        assert_eq!(
            client.prove(b"r=mine1,s=AAAA,i=99999999"),
            Err(ScramError::NotOffered("so many iterations"))
        );
    }

    #[test]
    fn nothing_secret_is_shown() {
        let shown = format!("{:?}", credential(ScramMechanism::Sha256, "pencil"));
        assert_eq!(shown, "Credential { iterations: 4096, .. }");
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            let _ = first_user(&bytes);
            let kept = Credential {
                salt: vec![1],
                stored_key: vec![2; 32],
                server_key: vec![3; 32],
                iterations: ITERATIONS_MIN,
            };
            let (server, _) =
                ServerExchange::begin(ScramMechanism::Sha256, b"n,,n=a,r=b", "c", kept).unwrap();
            prop_assert!(server.verify(&bytes).is_err());
            let (mut client, _) = ClientExchange::begin(ScramMechanism::Sha256, "a", "x", "mine");
            prop_assert!(client.prove(&bytes).is_err());
            prop_assert!(client.check(&bytes).is_err());
        }
    }
}
