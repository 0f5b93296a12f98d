//! OffsetFetch 1–9: a group's progress. From version 2 for all its topics when
//! none are named, from 8 for several groups.

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
    if request.version() >= SEVERAL {
        let groups = query.groups.clone();
        let stable = query.require_stable;
        let questions = query.groups.iter().map(|group| Question {
            group: &group.group_id.0,
            command: Command::Fetch(of_group(group, stable)),
        });
        return broker.coordinate_all(&request, questions, move |envelope, answers| {
            let shown = groups.iter().zip(answers);
            let shown = shown.map(|(group, answer)| group_answer(group, fetched(answer)));
            envelope.encode(&OffsetFetchResponse::default().with_groups(shown.collect()))
        });
    }
    let topics = query.topics.as_ref().map(|topics| {
        let one = |t: &kafka_protocol::messages::offset_fetch_request::OffsetFetchRequestTopic| {
            wanted(&t.name.0, &t.partition_indexes)
        };
        topics.iter().map(one).collect()
    });
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
        let response = single_answer(envelope.version, &query, fetched(answer));
        envelope.encode(&response)
    })
}

fn fetched(answer: Answer<Reply>) -> Result<FetchedTopics, ErrorCode> {
    match answer? {
        Reply::Fetch(fetched) => fetched.map_err(code_of),
        _ => Err(ErrorCode::UnknownServerError),
    }
}

fn wanted(name: &str, partitions: &[i32]) -> (TopicName, Vec<PartitionIndex>) {
    (
        TopicName::from(name),
        partitions.iter().copied().map(PartitionIndex).collect(),
    )
}

fn of_group(group: &OffsetFetchRequestGroup, require_stable: bool) -> OffsetFetch {
    let topics = group.topics.as_ref();
    OffsetFetch {
        group: GroupId::from(group.group_id.0.as_str()),
        member: group
            .member_id
            .as_ref()
            .map(|id| MemberId::from(id.as_str())),
        epoch: group.member_epoch,
        topics: topics.map(|topics| {
            topics
                .iter()
                .map(|t| wanted(&t.name.0, &t.partition_indexes))
                .collect()
        }),
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
        _ => Shown {
            offset: -1,
            epoch: -1,
            metadata: Arc::from(""),
            code,
        },
    }
}

fn group_answer(
    group: &OffsetFetchRequestGroup,
    fetched: Result<FetchedTopics, ErrorCode>,
) -> OffsetFetchResponseGroup {
    let answer = OffsetFetchResponseGroup::default().with_group_id(group.group_id.clone());
    let topics = match fetched {
        Ok(topics) => topics,
        Err(code) => return answer.with_error_code(code.code()),
    };
    let topics = topics.into_iter().map(|(name, partitions)| {
        let partitions = partitions.into_iter().map(|(index, found)| {
            let shown = show(found);
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
            let topics = topics.into_iter().map(|(name, partitions)| {
                let partitions = partitions
                    .into_iter()
                    .map(|(index, found)| partition(index.get(), show(found)));
                OffsetFetchResponseTopic::default()
                    .with_name(topic(name.as_str()))
                    .with_partitions(partitions.collect())
            });
            response.with_topics(topics.collect())
        }
        Err(code) if version >= 2 => response.with_error_code(code.code()),
        Err(code) => {
            let failed = || Shown {
                offset: -1,
                epoch: -1,
                metadata: Arc::from(""),
                code,
            };
            let topics = query.topics.iter().flatten().map(|topic| {
                let partitions = topic
                    .partition_indexes
                    .iter()
                    .map(|index| partition(*index, failed()));
                OffsetFetchResponseTopic::default()
                    .with_name(topic.name.clone())
                    .with_partitions(partitions.collect())
            });
            response.with_topics(topics.collect())
        }
    }
}
