//! Transaction markers: the control batch that ends a transaction in one
//! partition, and how a coordinator has them written where others lead.

use super::Shard;
use super::errands::Marker;
use crate::broker::Broker;
use crate::convert::topic as topic_name;
use crate::outgoing::{Errand, Lane, PeerFault};
use crate::own_log::{OwnWriteError, write_own};
use crate::topic_name::OFFSETS_TOPIC;
use crate::unreplicated::Unreplicated;
use bytes::Bytes;
use kafka_protocol::messages::write_txn_markers_request::{
    WritableTxnMarker, WritableTxnMarkerTopic,
};
use kafka_protocol::messages::{
    ProducerId as WireProducerId, WriteTxnMarkersRequest, WriteTxnMarkersResponse,
};
use kafka_protocol::protocol::Decodable;
use plimsoll_coordinator::Producer;
use plimsoll_coordinator::transaction::{Markers, TopicPartition, TransactionShard};
use plimsoll_log::AppendError;
use plimsoll_wire::api::ApiKey;
use plimsoll_wire::batch::{self, BatchBuilder, BatchSettings};
use plimsoll_wire::error_code::ErrorCode;
use plimsoll_wire::mutation::{self, Mutation};
use plimsoll_wire::time::Now;
use plimsoll_wire::types::{LeaderEpoch, NodeId, PartitionIndex, Sequence};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The version in which nodes ask each other for markers.
const VERSION: i16 = 1;

/// The end of a producer's transaction.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ending {
    /// Whose transaction.
    pub(crate) producer: Producer,
    /// Commit, or abort.
    pub(crate) commit: bool,
    /// The epoch of the coordinator that decided.
    pub(crate) coordinator_epoch: i32,
}

impl Ending {
    const fn of(asked: &Markers) -> Self {
        Self {
            producer: asked.producer,
            commit: asked.commit,
            coordinator_epoch: asked.coordinator_epoch,
        }
    }

    /// The control batch. Its record's key is a version and a type, its value a
    /// version and the coordinator's epoch.
    fn batch(&self, now: Now) -> Option<Vec<u8>> {
        const VERSION: [u8; 2] = [0, 0];
        let producer = batch::Producer {
            id: self.producer.id,
            epoch: self.producer.epoch,
            base_sequence: Sequence::NONE,
        };
        let settings = BatchSettings {
            producer,
            transactional: true,
            control: true,
            ..BatchSettings::default()
        };
        let kind = i16::from(self.commit).to_be_bytes();
        let key = [VERSION, kind].concat();
        let value = [&VERSION[..], &self.coordinator_epoch.to_be_bytes()].concat();
        let mut builder = BatchBuilder::new(settings);
        builder.push(now.wall, Some(&key), Some(&value));
        builder.build().ok()
    }
}

/// Markers that one node is asked to write: each with the term in which it leads
/// the partition.
type Wanted = Vec<(Marker, LeaderEpoch)>;

/// Whether a marker is not needed any more: a fenced one is as good as written.
const fn is_settled(code: ErrorCode) -> bool {
    matches!(
        code,
        ErrorCode::None | ErrorCode::InvalidProducerEpoch | ErrorCode::TransactionCoordinatorFenced
    )
}

impl Broker {
    /// Writes the markers that a coordinator asks for, or has them written.
    /// Answers with the partitions that need none any more.
    pub(super) fn write_markers(
        &self,
        shard: &Shard,
        asked: &Markers,
        now: Now,
    ) -> Vec<TopicPartition> {
        let ending = Ending::of(asked);
        let mut settled = Vec::new();
        let mut elsewhere: BTreeMap<NodeId, Wanted> = BTreeMap::new();
        let mut waits = false;
        for place in &asked.partitions {
            let (topic, index) = (place.0.as_str(), place.1);
            let Ok(partition) = self.catalog().partition(topic, index).cloned() else {
                // A deleted partition needs none: this node knows every topic
                // that it knew when the partition was added.
                settled.push(place.clone());
                continue;
            };
            if mutation::is(Mutation::SkipMarker) && index.get() == 1 {
                settled.push(place.clone());
                continue;
            }
            let term = partition.leader_epoch();
            let marker = Marker {
                id: asked.id.clone(),
                epoch: asked.producer.epoch,
                place: place.clone(),
            };
            if shard.errands.lock().is_on_way(&marker, term, now) {
                continue;
            }
            match partition.leader() {
                NodeId::NONE => {}
                node if node != self.node() => {
                    if mutation::is(Mutation::SkipRemoteMarkers) {
                        settled.push(place.clone());
                        continue;
                    }
                    elsewhere.entry(node).or_default().push((marker, term));
                }
                _ => match self.write_marker(topic, index, &ending, now) {
                    Ok(None) => settled.push(place.clone()),
                    Ok(Some(batch)) => {
                        shard.errands.lock().written(marker, batch);
                        waits = true;
                    }
                    Err(code) if is_settled(code) => settled.push(place.clone()),
                    Err(_) => {}
                },
            }
        }
        for (node, wanted) in elsewhere {
            self.ask_for_markers(shard, node, &ending, wanted, now);
        }
        if waits {
            // What is replicated by now is counted with the next news.
            self.transactions.note(shard.index).wake();
        }
        settled
    }

    /// Ends a transaction in one partition. Answers with the marker's batch
    /// unless it is replicated at once.
    pub(crate) fn write_marker(
        &self,
        topic: &str,
        index: PartitionIndex,
        ending: &Ending,
        now: Now,
    ) -> Result<Option<Unreplicated>, ErrorCode> {
        let partition = self.catalog().partition(topic, index)?.clone();
        let batch = ending.batch(now).ok_or(ErrorCode::UnknownServerError)?;
        let written = if topic == OFFSETS_TOPIC {
            let of = (ending.producer.id, ending.commit);
            self.end_group_transaction(index, batch, of, now)
        } else {
            write_own(&partition, None, batch, now)
        };
        let written = written.map_err(|error| match error {
            OwnWriteError::Append(AppendError::StaleProducerEpoch { .. }) => {
                ErrorCode::InvalidProducerEpoch
            }
            OwnWriteError::Append(AppendError::StaleCoordinatorEpoch { .. }) => {
                ErrorCode::TransactionCoordinatorFenced
            }
            OwnWriteError::TooFewInSync => ErrorCode::NotEnoughReplicas,
            OwnWriteError::Gone => ErrorCode::NotLeaderOrFollower,
            OwnWriteError::Append(_) => ErrorCode::KafkaStorageError,
        })?;
        let early = mutation::is(Mutation::CountMarkersUnreplicated);
        Ok(
            (written.high_watermark < written.end && !early).then_some(Unreplicated {
                partition,
                epoch: written.epoch,
                upto: written.end,
            }),
        )
    }

    /// Has another node write markers.
    fn ask_for_markers(
        &self,
        shard: &Shard,
        node: NodeId,
        ending: &Ending,
        wanted: Wanted,
        now: Now,
    ) {
        let Some(peer) = self.peer(node) else {
            return;
        };
        let deadline = now.mono.after(self.limits().cluster.request_timeout);
        let marker = WritableTxnMarker::default()
            .with_producer_id(WireProducerId(ending.producer.id.get()))
            .with_producer_epoch(ending.producer.epoch.get())
            .with_transaction_result(ending.commit)
            .with_coordinator_epoch(ending.coordinator_epoch)
            .with_topics(topics_of(&wanted));
        let query = WriteTxnMarkersRequest::default().with_markers(vec![marker]);
        let errand = Errand {
            to: peer,
            lane: Lane::Other,
            deadline,
        };
        let (index, term) = (shard.index, shard.log.epoch());
        // Noted first: the answer may be here before the call is back.
        for (marker, led_in) in &wanted {
            let mut errands = shard.errands.lock();
            errands.sent(marker.clone(), *led_in, deadline);
        }
        let sent = wanted.clone();
        let then = move |broker: &Self, now: Now, answer: Result<Bytes, PeerFault>| {
            broker.markers_answered((index, term), &sent, answer, now);
        };
        let api = (ApiKey::WriteTxnMarkers, VERSION);
        if !self.outbox.ask(errand, api, &query, Box::new(then)) {
            for (marker, led_in) in &wanted {
                shard.errands.lock().answered(marker, *led_in);
            }
        }
    }

    /// Another node has written markers, or nobody knows. Nothing comes of it
    /// when the coordinator that asked is here no more.
    fn markers_answered(
        &self,
        (index, term): (PartitionIndex, LeaderEpoch),
        sent: &Wanted,
        answer: Result<Bytes, PeerFault>,
        now: Now,
    ) {
        let shard = self.transactions.shards.lock().get(&index).cloned();
        let Some(shard) = shard.filter(|shard| shard.log.epoch() == term) else {
            return;
        };
        let read = answer.map(|mut body| WriteTxnMarkersResponse::decode(&mut body, VERSION).ok());
        let response = match read {
            Ok(response) => response,
            Err(PeerFault::Unreachable(_)) => None,
            Err(PeerFault::Closed | PeerFault::TimedOut) => {
                let mut errands = shard.errands.lock();
                for (marker, term) in sent {
                    errands.lost(marker, *term, now);
                }
                return;
            }
        };
        let mut settled = Vec::new();
        {
            let mut errands = shard.errands.lock();
            for (marker, term) in sent {
                errands.answered(marker, *term);
                let code = response.as_ref().and_then(|r| code_in(r, &marker.place));
                if code.is_some_and(is_settled) {
                    settled.push(marker.clone());
                }
            }
        }
        let mut coordinator = shard.coordinator.lock();
        self.count_markers(&shard, &mut coordinator, settled, now);
    }

    /// Tells a coordinator which of its markers are written and replicated.
    pub(super) fn count_markers(
        &self,
        shard: &Arc<Shard>,
        coordinator: &mut TransactionShard,
        written: Vec<Marker>,
        now: Now,
    ) {
        for marker in written {
            let Marker { id, epoch, place } = marker;
            let step = coordinator.markers_written(now, &id, epoch, &[place]);
            self.carry_out(shard, coordinator, step, None, now);
        }
    }
}

fn topics_of(wanted: &Wanted) -> Vec<WritableTxnMarkerTopic> {
    let mut topics: Vec<WritableTxnMarkerTopic> = Vec::new();
    for (Marker { place, .. }, _) in wanted {
        let (name, index) = (place.0.as_str(), place.1.get());
        match topics
            .iter_mut()
            .find(|topic| topic.name.0.as_str() == name)
        {
            Some(topic) => topic.partition_indexes.push(index),
            None => topics.push(
                WritableTxnMarkerTopic::default()
                    .with_name(topic_name(name))
                    .with_partition_indexes(vec![index]),
            ),
        }
    }
    topics
}

/// What became of one marker.
fn code_in(response: &WriteTxnMarkersResponse, place: &TopicPartition) -> Option<ErrorCode> {
    let topics = response.markers.iter().flat_map(|marker| &marker.topics);
    let topic = topics
        .into_iter()
        .find(|topic| topic.name.0.as_str() == place.0.as_str())?;
    let mut partitions = topic.partitions.iter();
    let found = partitions.find(|partition| partition.partition_index == place.1.get());
    found.map(|partition| ErrorCode::from_wire(partition.error_code))
}
