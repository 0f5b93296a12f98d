//! Fetch 4–18: records of many partitions, as ranges of their files.
//!
//! A fetch that finds fewer bytes than it asks for waits until they arrive or
//! its time is up. Version 7 brings sessions, 9 leader epochs, 11 replicas near
//! the consumer, 12 diverging epochs and leaders that moved, 13 topic ids.

mod gather;
mod parked;
mod reply;

use crate::access::{Access, Guarded};
use crate::broker::Broker;
use crate::catalog::{Catalog, Topic as ServedTopic};
use crate::fetch_sessions::{Session, Target, TopicKey};
use crate::outcome::{CloseReason, Outcome};
use crate::partition::Partition;
use crate::quotas::{Asking, Bound};
use crate::request::{Envelope, Request};
use gather::{Limits, Reader, gather, send_nearer};
use parked::ParkedFetch;
use parking_lot::Mutex;
use plimsoll_cluster::{AclOperation, QuotaKey};
use plimsoll_wire::error_code::ErrorCode;
use plimsoll_wire::fetch::{FetchRequest, FetchTopic, ForgottenTopic, IsolationLevel};
use plimsoll_wire::time::Instant;
use plimsoll_wire::topic::Topic;
use plimsoll_wire::types::PartitionIndex;
use std::sync::Arc;
use std::time::Duration;

/// The first version in which a consumer may read from a follower.
const FROM_FOLLOWERS: i16 = 11;

/// The first version that calls topics by id.
const BY_ID: i16 = 13;

pub(crate) fn handle(broker: &Broker, mut request: Request<'_>) -> Outcome {
    let body = request.body.split().freeze();
    let query = match FetchRequest::decode(request.version(), &body) {
        Ok(query) => query,
        Err(error) => return Outcome::Close(CloseReason(format!("fetch: {error}"))),
    };
    let envelope = request.envelope;
    let access = request.access(broker);
    let (targets, conversation) =
        match converse(broker, &query, (envelope, access), request.now.mono) {
            Ok(begun) => begun,
            Err(code) => return Outcome::Ready(reply::refused(envelope, code)),
        };
    let at_most = |asked: i32| usize::try_from(asked).unwrap_or(0);
    let reader = reader_of(&query, request.version());
    let by = Asking::of(request.connection, request.client_id);
    let bound = match reader {
        Reader::Consumer { .. } => broker.bound(QuotaKey::ConsumerByteRate, &by),
        Reader::Replica(..) => None,
    };
    let allowance = bound.as_ref().map_or(usize::MAX, Bound::allowance);
    let limits = Limits {
        bytes_min: u64::try_from(query.min_bytes).unwrap_or(0),
        bytes_max: at_most(query.max_bytes)
            .min(broker.limits().fetch_bytes_max)
            .min(allowance),
        committed: query.isolation == IsolationLevel::ReadCommitted,
        reader,
    };
    let mut gathered = gather(broker, &targets, &limits, request.now);
    let knows_racks = matches!(limits.reader, Reader::Consumer { may_follow: true });
    if knows_racks && !query.rack_id.is_empty() && broker.limits().cluster.selects_by_rack {
        send_nearer(broker, &targets, query.rack_id, &mut gathered);
    }
    broker.send_isr_changes(request.now);
    let wait = Duration::from_millis(u64::try_from(query.max_wait_ms).unwrap_or(0));
    let fetch = ParkedFetch {
        envelope,
        targets,
        conversation,
        limits,
        wait: None,
        bound,
        mute: Arc::clone(&request.connection.mute),
        requests: Arc::clone(&broker.requests),
        listener: Arc::clone(&request.connection.listener),
    };
    if wait.is_zero() || gathered.is_enough(&fetch.limits) {
        return Outcome::Ready(fetch.reply(broker, gathered, request.now));
    }
    fetch.park(broker, gathered, request.now, wait, request.waker)
}

/// Who fetches, by what the request says.
fn reader_of(query: &FetchRequest<'_>, version: i16) -> Reader {
    if query.replica.id.get() >= 0 {
        return Reader::Replica(query.replica.id, query.replica.epoch);
    }
    Reader::Consumer {
        may_follow: version >= FROM_FOLLOWERS,
    }
}

/// What kind of exchange a fetch belongs to.
pub(crate) enum Conversation {
    /// It stands alone.
    None,
    /// The first of a session: all is told.
    Full(i32, Arc<Mutex<Session>>),
    /// A later one: news is told.
    Incremental(i32, Arc<Mutex<Session>>),
}

/// Begins the request's turn in its session, and works out what is wanted.
fn converse(
    broker: &Broker,
    query: &FetchRequest<'_>,
    (envelope, access): (Envelope, Access),
    now: Instant,
) -> Result<(Vec<Target>, Conversation), ErrorCode> {
    const CLOSE: i32 = -1;
    const OPEN: i32 = 0;
    let catalog = broker.catalog();
    let is_node = query.replica.id.get() >= 0;
    let reach = Reach {
        catalog: &catalog,
        permitted: match is_node {
            true => Permitted::Node(access.allows(AclOperation::ClusterAction, Guarded::Cluster)),
            false => Permitted::Client(access),
        },
    };
    let named = |topic: &FetchTopic<'_>| reach.targets_of(topic);
    let by_id = envelope.version >= BY_ID;
    let (id, epoch) = (query.session.id, query.session.epoch);
    if epoch == CLOSE || epoch == OPEN {
        if id != 0 {
            broker.sessions.close(id);
        }
        let mut targets: Vec<_> = query.topics.iter().flat_map(named).collect();
        if epoch == CLOSE || targets.is_empty() {
            return Ok((targets, Conversation::None));
        }
        for (slot, target) in targets.iter_mut().enumerate() {
            target.slot = slot;
        }
        let opened = broker
            .sessions
            .open(&targets, by_id, now, || broker.random_number());
        let conversation = opened.map_or(Conversation::None, |(id, session)| {
            Conversation::Full(id, session)
        });
        return Ok((targets, conversation));
    }
    let session = broker
        .sessions
        .get(id)
        .ok_or(ErrorCode::FetchSessionIdNotFound)?;
    let mut held = session.lock();
    held.begin(epoch, by_id, now)?;
    held.put(query.topics.iter().flat_map(named).collect());
    for ForgottenTopic { topic, partitions } in &query.forgotten {
        let (key, _) = resolve(&catalog, *topic);
        partitions
            .iter()
            .for_each(|index| held.forget(&key, *index));
    }
    let targets = held.targets(|key, index| reach.find(key, index));
    drop(held);
    Ok((targets, Conversation::Incremental(id, session)))
}

/// A topic as the client calls it, and as it is served.
fn resolve<'a>(catalog: &'a Catalog, topic: Topic<'_>) -> (TopicKey, Option<&'a Arc<ServedTopic>>) {
    match topic {
        Topic::Name(name) => {
            let found = catalog.topic(name);
            let name = found.map_or_else(|| Arc::from(name), |found| Arc::clone(&found.name));
            (TopicKey::Name(name), found)
        }
        Topic::Id(id) => (TopicKey::Id(id), catalog.topic_by_id(id)),
    }
}

/// Which topics a fetch may read.
enum Permitted {
    /// A node's: all of them, or none.
    Node(bool),
    /// A client's: those that it may read.
    Client(Access),
}

/// What is served, and what of it may be read.
struct Reach<'a> {
    catalog: &'a Catalog,
    permitted: Permitted,
}

impl Reach<'_> {
    /// The partition that a client calls by this key and number.
    fn find(&self, key: &TopicKey, index: PartitionIndex) -> Result<Arc<Partition>, ErrorCode> {
        self.partition_of(resolve(self.catalog, key.wire()).1, key, index)
    }

    fn check(&self, name: &str) -> Result<(), ErrorCode> {
        let topic = Guarded::Topic(name);
        match &self.permitted {
            Permitted::Node(true) => Ok(()),
            Permitted::Node(false) => Err(topic.refusal()),
            Permitted::Client(access) => access.check(AclOperation::Read, topic),
        }
    }

    fn partition_of(
        &self,
        topic: Option<&Arc<ServedTopic>>,
        key: &TopicKey,
        index: PartitionIndex,
    ) -> Result<Arc<Partition>, ErrorCode> {
        match (key, topic) {
            (TopicKey::Name(name), _) => self.check(name)?,
            (TopicKey::Id(_), Some(topic)) => self.check(&topic.name)?,
            (TopicKey::Id(_), None) => {}
        }
        let Some(topic) = topic else {
            return Err(match key {
                TopicKey::Name(_) => ErrorCode::UnknownTopicOrPartition,
                TopicKey::Id(_) => ErrorCode::UnknownTopicId,
            });
        };
        topic
            .partition(index)
            .cloned()
            .ok_or(ErrorCode::UnknownTopicOrPartition)
    }

    /// What a request wants of one topic.
    fn targets_of(&self, asked: &FetchTopic<'_>) -> Vec<Target> {
        let (key, topic) = resolve(self.catalog, asked.topic);
        let target = |partition: &plimsoll_wire::fetch::FetchPartition| Target {
            topic: key.clone(),
            index: partition.index,
            partition: self.partition_of(topic, &key, partition.index),
            from: partition.fetch_offset,
            bytes_max: usize::try_from(partition.max_bytes).unwrap_or(0),
            epoch: partition.current_leader_epoch,
            last_epoch: partition.last_fetched_epoch,
            slot: 0,
        };
        asked.partitions.iter().map(target).collect()
    }
}
