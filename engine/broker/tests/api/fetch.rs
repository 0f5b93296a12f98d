//! Fetching records, alone and in sessions.

use plimsoll_broker::Outcome;
use plimsoll_wire::error_code::ErrorCode;
use plimsoll_wire::fetch::{FetchPartition, FetchRequest, FetchTopic, ForgottenTopic, Session};
use plimsoll_wire::topic::Topic;
use plimsoll_wire::types::{LeaderEpoch, Offset, PartitionIndex};
use std::time::Duration;
use uuid::Uuid;

use crate::client::*;

#[test]
fn a_fetch_waits_for_its_bytes_and_no_longer_than_it_said() {
    let (mut world, _) = world_with(&[]);
    let query = FetchRequest {
        max_wait_ms: 500,
        min_bytes: 200,
        ..fetch_query(Topic::Name("orders"), 0)
    };
    let Outcome::Parked(mut parked) = send_fetch(&mut world, 12, &query) else {
        panic!("there is nothing to answer with");
    };
    assert_eq!(
        parked.deadline(),
        world.now.mono.after(Duration::from_millis(500))
    );
    assert!(world.poll(&mut parked).is_none());
    produce_name(&mut world, &batch(1));
    assert_eq!(world.bell.rung(), 0, "one record is less than 200 bytes");
    produce_name(&mut world, &batch(1));
    assert_eq!(world.bell.rung(), 1);
    let response = world.poll(&mut parked).expect("there are enough bytes");
    assert_eq!(seen(12, &response).partitions, [(0, ErrorCode::None, 2, 2)]);

    let late = FetchRequest {
        min_bytes: 100_000,
        ..query
    };
    let Outcome::Parked(mut parked) = send_fetch(&mut world, 12, &late) else {
        panic!("there is too little to answer with");
    };
    world.pass(Duration::from_millis(500));
    let response = world.poll(&mut parked).expect("its time is up");
    assert_eq!(seen(12, &response).partitions, [(0, ErrorCode::None, 2, 2)]);
}

#[test]
fn a_fetch_that_was_given_up_is_not_woken() {
    let (mut world, _) = world_with(&[]);
    let query = FetchRequest {
        max_wait_ms: 500,
        ..fetch_query(Topic::Name("orders"), 0)
    };
    let parked = send_fetch(&mut world, 12, &query);
    assert!(matches!(parked, Outcome::Parked(_)));
    drop(parked);
    produce_name(&mut world, &batch(1));
    assert_eq!(world.bell.rung(), 0);
}

#[test]
fn fetches_that_cannot_be_served_are_answered_at_once() {
    let (mut world, id) = world_with(&[]);
    produce_name(&mut world, &batch(3));
    let mut check = |version: i16, topic: Topic<'_>, offset, epoch, expected: ErrorCode| {
        let mut query = FetchRequest {
            max_wait_ms: 500,
            ..fetch_query(topic, offset)
        };
        query.topics[0].partitions[0].current_leader_epoch = LeaderEpoch(epoch);
        let fetched = fetch(&mut world, version, &query);
        assert_eq!(
            fetched.partitions[0].1, expected,
            "{topic:?} from {offset} epoch {epoch}"
        );
    };
    check(
        12,
        Topic::Name("missing"),
        0,
        -1,
        ErrorCode::UnknownTopicOrPartition,
    );
    check(
        13,
        Topic::Id(Uuid::from_u128(7)),
        0,
        -1,
        ErrorCode::UnknownTopicId,
    );
    check(13, Topic::Id(id), 4, -1, ErrorCode::OffsetOutOfRange);
    check(13, Topic::Id(id), -1, -1, ErrorCode::OffsetOutOfRange);
    check(13, Topic::Id(id), 0, 1, ErrorCode::UnknownLeaderEpoch);
    check(13, Topic::Id(id), 0, 0, ErrorCode::None);
}

#[test]
fn the_first_batch_comes_whole_however_small_the_limit() {
    let (mut world, _) = world_with(&[]);
    produce_name(&mut world, &batch(3));
    produce_name(&mut world, &batch(3));
    let query = FetchRequest {
        max_bytes: 1,
        ..fetch_query(Topic::Name("orders"), 0)
    };
    assert_eq!(
        fetch(&mut world, 12, &query).partitions,
        [(0, ErrorCode::None, 6, 3)]
    );
}

fn in_session(id: i32, epoch: i32, wanted: &[(i32, i64)]) -> FetchRequest<'static> {
    let partition = |(index, offset): &(i32, i64)| {
        FetchPartition::from_offset(PartitionIndex(*index), Offset(*offset), 1 << 20)
    };
    let partitions: Vec<_> = wanted.iter().map(partition).collect();
    let topics = if partitions.is_empty() {
        Vec::new()
    } else {
        vec![FetchTopic {
            topic: Topic::Name("orders"),
            partitions,
        }]
    };
    FetchRequest {
        session: Session { id, epoch },
        topics,
        ..fetch_query(Topic::Name("orders"), 0)
    }
}

#[test]
fn a_session_tells_what_is_new_and_nothing_else() {
    let (mut world, _) = world_with(&[]);
    produce_name(&mut world, &batch(2));
    let first = fetch(&mut world, 12, &in_session(0, 0, &[(0, 0), (1, 0)]));
    assert_eq!(first.partitions.len(), 2);
    let id = first.session;
    assert!(id > 0);
    let none = fetch(&mut world, 12, &in_session(id, 1, &[(0, 2)]));
    assert_eq!((none.session, none.partitions), (id, vec![]));
    produce_name(&mut world, &batch(1));
    let news = fetch(&mut world, 12, &in_session(id, 2, &[]));
    assert_eq!(news.partitions, [(0, ErrorCode::None, 3, 1)]);
    let mut forget = in_session(id, 3, &[]);
    forget.forgotten = vec![ForgottenTopic {
        topic: Topic::Name("orders"),
        partitions: vec![PartitionIndex(0)],
    }];
    assert_eq!(fetch(&mut world, 12, &forget).partitions, []);
    let repeated = fetch(&mut world, 12, &in_session(id, 3, &[]));
    assert_eq!(repeated.error, ErrorCode::InvalidFetchSessionEpoch);
    let unknown = fetch(&mut world, 12, &in_session(id + 1, 3, &[]));
    assert_eq!(unknown.error, ErrorCode::FetchSessionIdNotFound);
    let ended = fetch(&mut world, 12, &in_session(id, -1, &[(0, 0)]));
    assert_eq!((ended.session, ended.partitions.len()), (0, 1));
    let gone = fetch(&mut world, 12, &in_session(id, 4, &[]));
    assert_eq!(gone.error, ErrorCode::FetchSessionIdNotFound);
}

#[test]
fn without_a_free_slot_a_fetch_goes_without_a_session() {
    let (mut world, _) = world_with(&[("max.incremental.fetch.session.cache.slots", "1")]);
    let open = in_session(0, 0, &[(0, 0)]);
    assert!(fetch(&mut world, 12, &open).session > 0);
    assert_eq!(fetch(&mut world, 12, &open).session, 0);
}
