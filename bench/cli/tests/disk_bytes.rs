//! What `size disk` predicts against what lies under the data directory.
//!
//! Twenty combinations of record size, batch, codec, keys, headers, partitions,
//! segment bytes and retention are written to the engine with librdkafka, every
//! batch with as many records as the prediction says. Then the broker restarts,
//! retention takes what has expired, and every byte below each topic's
//! directories is counted: log, indexes, checkpoints, snapshots. Uncompressed
//! predictions are within 0.5 %; compressed ones within 2 % of what a
//! calibration on other records of the same kind says.
//!
//! `DISK_BYTES_TARGET`, `DISK_BYTES_DATA` and `DISK_BYTES_STOP` point the same
//! comparison at another broker, such as Apache Kafka.
//!
//! One broker holds one copy. Each replica's directory is such a copy, so
//! replication multiplies both sides of the comparison alike.

use plimsoll::embedded::{Embedded, Options};
use plimsoll_calculators::answer::Value;
use plimsoll_calculators::batch::{BatchShape, HeaderShape, RecordShape};
use plimsoll_calculators::disk::{Input, Storage, disk};
use plimsoll_calculators::{Answer, Between, Parameter};
use plimsoll_units::{Rate, Size, Span};
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

const WAIT: Duration = Duration::from_secs(60);
/// What each topic's log holds at the end, about.
const TARGET_BYTES: u64 = 1_000_000;
const UNCOMPRESSED_WITHIN: f64 = 0.005;
const COMPRESSED_WITHIN: f64 = 0.02;

/// One combination.
#[derive(Clone, Copy)]
struct Case {
    value: usize,
    key: Option<usize>,
    headers: &'static [(usize, usize)],
    /// Records of a batch.
    records: u32,
    codec: &'static str,
    partitions: u32,
    segment: u64,
    /// Segments of records that have expired, in front of the others.
    expired_segments: u64,
}

const PLAIN: Case = Case {
    value: 1000,
    key: None,
    headers: &[],
    records: 16,
    codec: "none",
    partitions: 1,
    segment: 1 << 20,
    expired_segments: 0,
};

const CASES: [Case; 20] = [
    PLAIN,
    Case {
        value: 100,
        records: 100,
        ..PLAIN
    },
    Case {
        value: 100,
        records: 100,
        key: Some(16),
        partitions: 3,
        ..PLAIN
    },
    Case {
        key: Some(36),
        headers: &[(10, 20), (4, 8)],
        ..PLAIN
    },
    Case {
        value: 10_000,
        records: 1,
        ..PLAIN
    },
    Case {
        value: 10_000,
        records: 8,
        partitions: 2,
        ..PLAIN
    },
    Case {
        value: 1,
        records: 500,
        ..PLAIN
    },
    Case {
        value: 0,
        records: 200,
        key: Some(20),
        ..PLAIN
    },
    Case {
        value: 200_000,
        records: 1,
        ..PLAIN
    },
    Case {
        value: 512,
        records: 64,
        key: Some(8),
        headers: &[(4, 100)],
        segment: 256 << 10,
        ..PLAIN
    },
    Case {
        segment: 64 << 10,
        ..PLAIN
    },
    Case {
        segment: 256 << 10,
        expired_segments: 3,
        ..PLAIN
    },
    Case {
        value: 100,
        records: 200,
        segment: 128 << 10,
        expired_segments: 5,
        ..PLAIN
    },
    Case {
        value: 5000,
        records: 4,
        partitions: 2,
        segment: 512 << 10,
        expired_segments: 2,
        ..PLAIN
    },
    Case {
        codec: "gzip",
        records: 64,
        ..PLAIN
    },
    Case {
        codec: "snappy",
        records: 64,
        ..PLAIN
    },
    Case {
        codec: "lz4",
        records: 64,
        key: Some(24),
        ..PLAIN
    },
    Case {
        codec: "zstd",
        records: 64,
        ..PLAIN
    },
    Case {
        codec: "zstd",
        value: 200,
        records: 500,
        headers: &[(6, 12)],
        ..PLAIN
    },
    Case {
        codec: "lz4",
        value: 4000,
        partitions: 2,
        segment: 256 << 10,
        ..PLAIN
    },
];

impl Case {
    fn shape(&self) -> BatchShape {
        let headers = self.headers.iter().map(|&(key, value)| HeaderShape {
            key: Size::from_bytes(key as u64),
            value: Size::from_bytes(value as u64),
        });
        BatchShape {
            record: RecordShape {
                key: self.key.map(|key| Size::from_bytes(key as u64)),
                value: Size::from_bytes(self.value as u64),
                headers: headers.collect(),
            },
            records: self.records,
            spread_ms: 0,
        }
    }

    /// Batches of one partition that stay.
    fn batches(&self) -> u64 {
        (TARGET_BYTES / self.shape().bytes() / u64::from(self.partitions)).max(20)
    }

    /// Batches of one partition that expire: whole segments of them.
    fn expired(&self) -> u64 {
        self.expired_segments * (self.segment / self.shape().bytes())
    }

    /// What `size disk` says: log and indexes of one copy.
    fn predicted(&self, ratio: f64) -> f64 {
        let shape = self.shape();
        let records = self.batches() * u64::from(self.records * self.partitions);
        let storage = Storage {
            replication: 1,
            brokers: 1,
            partitions: self.partitions,
            batch: Parameter::user(Size::from_bytes(shape.bytes())),
            ratio: Parameter::user(Between::new(ratio, ratio)),
            segment: Parameter::user(Size::from_bytes(self.segment)),
            ..Storage::default()
        };
        let answer = disk(&Input {
            rate: Rate::from_per_second(records as f64).expect("a rate"),
            record: shape.record,
            retention: Span::from_secs(1),
            storage,
        });
        let answer = answer.expect("a sound input");
        mid(&answer, "one copy, as logged") + mid(&answer, "its indexes")
    }
}

fn mid(answer: &Answer, line: &str) -> f64 {
    match &answer.get(line).expect(line).value {
        Value::Quantity { mid, .. } => mid.as_f64().expect("finite"),
        Value::Text(text) => panic!("{line} is {text}"),
    }
}

/// Text that codecs shrink as they shrink events: words in an order that never
/// repeats. The same seed gives the same text.
fn text(bytes: usize, seed: u64) -> Vec<u8> {
    const WORDS: [&str; 8] = [
        "order", "paid", "customer", "article", "shipped", "amount", "\":{\"", "2026-",
    ];
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut out = Vec::with_capacity(bytes + 16);
    while out.len() < bytes {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        out.extend_from_slice(WORDS[(state % 8) as usize].as_bytes());
        out.extend_from_slice(format!("{:x}", state >> 44).as_bytes());
    }
    out.truncate(bytes);
    out
}

fn name(index: usize) -> String {
    format!("bytes-{index}")
}

fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.expect("after 1970").as_millis() as i64
}

fn create(address: &str) {
    let admin: AdminClient<DefaultClientContext> = ClientConfig::new()
        .set("bootstrap.servers", address)
        .create()
        .expect("an admin client");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    for (index, case) in CASES.iter().enumerate() {
        let (name, segment) = (name(index), case.segment.to_string());
        let topic = NewTopic::new(&name, case.partitions as i32, TopicReplication::Fixed(1))
            .set("segment.bytes", &segment)
            .set("retention.ms", "3600000")
            .set("file.delete.delay.ms", "0");
        let made = runtime.block_on(admin.create_topics([&topic], &AdminOptions::new()));
        made.expect("an answer")[0].as_ref().expect("created");
    }
}

fn producer(address: &str, codec: &str) -> BaseProducer {
    ClientConfig::new()
        .set("bootstrap.servers", address)
        .set("compression.codec", codec)
        .set("acks", "1")
        .set("linger.ms", "60000")
        .set("batch.num.messages", "100000")
        .set("batch.size", "4000000")
        .set("message.max.bytes", "8000000")
        .set("queue.buffering.max.messages", "1000000")
        .create()
        .expect("a producer")
}

/// One batch for each partition of each case, flushed together, until every
/// case has its own: so a batch holds what the case says.
fn produce(address: &str) {
    let now = now_ms();
    let mut by_codec: BTreeMap<&str, Vec<(usize, Case)>> = BTreeMap::new();
    for (index, case) in CASES.iter().enumerate() {
        by_codec.entry(case.codec).or_default().push((index, *case));
    }
    for (codec, cases) in by_codec {
        let producer = producer(address, codec);
        let all = |case: &Case| case.expired() + case.batches();
        let rounds = cases.iter().map(|(_, case)| all(case)).max().unwrap_or(0);
        for round in 0..rounds {
            for (index, case) in cases.iter().filter(|(_, case)| round < all(case)) {
                let expired = round < case.expired();
                // Every batch is later than the last, so that each has its time index entry.
                let time = now - if expired { 7_200_000 } else { 600_000 } + round as i64;
                for partition in 0..case.partitions {
                    batch(&producer, *index, case, partition, round, time);
                }
            }
            producer.flush(WAIT).expect("acknowledged");
        }
    }
}

fn batch(
    producer: &BaseProducer,
    index: usize,
    case: &Case,
    partition: u32,
    round: u64,
    time: i64,
) {
    let topic = name(index);
    for number in 0..case.records {
        let seed = (round << 32) | (u64::from(partition) << 24) | u64::from(number);
        let value = text(case.value, seed);
        let key = case.key.map(|bytes| text(bytes, !seed));
        let mut headers = OwnedHeaders::new();
        for &(key, value) in case.headers {
            let (key, value) = (text(key, 1), text(value, 2));
            let key = String::from_utf8(key).expect("words");
            headers = headers.insert(Header {
                key: &key,
                value: Some(&value),
            });
        }
        let mut record: BaseRecord<'_, [u8], [u8]> = BaseRecord::to(&topic)
            .partition(partition as i32)
            .timestamp(time)
            .payload(value.as_slice())
            .headers(headers);
        if let Some(key) = &key {
            record = record.key(key.as_slice());
        }
        if let Err((error, _)) = producer.send(record) {
            panic!("{topic}: {error}");
        }
    }
}

/// Bytes of all files under each topic's partitions, by their ending.
fn counted(data: &Path, index: usize) -> BTreeMap<String, u64> {
    let mut sums = BTreeMap::new();
    let topic = format!("{}-", name(index));
    for entry in std::fs::read_dir(data)
        .expect("the data directory")
        .flatten()
    {
        let directory = entry.file_name().to_string_lossy().into_owned();
        let Some(partition) = directory.strip_prefix(&topic) else {
            continue;
        };
        if partition.parse::<u32>().is_err() {
            continue;
        }
        for file in std::fs::read_dir(entry.path())
            .expect("a partition")
            .flatten()
        {
            let ending = file
                .path()
                .extension()
                .map(|e| e.to_string_lossy().into_owned());
            let bytes = file.metadata().map_or(0, |data| data.len());
            *sums.entry(ending.unwrap_or_default()).or_insert(0) += bytes;
        }
    }
    sums
}

/// Restarted with a short check, the broker deletes what has expired.
fn expire(data: &Path) {
    let options = Options {
        program: Some(env!("CARGO_BIN_EXE_plimsoll").into()),
        data: Some(data.to_owned()),
        properties: vec![(
            "log.retention.check.interval.ms".to_owned(),
            "100".to_owned(),
        )],
        ..Options::default()
    };
    let broker = Embedded::start(&options).expect("it starts again");
    let until = Instant::now() + WAIT;
    let late = |index: usize| {
        let log: u64 = counted(data, index).values().sum();
        CASES[index].expired_segments > 0 && log as f64 > CASES[index].predicted(1.0) * 1.2
    };
    while (0..CASES.len()).any(late) {
        assert!(
            Instant::now() < until,
            "retention did not delete what had expired"
        );
        std::thread::sleep(Duration::from_millis(50));
    }
    broker.stop().expect("a clean stop");
}

/// The ratio that the first half of a topic's log shows, for the whole of it: a
/// calibration on other records of the same kind.
fn calibrated(case: &Case) -> f64 {
    use plimsoll_wire::batch::{
        BatchBuilder, BatchSettings, Header as WireHeader, Headers, Record,
    };
    use plimsoll_wire::compression::Compression;
    use plimsoll_wire::types::{Offset, TimestampMs};
    let codec = match case.codec {
        "gzip" => Compression::Gzip,
        "snappy" => Compression::Snappy,
        "lz4" => Compression::Lz4,
        "zstd" => Compression::Zstd,
        _ => return 1.0,
    };
    let (mut before, mut after) = (0, 0);
    for sample in 0..8_u64 {
        let mut builder = BatchBuilder::new(BatchSettings {
            compression: codec,
            ..BatchSettings::default()
        });
        for number in 0..u64::from(case.records) {
            let seed = (1 << 60) | (sample << 32) | number;
            let (value, key) = (
                text(case.value, seed),
                case.key.map(|bytes| text(bytes, !seed)),
            );
            let own: Vec<_> = case
                .headers
                .iter()
                .map(|&(k, v)| (text(k, 1), text(v, 2)))
                .collect();
            let headers: Vec<_> = own
                .iter()
                .map(|(key, value)| WireHeader {
                    key,
                    value: Some(value),
                })
                .collect();
            builder.append(&Record {
                offset: Offset(number as i64),
                timestamp: TimestampMs(1_700_000_000_000),
                key: key.as_deref(),
                value: Some(&value),
                headers: Headers::listed(&headers),
            });
        }
        before += case.shape().record_bytes();
        after += builder.build().expect("a batch").len() as u64 - 61;
    }
    before as f64 / after as f64
}

/// A broker that is there already: its address, its data directory, and the
/// command that stops it cleanly once retention had its time.
fn external() -> Option<(String, std::path::PathBuf, String)> {
    let variable = |name: &str| std::env::var(name).ok();
    let address = variable("DISK_BYTES_TARGET")?;
    let data = variable("DISK_BYTES_DATA").expect("DISK_BYTES_DATA is its data directory");
    let stop = variable("DISK_BYTES_STOP").expect("DISK_BYTES_STOP is a command that stops it");
    Some((address, data.into(), stop))
}

#[test]
fn predicted_bytes_are_those_under_the_data_directory() {
    let work = tempfile::tempdir().expect("a directory");
    if let Some((address, data, stop)) = external() {
        create(&address);
        produce(&address);
        let stopped = std::process::Command::new("sh")
            .args(["-c", &stop])
            .status();
        assert!(stopped.expect("a shell").success(), "{stop}");
        return compare(&data);
    }
    let data = work.path().join("data");
    let options = Options {
        program: Some(env!("CARGO_BIN_EXE_plimsoll").into()),
        data: Some(data.clone()),
        properties: vec![("message.max.bytes".to_owned(), "8000000".to_owned())],
        ..Options::default()
    };
    let broker = Embedded::start(&options).expect("it starts");
    create(broker.address());
    produce(broker.address());
    broker.stop().expect("a clean stop");
    expire(&data);
    compare(&data);
}

fn compare(data: &Path) {
    let mut wrong = Vec::new();
    for (index, case) in CASES.iter().enumerate() {
        let files = counted(data, index);
        let real: u64 = files.values().sum();
        let predicted = case.predicted(calibrated(case));
        let off = predicted / real as f64 - 1.0;
        let within = if case.codec == "none" {
            UNCOMPRESSED_WITHIN
        } else {
            COMPRESSED_WITHIN
        };
        let line = format!(
            "{:2} {:6} {:3} x {:6} B: predicted {predicted:9.0}, real {real:9} {files:?}, off by {:+.3} %",
            index,
            case.codec,
            case.records,
            case.value,
            off * 100.0
        );
        println!("{line}");
        if off.abs() > within {
            wrong.push(line);
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
