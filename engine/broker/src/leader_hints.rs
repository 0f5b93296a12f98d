//! Where clients go whose partition is led elsewhere (KIP-951): answers that
//! refuse a partition for its leader name the one that this node knows, and
//! where that is reached, so that the client need not ask for metadata. Answers
//! in older versions have no room for that and leave it out.

use crate::broker::Broker;
use crate::listener::Listener;
use crate::partition::Partition;
use plimsoll_cluster::Image;
use plimsoll_wire::error_code::ErrorCode;
use plimsoll_wire::leader::{CurrentLeader, NodeEndpoint};
use plimsoll_wire::types::NodeId;
use std::collections::BTreeSet;
use std::sync::Arc;

/// What is told in one answer.
pub(crate) struct LeaderHints<'a> {
    broker: &'a Broker,
    listener: &'a Listener,
    /// Looked up when there is something to tell, which is rare.
    image: Option<Arc<Image>>,
    named: BTreeSet<NodeId>,
}

impl<'a> LeaderHints<'a> {
    /// Hints for a client of this listener.
    pub(crate) const fn new(broker: &'a Broker, listener: &'a Listener) -> Self {
        Self {
            broker,
            listener,
            image: None,
            named: BTreeSet::new(),
        }
    }

    /// Who leads a partition that was refused with `error`, if that helps.
    pub(crate) fn of(&mut self, partition: &Partition, error: ErrorCode) -> Option<CurrentLeader> {
        let moved = matches!(
            error,
            ErrorCode::NotLeaderOrFollower | ErrorCode::FencedLeaderEpoch
        );
        let id = partition.leader();
        if !moved || id == NodeId::NONE {
            return None;
        }
        let broker = self.broker;
        self.image.get_or_insert_with(|| broker.image());
        self.named.insert(id);
        Some(CurrentLeader {
            id,
            epoch: partition.leader_epoch(),
        })
    }

    /// Where those leaders are that clients may connect to.
    pub(crate) fn endpoints(&self) -> Vec<NodeEndpoint<'_>> {
        let Some(image) = &self.image else {
            return Vec::new();
        };
        let endpoint = |id: &NodeId| {
            let broker = image.brokers().get(id).filter(|broker| !broker.fenced)?;
            let found = broker.endpoint(&self.listener.name)?;
            Some(NodeEndpoint {
                id: *id,
                host: &found.host,
                port: found.port.into(),
                rack: broker.rack.as_deref(),
            })
        };
        self.named.iter().filter_map(endpoint).collect()
    }
}
