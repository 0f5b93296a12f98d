//! What an operator asks of a cluster: topics, settings, groups and offsets,
//! on the engine and on Apache Kafka alike.
//!
//! A request goes to the broker that can answer it: to the controller, to a
//! group's coordinator, to a partition's leader. While a cluster says that it
//! is moving one of these, the request is asked again until a deadline.
//! Nothing here prints, and nothing is changed that was not asked for.

mod age;
pub(crate) mod assignment;
mod configs;
mod groups;
mod log_dirs;
mod offsets;
mod topics;

pub use configs::{ConfigEntry, ConfigSource};
pub use groups::{DescribedGroup, GroupKind, GroupMember, ListedGroup};
pub use offsets::{At, Committed, Isolation, NewOffset};
pub use plimsoll_wire::types::{NodeId, Offset, PartitionIndex, TimestampMs};
pub use topics::{CreateTopic, PartitionInfo, TopicInfo};

use crate::access::Bootstrap;
use crate::clock::{Mono, sleep_until};
use crate::error::{DriveError, is_retriable};
use crate::native::conn::Conn;
use crate::native::control::{Control, text};
use kafka_protocol::ResponseError;
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::{
    FindCoordinatorRequest, MetadataRequest, MetadataResponse, TopicName,
};
use kafka_protocol::protocol::Request;

use std::collections::BTreeMap;
use std::time::Duration;

/// How long one request, with all its repetitions, may take.
const SETTLE: Duration = Duration::from_secs(30);
const RETRY_GAP_NANOS: u64 = 100_000_000;

/// A partition of a topic.
pub type TopicPartition = (String, PartitionIndex);

/// An operator's connections to a cluster.
#[derive(Debug)]
pub struct Admin {
    /// The connection that any broker may answer on.
    any: Conn,
    /// How further brokers are reached.
    bootstrap: Bootstrap,
    /// Connections to particular brokers, by `HOST:PORT`.
    brokers: BTreeMap<String, Conn>,
}

/// Versions of a request that are spoken here, the least and the most.
type Versions = (i16, i16);

impl Admin {
    /// Connects to the first of `bootstrap` that answers.
    ///
    /// # Errors
    /// [`DriveError::Unreachable`] within eight seconds when none does.
    pub fn reach(bootstrap: &Bootstrap) -> Result<Self, DriveError> {
        Ok(Self {
            bootstrap: bootstrap.clone(),
            any: Control::reach(bootstrap)?.into_conn(),
            brokers: BTreeMap::new(),
        })
    }

    /// Asks whichever broker is at hand.
    fn ask<R: Request>(
        &mut self,
        request: &R,
        versions: Versions,
    ) -> Result<R::Response, DriveError> {
        self.any.call(request, versions, deadline())
    }

    /// Asks the broker at `address`.
    fn ask_at<R: Request>(
        &mut self,
        address: &str,
        request: &R,
        versions: Versions,
    ) -> Result<R::Response, DriveError> {
        let by = deadline();
        let conn = match self.brokers.remove(address) {
            Some(conn) => self.brokers.entry(address.to_owned()).or_insert(conn),
            None => {
                let conn = self.bootstrap.connect(address, by)?;
                self.brokers.entry(address.to_owned()).or_insert(conn)
            }
        };
        let answer = conn.call(request, versions, by);
        if answer.is_err() {
            self.brokers.remove(address);
        }
        answer
    }

    /// Asks the controller, and the next one while it moves. `code` finds the
    /// error in an answer.
    fn ask_controller<R: Request>(
        &mut self,
        request: &R,
        versions: Versions,
        code: impl Fn(&R::Response) -> i16,
    ) -> Result<R::Response, DriveError> {
        let by = deadline();
        let mut response = self.any.call(request, versions, by)?;
        while code(&response) == ResponseError::NotController.code() && Mono::now() < by {
            pause();
            let controller = controller_of(&self.metadata(Some(&[]))?);
            response = match controller {
                Some(address) => self.ask_at(&address, request, versions)?,
                None => self.any.call(request, versions, by)?,
            };
        }
        Ok(response)
    }

    /// Asks the coordinator of a group, wherever it is by then.
    fn ask_coordinator<R: Request>(
        &mut self,
        group: &str,
        request: &R,
        versions: Versions,
        code: impl Fn(&R::Response) -> i16,
    ) -> Result<R::Response, DriveError> {
        let by = deadline();
        loop {
            let address = self.coordinator(group)?;
            let response = self.ask_at(&address, request, versions)?;
            if !is_moving(code(&response)) || Mono::now() >= by {
                return Ok(response);
            }
            pause();
        }
    }

    /// The address of a group's coordinator.
    fn coordinator(&mut self, group: &str) -> Result<String, DriveError> {
        let by = deadline();
        let request = FindCoordinatorRequest::default().with_key(text(group));
        loop {
            let found = self.ask(&request, (1, 3))?;
            if is_retriable(found.error_code) && Mono::now() < by {
                pause();
                continue;
            }
            let what = format!("finding the coordinator of group {group}");
            DriveError::check(found.error_code, &what, found.error_message.as_deref())?;
            return Ok(format!("{}:{}", &*found.host, found.port));
        }
    }

    /// The cluster's metadata, with these topics or with all of them.
    fn metadata(&mut self, topics: Option<&[String]>) -> Result<MetadataResponse, DriveError> {
        let named = |names: &[String]| {
            let topic = |name: &String| {
                MetadataRequestTopic::default().with_name(Some(TopicName(text(name))))
            };
            names.iter().map(topic).collect()
        };
        let request = MetadataRequest::default()
            .with_topics(topics.map(named))
            .with_allow_auto_topic_creation(false);
        self.ask(&request, (4, 9))
    }

    /// The address of every broker.
    fn nodes(&mut self) -> Result<BTreeMap<NodeId, String>, DriveError> {
        Ok(addresses(&self.metadata(Some(&[]))?))
    }
}

/// The address of every broker in an answer.
fn addresses(metadata: &MetadataResponse) -> BTreeMap<NodeId, String> {
    let brokers = metadata.brokers.iter();
    let address = |host: &str, port| format!("{host}:{port}");
    brokers
        .map(|b| (NodeId(b.node_id.0), address(&b.host, b.port)))
        .collect()
}

fn controller_of(metadata: &MetadataResponse) -> Option<String> {
    addresses(metadata).remove(&NodeId(metadata.controller_id.0))
}

/// Whether an error says that a coordinator is elsewhere or not ready.
fn is_moving(code: i16) -> bool {
    let moving = [
        ResponseError::NotCoordinator,
        ResponseError::CoordinatorNotAvailable,
        ResponseError::CoordinatorLoadInProgress,
    ];
    moving.iter().any(|error| error.code() == code)
}

fn deadline() -> Mono {
    Mono::now().after(SETTLE)
}

fn pause() {
    sleep_until(Mono::now().plus(RETRY_GAP_NANOS));
}

/// The request's time limit, for the broker's own waiting.
fn settle_ms() -> i32 {
    i32::try_from(SETTLE.as_millis()).unwrap_or(i32::MAX)
}
