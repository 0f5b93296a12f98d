//! ElectLeaders 0–2: the preferred replica takes over, or, in an unclean
//! election, any replica where nobody leads. Null asks for all partitions.

use crate::access::Guarded;
use crate::broker::Broker;
use crate::controller::Election;
use crate::convert::{text, topic};
use crate::outcome::Outcome;
use crate::request::Request;
use kafka_protocol::messages::elect_leaders_response::{PartitionResult, ReplicaElectionResult};
use kafka_protocol::messages::{ElectLeadersRequest, ElectLeadersResponse};
use plimsoll_cluster::{AclOperation, Image};
use plimsoll_wire::error_code::ErrorCode;
use plimsoll_wire::types::PartitionIndex;
use std::collections::BTreeMap;

/// Topics and the partitions of each.
type Asked = BTreeMap<String, Vec<PartitionIndex>>;

pub(crate) fn handle(broker: &Broker, request: Request<'_>) -> Outcome {
    request.answer(|request, query: ElectLeadersRequest| {
        const PREFERRED: i8 = 0;
        const UNCLEAN: i8 = 1;
        let version = request.version();
        let permitted = request
            .access(broker)
            .check(AclOperation::Alter, Guarded::Cluster);
        if let Err(code) = permitted {
            return with_code(ElectLeadersResponse::default(), version, code);
        }
        let election = match query.election_type {
            PREFERRED => Election::Preferred,
            UNCLEAN => Election::Unclean,
            _ => {
                let answer = ElectLeadersResponse::default();
                return with_code(answer, version, ErrorCode::InvalidRequest);
            }
        };
        let named = query.topic_partitions.as_ref().map(|topics| {
            let of = |topic: &kafka_protocol::messages::elect_leaders_request::TopicPartitions| {
                let partitions = topic.partitions.iter().copied().map(PartitionIndex);
                (topic.topic.0.to_string(), partitions.collect())
            };
            topics.iter().map(of).collect::<Asked>()
        });
        let all = named.is_none();
        let made = broker.change(request.now, true, |change| {
            let asked = named.unwrap_or_else(|| everything(change.image()));
            let mut results = Vec::new();
            for (name, partitions) in asked {
                let mut outcomes = Vec::new();
                for index in partitions {
                    let outcome = broker.elect_one(change, (&name, index), election);
                    let idle = outcome == Err(ErrorCode::ElectionNotNeeded);
                    if !(all && idle) {
                        outcomes.push(result(index, outcome));
                    }
                }
                if !outcomes.is_empty() {
                    results.push(
                        ReplicaElectionResult::default()
                            .with_topic(topic(&name))
                            .with_partition_result(outcomes),
                    );
                }
            }
            results
        });
        let answer = ElectLeadersResponse::default();
        match made {
            Ok(results) => answer.with_replica_election_results(results),
            Err(refusal) => with_code(answer, version, refusal.code),
        }
    })
}

/// Version 0 has no error for the whole request.
fn with_code(answer: ElectLeadersResponse, version: i16, code: ErrorCode) -> ElectLeadersResponse {
    if version >= 1 {
        answer.with_error_code(code.code())
    } else {
        answer
    }
}

fn everything(image: &Image) -> Asked {
    let of = |topic: &std::sync::Arc<plimsoll_cluster::TopicImage>| {
        (
            topic.name.to_string(),
            topic.partitions.keys().copied().collect(),
        )
    };
    image.topics().map(of).collect()
}

fn result(index: PartitionIndex, outcome: Result<(), ErrorCode>) -> PartitionResult {
    let result = PartitionResult::default().with_partition_id(index.get());
    match outcome {
        Ok(()) => result,
        Err(code) => result
            .with_error_code(code.code())
            .with_error_message(Some(text(code.name()))),
    }
}
