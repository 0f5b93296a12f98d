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

mod cases;

use cases::{CASES, Case};
use plimsoll::embedded::{Embedded, Options};
use plimsoll_calculators::batch::HEADER_BYTES;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

const WAIT: Duration = Duration::from_secs(60);
/// Batches of a calibration, and where its records begin, so that they are
/// others.
const CALIBRATED: u64 = 8;
const OTHERS: u64 = 1 << 30;
const UNCOMPRESSED_WITHIN: f64 = 0.005;
const COMPRESSED_WITHIN: f64 = 0.02;

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

/// The topic of a compressed case's calibration.
fn calibration(index: usize) -> String {
    format!("calibration-{index}")
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
    // Apache Kafka takes segments below 1 MiB by its internal name alone since 4.0.
    let named = std::env::var("DISK_BYTES_SEGMENT_SETTING");
    let segment_setting = named.unwrap_or_else(|_| "segment.bytes".to_owned());
    for (index, case) in CASES.iter().enumerate() {
        let (name, segment) = (name(index), case.segment.to_string());
        let topic = NewTopic::new(&name, case.partitions as i32, TopicReplication::Fixed(1))
            .set(&segment_setting, &segment)
            .set("retention.ms", "3600000")
            .set("file.delete.delay.ms", "0");
        let other = calibration(index);
        let other = NewTopic::new(&other, 1, TopicReplication::Fixed(1));
        let made = runtime.block_on(admin.create_topics([&topic, &other], &AdminOptions::new()));
        for created in made.expect("an answer") {
            created.expect("created");
        }
    }
}

fn producer(address: &str, codec: &str) -> BaseProducer {
    ClientConfig::new()
        .set("bootstrap.servers", address)
        .set("compression.codec", codec)
        .set("acks", "1")
        // Longer than a batch takes to fill; a flush that the client's thread
        // sleeps through costs this long.
        .set("linger.ms", "5000")
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
                    batch(&producer, &name(*index), case, partition, round, time);
                }
            }
            producer.flush(WAIT).expect("acknowledged");
        }
        for (index, case) in cases.iter().filter(|_| codec != "none") {
            for round in 0..CALIBRATED {
                batch(
                    &producer,
                    &calibration(*index),
                    case,
                    0,
                    OTHERS + round,
                    now,
                );
                producer.flush(WAIT).expect("acknowledged");
            }
        }
    }
}

fn batch(producer: &BaseProducer, topic: &str, case: &Case, partition: u32, round: u64, time: i64) {
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
        let mut record: BaseRecord<'_, [u8], [u8]> = BaseRecord::to(topic)
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
fn counted(data: &Path, topic: &str) -> BTreeMap<String, u64> {
    let mut sums = BTreeMap::new();
    let topic = format!("{topic}-");
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
        let log: u64 = counted(data, &name(index)).values().sum();
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

/// The ratio of other records of the same kind, from the same client: what a
/// calibration says.
fn calibrated(data: &Path, index: usize) -> f64 {
    let case = &CASES[index];
    if case.codec == "none" {
        return 1.0;
    }
    let files = counted(data, &calibration(index));
    let before = CALIBRATED * case.shape().record_bytes();
    before as f64 / (files["log"] - CALIBRATED * HEADER_BYTES) as f64
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
        let files = counted(data, &name(index));
        let real: u64 = files.values().sum();
        let predicted = case.predicted(calibrated(data, index));
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
