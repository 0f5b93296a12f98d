//! WriteTxnMarkers 1: ends transactions in partitions, as another node's
//! coordinator or an operator with a hanging transaction asks. The answer leaves
//! when the markers are replicated.

use crate::access::Guarded;
use crate::broker::Broker;
use crate::fetch_wait::FetchWait;
use crate::outcome::{Outcome, Response, Wake};
use crate::parked::{Parked, Waiting};
use crate::request::{Envelope, Request};
use crate::transactions::Ending;
use crate::unreplicated::Unreplicated;
use kafka_protocol::messages::WriteTxnMarkersRequest;
use kafka_protocol::messages::write_txn_markers_response::{
    WritableTxnMarkerPartitionResult, WritableTxnMarkerResult, WritableTxnMarkerTopicResult,
    WriteTxnMarkersResponse,
};
use plimsoll_cluster::AclOperation;
use plimsoll_coordinator::Producer;
use plimsoll_wire::error_code::ErrorCode;
use plimsoll_wire::time::Now;
use plimsoll_wire::types::{PartitionIndex, ProducerEpoch, ProducerId};
use std::sync::Arc;

pub(crate) fn handle(broker: &Broker, mut request: Request<'_>) -> Outcome {
    let query: WriteTxnMarkersRequest = match request.decode() {
        Ok(query) => query,
        Err(reason) => return Outcome::Close(reason),
    };
    let mut parked = ParkedMarkers {
        envelope: request.envelope,
        codes: Vec::new(),
        lacking: Vec::new(),
        waker: Arc::clone(request.waker),
        wait: None,
        query,
    };
    let access = request.access(broker);
    let permitted = match access.allows(AclOperation::Alter, Guarded::Cluster) {
        true => Ok(()),
        false => access.check(AclOperation::ClusterAction, Guarded::Cluster),
    };
    match permitted {
        Ok(()) => parked.write(broker, request.now),
        Err(code) => parked.refuse(code),
    }
    if parked.look(false) {
        return Outcome::Ready(parked.respond());
    }
    let deadline = broker.commit_deadline(request.now);
    Outcome::Parked(Parked::new(deadline, parked))
}

/// A request whose markers are not all replicated.
struct ParkedMarkers {
    envelope: Envelope,
    query: WriteTxnMarkersRequest,
    /// What became of each partition's marker, in the order of the request.
    codes: Vec<ErrorCode>,
    /// What is not replicated yet, by its place among the codes.
    lacking: Vec<(usize, Unreplicated)>,
    waker: Arc<dyn Wake>,
    wait: Option<Arc<FetchWait>>,
}

impl ParkedMarkers {
    fn write(&mut self, broker: &Broker, now: Now) {
        for marker in &self.query.markers {
            let ending = Ending {
                producer: Producer {
                    id: ProducerId(marker.producer_id.0),
                    epoch: ProducerEpoch(marker.producer_epoch),
                },
                commit: marker.transaction_result,
                coordinator_epoch: marker.coordinator_epoch,
            };
            for topic in &marker.topics {
                for index in &topic.partition_indexes {
                    let at = PartitionIndex(*index);
                    let code = match broker.write_marker(&topic.name.0, at, &ending, now) {
                        Ok(None) => ErrorCode::None,
                        Ok(Some(batch)) => {
                            self.lacking.push((self.codes.len(), batch));
                            ErrorCode::RequestTimedOut
                        }
                        Err(code) => code,
                    };
                    self.codes.push(code);
                }
            }
        }
    }

    /// Writes nothing.
    fn refuse(&mut self, code: ErrorCode) {
        let topics = self.query.markers.iter().flat_map(|marker| &marker.topics);
        let partitions = topics.map(|topic| topic.partition_indexes.len()).sum();
        self.codes = vec![code; partitions];
    }

    /// Looks at what is not replicated yet, and asks to be told of it. Answers
    /// whether nothing is left to wait for.
    fn look(&mut self, expired: bool) -> bool {
        let wait = FetchWait::new(0, Arc::clone(&self.waker));
        let codes = &mut self.codes;
        self.lacking
            .retain(|(at, batch)| match batch.outcome(&wait) {
                None => true,
                Some(outcome) => {
                    if let Some(code) = codes.get_mut(*at) {
                        *code = outcome
                            .err()
                            .map_or(ErrorCode::None, |refusal| refusal.code);
                    }
                    false
                }
            });
        if let Some(old) = self.wait.replace(wait) {
            old.cancel();
        }
        expired || self.lacking.is_empty()
    }

    fn respond(&self) -> Response {
        let mut codes = self.codes.iter();
        let mut markers = Vec::with_capacity(self.query.markers.len());
        for marker in &self.query.markers {
            let mut topics = Vec::with_capacity(marker.topics.len());
            for topic in &marker.topics {
                let partitions = topic.partition_indexes.iter().zip(codes.by_ref());
                let partitions = partitions.map(|(index, code)| {
                    WritableTxnMarkerPartitionResult::default()
                        .with_partition_index(*index)
                        .with_error_code(code.code())
                });
                topics.push(
                    WritableTxnMarkerTopicResult::default()
                        .with_name(topic.name.clone())
                        .with_partitions(partitions.collect()),
                );
            }
            markers.push(
                WritableTxnMarkerResult::default()
                    .with_producer_id(marker.producer_id)
                    .with_topics(topics),
            );
        }
        let response = WriteTxnMarkersResponse::default().with_markers(markers);
        self.envelope.encode(&response)
    }
}

impl Waiting for ParkedMarkers {
    fn poll(&mut self, _: &Broker, _: Now, expired: bool) -> Option<Response> {
        let woken = self.wait.as_ref().is_none_or(|wait| wait.is_done());
        ((woken || expired) && self.look(expired)).then(|| self.respond())
    }
}

impl Drop for ParkedMarkers {
    fn drop(&mut self) {
        if let Some(wait) = &self.wait {
            wait.cancel();
        }
    }
}
