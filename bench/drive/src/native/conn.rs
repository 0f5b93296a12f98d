//! One non-blocking connection to one broker.
//!
//! Control messages go through [`Conn::call`], which waits. The data path
//! writes its own requests with [`Conn::write`] and takes whole responses with
//! [`Conn::receive`] and [`Conn::frame`]; it never waits here.
//!
//! Invariants: responses come in the order of the requests, so the caller
//! matches them by queue and [`Conn::frame`] only yields whole frames. A
//! response longer than [`RESPONSE_BYTES_MAX`] is refused before memory is
//! taken for it.

use crate::access::{Pipe, wait};
use crate::clock::Mono;
use crate::error::DriveError;
use bytes::{Buf, BufMut, BytesMut};
use kafka_protocol::messages::{ApiVersionsRequest, RequestHeader, ResponseHeader};
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, Request, StrBytes};
use rustix::event::PollFlags;
use std::collections::BTreeMap;
use std::io::{self, IoSlice};
use std::os::fd::{AsFd, BorrowedFd};

/// The longest response that is accepted.
pub const RESPONSE_BYTES_MAX: usize = 256 << 20;

/// The least room that a read is offered.
const READ_BYTES_MIN: usize = 64 << 10;

/// How this client names itself to brokers.
pub const CLIENT_ID: &str = "plimsoll";

/// A control request that has been sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked {
    version: i16,
    correlation: i32,
}

/// A connection, with the API versions its broker offers.
#[derive(Debug)]
pub struct Conn {
    pipe: Pipe,
    broker: String,
    input: Vec<u8>,
    correlation: i32,
    versions: BTreeMap<i16, (i16, i16)>,
}

impl Conn {
    /// Asks `broker` (`HOST:PORT`), which `pipe` leads to, for its API versions.
    pub(crate) fn begin(broker: &str, pipe: Pipe, deadline: Mono) -> Result<Self, DriveError> {
        let mut conn = Self {
            pipe,
            broker: broker.to_owned(),
            input: Vec::with_capacity(READ_BYTES_MIN),
            correlation: 0,
            versions: BTreeMap::new(),
        };
        conn.versions.insert(ApiVersionsRequest::KEY, (0, 0));
        let offered = conn.call(&ApiVersionsRequest::default(), (0, 0), deadline)?;
        DriveError::check(offered.error_code, "ApiVersions", None)?;
        conn.versions = offered
            .api_keys
            .iter()
            .map(|api| (api.api_key, (api.min_version, api.max_version)))
            .collect();
        Ok(conn)
    }

    /// Which broker this is, as `HOST:PORT`.
    pub fn broker(&self) -> &str {
        &self.broker
    }

    /// The highest version of `api_key` that both sides speak.
    pub fn version(&self, api_key: i16, (least, most): (i16, i16)) -> Result<i16, DriveError> {
        let offered = self.versions.get(&api_key);
        offered
            .map(|(min, max)| (least.max(*min), most.min(*max)))
            .filter(|(low, high)| low <= high)
            .map(|(_, high)| high)
            .ok_or_else(|| DriveError::Unsupported {
                broker: self.broker.clone(),
                api_key,
            })
    }

    /// The id of the next request.
    pub const fn next_correlation(&mut self) -> i32 {
        self.correlation = self.correlation.wrapping_add(1);
        self.correlation
    }

    /// Sends a control request and waits for its response.
    ///
    /// No other request may be outstanding on the connection.
    pub fn call<R: Request>(
        &mut self,
        request: &R,
        ours: (i16, i16),
        deadline: Mono,
    ) -> Result<R::Response, DriveError> {
        let asked = self.ask(request, ours, deadline)?;
        loop {
            if let Some(response) = self.answer::<R>(asked)? {
                return Ok(response);
            }
            self.wait(PollFlags::IN, request_name::<R>(), deadline)?;
            self.receive()?;
        }
    }

    /// Sends a control request; [`Conn::answer`] takes its response.
    ///
    /// No other request may be outstanding on the connection.
    pub fn ask<R: Request>(
        &mut self,
        request: &R,
        ours: (i16, i16),
        deadline: Mono,
    ) -> Result<Asked, DriveError> {
        let version = self.version(R::KEY, ours)?;
        let correlation = self.next_correlation();
        let bytes = encode(request, version, correlation).map_err(|e| self.malformed(&e))?;
        let name = request_name::<R>();
        let mut rest = &bytes[..];
        while !rest.is_empty() || self.holds_bytes() {
            let written = self.write(&[IoSlice::new(rest)])?;
            rest = rest.get(written..).unwrap_or_default();
            if !rest.is_empty() || self.holds_bytes() {
                self.wait(PollFlags::OUT, name, deadline)?;
            }
        }
        Ok(Asked {
            version,
            correlation,
        })
    }

    /// The response to a request of type `R`, when it has arrived whole.
    pub fn answer<R: Request>(&mut self, asked: Asked) -> Result<Option<R::Response>, DriveError> {
        let Some(frame) = self.frame()? else {
            return Ok(None);
        };
        let mut body = bytes::Bytes::copy_from_slice(frame);
        self.consume_frame();
        let header_version = <R::Response as HeaderVersion>::header_version(asked.version);
        let header =
            ResponseHeader::decode(&mut body, header_version).map_err(|e| self.malformed(&e))?;
        if header.correlation_id != asked.correlation {
            return Err(self.malformed(&"an answer to another request"));
        }
        R::Response::decode(&mut body, asked.version)
            .map(Some)
            .map_err(|e| self.malformed(&e))
    }

    /// Writes what the socket takes; 0 when it is full.
    pub fn write(&mut self, parts: &[IoSlice<'_>]) -> Result<usize, DriveError> {
        loop {
            match self.pipe.write(parts) {
                Ok(written) => return Ok(written),
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(0),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.io("sending", error)),
            }
        }
    }

    /// Whether written bytes still wait for room in the socket. They go on with
    /// the next write, even of nothing.
    pub fn holds_bytes(&self) -> bool {
        self.pipe.holds_bytes()
    }

    /// Reads what has arrived; `false` when nothing had.
    pub fn receive(&mut self) -> Result<bool, DriveError> {
        let wanted = self.missing().max(READ_BYTES_MIN);
        self.input.reserve(wanted);
        loop {
            match self.pipe.read(&mut self.input) {
                Ok(0) => {
                    return Err(self.io("receiving", io::ErrorKind::UnexpectedEof.into()));
                }
                Ok(_) => return Ok(true),
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.io("receiving", error)),
            }
        }
    }

    /// The first whole response that has arrived, without its length.
    pub fn frame(&self) -> Result<Option<&[u8]>, DriveError> {
        let Some(length) = self.frame_length() else {
            return Ok(None);
        };
        if length > RESPONSE_BYTES_MAX {
            return Err(self.malformed(&format!(
                "a response of {length} bytes, the limit is {RESPONSE_BYTES_MAX}"
            )));
        }
        Ok(self.input.get(4..4 + length))
    }

    /// Forgets the response that [`Conn::frame`] showed.
    pub fn consume_frame(&mut self) {
        let Some(length) = self.frame_length() else {
            return;
        };
        let end = (4 + length).min(self.input.len());
        if end == self.input.len() {
            self.input.clear();
        } else {
            self.input.drain(..end);
        }
    }

    /// Hands over the buffer whose front is the response that [`Conn::frame`]
    /// showed, and takes `empty` in its place with whatever followed.
    pub fn swap_frame(&mut self, mut empty: Vec<u8>) -> Vec<u8> {
        empty.clear();
        let end = self.frame_length().map_or(0, |length| 4 + length);
        empty.extend_from_slice(self.input.get(end..).unwrap_or_default());
        self.input.truncate(end);
        std::mem::replace(&mut self.input, empty)
    }

    fn frame_length(&self) -> Option<usize> {
        let length = self.input.get(..4)?.get_u32();
        usize::try_from(length).ok()
    }

    /// Bytes still to come of the frame that is arriving.
    fn missing(&self) -> usize {
        self.frame_length()
            .filter(|length| *length <= RESPONSE_BYTES_MAX)
            .map_or(0, |length| (4 + length).saturating_sub(self.input.len()))
    }

    fn wait(
        &self,
        flags: PollFlags,
        request: &'static str,
        deadline: Mono,
    ) -> Result<(), DriveError> {
        let started = Mono::now();
        match wait(self.pipe.socket(), flags, deadline) {
            Ok(true) => Ok(()),
            Ok(false) => Err(DriveError::Timeout {
                broker: self.broker.clone(),
                request,
                waited_ms: Mono::now().since(started) / 1_000_000,
            }),
            Err(error) => Err(self.io("waiting", error)),
        }
    }

    /// An error that names this broker and what it sent.
    pub fn malformed(&self, detail: &dyn std::fmt::Display) -> DriveError {
        DriveError::Malformed {
            broker: self.broker.clone(),
            detail: format!("{detail:#}"),
        }
    }

    fn io(&self, action: &'static str, source: io::Error) -> DriveError {
        DriveError::Io {
            broker: self.broker.clone(),
            action,
            source,
        }
    }
}

impl AsFd for Conn {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.pipe.socket().as_fd()
    }
}

fn encode<R: Request>(request: &R, version: i16, correlation: i32) -> Result<BytesMut, String> {
    let header = RequestHeader::default()
        .with_request_api_key(R::KEY)
        .with_request_api_version(version)
        .with_correlation_id(correlation)
        .with_client_id(Some(StrBytes::from_static_str(CLIENT_ID)));
    let mut bytes = BytesMut::new();
    bytes.put_u32(0);
    let failed = |error| format!("{error:#}");
    header
        .encode(&mut bytes, R::header_version(version))
        .map_err(failed)?;
    request.encode(&mut bytes, version).map_err(failed)?;
    let length = u32::try_from(bytes.len() - 4).map_err(|error| error.to_string())?;
    bytes[..4].copy_from_slice(&length.to_be_bytes());
    Ok(bytes)
}

fn request_name<R>() -> &'static str {
    let path = std::any::type_name::<R>();
    let name = path.rsplit("::").next().unwrap_or(path);
    name.strip_suffix("Request").unwrap_or(name)
}
