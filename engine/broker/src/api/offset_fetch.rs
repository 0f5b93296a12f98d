//! OffsetFetch 1–9: a group's progress. From version 2 for all its topics when
//! none are named, from 8 for several groups.

use crate::access::{Access, Guarded};
use crate::broker::Broker;
use crate::convert::{text, topic};
use crate::groups::{Question, code_of};
use crate::outcome::Outcome;
use crate::replies::Answer;
use crate::request::Request;
use kafka_protocol::messages::offset_fetch_request::{OffsetFetchRequest, OffsetFetchRequestGroup};
use kafka_protocol::messages::offset_fetch_response::{
    OffsetFetchResponse, OffsetFetchResponseGroup, OffsetFetchResponsePartition,
    OffsetFetchResponsePartitions, OffsetFetchResponseTopic, OffsetFetchResponseTopics,
};
use plimsoll_cluster::AclOperation;
use plimsoll_coordinator::command::{FetchedOffset, OffsetFetch};
use plimsoll_coordinator::reply::FetchedTopics;
use plimsoll_coordinator::{Command, GroupId, MemberId, Refusal, Reply, TopicName};
use plimsoll_wire::error_code::ErrorCode;
use plimsoll_wire::types::PartitionIndex;
use std::sync::Arc;

/// The first version for several groups.
const SEVERAL: i16 = 8;

pub(crate) fn handle(broker: &Broker, mut request: Request<'_>) -> Outcome {
    let query: OffsetFetchRequest = match request.decode() {
        Ok(query) => query,
        Err(reason) => return Outcome::Close(reason),
    };
    let access = request.access(broker);
    if request.version() >= SEVERAL {
        let groups = query.groups.clone();
        let stable = query.require_stable;
        let questions = query.groups.iter().map(|group| Question {
            group: &group.group_id.0,
            command: Command::Fetch(of_group(&access, group, stable)),
        });
        let judge = access.clone();
        return broker.coordinate_all(&request, questions, move |envelope, answers| {
            let shown = groups.iter().zip(answers);
            let shown = shown.map(|(group, answer)| group_answer(&judge, group, fetched(answer)));
            envelope.encode(&OffsetFetchResponse::default().with_groups(shown.collect()))
        });
    }
    let topics = asked_before(&query).map(|asked| permitted(&access, asked, true));
    let fetch = OffsetFetch {
        group: GroupId::from(query.group_id.0.as_str()),
        member: None,
        epoch: -1,
        topics,
        require_stable: query.require_stable,
    };
    let group = query.group_id.clone();
    let command = Command::Fetch(fetch);
    broker.coordinate(&request, &group.0, command, move |envelope, answer| {
        let response = single_answer(&access, envelope.version, &query, fetched(answer));
        envelope.encode(&response)
    })
}

fn fetched(answer: Answer<Reply>) -> Result<FetchedTopics, ErrorCode> {
    match answer? {
        Reply::Fetch(fetched) => fetched.map_err(code_of),
        _ => Err(ErrorCode::UnknownServerError),
    }
}

/// Topics and the partitions of each that a client asks for.
type Asked = Vec<(TopicName, Vec<PartitionIndex>)>;

fn wanted(name: &str, partitions: &[i32]) -> (TopicName, Vec<PartitionIndex>) {
    (
        TopicName::from(name),
        partitions.iter().copied().map(PartitionIndex).collect(),
    )
}

/// What a request of a version for one group asks for; nothing is all.
fn asked_before(query: &OffsetFetchRequest) -> Option<Asked> {
    let topics = query.topics.as_ref()?.iter();
    Some(
        topics
            .map(|t| wanted(&t.name.0, &t.partition_indexes))
            .collect(),
    )
}

/// What a group of a later request asks for; nothing is all.
fn asked_of(group: &OffsetFetchRequestGroup) -> Option<Asked> {
    let topics = group.topics.as_ref()?.iter();
    Some(
        topics
            .map(|t| wanted(&t.name.0, &t.partition_indexes))
            .collect(),
    )
}

fn may_see(access: &Access, topic: &TopicName) -> bool {
    access.allows(AclOperation::Describe, Guarded::Topic(topic.as_str()))
}

/// Those that the client may see, or those that it may not.
fn permitted(access: &Access, asked: Asked, seen: bool) -> Asked {
    let fits = |(topic, _): &(TopicName, _)| may_see(access, topic) == seen;
    asked.into_iter().filter(fits).collect()
}

fn of_group(access: &Access, group: &OffsetFetchRequestGroup, require_stable: bool) -> OffsetFetch {
    OffsetFetch {
        group: GroupId::from(group.group_id.0.as_str()),
        member: group
            .member_id
            .as_ref()
            .map(|id| MemberId::from(id.as_str())),
        epoch: group.member_epoch,
        topics: asked_of(group).map(|asked| permitted(access, asked, true)),
        require_stable,
    }
}

/// One partition's answer, free of versions.
struct Shown {
    offset: i64,
    epoch: i32,
    metadata: Arc<str>,
    code: ErrorCode,
}

fn show(found: Result<Option<FetchedOffset>, Refusal>) -> Shown {
    let code = found
        .as_ref()
        .err()
        .map_or(ErrorCode::None, |why| code_of(*why));
    match found {
        Ok(Some(found)) => Shown {
            offset: found.offset.get(),
            epoch: found.leader_epoch.get(),
            metadata: found.metadata,
            code,
        },
        _ => failed(code),
    }
}

fn failed(code: ErrorCode) -> Shown {
    Shown {
        offset: -1,
        epoch: -1,
        metadata: Arc::from(""),
        code,
    }
}

/// All that is told of a group: what it has committed where the client may see
/// it, and that the client may not see the rest of what it asked for.
fn show_all(
    access: &Access,
    asked: Option<Asked>,
    fetched: FetchedTopics,
) -> Vec<(TopicName, Vec<(PartitionIndex, Shown)>)> {
    let told = fetched
        .into_iter()
        .filter(|(topic, _)| may_see(access, topic));
    let told = told.map(|(topic, partitions)| {
        let partitions = partitions.into_iter();
        let partitions = partitions.map(|(index, found)| (index, show(found)));
        (topic, partitions.collect())
    });
    let hidden = permitted(access, asked.unwrap_or_default(), false);
    let hidden = hidden.into_iter().map(|(topic, indexes)| {
        let code = Guarded::Topic(topic.as_str()).refusal();
        let partitions = indexes.into_iter().map(|index| (index, failed(code)));
        (topic, partitions.collect())
    });
    told.chain(hidden).collect()
}

fn group_answer(
    access: &Access,
    group: &OffsetFetchRequestGroup,
    fetched: Result<FetchedTopics, ErrorCode>,
) -> OffsetFetchResponseGroup {
    let answer = OffsetFetchResponseGroup::default().with_group_id(group.group_id.clone());
    let topics = match fetched {
        Ok(topics) => show_all(access, asked_of(group), topics),
        Err(code) => return answer.with_error_code(code.code()),
    };
    let topics = topics.into_iter().map(|(name, partitions)| {
        let partitions = partitions.into_iter().map(|(index, shown)| {
            OffsetFetchResponsePartitions::default()
                .with_partition_index(index.get())
                .with_committed_offset(shown.offset)
                .with_committed_leader_epoch(shown.epoch)
                .with_metadata(Some(text(&*shown.metadata)))
                .with_error_code(shown.code.code())
        });
        OffsetFetchResponseTopics::default()
            .with_name(topic(name.as_str()))
            .with_partitions(partitions.collect())
    });
    answer.with_topics(topics.collect())
}

/// Before version 2 there is no place for an error of the whole request: each
/// partition carries it.
fn single_answer(
    access: &Access,
    version: i16,
    query: &OffsetFetchRequest,
    fetched: Result<FetchedTopics, ErrorCode>,
) -> OffsetFetchResponse {
    let partition = |index: i32, shown: Shown| {
        let epoch = if version >= 5 { shown.epoch } else { -1 };
        OffsetFetchResponsePartition::default()
            .with_partition_index(index)
            .with_committed_offset(shown.offset)
            .with_committed_leader_epoch(epoch)
            .with_metadata(Some(text(&*shown.metadata)))
            .with_error_code(shown.code.code())
    };
    let response = OffsetFetchResponse::default();
    match fetched {
        Ok(topics) => {
            let topics = show_all(access, asked_before(query), topics);
            let topics = topics.into_iter().map(|(name, partitions)| {
                let partitions = partitions
                    .into_iter()
                    .map(|(index, shown)| partition(index.get(), shown));
                OffsetFetchResponseTopic::default()
                    .with_name(topic(name.as_str()))
                    .with_partitions(partitions.collect())
            });
            response.with_topics(topics.collect())
        }
        Err(code) if version >= 2 => response.with_error_code(code.code()),
        Err(code) => {
            let topics = query.topics.iter().flatten().map(|topic| {
                let partitions = topic
                    .partition_indexes
                    .iter()
                    .map(|index| partition(*index, failed(code)));
                OffsetFetchResponseTopic::default()
                    .with_name(topic.name.clone())
                    .with_partitions(partitions.collect())
            });
            response.with_topics(topics.collect())
        }
    }
}
