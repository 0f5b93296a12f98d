//! Produce 3–13: one batch for each of many partitions, appended as it came.
//!
//! Records are not looked at: the header and the checksum are verified in the
//! frame, offsets are patched there, and the same bytes go to the log. With
//! acks=0 there is no response, and an error closes the connection. Version 10
//! names leaders that moved, 13 calls topics by id.

mod append;
mod durable;
mod parked;
mod recompress;
mod transactional;

use crate::access::{Access, Guarded};
use crate::broker::Broker;
use crate::catalog::{Catalog, Topic as ServedTopic};
use crate::groups::Asker;
use crate::leader_hints::LeaderHints;
use crate::listener::Listener;
use crate::outcome::{CloseReason, Outcome, Response};
use crate::parked::Parked;
use crate::quotas::{Asking, throttle_ms};
use crate::refusal::Refusal;
use crate::request::{Envelope, Request};
use crate::topic_name;
use crate::transactions::Verified;
use crate::unreplicated::Unreplicated;
use append::{Placed, Producing, append};
use parked::{Called, Lacking, ParkedProduce, Part};
use plimsoll_cluster::AclOperation;
use plimsoll_wire::api::ApiKey;
use plimsoll_wire::error_code::ErrorCode;
use plimsoll_wire::mutation::{self, Mutation};
use plimsoll_wire::produce::{
    PartitionResponse, ProduceRequest, ProduceResponse, TopicData, TopicResponse,
};
use plimsoll_wire::topic::Topic;
use plimsoll_wire::types::{Offset, PartitionIndex, TimestampMs};
use std::sync::Arc;
use std::time::Duration;

/// The client that Kafka's own tools use to write to internal topics.
const ADMIN_CLIENT: &str = "__admin_client";

/// What of a request outlives its bytes.
struct Asked {
    envelope: Envelope,
    /// The listener it came in by.
    listener: Arc<Listener>,
    /// What the client may do.
    access: Access,
    /// Whether the broker's own topics may be written.
    internal: bool,
    /// For how long the client rests, having sent this.
    rest: Duration,
}

pub(crate) fn handle(broker: &Broker, mut request: Request<'_>) -> Outcome {
    let mut body = request.body.split();
    let by = Asking::of(request.connection, request.client_id);
    let rest = broker.count_produced(&by, request.frame_bytes, request.now.mono);
    if !rest.is_zero() {
        request.connection.mute.until(request.now.mono.after(rest));
    }
    let asked = Asked {
        rest,
        envelope: request.envelope,
        listener: Arc::clone(&request.connection.listener),
        access: request.access(broker),
        internal: request.client_id == Some(ADMIN_CLIENT),
    };
    let query = match ProduceRequest::decode(request.version(), &mut body) {
        Ok(query) => query,
        Err(error) => return Outcome::Close(CloseReason(format!("produce: {error}"))),
    };
    let may_transact = |id| {
        let write = AclOperation::Write;
        asked.access.allows(write, Guarded::Transaction(id))
    };
    if query.transactional_id.is_some_and(may_transact) {
        return transactional::handle(broker, &request, asked, body);
    }
    write(broker, &asked, request.asker(), query, &Verified::default())
}

/// Appends a request's records and answers it.
fn write(
    broker: &Broker,
    asked: &Asked,
    asker: Asker<'_>,
    mut query: ProduceRequest<'_, &mut [u8]>,
    verified: &Verified,
) -> Outcome {
    let version = asked.envelope.version;
    let producing = Producing {
        broker,
        transactional_id: query.transactional_id,
        verified,
        access: &asked.access,
        acks: query.acks,
        version,
        now: asker.now,
        internal: asked.internal,
    };
    let results = append_all(&broker.catalog(), &producing, &mut query);
    if query.acks == 0 {
        let failed = results.iter().find_map(|result| result.as_ref().err());
        return failed.map_or(Outcome::NoReply, |refusal| {
            Outcome::Close(CloseReason(format!(
                "produce with acks=0: {}",
                refusal.words
            )))
        });
    }
    let written = if broker.is_durable() {
        durable::written(&broker.catalog(), &query, &results)
    } else {
        Vec::new()
    };
    let waits = |result: &Result<Placed, Refusal>| {
        result
            .as_ref()
            .is_ok_and(|placed| placed.unreplicated_to.is_some())
    };
    let early = mutation::is(Mutation::AcknowledgeBeforeReplication);
    let outcome = if query.acks == -1 && !early && results.iter().any(waits) {
        park(broker, asked, asker, &query, results)
    } else {
        let mut hints = LeaderHints::new(broker, &asked.listener);
        let mut response = respond(&query, &results);
        response.throttle_time_ms = throttle_ms(asked.rest);
        name_leaders(&broker.catalog(), &mut response.topics, &mut hints);
        response.node_endpoints = hints.endpoints();
        let frame = response.encode_frame(version, asked.envelope.correlation_id);
        Outcome::Ready(Response::whole(frame))
    };
    if written.is_empty() {
        return outcome;
    }
    durable::hold(broker, (asked.envelope, asker), &query, written, outcome)
}

/// Holds the answer back until the replicas have what was appended.
fn park(
    broker: &Broker,
    asked: &Asked,
    asker: Asker<'_>,
    query: &ProduceRequest<'_, &mut [u8]>,
    results: Vec<Result<Placed, Refusal>>,
) -> Outcome {
    let catalog = broker.catalog();
    let mut results = results.into_iter();
    let mut topics = Vec::with_capacity(query.topics.len());
    for topic in &query.topics {
        let served = find_served(&catalog, topic.topic);
        let parts = topic.partitions.iter().zip(results.by_ref());
        let parts = parts.map(|(data, result)| Part {
            index: data.index,
            waits_for: served.and_then(|served| lacking(served, data.index, &result)),
            result,
        });
        topics.push((Called::of(topic.topic), parts.collect()));
    }
    let mut parked = ParkedProduce {
        version: asked.envelope.version,
        correlation_id: asked.envelope.correlation_id,
        topics,
        rest: asked.rest,
        listener: Arc::clone(&asked.listener),
        waker: Arc::clone(asker.waker),
        wait: None,
    };
    let timeout = Duration::from_millis(u64::try_from(query.timeout_ms).unwrap_or(0));
    let deadline = asker.now.mono.after(timeout);
    let expired = timeout.is_zero();
    if parked.look(expired) {
        return Outcome::Ready(parked.respond(broker));
    }
    Outcome::Parked(Parked::new(deadline, parked))
}

/// What of a batch is not replicated yet.
fn lacking(
    topic: &ServedTopic,
    index: PartitionIndex,
    result: &Result<Placed, Refusal>,
) -> Option<Lacking> {
    let placed = result.as_ref().ok()?;
    let batch = Unreplicated {
        partition: Arc::clone(topic.partition(index)?),
        epoch: placed.epoch,
        upto: placed.unreplicated_to?,
    };
    Some(Lacking {
        batch,
        in_sync_min: topic.settings.load().in_sync_min,
    })
}

/// Appends every partition's records. Answers in the order of the request.
fn append_all(
    catalog: &Catalog,
    producing: &Producing<'_>,
    query: &mut ProduceRequest<'_, &mut [u8]>,
) -> Vec<Result<Placed, Refusal>> {
    let partitions = query
        .topics
        .iter()
        .map(|topic| topic.partitions.len())
        .sum();
    let mut results = Vec::with_capacity(partitions);
    for topic in &mut query.topics {
        let served = find(catalog, producing, topic);
        if let Err(refusal) = &served {
            let requests = &producing.broker.requests;
            requests.failed(ApiKey::Produce, refusal.code);
        }
        for data in &mut topic.partitions {
            let result = match &served {
                Ok(served) => append_one(served, producing, data.index, data.records),
                Err(refusal) => Err(refusal.clone()),
            };
            results.push(result);
        }
    }
    results
}

fn find<'a>(
    catalog: &'a Catalog,
    producing: &Producing<'_>,
    topic: &TopicData<'_, &mut [u8]>,
) -> Result<&'a Arc<ServedTopic>, Refusal> {
    if !matches!(producing.acks, -1..=1) {
        let words = format!("acks: {}, -1, 0 or 1 is accepted", producing.acks);
        return Err(Refusal::new(ErrorCode::InvalidRequiredAcks, words));
    }
    if let Some(id) = producing.transactional_id {
        let id = Guarded::Transaction(id);
        producing.access.check(AclOperation::Write, id)?;
    }
    let may_write = |name| {
        let topic = Guarded::Topic(name);
        producing.access.check(AclOperation::Write, topic)
    };
    if let Topic::Name(name) = topic.topic {
        may_write(name)?;
    }
    let found = find_served(catalog, topic.topic).ok_or_else(|| match topic.topic {
        Topic::Name(name) => {
            let words = format!("topic {name} does not exist");
            Refusal::new(ErrorCode::UnknownTopicOrPartition, words)
        }
        Topic::Id(id) => {
            let words = format!("topic id {id} does not exist");
            Refusal::new(ErrorCode::UnknownTopicId, words)
        }
    })?;
    if let Topic::Id(_) = topic.topic {
        may_write(&found.name)?;
    }
    if topic_name::is_internal(&found.name) && !producing.internal {
        let words = format!("topic {} is the broker's own", found.name);
        return Err(Refusal::new(ErrorCode::InvalidTopicException, words));
    }
    Ok(found)
}

fn find_served<'a>(catalog: &'a Catalog, topic: Topic<'_>) -> Option<&'a Arc<ServedTopic>> {
    match topic {
        Topic::Name(name) => catalog.topic(name),
        Topic::Id(id) => catalog.topic_by_id(id),
    }
}

fn append_one(
    topic: &ServedTopic,
    producing: &Producing<'_>,
    index: PartitionIndex,
    records: &mut [u8],
) -> Result<Placed, Refusal> {
    let Some(partition) = topic.partition(index) else {
        let words = format!("topic {} has no partition {index}", topic.name);
        return Err(Refusal::new(ErrorCode::UnknownTopicOrPartition, words));
    };
    append(partition, &topic.settings.load(), producing, records)
}

fn respond<'a>(
    query: &'a ProduceRequest<'_, &mut [u8]>,
    results: &'a [Result<Placed, Refusal>],
) -> ProduceResponse<'a> {
    let mut results = results.iter();
    let mut topics = Vec::with_capacity(query.topics.len());
    for topic in &query.topics {
        let partitions = topic.partitions.iter().zip(results.by_ref());
        let partitions = partitions
            .map(|(data, result)| one(data.index, result))
            .collect();
        topics.push(TopicResponse {
            topic: topic.topic,
            partitions,
        });
    }
    ProduceResponse {
        topics,
        throttle_time_ms: 0,
        node_endpoints: Vec::new(),
    }
}

/// Names the leader of each partition that was refused for it, from version 10 on.
fn name_leaders(catalog: &Catalog, topics: &mut [TopicResponse<'_>], hints: &mut LeaderHints<'_>) {
    for topic in topics {
        let refused = topic.partitions.iter().any(|one| one.error.is_error());
        let served = match topic.topic {
            _ if !refused => None,
            Topic::Name(name) => catalog.topic(name),
            Topic::Id(id) => catalog.topic_by_id(id),
        };
        let Some(served) = served else {
            continue;
        };
        for one in &mut topic.partitions {
            let partition = served.partition(one.index);
            one.current_leader = partition.and_then(|found| hints.of(found, one.error));
        }
    }
}

fn one(index: PartitionIndex, result: &Result<Placed, Refusal>) -> PartitionResponse<'_> {
    match result {
        Ok(placed) => PartitionResponse {
            base_offset: placed.base_offset,
            log_append_time: placed.log_append_time.unwrap_or(TimestampMs::NONE),
            log_start_offset: placed.log_start,
            ..PartitionResponse::failed(index, ErrorCode::None)
        },
        Err(refusal) => PartitionResponse {
            error_message: Some(&refusal.words),
            log_start_offset: Offset(-1),
            ..PartitionResponse::failed(index, refusal.code)
        },
    }
}
