//! What a node's replicas are like, for whoever watches over a whole cluster:
//! a simulated world compares what nodes say of themselves.

use crate::broker::Broker;
use plimsoll_wire::types::{LeaderEpoch, Offset, PartitionIndex};
use std::sync::Arc;

/// One replica at one instant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplicaView {
    /// The topic.
    pub topic: Arc<str>,
    /// The partition.
    pub index: PartitionIndex,
    /// The epoch in which this node leads the partition, when it does.
    pub leads_in: Option<LeaderEpoch>,
    /// The offset after the last record.
    pub log_end: Offset,
    /// What consumers may read up to.
    pub high_watermark: Offset,
}

impl Broker {
    /// Every replica of this node whose log is open, by topic and partition.
    pub fn replicas(&self) -> Vec<ReplicaView> {
        let catalog = self.catalog();
        let view = |partition: &Arc<crate::partition::Partition>| {
            let held = partition.lock();
            let log = held.log().ok()?;
            Some(ReplicaView {
                topic: Arc::clone(&partition.topic),
                index: partition.index,
                leads_in: held.led_epoch().ok(),
                log_end: log.log_end(),
                high_watermark: log.high_watermark(),
            })
        };
        catalog.partitions().filter_map(view).collect()
    }
}
