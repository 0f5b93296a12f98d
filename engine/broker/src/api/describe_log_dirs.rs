//! DescribeLogDirs 1–4: the directories, their room, and the size of each
//! partition in them.

use crate::access::Guarded;
use crate::broker::Broker;
use crate::convert::{text, topic};
use crate::outcome::Outcome;
use crate::request::Request;
use kafka_protocol::messages::describe_log_dirs_request::DescribeLogDirsRequest;
use kafka_protocol::messages::describe_log_dirs_response::{
    DescribeLogDirsPartition, DescribeLogDirsResponse, DescribeLogDirsResult, DescribeLogDirsTopic,
};
use plimsoll_cluster::AclOperation;
use plimsoll_wire::error_code::ErrorCode;
use plimsoll_wire::types::PartitionIndex;
use std::collections::{BTreeMap, HashSet};
use std::path::Path;

/// Kafka's mark for a size that could not be read.
const UNKNOWN_BYTES: i64 = -1;

pub(crate) fn handle(broker: &Broker, request: Request<'_>) -> Outcome {
    request.answer(|request, query: DescribeLogDirsRequest| {
        let access = request.access(broker);
        if let Err(code) = access.check(AclOperation::Describe, Guarded::Cluster) {
            let answer = DescribeLogDirsResponse::default();
            // Earlier versions have no error of the whole, and show nothing.
            return match request.version() {
                3.. => answer.with_error_code(code.code()),
                _ => answer,
            };
        }
        let asked = query.topics.as_ref().map(|topics| {
            let one = |topic: &'_ kafka_protocol::messages::describe_log_dirs_request::DescribableLogDirTopic| {
                let name = topic.topic.0.to_string();
                topic.partitions.iter().map(move |index| (name.clone(), *index)).collect::<Vec<_>>()
            };
            topics.iter().flat_map(one).collect::<HashSet<_>>()
        });
        let results = broker.log_dirs().map(|(dir, offline)| {
            if offline {
                failed(dir)
            } else {
                describe(broker, dir, asked.as_ref())
            }
        });
        DescribeLogDirsResponse::default().with_results(results.collect())
    })
}

/// What is said of a directory whose disk has failed.
fn failed(dir: &Path) -> DescribeLogDirsResult {
    DescribeLogDirsResult::default()
        .with_log_dir(text(dir.display().to_string()))
        .with_error_code(ErrorCode::KafkaStorageError.code())
        .with_total_bytes(UNKNOWN_BYTES)
        .with_usable_bytes(UNKNOWN_BYTES)
}

type Asked = HashSet<(String, i32)>;

fn describe(broker: &Broker, dir: &Path, asked: Option<&Asked>) -> DescribeLogDirsResult {
    let result = DescribeLogDirsResult::default().with_log_dir(text(dir.display().to_string()));
    let space = match broker.disk().space(dir) {
        Ok(space) => space,
        Err(error) => {
            tracing::error!(%error, dir = %dir.display(), "cannot read the room of a directory");
            return failed(dir);
        }
    };
    let mut topics: BTreeMap<String, Vec<DescribeLogDirsPartition>> = BTreeMap::new();
    for partition in broker.catalog().partitions() {
        let name = partition.topic.to_string();
        let PartitionIndex(index) = partition.index;
        if asked.is_some_and(|asked| !asked.contains(&(name.clone(), index))) {
            continue;
        }
        let held = partition.lock();
        if let Ok(log) = held.log()
            && log.dir().parent() == Some(dir)
        {
            let size = DescribeLogDirsPartition::default()
                .with_partition_index(index)
                .with_partition_size(i64::try_from(log.size_bytes()).unwrap_or(i64::MAX));
            topics.entry(name).or_default().push(size);
        }
    }
    let bytes = |bytes: u64| i64::try_from(bytes).unwrap_or(i64::MAX);
    let entry = |(name, partitions): (String, _)| {
        DescribeLogDirsTopic::default()
            .with_name(topic(&name))
            .with_partitions(partitions)
    };
    result
        .with_total_bytes(bytes(space.total))
        .with_usable_bytes(bytes(space.usable))
        .with_topics(topics.into_iter().map(entry).collect())
}
