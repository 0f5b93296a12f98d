//! An administrator who moves partitions among nodes: other replicas, fewer,
//! or the same in another order, now and then a move called off half-way. Once
//! faults are over each partition is sent to a last place, and has to get there.

use super::Client;
use super::directory::{text, topic_name};
use super::link::PATIENCE;
use crate::facts::{Fact, Partition};
use crate::world::Broken;
use kafka_protocol::messages::alter_partition_reassignments_request::{
    ReassignablePartition, ReassignableTopic,
};
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::{
    AlterPartitionReassignmentsRequest, AlterPartitionReassignmentsResponse, BrokerId,
    MetadataRequest, MetadataResponse,
};
use plimsoll_wire::api::ApiKey;
use plimsoll_wire::error_code::ErrorCode;
use std::time::Duration;

/// The versions of the requests.
const ALTER_REASSIGNMENTS: i16 = 0;
const METADATA: i16 = 12;

/// The fewest replicas of a partition: as many as `min.insync.replicas`, so
/// that what is acknowledged is always on two nodes.
const REPLICAS_MIN: usize = 2;
/// The most.
const REPLICAS_MAX: usize = 3;

/// How long the last move may take before its place is judged.
const ARRIVAL_MAX: Duration = Duration::from_secs(120);

/// Moves partitions until clients are to finish, then each to its last place.
pub async fn tend(mut client: Client, partitions: Vec<Partition>) {
    while !client.is_over() {
        client
            .door
            .doze(Duration::from_millis(500), Duration::from_secs(6))
            .await;
        let of = client.door.dice.pick(&partitions).clone();
        let calls_off = client.door.dice.chance(150);
        let to = (!calls_off).then(|| draw_place(&mut client));
        if ask(&mut client, &of, to.as_deref()).await == Ok(ErrorCode::None) {
            client.door.world().borrow_mut().tally.moves += 1;
        }
    }
    // A request that nobody waits for any more may still be under way.
    while !client.door.world().borrow().shows_all() {
        client.back_off().await;
    }
    for of in &partitions {
        settle(&mut client, of).await;
    }
}

/// Nodes, the preferred leader first.
fn draw_place(client: &mut Client) -> Vec<i32> {
    let nodes = client.door.world().borrow().nodes().len();
    let most = REPLICAS_MAX.min(nodes);
    let count = REPLICAS_MIN + client.door.dice.below(most - REPLICAS_MIN + 1);
    let mut left: Vec<i32> = (1..).take(nodes).collect();
    (0..count)
        .map(|_| {
            let at = client.door.dice.below(left.len());
            left.swap_remove(at)
        })
        .collect()
}

/// Sends a partition to its last place and waits until it is there.
async fn settle(client: &mut Client, of: &Partition) {
    let to = draw_place(client);
    loop {
        match ask(client, of, Some(&to)).await {
            Ok(ErrorCode::None) => break,
            // A topic of the brokers' own that nothing has needed.
            Ok(ErrorCode::UnknownTopicOrPartition) => return,
            _ => client.back_off().await,
        }
    }
    client.report(&Fact::Moves {
        of: of.clone(),
        to: to.clone(),
    });
    let end = client.now() + ARRIVAL_MAX;
    loop {
        let found = look(client, of).await;
        let arrived = found.as_ref().is_some_and(|(replicas, isr)| {
            *replicas == to && to.iter().all(|node| isr.contains(node))
        });
        if let Some((replicas, in_sync)) = found.filter(|_| arrived || client.now() >= end) {
            let of = of.clone();
            client.report(&Fact::Placed {
                of,
                replicas,
                in_sync,
            });
            return;
        }
        client.back_off().await;
    }
}

/// Asks for a move, or that the present one is called off.
async fn ask(client: &mut Client, of: &Partition, to: Option<&[i32]>) -> Result<ErrorCode, Broken> {
    let replicas = to.map(|to| to.iter().copied().map(BrokerId).collect());
    let partition = ReassignablePartition::default()
        .with_partition_index(of.index)
        .with_replicas(replicas);
    let topic = ReassignableTopic::default()
        .with_name(topic_name(of.topic))
        .with_partitions(vec![partition]);
    let query = AlterPartitionReassignmentsRequest::default()
        .with_timeout_ms(3000)
        .with_topics(vec![topic]);
    let node = client.directory.anyone();
    let api = (ApiKey::AlterPartitionReassignments, ALTER_REASSIGNMENTS);
    let response: AlterPartitionReassignmentsResponse =
        client.ask_patiently(node, api, &query, PATIENCE).await?;
    let partition = response
        .responses
        .first()
        .and_then(|topic| topic.partitions.first());
    let of_all = ErrorCode::from_wire(response.error_code);
    Ok(match partition {
        Some(partition) if !of_all.is_error() => ErrorCode::from_wire(partition.error_code),
        _ => of_all,
    })
}

/// A partition's replicas, and those in sync, as somebody has them.
async fn look(client: &mut Client, of: &Partition) -> Option<(Vec<i32>, Vec<i32>)> {
    let topic = MetadataRequestTopic::default().with_name(Some(topic_name(of.topic)));
    let query = MetadataRequest::default()
        .with_topics(Some(vec![topic]))
        .with_allow_auto_topic_creation(false);
    let node = client.directory.anyone();
    let asked = client.ask(node, (ApiKey::Metadata, METADATA), &query).await;
    let response: MetadataResponse = asked.ok()?;
    let wanted = text(of.topic);
    let topic = response
        .topics
        .into_iter()
        .find(|topic| topic.name.as_ref().is_some_and(|name| name.0 == wanted))?;
    let found = topic
        .partitions
        .into_iter()
        .find(|partition| partition.partition_index == of.index)?;
    let ids = |nodes: Vec<BrokerId>| nodes.into_iter().map(|node| node.0).collect();
    Some((ids(found.replica_nodes), ids(found.isr_nodes)))
}
