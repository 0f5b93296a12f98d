//! Transactions across nodes: the coordinator on one, partitions led by others,
//! and any of them lost on the way.

use crate::consumer::{body_of, fetch, fetch_query};
use crate::membership::create;
use crate::world::World;
use bytes::Bytes;
use kafka_protocol::messages::add_partitions_to_txn_request::AddPartitionsToTxnTopic;
use kafka_protocol::messages::{
    AddPartitionsToTxnRequest, AddPartitionsToTxnResponse, EndTxnRequest, EndTxnResponse,
    FindCoordinatorRequest, FindCoordinatorResponse, InitProducerIdRequest, InitProducerIdResponse,
    ProducerId as WireProducerId, TopicName, TransactionalId,
};
use kafka_protocol::protocol::StrBytes;
use plimsoll_wire::api::ApiKey;
use plimsoll_wire::batch::{self, BatchBuilder, BatchHeader, BatchSettings, records};
use plimsoll_wire::error_code::ErrorCode;
use plimsoll_wire::fetch::IsolationLevel;
use plimsoll_wire::produce::{PartitionData, ProduceRequest, ProduceResponse, TopicData};
use plimsoll_wire::topic::Topic;
use plimsoll_wire::types::{
    Offset, PartitionIndex, ProducerEpoch, ProducerId, Sequence, TimestampMs,
};
use std::time::Duration;

const PAY: &str = "pay";
const PARTITIONS: i32 = 3;

/// The version of produce requests in which producers add their partitions.
const EXPLICIT: i16 = 11;
/// And the one in which brokers do.
const IMPLICIT: i16 = 12;

const SETTINGS: &[(&str, &str)] = &[
    ("min.insync.replicas", "2"),
    ("broker.session.timeout.ms", "3000"),
    ("replica.lag.time.max.ms", "2000"),
    ("replica.fetch.backoff.ms", "100"),
    ("transaction.state.log.num.partitions", "1"),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Producer {
    id: i64,
    epoch: i16,
}

fn pay() -> TransactionalId {
    TransactionalId(StrBytes::from_static_str(PAY))
}

/// A cluster with a topic whose partitions lie on all nodes, led by each of
/// them in turn.
fn with_orders() -> World {
    let mut world = World::ready(3, SETTINGS);
    assert_eq!(create(&mut world, 1, "orders", PARTITIONS, 3), 0);
    world.until("all nodes follow", |world| {
        (1..=3).all(|node| world.partition(node, "orders", PARTITIONS - 1).is_some())
    });
    world.pass(Duration::from_millis(500));
    let leaders: std::collections::BTreeSet<_> = (0..PARTITIONS)
        .map(|index| world.leader("orders", index))
        .collect();
    assert_eq!(leaders.len(), 3, "each node leads: {leaders:?}");
    world
}

/// Asks again until the code is none of those that pass by themselves.
fn insist<T>(
    world: &mut World,
    mut ask: impl FnMut(&mut World) -> (ErrorCode, T),
) -> Result<T, ErrorCode> {
    for _ in 0..300 {
        match ask(world) {
            (ErrorCode::None, answer) => return Ok(answer),
            (
                ErrorCode::CoordinatorNotAvailable
                | ErrorCode::CoordinatorLoadInProgress
                | ErrorCode::NotCoordinator
                | ErrorCode::ConcurrentTransactions
                | ErrorCode::NotEnoughReplicas
                | ErrorCode::NotLeaderOrFollower,
                _,
            ) => world.pass(Duration::from_millis(50)),
            (code, _) => return Err(code),
        }
    }
    panic!("it does not pass");
}

fn node_that_lives(world: &World) -> usize {
    world.controller().unwrap_or(1)
}

fn coordinator(world: &mut World) -> usize {
    let query = FindCoordinatorRequest::default()
        .with_key_type(1)
        .with_coordinator_keys(vec![StrBytes::from_static_str(PAY)]);
    let found = insist(world, |world| {
        let node = node_that_lives(world);
        let answer: FindCoordinatorResponse = world.ask(node, ApiKey::FindCoordinator, 4, &query);
        let found = &answer.coordinators[0];
        (ErrorCode::from_wire(found.error_code), found.node_id.0)
    });
    usize::try_from(found.expect("a coordinator")).expect("a node")
}

fn init(world: &mut World) -> Producer {
    let query = InitProducerIdRequest::default()
        .with_transactional_id(Some(pay()))
        .with_transaction_timeout_ms(30_000);
    let made = insist(world, |world| {
        let node = coordinator(world);
        let answer: InitProducerIdResponse = world.ask(node, ApiKey::InitProducerId, 4, &query);
        let producer = Producer {
            id: answer.producer_id.0,
            epoch: answer.producer_epoch,
        };
        (ErrorCode::from_wire(answer.error_code), producer)
    });
    made.expect("a producer")
}

fn add(world: &mut World, by: Producer, partitions: &[i32]) -> Result<(), ErrorCode> {
    let topic = AddPartitionsToTxnTopic::default()
        .with_name(TopicName(StrBytes::from_static_str("orders")))
        .with_partitions(partitions.to_vec());
    let query = AddPartitionsToTxnRequest::default()
        .with_v3_and_below_transactional_id(pay())
        .with_v3_and_below_producer_id(WireProducerId(by.id))
        .with_v3_and_below_producer_epoch(by.epoch)
        .with_v3_and_below_topics(vec![topic]);
    insist(world, |world| {
        let node = coordinator(world);
        let answer: AddPartitionsToTxnResponse =
            world.ask(node, ApiKey::AddPartitionsToTxn, 3, &query);
        let topic = &answer.results_by_topic_v3_and_below[0];
        let code = topic.results_by_partition[0].partition_error_code;
        (ErrorCode::from_wire(code), ())
    })
}

/// Writes one record to a partition, at whoever leads it.
fn produce(
    world: &mut World,
    version: i16,
    by: Producer,
    (index, sequence): (i32, i32),
    value: &str,
) -> Result<(), ErrorCode> {
    let mut builder = BatchBuilder::new(BatchSettings {
        producer: batch::Producer {
            id: ProducerId(by.id),
            epoch: ProducerEpoch(by.epoch),
            base_sequence: Sequence(sequence),
        },
        transactional: true,
        ..BatchSettings::default()
    });
    builder.push(TimestampMs(1_700_000_000_000), None, Some(value.as_bytes()));
    let records = Bytes::from(builder.build().expect("a batch"));
    let query = ProduceRequest {
        transactional_id: Some(PAY),
        acks: -1,
        timeout_ms: 5000,
        topics: vec![TopicData {
            topic: Topic::Name("orders"),
            partitions: vec![PartitionData {
                index: PartitionIndex(index),
                records,
            }],
        }],
    };
    let frame = query.encode_frame(version, 42, Some("tests")).concat();
    let body = body_of(ApiKey::Produce, &frame);
    insist(world, |world| {
        let node = world.leader("orders", index).unwrap_or(1);
        let answer = world.ask_bytes(node, ApiKey::Produce, version, &body);
        let answer = ProduceResponse::decode(version, &answer).expect("a response");
        (answer.topics[0].partitions[0].error, ())
    })
}

fn end(world: &mut World, version: i16, by: Producer, commit: bool) -> Result<Producer, ErrorCode> {
    let query = EndTxnRequest::default()
        .with_transactional_id(pay())
        .with_producer_id(WireProducerId(by.id))
        .with_producer_epoch(by.epoch)
        .with_committed(commit);
    insist(world, |world| {
        let node = coordinator(world);
        let answer: EndTxnResponse = world.ask(node, ApiKey::EndTxn, version, &query);
        let next = match version {
            5.. => Producer {
                id: answer.producer_id.0,
                epoch: answer.producer_epoch,
            },
            _ => by,
        };
        (ErrorCode::from_wire(answer.error_code), next)
    })
}

/// What a reader of committed records sees of a partition at its leader, and
/// whether nothing is open there.
fn committed(world: &mut World, index: i32) -> (Vec<String>, bool) {
    let mut query = fetch_query(index);
    query.isolation = IsolationLevel::ReadCommitted;
    let node = world.leader("orders", index).expect("a leader");
    fetch(world, node, 11, &query, |answer| {
        let partition = &answer.topics[0].partitions[0];
        let aborted = partition.aborted_transactions.clone().unwrap_or_default();
        let (mut values, mut rest, mut scratch) = (Vec::new(), partition.records, Vec::new());
        while !rest.is_empty() {
            let header = BatchHeader::parse(rest).expect("a batch");
            let (bytes, after) = rest.split_at(header.total_len());
            let is_aborted = aborted.iter().any(|txn| {
                txn.producer_id == header.producer_id && txn.first_offset <= header.base_offset
            });
            if !header.is_control() && !is_aborted {
                for record in records(bytes, &mut scratch, 1 << 20).expect("records") {
                    let value = record.expect("a record").value.unwrap_or_default();
                    values.push(String::from_utf8_lossy(value).into_owned());
                }
            }
            rest = after;
        }
        let settled = partition.last_stable_offset == partition.high_watermark
            && partition.high_watermark > Offset(0);
        (values, settled)
    })
}

/// Waits until no partition has anything open, and reads them all.
fn all_committed(world: &mut World) -> Vec<Vec<String>> {
    for _ in 0..600 {
        let seen: Vec<_> = (0..PARTITIONS)
            .map(|index| committed(world, index))
            .collect();
        if seen.iter().all(|(_, settled)| *settled) {
            return seen.into_iter().map(|(values, _)| values).collect();
        }
        world.pass(Duration::from_millis(50));
    }
    panic!("something stays open");
}

fn each_once(value: &str) -> Vec<Vec<String>> {
    (0..PARTITIONS)
        .map(|n| vec![format!("{value}-{n}")])
        .collect()
}

#[test]
fn a_transaction_spans_partitions_led_by_three_nodes() {
    for (version, ends) in [(EXPLICIT, 4), (IMPLICIT, 5)] {
        let mut world = with_orders();
        let by = init(&mut world);
        if version == EXPLICIT {
            add(&mut world, by, &[0, 1, 2]).expect("they are added");
        }
        for n in 0..PARTITIONS {
            produce(&mut world, version, by, (n, 0), &format!("kept-{n}")).expect("it is written");
            assert_eq!(committed(&mut world, n).0, Vec::<String>::new());
        }
        let by = end(&mut world, ends, by, true).expect("it commits");
        assert_eq!(all_committed(&mut world), each_once("kept"), "{version}");
        // The next one is aborted, and nobody sees it.
        if version == EXPLICIT {
            add(&mut world, by, &[0, 1, 2]).expect("they are added");
        }
        let sequence = i32::from(version == EXPLICIT);
        for n in 0..PARTITIONS {
            let place = (n, sequence);
            produce(&mut world, version, by, place, &format!("lost-{n}")).expect("it is written");
        }
        end(&mut world, ends, by, false).expect("it aborts");
        assert_eq!(all_committed(&mut world), each_once("kept"), "{version}");
    }
}

#[test]
fn a_partition_that_was_not_added_takes_no_records_wherever_its_coordinator_is() {
    let mut world = with_orders();
    let by = init(&mut world);
    add(&mut world, by, &[0]).expect("it is added");
    for n in 1..PARTITIONS {
        let refused = produce(&mut world, EXPLICIT, by, (n, 0), "astray");
        assert_eq!(refused, Err(ErrorCode::InvalidTxnState), "{n}");
    }
    let stale = Producer {
        epoch: by.epoch - 1,
        ..by
    };
    let refused = produce(&mut world, EXPLICIT, stale, (0, 0), "zombie");
    assert_eq!(refused, Err(ErrorCode::InvalidProducerEpoch));
}

/// The coordinator is killed as soon as it has said that the transaction is
/// committed: whoever comes next writes the markers that are missing.
#[test]
fn what_was_decided_outlives_the_coordinator() {
    for commit in [true, false] {
        let mut world = with_orders();
        let by = init(&mut world);
        for n in 0..PARTITIONS {
            produce(&mut world, IMPLICIT, by, (n, 0), &format!("paid-{n}")).expect("it is written");
        }
        let first = coordinator(&mut world);
        end(&mut world, 5, by, commit).expect("it is decided");
        world.kill(first);
        world.until("others lead", |world| {
            let led =
                |topic: &str, index| world.leader(topic, index).is_some_and(|node| node != first);
            world.controller().is_some_and(|node| node != first)
                && led("__transaction_state", 0)
                && (0..PARTITIONS).all(|index| led("orders", index))
        });
        let expected = if commit {
            each_once("paid")
        } else {
            vec![Vec::new(); 3]
        };
        assert_eq!(all_committed(&mut world), expected, "commit {commit}");
        assert_ne!(coordinator(&mut world), first);
    }
}

/// The leader of a partition is cut off when its transaction ends: the marker
/// is written by whoever leads after it, and the aborted records stay unseen.
#[test]
fn markers_follow_the_leader() {
    let mut world = with_orders();
    let by = init(&mut world);
    for n in 0..PARTITIONS {
        produce(&mut world, IMPLICIT, by, (n, 0), &format!("torn-{n}")).expect("it is written");
    }
    let home = coordinator(&mut world);
    let away = (0..PARTITIONS)
        .find(|index| world.leader("orders", *index) != Some(home))
        .expect("others lead");
    let cut_off = world.leader("orders", away).expect("a leader");
    world.pause(cut_off, true);
    let next = end(&mut world, 5, by, false).expect("it aborts");
    assert_ne!(next, by, "the epoch is raised");
    world.until("another leads", |world| {
        world.controller().is_some_and(|node| node != cut_off)
            && (0..PARTITIONS)
                .all(|index| world.leader("orders", index).is_some_and(|n| n != cut_off))
    });
    assert_eq!(all_committed(&mut world), vec![Vec::<String>::new(); 3]);
    world.pause(cut_off, false);
    world.pass(Duration::from_secs(5));
    assert_eq!(all_committed(&mut world), vec![Vec::<String>::new(); 3]);
}
