//! `plimsoll topics` and `plimsoll groups` as processes, against a broker.

use plimsoll::embedded::{Embedded, Options};
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use rdkafka::{Offset, TopicPartitionList};
use serde_json::Value;
use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const PLIMSOLL: &str = env!("CARGO_BIN_EXE_plimsoll");
const HOUR: Duration = Duration::from_secs(3600);
const PATIENCE: Duration = Duration::from_secs(30);

struct Stage {
    broker: Embedded,
}

/// What a command printed, and whether it succeeded.
struct Said {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Stage {
    fn new() -> Self {
        let quick = ("group.initial.rebalance.delay.ms", "0");
        let options = Options {
            program: Some(PLIMSOLL.into()),
            properties: vec![(quick.0.to_owned(), quick.1.to_owned())],
            ..Options::default()
        };
        let broker = Embedded::start(&options).expect("a broker");
        Self { broker }
    }

    fn say(&self, line: &str) -> Said {
        let words = line.split_whitespace();
        let output = Command::new(PLIMSOLL)
            .args(words)
            .args(["--target", self.broker.address()])
            .output()
            .expect("it runs");
        Said {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).expect("text"),
            stderr: String::from_utf8(output.stderr).expect("text"),
        }
    }

    /// A command that succeeds, and its JSON.
    fn json(&self, line: &str) -> Value {
        let said = self.say(&format!("{line} --json"));
        assert_eq!(said.code, Some(0), "{line}: {}", said.stderr);
        serde_json::from_str(&said.stdout).expect(&said.stdout)
    }

    /// A command that fails with this exit code and words.
    fn refused(&self, line: &str, code: i32, words: &str) {
        let said = self.say(line);
        assert_eq!(said.code, Some(code), "{line}: {}", said.stderr);
        assert!(said.stderr.contains(words), "{line}: {}", said.stderr);
        assert_eq!(said.stdout, "", "{line}");
    }

    fn client(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", self.broker.address());
        config
    }

    /// Writes `count` records of one hour ago, a second apart.
    fn write(&self, topic: &str, partition: i32, count: i64) {
        let producer: BaseProducer = self.client().create().expect("a producer");
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .expect("after 1970");
        let first = i64::try_from((now - HOUR).as_millis()).expect("before 2262");
        for number in 0..count {
            let record = BaseRecord::<(), [u8]>::to(topic)
                .partition(partition)
                .payload(b"value")
                .timestamp(first + number * 1000);
            producer.send(record).expect("room in the queue");
        }
        producer.flush(PATIENCE).expect("it is written");
    }

    fn consumer(&self, group: &str, protocol: &str) -> BaseConsumer {
        self.client()
            .set("group.id", group)
            .set("group.protocol", protocol)
            .set("enable.auto.commit", "false")
            .create()
            .expect("a consumer")
    }

    fn commit(&self, group: &str, topic: &str, offset: i64) {
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(topic, 0, Offset::Offset(offset))
            .expect("an offset");
        let consumer = self.consumer(group, "classic");
        consumer
            .commit(&list, CommitMode::Sync)
            .expect("it commits");
    }

    fn committed(&self, group: &str) -> Value {
        let described = self.json(&format!("groups describe {group}"));
        described[0]["partitions"][0]["current_offset"].clone()
    }
}

#[test]
fn a_topic_is_made_shown_altered_and_deleted() {
    let stage = Stage::new();
    let made = stage.json("topics create orders --partitions 3 --config retention.ms=86400000");
    assert_eq!(made["partitions"], 3);
    stage.refused("topics create orders", 1, "TopicAlreadyExists");
    stage.refused(
        "topics create other --config retention.ms",
        2,
        "accepted: PROPERTY=VALUE",
    );
    stage.write("orders", 1, 5);

    let described = stage.json("topics describe orders");
    assert_eq!(described[0]["configs"]["retention.ms"], "86400000");
    assert_eq!(described[0]["partitions"][1]["end_offset"], 5);
    let text = stage.say("topics describe orders").stdout;
    let header = "PARTITION  LEADER  REPLICAS  IN-SYNC  BEGIN-OFFSET  END-OFFSET";
    assert!(text.contains(header), "{text}");

    stage.refused(
        "topics alter orders --partitions 3",
        2,
        "accepted: more than 3",
    );
    let altered = stage.say("topics alter orders --partitions 4");
    assert_eq!(altered.stdout, "topic orders: 3 → 4 partitions\n");
    assert!(
        altered.stderr.contains("keys are not moved"),
        "{}",
        altered.stderr
    );

    let set = stage.json("topics configs orders --set segment.bytes=1048576 --unset retention.ms");
    assert_eq!(set[0]["source"], "default", "{set}");
    assert_eq!(set[1]["value"], "1048576", "{set}");
    stage.refused(
        "topics configs orders --set retention.ms=soon",
        1,
        "retention.ms",
    );
    stage.refused(
        "topics configs orders --set a=1 --unset a",
        2,
        "accepted: one of the two",
    );

    stage.refused("topics delete orders nowhere", 1, "nowhere");
    let listed = stage.json("topics list");
    assert_eq!(
        listed[0]["topic"], "orders",
        "nothing was deleted: {listed}"
    );
    stage.json("topics delete orders");
    assert_eq!(stage.json("topics list"), Value::Array(Vec::new()));
}

#[test]
fn a_groups_lag_is_counted_in_records_and_seconds() {
    let stage = Stage::new();
    stage.json("topics create orders --partitions 2");
    stage.write("orders", 0, 100);
    stage.commit("readers", "orders", 40);
    let described = stage.json("groups describe readers");
    let row = &described[0]["partitions"][0];
    assert_eq!(described[0]["state"], "Empty");
    assert_eq!(
        (&row["log_end_offset"], &row["lag"]),
        (&100.into(), &60.into())
    );
    // Record 40 was written an hour less 40 seconds ago.
    let age = row["lag_seconds"].as_f64().expect("an age");
    assert!((3560.0..7200.0).contains(&age), "{age}");
    stage.commit("readers", "orders", 100);
    let row = &stage.json("groups describe readers")[0]["partitions"][0];
    assert_eq!((&row["lag"], &row["lag_seconds"]), (&0.into(), &0.0.into()));
    let text = stage.say("groups describe readers").stdout;
    let header = "GROUP    TOPIC   PARTITION  CURRENT-OFFSET  LOG-END-OFFSET  LAG  LAG-SECONDS";
    assert!(text.contains(header), "{text}");
    stage.refused("groups describe nobody", 1, "there is no such group");
}

#[test]
fn readers_of_committed_records_lag_behind_the_last_stable_offset_only() {
    let stage = Stage::new();
    stage.json("topics create orders --partitions 1");
    stage.write("orders", 0, 10);
    stage.commit("readers", "orders", 4);
    let writer: BaseProducer = stage
        .client()
        .set("transactional.id", "open")
        .create()
        .expect("a producer");
    writer.init_transactions(PATIENCE).expect("it begins");
    writer.begin_transaction().expect("it begins");
    let record = BaseRecord::<(), [u8]>::to("orders").payload(b"undecided");
    writer.send(record).expect("room in the queue");
    writer.flush(PATIENCE).expect("it is written");
    let row = |options: &str| {
        let described = stage.json(&format!("groups describe readers {options}"));
        let row = &described[0]["partitions"][0];
        (row["log_end_offset"].clone(), row["lag"].clone())
    };
    assert_eq!(row(""), (11.into(), 7.into()));
    assert_eq!(row("--read-committed"), (10.into(), 6.into()));
    writer.commit_transaction(PATIENCE).expect("it commits");
    // The record and its marker.
    assert_eq!(row("--read-committed"), (12.into(), 8.into()));
}

#[test]
fn a_group_is_moved_once_it_is_told_to() {
    let stage = Stage::new();
    stage.json("topics create orders --partitions 2");
    stage.write("orders", 0, 100);
    stage.commit("readers", "orders", 40);
    let dry = stage.say("groups reset-offsets readers --to-earliest --dry-run");
    assert!(dry.stderr.contains("nothing was changed"), "{}", dry.stderr);
    assert_eq!(stage.committed("readers"), 40);
    let check = |goal: &str, expected: i64| {
        let moved = stage.json(&format!("groups reset-offsets readers {goal} --execute"));
        assert_eq!(
            moved["offsets"][0]["new_offset"], expected,
            "{goal}: {moved}"
        );
        assert_eq!(stage.committed("readers"), expected, "{goal}");
    };
    check("--to-earliest", 0);
    check("--shift-by 30", 30);
    check("--shift-by -10", 20);
    check("--to-offset 70", 70);
    check("--to-offset 700", 100);
    check("--to-datetime 1970-01-01T00:00:00", 0);
    check("--to-datetime 2200-01-01T00:00:00Z", 100);
    check("--to-latest --topic orders:0", 100);
    stage.refused(
        "groups reset-offsets readers --to-datetime noon",
        2,
        "--to-datetime noon",
    );
    stage.refused(
        "groups reset-offsets readers --to-latest --topic orders:7",
        2,
        "accepted: 0 to 1",
    );
    stage.refused(
        "groups reset-offsets nobody --to-latest",
        1,
        "committed no offsets",
    );
    let begun = stage.json("groups reset-offsets new --to-earliest --topic orders --execute");
    assert_eq!(begun["offsets"].as_array().map(Vec::len), Some(2));
    stage.json("groups delete new");
    stage.refused("groups delete new", 1, "there is no such group");
}

#[test]
fn an_active_group_of_either_protocol_is_left_alone() {
    let stage = Stage::new();
    stage.json("topics create orders --partitions 2");
    for protocol in ["classic", "consumer"] {
        let consumer = stage.consumer(protocol, protocol);
        consumer.subscribe(&["orders"]).expect("it subscribes");
        let started = SystemTime::now();
        // A list that came from the client must not outlive it: it would wait.
        while consumer.assignment().expect("an assignment").count() < 2 {
            consumer.poll(Duration::from_millis(50));
            let waited = started.elapsed().unwrap_or_default();
            assert!(waited < PATIENCE, "{protocol}: nothing was assigned");
        }
        let mut begun = TopicPartitionList::new();
        for partition in 0..2 {
            begun
                .add_partition_offset("orders", partition, Offset::Offset(0))
                .expect("an offset");
        }
        consumer
            .commit(&begun, CommitMode::Sync)
            .expect("it commits");
        let described = stage.json(&format!("groups describe {protocol}"));
        let described = &described[0];
        assert_eq!(described["protocol"], protocol, "{described}");
        let reader = &described["partitions"][1]["consumer_id"];
        assert_eq!(
            reader, &described["members"][0]["consumer_id"],
            "{described}"
        );
        let reset = format!("groups reset-offsets {protocol} --to-latest --execute");
        stage.refused(&reset, 1, "would commit over the new offsets");
        let delete = format!("groups delete {protocol}");
        stage.refused(&delete, 1, "accepted: a group whose members have left");
        drop(consumer);
        let listed = stage.json("groups list --state empty");
        assert_eq!(listed[0]["group"], protocol, "{listed}");
        stage.json(&delete);
    }
}
