//! What a run asks of a cluster besides records: who leads what, topics,
//! end offsets, producer ids.
//!
//! Every call is bounded by a deadline and retried while the cluster says that
//! it is not ready yet.

use super::conn::Conn;
use crate::access::Bootstrap;
use crate::clock::{Mono, sleep_until};
use crate::error::{DriveError, is_retriable};
use kafka_protocol::ResponseError;
use kafka_protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::metadata_response::MetadataResponseTopic;
use kafka_protocol::messages::{
    BrokerId, CreateTopicsRequest, DeleteTopicsRequest, FindCoordinatorRequest,
    InitProducerIdRequest, ListOffsetsRequest, MetadataRequest, MetadataResponse, ProduceRequest,
    TopicName, TransactionalId,
};
use kafka_protocol::protocol::StrBytes;
use plimsoll_wire::types::{NodeId, Offset, PartitionIndex, ProducerEpoch, ProducerId};
use std::collections::BTreeMap;
use std::time::Duration;

/// How long to find out that a target cannot be reached.
pub const REACH: Duration = Duration::from_secs(8);
/// How long one connection attempt may take while reaching a target.
const ATTEMPT: Duration = Duration::from_secs(3);
/// How long a cluster may take to create, delete or elect.
const SETTLE: Duration = Duration::from_secs(30);
const RETRY_GAP_NANOS: u64 = 20_000_000;
const REACH_GAP_NANOS: u64 = 100_000_000;

/// A topic to be made.
#[derive(Clone, Debug)]
pub struct NewTopic {
    /// Its name.
    pub name: String,
    /// How many partitions.
    pub partitions: u32,
    /// Copies of each partition; −1 for the cluster's default.
    pub replication_factor: i16,
    /// Settings under Kafka's property names.
    pub configs: BTreeMap<String, String>,
}

/// Which broker leads each partition of a topic.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Leaders {
    /// Leader of each partition, by partition number.
    pub by_partition: Vec<NodeId>,
    /// `HOST:PORT` of every broker.
    pub brokers: BTreeMap<NodeId, String>,
}

/// What a cluster says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClusterInfo {
    /// How many brokers it has.
    pub nodes: u32,
    /// Its id.
    pub cluster_id: String,
}

/// An idempotent producer's identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProducerIdentity {
    /// The id.
    pub id: ProducerId,
    /// Its incarnation.
    pub epoch: ProducerEpoch,
}

/// The control connection to a cluster.
#[derive(Debug)]
pub struct Control {
    conn: Conn,
    bootstrap: Bootstrap,
}

impl Control {
    /// Connects to the first address of `bootstrap` that answers.
    ///
    /// # Errors
    /// [`DriveError::Unreachable`] within [`REACH`] when none does.
    pub fn reach(bootstrap: &Bootstrap) -> Result<Self, DriveError> {
        Self::reach_by(bootstrap, Mono::now().after(REACH))
    }

    /// As [`Control::reach`], by `deadline`.
    pub fn reach_by(bootstrap: &Bootstrap, deadline: Mono) -> Result<Self, DriveError> {
        let mut cause = "no address was given".to_owned();
        loop {
            for broker in &bootstrap.addresses {
                match bootstrap.connect(broker, Mono::now().after(ATTEMPT).min(deadline)) {
                    Ok(conn) => {
                        let bootstrap = bootstrap.clone();
                        return Ok(Self { conn, bootstrap });
                    }
                    Err(error @ DriveError::Security { .. }) => return Err(error),
                    Err(error) => cause = with_source(&error),
                }
            }
            let next = Mono::now().plus(REACH_GAP_NANOS);
            if next >= deadline || bootstrap.addresses.is_empty() {
                let target = bootstrap.to_string();
                return Err(DriveError::Unreachable { target, cause });
            }
            sleep_until(next);
        }
    }

    /// The connection itself.
    pub(crate) fn into_conn(self) -> Conn {
        self.conn
    }

    /// A connection to the leader of the first partition of `topic`.
    pub fn leader(&mut self, topic: &str, deadline: Mono) -> Result<Self, DriveError> {
        let leaders = self.leaders(topic, 1, deadline)?;
        let node = leaders.by_partition.first();
        let broker = node.and_then(|node| leaders.brokers.get(node));
        let broker = broker.map_or("", String::as_str);
        let bootstrap = self.bootstrap.clone();
        let conn = bootstrap.connect(broker, deadline)?;
        Ok(Self { conn, bootstrap })
    }

    /// Sends a produce request and waits until every partition has taken it.
    pub fn produce(&mut self, request: &ProduceRequest, deadline: Mono) -> Result<(), DriveError> {
        let response = self.conn.call(request, (3, 7), deadline)?;
        let topics = response.responses.iter();
        for partition in topics.flat_map(|topic| &topic.partition_responses) {
            DriveError::check(partition.error_code, "producing a record", None)?;
        }
        Ok(())
    }

    /// Makes `topic` and waits until each partition has a leader.
    pub fn create_topic(&mut self, topic: &NewTopic) -> Result<Leaders, DriveError> {
        let deadline = Mono::now().after(SETTLE);
        let configs = topic.configs.iter().map(|(name, value)| {
            CreatableTopicConfig::default()
                .with_name(text(name))
                .with_value(Some(text(value)))
        });
        let creatable = CreatableTopic::default()
            .with_name(TopicName(text(&topic.name)))
            .with_num_partitions(i32::try_from(topic.partitions).unwrap_or(i32::MAX))
            .with_replication_factor(topic.replication_factor)
            .with_configs(configs.collect());
        let request = CreateTopicsRequest::default()
            .with_topics(vec![creatable])
            .with_timeout_ms(ms(SETTLE));
        loop {
            let response = self.conn.call(&request, (2, 7), deadline)?;
            let result = response.topics.first();
            let code = result.map_or(0, |topic| topic.error_code);
            if is_retriable(code) && Mono::now() < deadline {
                self.pause_on_controller(code, deadline)?;
                continue;
            }
            let message = result.and_then(|topic| topic.error_message.as_deref());
            DriveError::check(code, &format!("creating topic {}", topic.name), message)?;
            return self.leaders(&topic.name, topic.partitions, deadline);
        }
    }

    /// Deletes a topic; one that is already gone is no error.
    pub fn delete_topic(&mut self, name: &str) -> Result<(), DriveError> {
        let deadline = Mono::now().after(SETTLE);
        let request = DeleteTopicsRequest::default()
            .with_topic_names(vec![TopicName(text(name))])
            .with_timeout_ms(ms(SETTLE));
        let response = self.conn.call(&request, (1, 5), deadline)?;
        let code = response
            .responses
            .first()
            .map_or(0, |topic| topic.error_code);
        if code == ResponseError::UnknownTopicOrPartition.code() {
            return Ok(());
        }
        DriveError::check(code, &format!("deleting topic {name}"), None)
    }

    /// Who leads the `partitions` partitions of `topic`, once all have a leader.
    pub fn leaders(
        &mut self,
        topic: &str,
        partitions: u32,
        deadline: Mono,
    ) -> Result<Leaders, DriveError> {
        loop {
            let metadata = self.metadata(Some(topic), deadline)?;
            let code = match metadata.topics.first() {
                None => ResponseError::UnknownTopicOrPartition.code(),
                Some(found) if found.error_code != 0 => found.error_code,
                Some(found) => {
                    let leaders = leaders_of(&metadata, Some(found), partitions);
                    if leaders.is_complete() {
                        return Ok(leaders);
                    }
                    ResponseError::LeaderNotAvailable.code()
                }
            };
            if !is_retriable(code) || Mono::now() >= deadline {
                DriveError::check(code, &format!("finding the leaders of {topic}"), None)?;
            }
            sleep_until(Mono::now().plus(RETRY_GAP_NANOS));
        }
    }

    /// Who leads the partitions of `topic` now, asked once: a partition without a
    /// leader has [`NodeId::NONE`], and so have all when the topic is not known.
    pub fn leaders_now(
        &mut self,
        topic: &str,
        partitions: u32,
        deadline: Mono,
    ) -> Result<Leaders, DriveError> {
        let metadata = self.metadata(Some(topic), deadline)?;
        let found = metadata.topics.first();
        let found = found.filter(|found| found.error_code == 0);
        Ok(leaders_of(&metadata, found, partitions))
    }

    /// What the cluster says of itself.
    pub fn info(&mut self) -> Result<ClusterInfo, DriveError> {
        let metadata = self.metadata(None, Mono::now().after(SETTLE))?;
        Ok(ClusterInfo {
            nodes: u32::try_from(metadata.brokers.len()).unwrap_or(u32::MAX),
            cluster_id: metadata
                .cluster_id
                .as_deref()
                .unwrap_or_default()
                .to_owned(),
        })
    }

    /// The log end offset of every partition of `topic`.
    pub fn end_offsets(&mut self, topic: &str, partitions: u32) -> Result<Vec<Offset>, DriveError> {
        self.ends(topic, partitions, false)
    }

    /// Where the committed part of every partition of `topic` ends: the log
    /// end offset, unless a transaction is open.
    pub fn stable_offsets(
        &mut self,
        topic: &str,
        partitions: u32,
    ) -> Result<Vec<Offset>, DriveError> {
        self.ends(topic, partitions, true)
    }

    fn ends(
        &mut self,
        topic: &str,
        partitions: u32,
        stable: bool,
    ) -> Result<Vec<Offset>, DriveError> {
        let deadline = Mono::now().after(SETTLE);
        let leaders = self.leaders(topic, partitions, deadline)?;
        let mut ends = vec![Offset(0); leaders.by_partition.len()];
        for (node, broker) in &leaders.brokers {
            let led = leaders.led_by(*node);
            if led.is_empty() {
                continue;
            }
            let mut conn = self.bootstrap.connect(broker, deadline)?;
            for (partition, offset) in list_ends(&mut conn, (topic, &led), stable, deadline)? {
                let at = usize::try_from(partition.get()).ok();
                if let Some(end) = at.and_then(|at| ends.get_mut(at)) {
                    *end = offset;
                }
            }
        }
        Ok(ends)
    }

    /// An identity for an idempotent producer.
    pub fn producer_identity(&mut self) -> Result<ProducerIdentity, DriveError> {
        self.identity(None, i32::MAX)
    }

    fn identity(
        &mut self,
        id: Option<TransactionalId>,
        timeout_ms: i32,
    ) -> Result<ProducerIdentity, DriveError> {
        let deadline = Mono::now().after(SETTLE);
        let request = InitProducerIdRequest::default()
            .with_transactional_id(id)
            .with_transaction_timeout_ms(timeout_ms)
            .with_producer_id((-1).into())
            .with_producer_epoch(-1);
        loop {
            let response = self.conn.call(&request, (0, 4), deadline)?;
            if is_retriable(response.error_code) && Mono::now() < deadline {
                sleep_until(Mono::now().plus(RETRY_GAP_NANOS));
                continue;
            }
            DriveError::check(response.error_code, "InitProducerId", None)?;
            return Ok(ProducerIdentity {
                id: ProducerId(response.producer_id.0),
                epoch: ProducerEpoch(response.producer_epoch),
            });
        }
    }

    /// The same, for a transactional id: this connection must be the one to its
    /// coordinator.
    pub fn transactional_identity(
        &mut self,
        id: &TransactionalId,
        timeout: Duration,
    ) -> Result<ProducerIdentity, DriveError> {
        self.identity(Some(id.clone()), ms(timeout))
    }

    /// A connection to the coordinator of a transactional id.
    pub fn coordinator(&mut self, id: &TransactionalId) -> Result<Self, DriveError> {
        self.coordinator_of(&id.0, 1)
    }

    /// A connection to the coordinator of a group.
    pub fn group_coordinator(&mut self, group: &str) -> Result<Self, DriveError> {
        self.coordinator_of(&text(group), 0)
    }

    /// `kind` is 0 for a group and 1 for a transactional id.
    fn coordinator_of(&mut self, key: &StrBytes, kind: i8) -> Result<Self, DriveError> {
        let deadline = Mono::now().after(SETTLE);
        let request = FindCoordinatorRequest::default()
            .with_key(key.clone())
            .with_key_type(kind);
        loop {
            let found = self.conn.call(&request, (1, 3), deadline)?;
            if is_retriable(found.error_code) && Mono::now() < deadline {
                sleep_until(Mono::now().plus(RETRY_GAP_NANOS));
                continue;
            }
            let message = found.error_message.as_deref();
            DriveError::check(found.error_code, "FindCoordinator", message)?;
            let at = format!("{}:{}", &*found.host, found.port);
            let bootstrap = self.bootstrap.clone();
            let conn = bootstrap.connect(&at, deadline)?;
            return Ok(Self { conn, bootstrap });
        }
    }

    fn metadata(
        &mut self,
        topic: Option<&str>,
        deadline: Mono,
    ) -> Result<MetadataResponse, DriveError> {
        let topics = topic
            .map(|name| MetadataRequestTopic::default().with_name(Some(TopicName(text(name)))));
        let request = MetadataRequest::default()
            .with_topics(Some(topics.into_iter().collect()))
            .with_allow_auto_topic_creation(false);
        self.conn.call(&request, (4, 9), deadline)
    }

    /// Waits a little; when the broker is not the controller, moves to it.
    fn pause_on_controller(&mut self, code: i16, deadline: Mono) -> Result<(), DriveError> {
        sleep_until(Mono::now().plus(RETRY_GAP_NANOS));
        if code != ResponseError::NotController.code() {
            return Ok(());
        }
        let metadata = self.metadata(None, deadline)?;
        let controller = metadata
            .brokers
            .iter()
            .find(|b| b.node_id == metadata.controller_id);
        if let Some(broker) = controller {
            let at = format!("{}:{}", &*broker.host, broker.port);
            self.conn = self.bootstrap.connect(&at, deadline)?;
        }
        Ok(())
    }
}

impl Leaders {
    /// Whether every partition has a leader that is there.
    fn is_complete(&self) -> bool {
        let mut leaders = self.by_partition.iter();
        leaders.all(|leader| self.brokers.contains_key(leader))
    }

    /// The partitions that `node` leads.
    pub fn led_by(&self, node: NodeId) -> Vec<PartitionIndex> {
        (0i32..)
            .zip(&self.by_partition)
            .filter(|(_, leader)| **leader == node)
            .map(|(partition, _)| PartitionIndex(partition))
            .collect()
    }
}

fn leaders_of(
    metadata: &MetadataResponse,
    topic: Option<&MetadataResponseTopic>,
    partitions: u32,
) -> Leaders {
    let brokers: BTreeMap<NodeId, String> = metadata
        .brokers
        .iter()
        .map(|broker| {
            (
                NodeId(broker.node_id.0),
                format!("{}:{}", &*broker.host, broker.port),
            )
        })
        .collect();
    let mut by_partition = vec![NodeId::NONE; partitions as usize];
    for partition in topic.iter().flat_map(|topic| &topic.partitions) {
        let at = usize::try_from(partition.partition_index).ok();
        if let Some(slot) = at.and_then(|at| by_partition.get_mut(at)) {
            *slot = NodeId(partition.leader_id.0);
        }
    }
    Leaders {
        by_partition,
        brokers,
    }
}

fn list_ends(
    conn: &mut Conn,
    (topic, partitions): (&str, &[PartitionIndex]),
    stable: bool,
    deadline: Mono,
) -> Result<Vec<(PartitionIndex, Offset)>, DriveError> {
    const LATEST: i64 = -1;
    let asked = partitions.iter().map(|partition| {
        ListOffsetsPartition::default()
            .with_partition_index(partition.get())
            .with_timestamp(LATEST)
    });
    let request = ListOffsetsRequest::default()
        .with_replica_id(BrokerId(-1))
        .with_isolation_level(i8::from(stable))
        .with_topics(vec![
            ListOffsetsTopic::default()
                .with_name(TopicName(text(topic)))
                .with_partitions(asked.collect()),
        ]);
    let response = conn.call(&request, (if stable { 2 } else { 1 }, 6), deadline)?;
    let mut ends = Vec::with_capacity(partitions.len());
    for partition in response.topics.iter().flat_map(|topic| &topic.partitions) {
        DriveError::check(partition.error_code, "ListOffsets", None)?;
        ends.push((
            PartitionIndex(partition.partition_index),
            Offset(partition.offset),
        ));
    }
    Ok(ends)
}

pub(crate) fn text(value: &str) -> StrBytes {
    StrBytes::from_string(value.to_owned())
}

fn ms(duration: Duration) -> i32 {
    i32::try_from(duration.as_millis()).unwrap_or(i32::MAX)
}

/// The error with what caused it, on one line.
fn with_source(error: &DriveError) -> String {
    match std::error::Error::source(error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}
