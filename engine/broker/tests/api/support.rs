//! A broker over a disk in memory and a clock that tests move, spoken to in
//! frames as a client would.

use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::{RequestHeader, ResponseHeader};
use kafka_protocol::protocol::{Decodable, Encodable, StrBytes};
use plimsoll_broker::{
    Broker, BrokerConfig, BrokerError, Connection, Endpoint, Outcome, Parked, Part, Response,
    SecurityProtocol, Wake, Workers,
};
use plimsoll_log::MemDisk;
use plimsoll_wire::api::ApiKey;
use plimsoll_wire::time::{Instant, Now};
use plimsoll_wire::types::TimestampMs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// Counts how often it was told.
#[derive(Default)]
pub struct Bell(AtomicUsize);

impl Bell {
    pub fn rung(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

impl Wake for Bell {
    fn wake(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// A broker and one client's connection to it.
pub struct World {
    pub broker: Broker,
    pub disk: MemDisk,
    pub connection: Connection,
    pub bell: Arc<Bell>,
    pub now: Now,
    /// Who opens the next broker's logs.
    pub workers: Option<Arc<dyn Workers>>,
    settings: Vec<(String, String)>,
}

/// When every world begins.
pub const START_MS: i64 = 1_700_000_000_000;

impl World {
    pub fn new() -> Self {
        Self::with(&[])
    }

    /// A world whose broker has these settings.
    pub fn with(settings: &[(&str, &str)]) -> Self {
        let settings: Vec<_> = settings
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect();
        let disk = MemDisk::new();
        let now = Now {
            wall: TimestampMs(START_MS),
            mono: Instant(Duration::from_secs(100)),
        };
        let broker = start(&settings, &disk, now, None).expect("it starts");
        let connection = Connection::new(Some(([127, 0, 0, 1], 5).into()));
        Self {
            broker,
            disk,
            connection,
            bell: Arc::default(),
            now,
            workers: None,
            settings,
        }
    }

    /// Ends the broker and starts another on the same disk.
    pub fn restart(&mut self, clean: bool) {
        if clean {
            self.broker.shutdown(self.now).expect("it stops cleanly");
        }
        // A killed process leaves what it wrote, synced or not.
        self.start_on(self.disk.fork()).expect("it starts");
    }

    /// Drops the broker and starts another on `disk`.
    pub fn start_on(&mut self, disk: MemDisk) -> Result<(), BrokerError> {
        self.broker = start(&self.settings, &disk, self.now, self.workers.clone())?;
        self.disk = disk;
        Ok(())
    }

    /// Gives the next broker another setting.
    pub fn set(&mut self, name: &str, value: &str) {
        self.settings.push((name.to_owned(), value.to_owned()));
    }

    /// Lets time pass.
    pub fn pass(&mut self, time: Duration) {
        self.now.mono = self.now.mono.after(time);
        let ms = i64::try_from(time.as_millis()).expect("a short time");
        self.now.wall = TimestampMs(self.now.wall.get() + ms);
    }

    /// Sends a request's bytes after its header.
    pub fn send(&mut self, api: ApiKey, version: i16, body: &[u8]) -> Outcome {
        let frame = frame(api, version, body);
        let wake: Arc<dyn Wake> = Arc::clone(&self.bell) as Arc<dyn Wake>;
        self.broker
            .handle(self.now, &mut self.connection, frame, &wake)
    }

    /// Asks over a connection of its own, while others hold the world.
    pub fn ask_aside<Q: Encodable, R: Decodable>(&self, api: ApiKey, version: i16, query: &Q) -> R {
        let mut body = BytesMut::new();
        query
            .encode(&mut body, version)
            .expect("the request encodes");
        let mut connection = Connection::new(Some(([127, 0, 0, 1], 6).into()));
        let wake: Arc<dyn Wake> = Arc::clone(&self.bell) as Arc<dyn Wake>;
        let frame = frame(api, version, &body);
        match self.broker.handle(self.now, &mut connection, frame, &wake) {
            Outcome::Ready(response) => read(api, version, &response),
            other => panic!("{api} {version} is not answered at once: {other:?}"),
        }
    }

    /// Sends a request of the message library's.
    pub fn send_message<Q: Encodable>(&mut self, api: ApiKey, version: i16, query: &Q) -> Outcome {
        let mut body = BytesMut::new();
        query
            .encode(&mut body, version)
            .expect("the request encodes");
        self.send(api, version, &body)
    }

    /// Sends a request that is answered at once, and reads the response.
    pub fn ask<Q: Encodable, R: Decodable>(&mut self, api: ApiKey, version: i16, query: &Q) -> R {
        match self.send_message(api, version, query) {
            Outcome::Ready(response) => read(api, version, &response),
            other => panic!("{api} {version} is not answered at once: {other:?}"),
        }
    }

    /// Polls a parked request.
    pub fn poll(&self, parked: &mut Parked) -> Option<Response> {
        parked.poll(&self.broker, self.now)
    }
}

fn start(
    settings: &[(String, String)],
    disk: &MemDisk,
    now: Now,
    workers: Option<Arc<dyn Workers>>,
) -> Result<Broker, BrokerError> {
    let (mut config, warnings) =
        BrokerConfig::from_properties(settings.iter().cloned()).expect("the settings are fine");
    assert!(warnings.is_empty(), "{warnings:?}");
    if !settings.iter().any(|(name, _)| name == "log.dirs") {
        config.log_dirs = vec![PathBuf::from("/data")];
    }
    if let Some(workers) = workers {
        config.workers = workers;
    }
    config.advertised = vec![Endpoint {
        listener: "PLAINTEXT".into(),
        host: "localhost".into(),
        port: 9092,
        protocol: SecurityProtocol::Plaintext,
    }];
    Broker::new(config, Arc::new(disk.clone()), now)
}

/// All bytes of a response, without its length and header.
pub fn body(api: ApiKey, version: i16, response: &Response) -> Bytes {
    let mut whole = Vec::new();
    for part in &response.parts {
        match part {
            Part::Bytes(bytes) => whole.extend_from_slice(bytes),
            Part::File(range) => range.read_into(&mut whole).expect("the range is there"),
        }
    }
    let length = i32::from_be_bytes(whole[..4].try_into().expect("four bytes"));
    assert_eq!(
        usize::try_from(length).expect("a length"),
        whole.len() - 4,
        "{api} {version}"
    );
    let mut rest = Bytes::from(whole).slice(4..);
    let header_version = api.spec().response_header_version(version);
    let header = ResponseHeader::decode(&mut rest, header_version).expect("the header decodes");
    assert_eq!(header.correlation_id, 42);
    rest
}

/// A response as a message of the library's, which it must be to the last byte.
pub fn read<R: Decodable>(api: ApiKey, version: i16, response: &Response) -> R {
    let mut rest = body(api, version, response);
    let message = R::decode(&mut rest, version).expect("the response decodes");
    assert!(
        rest.is_empty(),
        "{api} {version}: {} bytes are left over",
        rest.len()
    );
    message
}

/// A request's bytes, header and all.
fn frame(api: ApiKey, version: i16, body: &[u8]) -> BytesMut {
    let mut frame = BytesMut::new();
    RequestHeader::default()
        .with_request_api_key(api.key())
        .with_request_api_version(version)
        .with_correlation_id(42)
        .with_client_id(Some(StrBytes::from_static_str("tests")))
        .encode(&mut frame, api.spec().request_header_version(version))
        .expect("the header encodes");
    frame.extend_from_slice(body);
    frame
}
