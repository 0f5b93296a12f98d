//! A real file system that refuses writes: the limit on the size of a file
//! stands for a volume that is full. One log directory of two goes offline, the
//! other serves on, and what was acknowledged is there after a restart.

use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::message::{DeliveryResult, Message as _};
use rdkafka::producer::{
    BaseRecord, NoCustomPartitioner, Producer as _, ProducerContext, ThreadedProducer,
};
use rdkafka::{ClientContext, Offset, TopicPartitionList};
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const PLIMSOLL: &str = env!("CARGO_BIN_EXE_plimsoll");
const WAIT: Duration = Duration::from_secs(60);

/// Starts a broker over two log directories; answers with its address.
fn serve(work: &Path, before: &str, log: &str) -> (Child, String) {
    let dirs = format!("log.dirs={0}/a,{0}/b", work.display());
    let mut child = Command::new("sh")
        .arg("-c")
        .arg(format!("{before} exec \"$0\" \"$@\""))
        .args([PLIMSOLL, "serve", "--listen", "127.0.0.1:0", "--set", &dirs])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(File::create(work.join(log)).unwrap())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    stdout.read_line(&mut line).unwrap();
    let address = line.strip_prefix("ready ").unwrap_or_else(|| {
        panic!("{}", std::fs::read_to_string(work.join(log)).unwrap());
    });
    (child, address.trim().to_owned())
}

fn stop(mut child: Child) {
    let pid = child.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-TERM", &pid])
            .status()
            .unwrap()
            .success()
    );
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

/// Which records were acknowledged, and how many were given up.
#[derive(Clone, Default)]
struct Ledger(Arc<Mutex<(BTreeSet<u64>, usize)>>);

impl ClientContext for Ledger {}

impl ProducerContext<NoCustomPartitioner> for Ledger {
    type DeliveryOpaque = Box<u64>;

    fn delivery(&self, result: &DeliveryResult<'_>, number: Box<u64>) {
        let mut ledger = self.0.lock().unwrap();
        match result {
            Ok(_) => drop(ledger.0.insert(*number)),
            Err(_) => ledger.1 += 1,
        }
    }
}

/// Sends records of 10 000 bytes, one after the other, until one is given up or
/// `records` were acknowledged.
fn produce(address: &str, topic: &str, records: u64) -> (BTreeSet<u64>, usize) {
    let ledger = Ledger::default();
    let producer: ThreadedProducer<Ledger> = ClientConfig::new()
        .set("bootstrap.servers", address)
        .set("acks", "all")
        .set("message.timeout.ms", "4000")
        .set("log_level", "0")
        .create_with_context(ledger.clone())
        .unwrap();
    for number in 0..records {
        let payload = format!("{number:>10000}");
        let record = BaseRecord::<str, str, _>::with_opaque_to(topic, Box::new(number));
        producer
            .send(record.payload(&payload))
            .map_err(|(e, _)| e)
            .unwrap();
        producer.flush(WAIT).unwrap();
        if ledger.0.lock().unwrap().1 > 0 {
            break;
        }
    }
    let ledger = ledger.0.lock().unwrap();
    ledger.clone()
}

fn consume(address: &str, topic: &str, acknowledged: &BTreeSet<u64>) {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", address)
        .set("group.id", "unused")
        .set("enable.auto.commit", "false")
        .create()
        .unwrap();
    let mut from = TopicPartitionList::new();
    from.add_partition_offset(topic, 0, Offset::Beginning)
        .unwrap();
    consumer.assign(&from).unwrap();
    let started = Instant::now();
    let mut missing = acknowledged.clone();
    while !missing.is_empty() {
        assert!(started.elapsed() < WAIT, "{topic}: {missing:?} are lost");
        if let Some(message) = consumer.poll(Duration::from_millis(100)) {
            let message = message.unwrap();
            let text = std::str::from_utf8(message.payload().unwrap()).unwrap();
            missing.remove(&text.trim().parse().unwrap());
        }
    }
}

#[test]
fn a_full_disk_takes_one_log_directory_offline_and_loses_nothing() {
    let work = tempfile::tempdir().unwrap();
    // In blocks of 512 bytes: a file may grow to 200 KiB.
    let (broker, address) = serve(work.path(), "ulimit -f 400;", "first.log");
    let (grown, failed) = produce(&address, "grows", 1000);
    assert_eq!(failed, 1, "{} were acknowledged", grown.len());
    assert!(grown.len() > 10, "{} were acknowledged", grown.len());
    let (small, failed) = produce(&address, "small", 5);
    assert_eq!(
        (small.len(), failed),
        (5, 0),
        "the other directory serves on"
    );
    stop(broker);
    let log = std::fs::read_to_string(work.path().join("first.log")).unwrap();
    for words in [
        "log directory is offline",
        "KAFKA_STORAGE_ERROR",
        "ulimit -f",
        "/b",
    ] {
        assert!(log.contains(words), "no {words:?} in: {log}");
    }
    let (broker, address) = serve(work.path(), "", "second.log");
    consume(&address, "grows", &grown);
    consume(&address, "small", &small);
    assert_eq!(produce(&address, "grows", 1).1, 0, "it takes records again");
    stop(broker);
}
