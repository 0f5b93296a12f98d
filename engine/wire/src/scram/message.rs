//! SCRAM's messages: comma-separated attributes of one letter each.

use super::{MESSAGE_BYTES_MAX, ScramError};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// The GS2 header of a client that binds no channel: `n,,`.
pub const GS2_HEADER: &str = "n,,";

const fn malformed(what: &'static str) -> ScramError {
    ScramError::Malformed(what)
}

/// The message as text.
pub fn text(bytes: &[u8]) -> Result<&str, ScramError> {
    if bytes.len() > MESSAGE_BYTES_MAX {
        return Err(malformed("too long"));
    }
    std::str::from_utf8(bytes).map_err(|_| malformed("not UTF-8"))
}

/// The value of the next attribute, which must be `letter`, and what follows.
fn attribute<'a>(
    message: &'a str,
    letter: &str,
    missing: &'static str,
) -> Result<(&'a str, &'a str), ScramError> {
    let (first, rest) = message.split_once(',').unwrap_or((message, ""));
    let value = first
        .strip_prefix(letter)
        .and_then(|value| value.strip_prefix('='))
        .ok_or(malformed(missing))?;
    Ok((value, rest))
}

/// The client's first message, without its GS2 header.
#[derive(Debug)]
pub struct ClientFirst<'a> {
    pub bare: &'a str,
    pub gs2_header: &'a str,
    pub user: String,
    pub nonce: &'a str,
}

impl<'a> ClientFirst<'a> {
    pub fn parse(bytes: &'a [u8]) -> Result<Self, ScramError> {
        let message = text(bytes)?;
        let (flag, rest) = message
            .split_once(',')
            .ok_or(malformed("no channel binding flag"))?;
        match flag {
            "n" | "y" => {}
            flag if flag.starts_with("p=") => {
                return Err(ScramError::NotOffered("channel binding"));
            }
            _ => return Err(malformed("no channel binding flag")),
        }
        let (acts_for, bare) = rest
            .split_once(',')
            .ok_or(malformed("an authorisation name is missing"))?;
        let (name, rest) = attribute(bare, "n", "a name is missing")?;
        let (nonce, _extensions) = attribute(rest, "r", "a nonce is missing")?;
        let user = unescape(name)?;
        if !acts_for.is_empty() && acts_for.strip_prefix("a=") != Some(name) {
            return Err(ScramError::NotOffered("acting for another user"));
        }
        if nonce.is_empty() {
            return Err(malformed("an empty nonce"));
        }
        let gs2_header = message.strip_suffix(bare).unwrap_or_default();
        Ok(Self {
            bare,
            gs2_header,
            user,
            nonce,
        })
    }
}

/// The server's challenge.
#[derive(Debug)]
pub struct ServerFirst<'a> {
    pub nonce: &'a str,
    pub salt: Vec<u8>,
    pub iterations: u32,
}

impl<'a> ServerFirst<'a> {
    pub fn parse(message: &'a str) -> Result<Self, ScramError> {
        if let Some(refusal) = message.strip_prefix("e=") {
            return Err(ScramError::Refused(refusal.to_owned()));
        }
        let (nonce, rest) = attribute(message, "r", "a nonce is missing")?;
        let (salt, rest) = attribute(rest, "s", "a salt is missing")?;
        let (iterations, _extensions) = attribute(rest, "i", "an iteration count is missing")?;
        Ok(Self {
            nonce,
            salt: decode(salt)?,
            iterations: iterations
                .parse()
                .map_err(|_| malformed("an iteration count that is no number"))?,
        })
    }
}

/// The client's proof.
#[derive(Debug)]
pub struct ClientFinal<'a> {
    pub without_proof: &'a str,
    pub channel_binding: Vec<u8>,
    pub nonce: &'a str,
    pub proof: Vec<u8>,
}

impl<'a> ClientFinal<'a> {
    pub fn parse(bytes: &'a [u8]) -> Result<Self, ScramError> {
        let message = text(bytes)?;
        let (without_proof, proof) = message
            .rsplit_once(",p=")
            .ok_or(malformed("a proof is missing"))?;
        let (binding, rest) = attribute(without_proof, "c", "a channel binding is missing")?;
        let (nonce, _extensions) = attribute(rest, "r", "a nonce is missing")?;
        Ok(Self {
            without_proof,
            channel_binding: decode(binding)?,
            nonce,
            proof: decode(proof)?,
        })
    }
}

/// The server's signature, or its refusal.
pub fn parse_server_final(bytes: &[u8]) -> Result<Vec<u8>, ScramError> {
    let message = text(bytes)?;
    if let Some(refusal) = message.strip_prefix("e=") {
        return Err(ScramError::Refused(refusal.to_owned()));
    }
    let (signature, _extensions) = attribute(message, "v", "a signature is missing")?;
    decode(signature)
}

pub fn encode(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

fn decode(text: &str) -> Result<Vec<u8>, ScramError> {
    STANDARD.decode(text).map_err(|_| malformed("not base 64"))
}

/// A name as it stands in a message.
pub fn escape(name: &str) -> String {
    name.replace('=', "=3D").replace(',', "=2C")
}

fn unescape(name: &str) -> Result<String, ScramError> {
    let plain = name.replace("=2C", ",");
    let stray = name.replace("=2C", "").replace("=3D", "");
    if stray.contains('=') {
        return Err(malformed("an escape that is neither =2C nor =3D"));
    }
    Ok(plain.replace("=3D", "="))
}
