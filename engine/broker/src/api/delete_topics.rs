//! DeleteTopics 1–6: by name, or from version 6 by name or id.

use crate::access::{Access, Guarded};
use crate::broker::Broker;
use crate::convert::text;
use crate::metadata::Change;
use crate::outcome::Outcome;
use crate::refusal::Refusal;
use crate::request::Request;
use crate::topic_name;
use kafka_protocol::messages::TopicName;
use kafka_protocol::messages::delete_topics_request::{DeleteTopicState, DeleteTopicsRequest};
use kafka_protocol::messages::delete_topics_response::{
    DeletableTopicResult, DeleteTopicsResponse,
};
use plimsoll_cluster::{AclOperation, MetadataRecord, RemoveTopic};
use plimsoll_wire::error_code::ErrorCode;
use uuid::Uuid;

pub(crate) fn handle(broker: &Broker, request: Request<'_>) -> Outcome {
    request.answer(|request, query: DeleteTopicsRequest| {
        let version = request.version();
        let asked = if version >= 6 {
            query.topics
        } else {
            by_name(query.topic_names)
        };
        let access = request.access(broker);
        let results = broker.change(request.now, true, |change| {
            let one = |(at, state): (usize, &DeleteTopicState)| {
                let twice = asked
                    .iter()
                    .enumerate()
                    .any(|(i, other)| i != at && other == state);
                let removed = if twice {
                    Err(Refusal::new(
                        ErrorCode::InvalidRequest,
                        "the topic is asked for twice",
                    ))
                } else {
                    remove((broker, &access), change, state)
                };
                answer(version, state, removed)
            };
            asked.iter().enumerate().map(one).collect::<Vec<_>>()
        });
        let responses = results.unwrap_or_else(|fault| {
            asked
                .iter()
                .map(|state| answer(version, state, Err(fault.clone())))
                .collect()
        });
        DeleteTopicsResponse::default().with_responses(responses)
    })
}

fn by_name(names: Vec<TopicName>) -> Vec<DeleteTopicState> {
    names
        .into_iter()
        .map(|name| DeleteTopicState::default().with_name(Some(name)))
        .collect()
}

/// Removes a topic from the change. Answers with its name and id.
fn remove(
    (broker, access): (&Broker, &Access),
    change: &mut Change,
    state: &DeleteTopicState,
) -> Result<(TopicName, Uuid), Refusal> {
    if !broker.limits().delete_topics {
        let words = "delete.topic.enable is false";
        return Err(Refusal::new(ErrorCode::TopicDeletionDisabled, words));
    }
    let may_delete = |name: &str| {
        let delete = AclOperation::Delete;
        if access.allows(delete, Guarded::Cluster) {
            return Ok(());
        }
        access.check(delete, Guarded::Topic(name))
    };
    if let Some(name) = &state.name {
        may_delete(&name.0)?;
    }
    let found = match (&state.name, state.topic_id.is_nil()) {
        (Some(name), true) => change.image().topic(&name.0).ok_or_else(|| {
            let words = format!("topic {} does not exist", name.0);
            Refusal::new(ErrorCode::UnknownTopicOrPartition, words)
        })?,
        (None, false) => change.image().topic_by_id(state.topic_id).ok_or_else(|| {
            let words = format!("topic id {} does not exist", state.topic_id);
            Refusal::new(ErrorCode::UnknownTopicId, words)
        })?,
        _ => {
            let words = "give either the topic's name or its id";
            return Err(Refusal::new(ErrorCode::InvalidRequest, words));
        }
    };
    let (name, id) = (found.name.to_string(), found.id);
    may_delete(&name)?;
    if topic_name::is_internal(&name) {
        let words = format!("topic {name} is the broker's own");
        return Err(Refusal::new(ErrorCode::InvalidRequest, words));
    }
    change.push(MetadataRecord::RemoveTopic(RemoveTopic { id }));
    Ok((TopicName(text(name)), id))
}

fn answer(
    version: i16,
    state: &DeleteTopicState,
    removed: Result<(TopicName, Uuid), Refusal>,
) -> DeletableTopicResult {
    let answer = DeletableTopicResult::default();
    match removed {
        Ok((name, id)) => {
            let id = if version >= 6 { id } else { Uuid::nil() };
            answer.with_name(Some(name)).with_topic_id(id)
        }
        Err(refusal) => {
            let words = (version >= 5).then(|| text(refusal.words));
            answer
                .with_name(state.name.clone())
                .with_topic_id(state.topic_id)
                .with_error_code(refusal.code.code())
                .with_error_message(words)
        }
    }
}
