//! What precedes the body of every request and response.
//!
//! A request names its API, version and correlation id, and its client; from
//! header version 2 on tagged fields follow, which nobody uses yet and which
//! are skipped. A response repeats the correlation id.

use crate::api::{ApiKey, ApiSpec, UnknownApi};
use crate::read::{ReadError, Reader};
use bytes::BufMut;
use thiserror::Error;

/// The header of a request, borrowed from its frame.
#[derive(Clone, Copy, Debug)]
pub struct RequestHeader<'a> {
    /// The API.
    pub spec: &'static ApiSpec,
    /// The version, which the API may not serve: see [`ApiSpec::serves`].
    pub version: i16,
    /// Repeated by the response.
    pub correlation_id: i32,
    /// What the client calls itself.
    pub client_id: Option<&'a str>,
}

/// Why bytes are not a request's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum HeaderError {
    /// The API is not in the table.
    #[error("request header: {0}")]
    UnknownApi(#[from] UnknownApi),
    /// The header is malformed.
    #[error("request header: {0}")]
    Read(#[from] ReadError),
}

impl<'a> RequestHeader<'a> {
    /// Reads the header of `frame`, and says how many bytes it takes: the body
    /// is the rest.
    pub fn decode(frame: &'a [u8]) -> Result<(Self, usize), HeaderError> {
        let mut reader = Reader::new(frame);
        let spec = ApiKey::try_from(reader.i16()?)?.spec();
        let version = reader.i16()?;
        let correlation_id = reader.i32()?;
        // Even where lengths are compact, the client id's is not: a broker must
        // read it before it knows the version.
        let client_id = reader.nullable_str(false)?;
        if spec.request_header_version(version) >= 2 {
            reader.skip_tagged_fields()?;
        }
        let header = Self {
            spec,
            version,
            correlation_id,
            client_id,
        };
        Ok((header, reader.position()))
    }

    /// Appends the header to `out`.
    ///
    /// # Panics
    /// When the client id takes more than 32 KiB.
    pub fn encode(&self, out: &mut impl BufMut) {
        out.put_i16(self.spec.key.key());
        out.put_i16(self.version);
        out.put_i32(self.correlation_id);
        match self.client_id {
            Some(id) => {
                let Ok(len) = i16::try_from(id.len()) else {
                    panic!(
                        "client id of {} bytes, expected at most {}",
                        id.len(),
                        i16::MAX
                    );
                };
                out.put_i16(len);
                out.put_slice(id.as_bytes());
            }
            None => out.put_i16(-1),
        }
        if self.spec.request_header_version(self.version) >= 2 {
            out.put_u8(0);
        }
    }
}

/// Appends the header of a response to a request of `version`.
pub fn encode_response(spec: &ApiSpec, version: i16, correlation_id: i32, out: &mut impl BufMut) {
    out.put_i32(correlation_id);
    if spec.response_header_version(version) >= 1 {
        out.put_u8(0);
    }
}

/// Reads the header of a response to a request of `version`: its correlation
/// id, and how many bytes it takes.
pub fn decode_response(
    spec: &ApiSpec,
    version: i16,
    frame: &[u8],
) -> Result<(i32, usize), ReadError> {
    decode_any_response(spec.response_header_version(version) >= 1, frame)
}

/// As [`decode_response`], for a caller that knows whether the header has
/// tagged fields.
pub fn decode_any_response(tagged: bool, frame: &[u8]) -> Result<(i32, usize), ReadError> {
    let mut reader = Reader::new(frame);
    let correlation_id = reader.i32()?;
    if tagged {
        reader.skip_tagged_fields()?;
    }
    Ok((correlation_id, reader.position()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::BytesMut;
    use kafka_protocol::messages::{RequestHeader as Theirs, ResponseHeader};
    use kafka_protocol::protocol::{Decodable, Encodable, StrBytes};

    #[test]
    fn headers_agree_with_the_librarys_both_ways() {
        for &api in ApiKey::ALL {
            for version in api.spec().versions() {
                for client_id in [None, Some(""), Some("plimsoll")] {
                    check(api, version, client_id);
                }
            }
        }
    }

    fn check(api: ApiKey, version: i16, client_id: Option<&'static str>) {
        let spec = api.spec();
        let ours = RequestHeader {
            spec,
            version,
            correlation_id: -7,
            client_id,
        };
        let mut bytes = BytesMut::new();
        ours.encode(&mut bytes);
        let theirs = Theirs::default()
            .with_request_api_key(api.key())
            .with_request_api_version(version)
            .with_correlation_id(-7)
            .with_client_id(client_id.map(StrBytes::from_static_str));
        let mut expected = BytesMut::new();
        let header_version = spec.request_header_version(version);
        theirs.encode(&mut expected, header_version).unwrap();
        assert_eq!(bytes, expected, "{api} {version}");
        let len = bytes.len();
        bytes.put_slice(b"body");
        let (read, body) = RequestHeader::decode(&bytes).unwrap();
        assert_eq!(
            (
                read.spec.key,
                read.version,
                read.correlation_id,
                read.client_id,
                body
            ),
            (api, version, -7, client_id, len)
        );

        let mut response = BytesMut::new();
        encode_response(spec, version, 9, &mut response);
        let expected = (9, response.len());
        assert_eq!(decode_response(spec, version, &response), Ok(expected));
        let mut response = response.freeze();
        let header_version = spec.response_header_version(version);
        let theirs = ResponseHeader::decode(&mut response, header_version).unwrap();
        assert_eq!((theirs.correlation_id, response.len()), (9, 0));
    }

    #[test]
    fn an_unknown_api_and_a_short_header_are_told_apart() {
        let check = |bytes: &[u8], expected: &str| {
            let error = RequestHeader::decode(bytes).unwrap_err();
            assert_eq!(error.to_string(), expected);
        };
        check(&[0x7f, 0, 0, 0], "request header: api key 32512 is unknown");
        check(
            &[0, 18, 0, 3, 0, 0],
            "request header: byte 4: 4 bytes needed, 2 left",
        );
        check(
            &[0, 18, 0, 3, 0, 0, 0, 1, 0x7f, 0xff],
            "request header: byte 10: 32767 bytes needed, 0 left",
        );
    }
}
