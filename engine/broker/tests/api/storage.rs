//! Disks that fail: what goes offline, what serves on, and what the next start
//! finds.

use crate::client::{
    batch, delete_orders, fetch, fetch_query, produce_name, seen, send, send_fetch, topic_name,
    world_with,
};
use crate::metrics::value;
use crate::support::{World, body};
use kafka_protocol::messages::create_topics_request::CreatableTopic;
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::metadata_response::MetadataResponsePartition;
use kafka_protocol::messages::{
    CreateTopicsRequest, CreateTopicsResponse, DescribeLogDirsRequest, DescribeLogDirsResponse,
    DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse, MetadataRequest,
    MetadataResponse, TopicName,
};
use kafka_protocol::protocol::StrBytes;
use plimsoll_broker::Outcome;
use plimsoll_log::{Disk, Fault, MemDisk, Open};
use plimsoll_wire::api::ApiKey;
use plimsoll_wire::error_code::ErrorCode;
use plimsoll_wire::produce::{PartitionData, ProduceRequest, ProduceResponse, TopicData};
use plimsoll_wire::topic::Topic;
use plimsoll_wire::types::PartitionIndex;
use std::path::Path;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// Where the metadata log and partition 1 of `orders` lie.
const GOOD: &str = "/a";
/// Where partition 0 lies.
const BAD: &str = "/b";

fn two_dirs(settings: &[(&str, &str)]) -> World {
    let mut all = vec![("log.dirs", "/a,/b")];
    all.extend_from_slice(settings);
    let (world, _) = world_with(&all);
    assert!(exists(&world.disk, "/b/orders-0") && exists(&world.disk, "/a/orders-1"));
    world
}

fn exists(disk: &MemDisk, dir: &str) -> bool {
    disk.list(Path::new(dir)).is_ok()
}

/// Sends one batch to a partition with acks=1.
fn produce_to(world: &mut World, partition: i32) -> ErrorCode {
    let data = PartitionData {
        index: PartitionIndex(partition),
        records: bytes::Bytes::from(batch(1)),
    };
    let query = ProduceRequest {
        transactional_id: None,
        acks: 1,
        timeout_ms: 1000,
        topics: vec![TopicData {
            topic: Topic::Name("orders"),
            partitions: vec![data],
        }],
    };
    let frame = query.encode_frame(9, 42, Some("tests")).concat();
    let body_of = crate::client::body_of(&frame, ApiKey::Produce, 9);
    let Outcome::Ready(response) = world.send(ApiKey::Produce, 9, &body_of) else {
        panic!("it is answered at once");
    };
    let bytes = body(ApiKey::Produce, 9, &response);
    let response = ProduceResponse::decode(9, &bytes).expect("the response decodes");
    response.topics[0].partitions[0].error
}

fn records(world: &mut World) -> usize {
    let fetched = fetch(world, 11, &fetch_query(Topic::Name("orders"), 0));
    let (_, error, _, count) = fetched.partitions[0];
    assert_eq!(error, ErrorCode::None);
    count
}

fn partitions(world: &mut World) -> Vec<MetadataResponsePartition> {
    let topic = MetadataRequestTopic::default().with_name(Some(topic_name()));
    let query = MetadataRequest::default().with_topics(Some(vec![topic]));
    let response: MetadataResponse = world.ask(ApiKey::Metadata, 12, &query);
    let mut partitions = response.topics[0].partitions.clone();
    partitions.sort_by_key(|partition| partition.partition_index);
    partitions
}

/// Fails unless partition 0 is offline, everywhere that clients look, and
/// partition 1 serves.
fn assert_half_offline(world: &mut World, context: &str) {
    assert_eq!(
        produce_to(world, 0),
        ErrorCode::KafkaStorageError,
        "{context}"
    );
    assert_eq!(produce_to(world, 1), ErrorCode::None, "{context}");
    let fetched = fetch(world, 11, &fetch_query(Topic::Name("orders"), 0));
    assert_eq!(
        fetched.partitions[0].1,
        ErrorCode::KafkaStorageError,
        "{context}"
    );
    let seen = partitions(world);
    let described: Vec<_> = seen
        .iter()
        .map(|p| (p.error_code, p.leader_id.0, p.offline_replicas.len()))
        .collect();
    let away = ErrorCode::LeaderNotAvailable.code();
    assert_eq!(described, [(away, -1, 1), (0, 1, 0)], "{context}");
    let page: DescribeTopicPartitionsResponse = world.ask(
        ApiKey::DescribeTopicPartitions,
        0,
        &DescribeTopicPartitionsRequest::default().with_response_partition_limit(100),
    );
    let offline = page.topics.iter().flat_map(|topic| &topic.partitions);
    let offline: Vec<_> = offline
        .filter(|p| !p.offline_replicas.is_empty())
        .map(|p| p.partition_index)
        .collect();
    assert_eq!(offline, [0], "{context}");
    let dirs: DescribeLogDirsResponse = world.ask(
        ApiKey::DescribeLogDirs,
        4,
        &DescribeLogDirsRequest::default().with_topics(None),
    );
    let states: Vec<_> = dirs
        .results
        .iter()
        .map(|dir| (dir.log_dir.as_str(), dir.error_code))
        .collect();
    let failed = ErrorCode::KafkaStorageError.code();
    assert_eq!(states, [(GOOD, 0), (BAD, failed)], "{context}");
}

/// A directory's disk fails under a request; afterwards it is replaced by what
/// `next` makes of it.
fn check(settings: &[(&str, &str)], fault: Fault, next: impl Fn(&MemDisk) -> MemDisk) {
    let context = format!("{fault:?}");
    let mut world = two_dirs(settings);
    for _ in 0..3 {
        assert_eq!(produce_name(&mut world, &batch(2)).error, ErrorCode::None);
    }
    world.disk.fail_under(Path::new(BAD), fault);
    if fault == Fault::Read {
        // A search in a segment that is at rest reads.
        crate::lookup::offset_at(&mut world, 6, crate::support::START_MS);
    } else {
        let refused = produce_name(&mut world, &batch(2));
        assert_eq!(refused.error, ErrorCode::KafkaStorageError, "{context}");
    }
    assert_half_offline(&mut world, &context);
    world.disk.heal();
    assert_half_offline(&mut world, &format!("{context}, healed without a restart"));
    let disk = next(&world.disk);
    world.start_on(disk).expect("it starts");
    let found = records(&mut world);
    // What was refused may be there: its producer was told to try again.
    assert!((6..=8).contains(&found), "{context}: {found} of 6 records");
    assert_eq!(produce_to(&mut world, 0), ErrorCode::None, "{context}");
}

#[test]
fn a_directory_whose_disk_fails_goes_offline_and_nothing_acknowledged_is_lost() {
    for fault in [Fault::Write, Fault::Full, Fault::Read, Fault::Everything] {
        check(&[], fault, MemDisk::fork);
    }
}

#[test]
fn a_failed_sync_before_the_answer_loses_nothing_that_was_answered() {
    for seed in 0..20 {
        check(
            &[("log.flush.interval.messages", "1")],
            Fault::Sync,
            |disk| disk.after_crash(seed),
        );
    }
}

#[test]
fn a_failed_checkpoint_or_flush_in_the_background_takes_the_directory_offline() {
    for fault in [Fault::Write, Fault::Everything] {
        let mut world = two_dirs(&[]);
        assert_eq!(produce_name(&mut world, &batch(2)).error, ErrorCode::None);
        world.disk.fail_under(Path::new(BAD), fault);
        world.pass(Duration::from_secs(61));
        world.broker.tick(world.now);
        assert_half_offline(&mut world, &format!("{fault:?}"));
    }
}

#[test]
fn a_failed_write_of_the_metadata_log_takes_its_directory_offline() {
    let mut world = two_dirs(&[]);
    assert_eq!(produce_to(&mut world, 1), ErrorCode::None);
    world.disk.fail_under(Path::new(GOOD), Fault::Write);
    let payments = CreatableTopic::default()
        .with_name(TopicName(StrBytes::from_static_str("payments")))
        .with_num_partitions(1)
        .with_replication_factor(1);
    let query = CreateTopicsRequest::default().with_topics(vec![payments]);
    let response: CreateTopicsResponse = world.ask(ApiKey::CreateTopics, 7, &query);
    let refused = ErrorCode::KafkaStorageError.code();
    assert_eq!(response.topics[0].error_code, refused);
    // What else lies on that disk is away, and the other serves on.
    assert_eq!(produce_to(&mut world, 1), ErrorCode::KafkaStorageError);
    assert_eq!(produce_to(&mut world, 0), ErrorCode::None);
}

#[test]
fn a_fetch_that_waits_is_told_when_the_disk_fails() {
    let mut world = two_dirs(&[]);
    let query = plimsoll_wire::fetch::FetchRequest {
        max_wait_ms: 60_000,
        ..fetch_query(Topic::Name("orders"), 0)
    };
    let Outcome::Parked(mut parked) = send_fetch(&mut world, 11, &query) else {
        panic!("there is nothing to fetch yet");
    };
    world.disk.fail_under(Path::new(BAD), Fault::Write);
    send(&mut world, 9, Topic::Name("orders"), 1, &batch(1));
    assert!(world.bell.rung() > 0, "nobody was woken");
    let response = world.poll(&mut parked).expect("it is answered");
    assert_eq!(
        seen(11, &response).partitions[0].1,
        ErrorCode::KafkaStorageError
    );
}

#[test]
fn a_broker_starts_without_a_directory_and_has_it_back_at_the_next_start() {
    let mut world = two_dirs(&[]);
    assert_eq!(produce_name(&mut world, &batch(5)).error, ErrorCode::None);
    world.broker.shutdown(world.now).expect("it stops cleanly");
    let disk = world.disk.fork();
    disk.fail_under(Path::new(BAD), Fault::Everything);
    world.start_on(disk).expect("it starts");
    assert_half_offline(&mut world, "started without it");
    world
        .broker
        .shutdown(world.now)
        .expect("the rest stops cleanly");
    assert!(
        !exists(&world.disk, "/a/orders-0"),
        "no log began anew elsewhere"
    );
    let disk = world.disk.fork();
    world.start_on(disk).expect("it starts");
    assert_eq!(records(&mut world), 5);
}

#[test]
fn a_directory_that_comes_back_empty_is_not_taken_for_the_one_that_was_lost() {
    let mut world = two_dirs(&[]);
    assert_eq!(produce_name(&mut world, &batch(5)).error, ErrorCode::None);
    world.broker.shutdown(world.now).expect("it stops cleanly");
    let disk = world.disk.fork();
    // The volume is not mounted: the mount point is an empty directory.
    disk.rename(Path::new(BAD), Path::new("/unmounted"))
        .expect("it moves");
    for start in 0..2 {
        let again = if start == 0 {
            disk.fork()
        } else {
            world.disk.fork()
        };
        world.start_on(again).expect("it starts");
        assert_eq!(
            produce_to(&mut world, 0),
            ErrorCode::KafkaStorageError,
            "start {start}"
        );
        assert_eq!(produce_to(&mut world, 1), ErrorCode::None, "start {start}");
        world.broker.shutdown(world.now).expect("it stops cleanly");
    }
    let empty = world.disk.fork();
    disk.rename(Path::new("/unmounted"), Path::new(BAD))
        .expect("it moves back");
    world.start_on(disk).expect("it starts");
    assert_eq!(records(&mut world), 5, "mounted again");
    world.set("plimsoll.lost.log.dirs", "recreate");
    world.start_on(empty).expect("it starts");
    assert_eq!(produce_to(&mut world, 0), ErrorCode::None);
    assert_eq!(records(&mut world), 1, "begun anew, as was asked");
}

#[test]
fn a_broker_does_not_start_over_without_its_metadata() {
    let check = |damage: &dyn Fn(&MemDisk), expected: &str| {
        let mut world = two_dirs(&[]);
        world.broker.shutdown(world.now).expect("it stops cleanly");
        let disk = world.disk.fork();
        damage(&disk);
        let refused = world
            .start_on(disk)
            .expect_err("it does not start")
            .to_string();
        assert!(refused.contains(expected), "{refused}");
    };
    check(
        &|disk| {
            disk.rename(Path::new(GOOD), Path::new("/gone"))
                .expect("it moves")
        },
        "holds the metadata log",
    );
    check(
        &|disk| disk.fail_under(Path::new(GOOD), Fault::Everything),
        "holds the metadata log",
    );
    check(
        &|disk| disk.fail(Fault::Everything),
        "none of /a, /b can be used",
    );
    check(
        &|disk| {
            disk.create_dir_all(Path::new("/a/orders-0"))
                .expect("it is made")
        },
        "both /a and /b hold orders-0",
    );
}

#[test]
fn a_clean_stop_marks_only_directories_that_work() {
    let mut world = two_dirs(&[]);
    world.disk.fail_under(Path::new(BAD), Fault::Write);
    assert_eq!(produce_to(&mut world, 0), ErrorCode::KafkaStorageError);
    world
        .broker
        .shutdown(world.now)
        .expect("the rest stops cleanly");
    let marked = |dir: &str| {
        let mark = Path::new(dir).join(".kafka_cleanshutdown");
        world.disk.open(&mark, Open::Read).is_ok()
    };
    assert!(marked(GOOD) && !marked(BAD));
}

/// A topic is deleted while the disk of one of its logs is away. A topic of the
/// same name must not find the old log when the disk is back.
#[test]
fn a_log_of_a_deleted_topic_is_not_taken_for_one_of_its_namesake() {
    let mut world = two_dirs(&[]);
    assert_eq!(produce_name(&mut world, &batch(5)).error, ErrorCode::None);
    world.disk.fail_under(Path::new(BAD), Fault::Write);
    assert_eq!(produce_to(&mut world, 0), ErrorCode::KafkaStorageError);
    delete_orders(&world);
    world.restart(false);
    let topic = MetadataRequestTopic::default().with_name(Some(topic_name()));
    let query = MetadataRequest::default()
        .with_topics(Some(vec![topic]))
        .with_allow_auto_topic_creation(true);
    let _created: MetadataResponse = world.ask(ApiKey::Metadata, 12, &query);
    assert_eq!(produce_to(&mut world, 0), ErrorCode::None);
    assert_eq!(records(&mut world), 1);
}

#[test]
fn a_topic_deleted_during_a_flush_is_no_failed_disk() {
    // A second segment has a name that is to be synced.
    let (mut world, _) = world_with(&[("log.segment.bytes", "1000")]);
    for _ in 0..20 {
        assert_eq!(produce_name(&mut world, &batch(2)).error, ErrorCode::None);
    }
    let (reached, at_sync) = mpsc::channel();
    let (go_on, deleted) = mpsc::channel();
    let dir = Path::new("/data/orders-0");
    world.disk.before_sync_of(dir, move || {
        reached.send(()).expect("the test waits");
        deleted.recv().expect("the test goes on");
    });
    world.pass(Duration::from_secs(61));
    thread::scope(|scope| {
        scope.spawn(|| world.broker.tick(world.now));
        let waited = at_sync.recv_timeout(Duration::from_secs(60));
        waited.expect("the log is flushed");
        delete_orders(&world);
        go_on.send(()).expect("the flush waits");
    });
    let offline = value(&world, "kafka_log_LogManager_OfflineLogDirectoryCount", &[]);
    assert_eq!(offline, Some(0.0));
}
