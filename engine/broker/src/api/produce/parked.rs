//! A produce request with acks=all that waits for its replicas.

use super::append::{Placed, refuse_short_isr};
use crate::broker::Broker;
use crate::fetch_wait::FetchWait;
use crate::leader_hints::LeaderHints;
use crate::listener::Listener;
use crate::outcome::{Response, Wake};
use crate::parked::Waiting;
use crate::quotas::throttle_ms;
use crate::refusal::Refusal;
use crate::unreplicated::Unreplicated;
use plimsoll_wire::error_code::ErrorCode;
use plimsoll_wire::produce::{ProduceResponse, TopicResponse};
use plimsoll_wire::time::Now;
use plimsoll_wire::topic::Topic;
use plimsoll_wire::types::PartitionIndex;
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

/// A topic as the client called it.
pub(super) enum Called {
    Name(String),
    Id(Uuid),
}

impl Called {
    pub(super) fn of(topic: Topic<'_>) -> Self {
        match topic {
            Topic::Name(name) => Self::Name(name.to_owned()),
            Topic::Id(id) => Self::Id(id),
        }
    }

    pub(super) fn wire(&self) -> Topic<'_> {
        match self {
            Self::Name(name) => Topic::Name(name),
            Self::Id(id) => Topic::Id(*id),
        }
    }
}

/// What of a batch is not replicated yet.
pub(super) struct Lacking {
    pub(super) batch: Unreplicated,
    /// `min.insync.replicas`.
    pub(super) in_sync_min: i32,
}

/// One partition's part of the answer, and what it waits for.
pub(super) struct Part {
    pub(super) index: PartitionIndex,
    pub(super) result: Result<Placed, Refusal>,
    pub(super) waits_for: Option<Lacking>,
}

/// A request that waits.
pub(super) struct ParkedProduce {
    pub(super) version: i16,
    pub(super) correlation_id: i32,
    pub(super) topics: Vec<(Called, Vec<Part>)>,
    /// For how long the client rests, having sent this.
    pub(super) rest: Duration,
    /// Where the client came in.
    pub(super) listener: Arc<Listener>,
    pub(super) waker: Arc<dyn Wake>,
    pub(super) wait: Option<Arc<FetchWait>>,
}

impl ParkedProduce {
    /// Looks at what is not replicated yet, and asks to be told of it. Answers
    /// whether nothing is left to wait for.
    pub(super) fn look(&mut self, expired: bool) -> bool {
        let wait = FetchWait::new(0, Arc::clone(&self.waker));
        let mut done = true;
        for part in self.topics.iter_mut().flat_map(|(_, parts)| parts) {
            let Some(waits_for) = &part.waits_for else {
                continue;
            };
            match waits_for.state(&wait, expired) {
                None => done = false,
                Some(outcome) => {
                    if let Err(refusal) = outcome {
                        part.result = Err(refusal);
                    }
                    part.waits_for = None;
                }
            }
        }
        if let Some(old) = self.wait.replace(wait) {
            old.cancel();
        }
        done
    }

    pub(super) fn respond(&self, broker: &Broker) -> Response {
        let topics = self.topics.iter().map(|(called, parts)| TopicResponse {
            topic: called.wire(),
            partitions: parts
                .iter()
                .map(|part| super::one(part.index, &part.result))
                .collect(),
        });
        let mut topics: Vec<_> = topics.collect();
        let mut hints = LeaderHints::new(broker, &self.listener);
        super::name_leaders(&broker.catalog(), &mut topics, &mut hints);
        let response = ProduceResponse {
            topics,
            throttle_time_ms: throttle_ms(self.rest),
            node_endpoints: hints.endpoints(),
        };
        Response::whole(response.encode_frame(self.version, self.correlation_id))
    }
}

impl Lacking {
    /// What became of it; none while it is not decided.
    fn state(&self, wait: &Arc<FetchWait>, expired: bool) -> Option<Result<(), Refusal>> {
        let partition = &self.batch.partition;
        match self.batch.outcome(wait) {
            Some(Ok(())) if partition.in_sync() < self.in_sync_min => {
                let after = ErrorCode::NotEnoughReplicasAfterAppend;
                Some(Err(refuse_short_isr(partition, self.in_sync_min, after)))
            }
            None if expired => {
                let words = "the replicas did not have it in time";
                Some(Err(Refusal::new(ErrorCode::RequestTimedOut, words)))
            }
            outcome => outcome,
        }
    }
}

impl Waiting for ParkedProduce {
    fn poll(&mut self, broker: &Broker, _: Now, expired: bool) -> Option<Response> {
        let woken = self.wait.as_ref().is_none_or(|wait| wait.is_done());
        ((woken || expired) && self.look(expired)).then(|| self.respond(broker))
    }
}

impl Drop for ParkedProduce {
    fn drop(&mut self) {
        if let Some(wait) = &self.wait {
            wait.cancel();
        }
    }
}
