//! `kill -9` under load: what was acknowledged is there, once and in order.
//!
//! The producer is librdkafka with idempotence, which resends what it has no
//! answer for; the broker is killed again and again in the middle of it and
//! comes back on the same port with the same data.

use plimsoll::embedded::{Embedded, Options};
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::message::{DeliveryResult, Message as _};
use rdkafka::producer::{
    BaseRecord, NoCustomPartitioner, Producer as _, ProducerContext, ThreadedProducer,
};
use rdkafka::{ClientContext, Offset, TopicPartitionList};
use std::collections::BTreeSet;
use std::net::TcpListener;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const TOPIC: &str = "kept";
const WAIT: Duration = Duration::from_secs(60);
/// How often the broker is killed; `KILL_CYCLES` asks for more.
const CYCLES: usize = 4;

/// What the broker acknowledged.
#[derive(Clone, Default)]
struct Acknowledged(Arc<Mutex<BTreeSet<u64>>>);

impl ClientContext for Acknowledged {}

impl ProducerContext<NoCustomPartitioner> for Acknowledged {
    type DeliveryOpaque = Box<u64>;

    fn delivery(&self, result: &DeliveryResult<'_>, number: Box<u64>) {
        match result {
            Ok(_) => assert!(self.0.lock().unwrap().insert(*number), "acknowledged twice"),
            Err((error, _)) => panic!("record {number} was given up: {error}"),
        }
    }
}

/// Ends the producer, also when the test fails.
struct StopOnDrop<'a>(&'a AtomicBool);

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn produce_until(stop: &AtomicBool, address: &str, acknowledged: &Acknowledged) -> u64 {
    let producer: ThreadedProducer<Acknowledged> = ClientConfig::new()
        .set("bootstrap.servers", address)
        .set("enable.idempotence", "true")
        .set("linger.ms", "2")
        .set("batch.size", "8192")
        .set("reconnect.backoff.ms", "5")
        .set("reconnect.backoff.max.ms", "20")
        .set("message.timeout.ms", "60000")
        .set("log_level", "0")
        .create_with_context(acknowledged.clone())
        .unwrap();
    let mut number = 0;
    while !stop.load(Ordering::Relaxed) {
        let payload = number.to_string();
        let record = BaseRecord::<str, str, _>::with_opaque_to(TOPIC, Box::new(number));
        if producer.send(record.payload(&payload).partition(0)).is_ok() {
            number += 1;
        }
        if number % 20 == 0 {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
    producer.flush(WAIT).unwrap();
    number
}

fn consume(address: &str, expected: u64) -> Vec<(i64, u64)> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", address)
        .set("group.id", "unused")
        .set("enable.auto.commit", "false")
        .create()
        .unwrap();
    let mut from = TopicPartitionList::new();
    from.add_partition_offset(TOPIC, 0, Offset::Beginning)
        .unwrap();
    consumer.assign(&from).unwrap();
    let started = Instant::now();
    let mut records = Vec::new();
    while (records.len() as u64) < expected {
        assert!(
            started.elapsed() < WAIT,
            "{} of {expected} records came",
            records.len()
        );
        if let Some(message) = consumer.poll(Duration::from_millis(100)) {
            let message = message.unwrap();
            let text = std::str::from_utf8(message.payload().unwrap()).unwrap();
            records.push((message.offset(), text.parse().unwrap()));
        }
    }
    records
}

#[test]
fn nothing_acknowledged_is_lost_doubled_or_moved_by_kill_9() {
    let data = tempfile::tempdir().unwrap();
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let address = format!("127.0.0.1:{port}");
    let options = Options {
        program: Some(env!("CARGO_BIN_EXE_plimsoll").into()),
        data: Some(data.path().to_owned()),
        listen: Some(address.clone()),
        properties: vec![("log.segment.bytes".into(), "65536".into())],
        ..Options::default()
    };
    let cycles = std::env::var("KILL_CYCLES")
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(CYCLES);
    let acknowledged = Acknowledged::default();
    let stop = AtomicBool::new(false);
    let (broker, sent) = std::thread::scope(|threads| {
        let mut broker = Embedded::start(&options).unwrap();
        let stopping = StopOnDrop(&stop);
        let producing = threads.spawn(|| produce_until(&stop, &address, &acknowledged));
        for _ in 0..cycles {
            let before = acknowledged.0.lock().unwrap().len();
            let started = Instant::now();
            while acknowledged.0.lock().unwrap().len() < before + 200 {
                assert!(started.elapsed() < WAIT, "nothing is acknowledged any more");
                std::thread::sleep(Duration::from_millis(2));
            }
            broker.kill().unwrap();
            broker = Embedded::start(&options).unwrap();
        }
        drop(stopping);
        (broker, producing.join().unwrap())
    });
    assert_eq!(
        acknowledged.0.lock().unwrap().len() as u64,
        sent,
        "all were acknowledged in the end"
    );
    let records = consume(&address, sent);
    for (place, &(offset, number)) in records.iter().enumerate() {
        assert_eq!(
            (offset, number),
            (place as i64, place as u64),
            "lost, doubled or moved"
        );
    }
    assert!(broker.stop().unwrap().success());
}
