//! Answers that wait for a sync.

use crate::client::{batch_with, body_of, fetch, fetch_query, world_with};
use crate::support::{World, body};
use bytes::Bytes;
use plimsoll_broker::{Outcome, Parked};
use plimsoll_log::Fault;
use plimsoll_wire::api::ApiKey;
use plimsoll_wire::batch::BatchSettings;
use plimsoll_wire::error_code::ErrorCode;
use plimsoll_wire::produce::{PartitionData, ProduceRequest, ProduceResponse, TopicData};
use plimsoll_wire::topic::Topic;
use plimsoll_wire::types::PartitionIndex;
use std::time::Duration;

fn durable() -> World {
    world_with(&[("plimsoll.durable", "true")]).0
}

/// Sends a batch to each of these partitions in one request.
fn send(world: &mut World, partitions: &[i32]) -> Parked {
    let data = |index: &i32| PartitionData {
        index: PartitionIndex(*index),
        records: Bytes::from(batch_with(BatchSettings::default(), 2)),
    };
    let query = ProduceRequest {
        transactional_id: None,
        acks: -1,
        timeout_ms: 5000,
        topics: vec![TopicData {
            topic: Topic::Name("orders"),
            partitions: partitions.iter().map(data).collect(),
        }],
    };
    let frame = query.encode_frame(9, 42, Some("tests")).concat();
    match world.send(ApiKey::Produce, 9, &body_of(&frame, ApiKey::Produce, 9)) {
        Outcome::Parked(parked) => parked,
        other => panic!("it waits for a sync: {other:?}"),
    }
}

/// The errors of the answer, when there is one.
fn answer(world: &World, parked: &mut Parked) -> Option<Vec<ErrorCode>> {
    let response = world.poll(parked)?;
    let bytes = body(ApiKey::Produce, 9, &response);
    let response = ProduceResponse::decode(9, &bytes).expect("the response decodes");
    let partitions = response.topics.iter().flat_map(|topic| &topic.partitions);
    Some(partitions.map(|partition| partition.error).collect())
}

#[test]
fn what_was_answered_outlives_a_power_cut() {
    for seed in 0..20 {
        let mut world = durable();
        let mut parked = send(&mut world, &[0]);
        assert_eq!(answer(&world, &mut parked), None, "nothing is synced");
        assert!(!world.broker.commit(world.now));
        assert!(world.bell.rung() > 0, "the request is told");
        assert_eq!(answer(&world, &mut parked), Some(vec![ErrorCode::None]));
        let disk = world.disk.after_crash(seed);
        world.start_on(disk).expect("it starts");
        let fetched = fetch(&mut world, 11, &fetch_query(Topic::Name("orders"), 0));
        assert_eq!(fetched.partitions[0].3, 2, "seed {seed}");
    }
}

#[test]
fn requests_share_a_round_of_syncs_whatever_they_wrote() {
    let mut world = durable();
    let mut parked = [&[0][..], &[1], &[0, 1], &[0]].map(|wrote| send(&mut world, wrote));
    world.broker.commit(world.now);
    let answers = parked
        .each_mut()
        .map(|parked| answer(&world, parked).map(|errors| errors.len()));
    assert_eq!(answers, [Some(1), Some(1), Some(2), Some(1)]);
    let before = world.disk.operations();
    world.broker.commit(world.now);
    assert_eq!(world.disk.operations(), before, "nothing is left to sync");
}

#[test]
fn a_sync_that_fails_is_an_error_and_never_an_answer() {
    let mut world = durable();
    let mut parked = send(&mut world, &[0]);
    world.disk.fail(Fault::Sync);
    world.broker.commit(world.now);
    let failed = Some(vec![ErrorCode::KafkaStorageError]);
    assert_eq!(answer(&world, &mut parked), failed);
}

#[test]
fn a_sync_that_does_not_end_in_time_is_told_and_a_broker_left_alone_syncs_by_itself() {
    let mut world = durable();
    let mut parked = send(&mut world, &[0]);
    world.pass(Duration::from_secs(6));
    let late = Some(vec![ErrorCode::RequestTimedOut]);
    assert_eq!(answer(&world, &mut parked), late);
    let mut parked = send(&mut world, &[0]);
    world.broker.tick(world.now);
    assert_eq!(answer(&world, &mut parked), Some(vec![ErrorCode::None]));
}
