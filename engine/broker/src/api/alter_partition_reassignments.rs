//! AlterPartitionReassignments 0–1: partitions move to other nodes, or a move
//! is called off with null. New replicas are added before old ones go.

use crate::access::Guarded;
use crate::broker::Broker;
use crate::controller::{Election, find};
use crate::convert::text;
use crate::metadata::Change;
use crate::outcome::Outcome;
use crate::placement::check_chosen;
use crate::refusal::Refusal;
use crate::request::Request;
use kafka_protocol::messages::alter_partition_reassignments_request::ReassignablePartition;
use kafka_protocol::messages::alter_partition_reassignments_response::{
    ReassignablePartitionResponse, ReassignableTopicResponse,
};
use kafka_protocol::messages::{
    AlterPartitionReassignmentsRequest, AlterPartitionReassignmentsResponse,
};
use plimsoll_cluster::succession::{Reassign, Wish};
use plimsoll_cluster::{AclOperation, PartitionImage};
use plimsoll_wire::error_code::ErrorCode;
use plimsoll_wire::types::{NodeId, PartitionIndex};

pub(crate) fn handle(broker: &Broker, request: Request<'_>) -> Outcome {
    request.answer(|request, query: AlterPartitionReassignmentsRequest| {
        let version = request.version();
        let may_grow = version < 1 || query.allow_replication_factor_change;
        let permitted = request
            .access(broker)
            .check(AclOperation::Alter, Guarded::Cluster);
        if let Err(code) = permitted {
            return AlterPartitionReassignmentsResponse::default()
                .with_error_code(code.code())
                .with_error_message(Some(text(code.name())));
        }
        let made = broker.change(request.now, true, |change| {
            let topics = query.topics.iter().map(|topic| {
                let partitions = topic.partitions.iter().map(|asked| {
                    let outcome = reassign(broker, change, &topic.name.0, asked, may_grow);
                    response(asked, outcome)
                });
                ReassignableTopicResponse::default()
                    .with_name(topic.name.clone())
                    .with_partitions(partitions.collect())
            });
            topics.collect::<Vec<_>>()
        });
        let answer = AlterPartitionReassignmentsResponse::default()
            .with_allow_replication_factor_change(may_grow);
        match made {
            Ok(topics) => answer.with_responses(topics),
            Err(refusal) => answer
                .with_error_code(refusal.code.code())
                .with_error_message(Some(text(refusal.words))),
        }
    })
}

fn reassign(
    broker: &Broker,
    change: &mut Change,
    topic: &str,
    asked: &ReassignablePartition,
    may_grow: bool,
) -> Result<(), Refusal> {
    let plain = |code: ErrorCode| Refusal::new(code, code.name());
    let index = PartitionIndex(asked.partition_index);
    let (_, now) = find(change.image(), topic, index).map_err(plain)?;
    let settled = settled(now);
    let target = match &asked.replicas {
        Some(replicas) => {
            let target: Vec<NodeId> = replicas.iter().map(|id| NodeId(id.0)).collect();
            check_chosen(change.image(), &target)?;
            if !may_grow && target.len() != settled.len() {
                let words = format!("{} replicas, as many as before are asked for", target.len());
                return Err(Refusal::new(ErrorCode::InvalidReplicationFactor, words));
            }
            target
        }
        None if now.adding.is_empty() && now.removing.is_empty() => {
            return Err(plain(ErrorCode::NoReassignmentInProgress));
        }
        None => settled.clone(),
    };
    let adding: Vec<NodeId> = missing(&target, &settled);
    let removing: Vec<NodeId> = missing(&settled, &target);
    let mut replicas = target;
    replicas.extend(&removing);
    let wish = Wish {
        reassign: Some(Reassign {
            replicas,
            adding,
            removing,
        }),
        ..Wish::default()
    };
    let place = (topic, index);
    broker
        .decide_one(change, place, &wish, false)
        .map_err(plain)?;
    // A leader that was added by a move that is called off is replaced.
    let _leads_already = broker.elect_one(change, place, Election::Orphans);
    Ok(())
}

/// The replicas before a move.
fn settled(now: &PartitionImage) -> Vec<NodeId> {
    let kept = now
        .replicas
        .iter()
        .filter(|node| !now.adding.contains(node));
    kept.copied().collect()
}

/// Those of `all` that `others` lacks.
fn missing(all: &[NodeId], others: &[NodeId]) -> Vec<NodeId> {
    all.iter()
        .filter(|n| !others.contains(n))
        .copied()
        .collect()
}

fn response(
    asked: &ReassignablePartition,
    outcome: Result<(), Refusal>,
) -> ReassignablePartitionResponse {
    let response =
        ReassignablePartitionResponse::default().with_partition_index(asked.partition_index);
    match outcome {
        Ok(()) => response,
        Err(refusal) => response
            .with_error_code(refusal.code.code())
            .with_error_message(Some(text(refusal.words))),
    }
}
