//! CreatePartitions 0–3: more partitions for topics that exist.

use crate::access::Guarded;
use crate::broker::Broker;
use crate::convert::text;
use crate::metadata::Change;
use crate::outcome::Outcome;
use crate::placement;
use crate::refusal::Refusal;
use crate::request::Request;
use crate::topic_name;
use crate::topics::push_partitions;
use kafka_protocol::messages::create_partitions_request::{
    CreatePartitionsRequest, CreatePartitionsTopic,
};
use kafka_protocol::messages::create_partitions_response::{
    CreatePartitionsResponse, CreatePartitionsTopicResult,
};
use plimsoll_cluster::AclOperation;
use plimsoll_wire::error_code::ErrorCode;
use plimsoll_wire::types::NodeId;
use std::collections::BTreeSet;

pub(crate) fn handle(broker: &Broker, request: Request<'_>) -> Outcome {
    request.answer(|request, query: CreatePartitionsRequest| {
        let access = request.access(broker);
        let results = broker.change(request.now, !query.validate_only, |change| {
            let mut seen = BTreeSet::new();
            let answers = query.topics.iter().map(|asked| {
                let topic = Guarded::Topic(&asked.name.0);
                let grown = if seen.insert(&asked.name) {
                    let permitted = access.check(AclOperation::Alter, topic);
                    let permitted = permitted.map_err(Refusal::from);
                    permitted.and_then(|()| grow(change, asked))
                } else {
                    Err(Refusal::new(
                        ErrorCode::InvalidRequest,
                        "the topic is asked for twice",
                    ))
                };
                answer(asked, grown)
            });
            answers.collect::<Vec<_>>()
        });
        let results = results.unwrap_or_else(|fault| {
            query
                .topics
                .iter()
                .map(|asked| answer(asked, Err(fault.clone())))
                .collect()
        });
        CreatePartitionsResponse::default().with_results(results)
    })
}

fn grow(change: &mut Change, asked: &CreatePartitionsTopic) -> Result<(), Refusal> {
    let name = asked.name.0.as_str();
    let Some(topic) = change.image().topic(name) else {
        let words = format!("topic {name} does not exist");
        return Err(Refusal::new(ErrorCode::UnknownTopicOrPartition, words));
    };
    if topic_name::is_internal(name) {
        let words = format!("topic {name} is the broker's own");
        return Err(Refusal::new(ErrorCode::InvalidRequest, words));
    }
    let present = i32::try_from(topic.partitions.len()).unwrap_or(i32::MAX);
    if asked.count <= present {
        let words = format!(
            "partitions: {}, but {name} has {present} already",
            asked.count
        );
        return Err(Refusal::new(ErrorCode::InvalidPartitions, words));
    }
    let (id, added) = (topic.id, asked.count - present);
    let replicas = topic
        .partitions
        .values()
        .next()
        .map_or(1, |first| first.replicas.len());
    let replicas = i16::try_from(replicas).unwrap_or(i16::MAX);
    let placed = match &asked.assignments {
        None => {
            let first = usize::try_from(present).unwrap_or(0);
            placement::spread(change.image(), added, replicas, first)?
        }
        Some(chosen) => {
            if i32::try_from(chosen.len()) != Ok(added) {
                let words = format!(
                    "replica assignment: {} given for {added} new partitions",
                    chosen.len()
                );
                return Err(Refusal::new(ErrorCode::InvalidReplicaAssignment, words));
            }
            let mut placed = Vec::with_capacity(chosen.len());
            for assignment in chosen {
                let nodes: Vec<_> = assignment
                    .broker_ids
                    .iter()
                    .map(|id| NodeId(id.0))
                    .collect();
                placement::check_chosen(change.image(), &nodes)?;
                if i16::try_from(nodes.len()) != Ok(replicas) {
                    let words = format!("replica assignment: {replicas} replicas are needed");
                    return Err(Refusal::new(ErrorCode::InvalidReplicaAssignment, words));
                }
                placed.push(nodes);
            }
            placed
        }
    };
    push_partitions(change, id, present, placed);
    Ok(())
}

fn answer(
    asked: &CreatePartitionsTopic,
    grown: Result<(), Refusal>,
) -> CreatePartitionsTopicResult {
    let answer = CreatePartitionsTopicResult::default().with_name(asked.name.clone());
    match grown {
        Ok(()) => answer,
        Err(refusal) => answer
            .with_error_code(refusal.code.code())
            .with_error_message(Some(text(refusal.words))),
    }
}
