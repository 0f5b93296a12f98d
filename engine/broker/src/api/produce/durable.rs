//! A produce request whose answer waits for a sync (`plimsoll.durable`).

use super::append::Placed;
use super::parked::Called;
use crate::broker::Broker;
use crate::catalog::Catalog;
use crate::commits::{Commit, Committed};
use crate::groups::Asker;
use crate::outcome::{Outcome, Response};
use crate::parked::{Parked, Waiting};
use crate::partition::Partition;
use crate::refusal::Refusal;
use crate::request::Envelope;
use plimsoll_log::PartitionLog;
use plimsoll_wire::error_code::ErrorCode;
use plimsoll_wire::produce::{PartitionResponse, ProduceRequest, ProduceResponse, TopicResponse};
use plimsoll_wire::time::{Instant, Now};
use plimsoll_wire::topic::Topic;
use plimsoll_wire::types::{Offset, PartitionIndex};
use std::sync::Arc;
use std::time::Duration;

/// The shortest time a sync is waited for, whatever the client's timeout.
const SYNC_WAIT_MIN: Duration = Duration::from_secs(1);

/// What a request has written, and up to where its logs must be durable.
pub(super) fn written(
    catalog: &Catalog,
    query: &ProduceRequest<'_, &mut [u8]>,
    results: &[Result<Placed, Refusal>],
) -> Vec<(Arc<Partition>, Offset)> {
    let mut results = results.iter();
    let mut written = Vec::new();
    for topic in &query.topics {
        let served = match topic.topic {
            Topic::Name(name) => catalog.topic(name),
            Topic::Id(id) => catalog.topic_by_id(id),
        };
        for (data, result) in topic.partitions.iter().zip(results.by_ref()) {
            let partition = served.and_then(|served| served.partition(data.index));
            let Some(partition) = partition.filter(|_| result.is_ok()) else {
                continue;
            };
            let end = partition.lock().log().map(PartitionLog::log_end);
            // A log that is gone by now fails the commit.
            let upto = end.unwrap_or(Offset(i64::MAX));
            written.push((Arc::clone(partition), upto));
        }
    }
    written
}

/// Holds an answer back until what was written is durable.
pub(super) fn hold(
    broker: &Broker,
    (envelope, asker): (Envelope, Asker<'_>),
    query: &ProduceRequest<'_, &mut [u8]>,
    written: Vec<(Arc<Partition>, Offset)>,
    outcome: Outcome,
) -> Outcome {
    let timeout = Duration::from_millis(u64::try_from(query.timeout_ms).unwrap_or(0));
    let (answer, replicated_by) = match outcome {
        Outcome::Ready(response) => (Answer::Ready(Some(response)), Instant::default()),
        Outcome::Parked(parked) => {
            let deadline = parked.deadline();
            (Answer::Parked(parked), deadline)
        }
        other => return other,
    };
    let asked = |topic: &plimsoll_wire::produce::TopicData<'_, &mut [u8]>| {
        let partitions = topic.partitions.iter().map(|data| data.index);
        (Called::of(topic.topic), partitions.collect())
    };
    let deadline = asker.now.mono.after(timeout.max(SYNC_WAIT_MIN));
    let held = HeldAnswer {
        commit: broker.commits.ask(written, asker.waker),
        answer,
        version: envelope.version,
        correlation_id: envelope.correlation_id,
        asked: query.topics.iter().map(asked).collect(),
    };
    Outcome::Parked(Parked::new(deadline.max(replicated_by), held))
}

/// An answer that waits for a sync, and maybe for replicas after it.
struct HeldAnswer {
    commit: Arc<Commit>,
    answer: Answer,
    version: i16,
    correlation_id: i32,
    asked: Vec<(Called, Vec<PartitionIndex>)>,
}

enum Answer {
    Ready(Option<Response>),
    Parked(Parked),
}

impl HeldAnswer {
    /// The answer that nothing of the request is to be relied on.
    fn refuse(&self, code: ErrorCode) -> Response {
        let topics = self.asked.iter().map(|(called, partitions)| TopicResponse {
            topic: called.wire(),
            partitions: partitions
                .iter()
                .map(|index| PartitionResponse::failed(*index, code))
                .collect(),
        });
        let response = ProduceResponse {
            topics: topics.collect(),
            throttle_time_ms: 0,
            node_endpoints: Vec::new(),
        };
        Response::whole(response.encode_frame(self.version, self.correlation_id))
    }
}

impl Waiting for HeldAnswer {
    fn poll(&mut self, broker: &Broker, now: Now, expired: bool) -> Option<Response> {
        match self.commit.state() {
            Committed::Waiting => expired.then(|| self.refuse(ErrorCode::RequestTimedOut)),
            Committed::Failed => Some(self.refuse(ErrorCode::KafkaStorageError)),
            Committed::Durable => match &mut self.answer {
                Answer::Ready(response) => response.take(),
                Answer::Parked(parked) => parked.poll(broker, now),
            },
        }
    }
}
