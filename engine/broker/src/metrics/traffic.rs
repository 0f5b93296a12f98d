//! What goes in and out of topics.

use super::counter::Counter;
use super::family::{Family, Kind, Value};
use crate::broker::Broker;

/// The traffic of one topic on this node.
#[derive(Debug, Default)]
pub(crate) struct Traffic {
    pub(crate) messages_in: Counter,
    pub(crate) bytes_in: Counter,
    pub(crate) bytes_out: Counter,
    pub(crate) produce_requests: Counter,
    pub(crate) fetch_requests: Counter,
    pub(crate) failed_produce_requests: Counter,
    pub(crate) failed_fetch_requests: Counter,
}

/// A counter of [`Traffic`], its name and its MBean.
type Column = (&'static str, &'static str, fn(&Traffic) -> &Counter);

const COLUMNS: [Column; 7] = [
    (
        "kafka_server_BrokerTopicMetrics_MessagesInPerSec",
        "kafka.server:type=BrokerTopicMetrics,name=MessagesInPerSec: records appended.",
        |traffic| &traffic.messages_in,
    ),
    (
        "kafka_server_BrokerTopicMetrics_BytesInPerSec",
        "kafka.server:type=BrokerTopicMetrics,name=BytesInPerSec: bytes of batches appended.",
        |traffic| &traffic.bytes_in,
    ),
    (
        "kafka_server_BrokerTopicMetrics_BytesOutPerSec",
        "kafka.server:type=BrokerTopicMetrics,name=BytesOutPerSec: bytes of batches fetched.",
        |traffic| &traffic.bytes_out,
    ),
    (
        "kafka_server_BrokerTopicMetrics_TotalProduceRequestsPerSec",
        "kafka.server:type=BrokerTopicMetrics,name=TotalProduceRequestsPerSec: appends asked for.",
        |traffic| &traffic.produce_requests,
    ),
    (
        "kafka_server_BrokerTopicMetrics_TotalFetchRequestsPerSec",
        "kafka.server:type=BrokerTopicMetrics,name=TotalFetchRequestsPerSec: reads answered.",
        |traffic| &traffic.fetch_requests,
    ),
    (
        "kafka_server_BrokerTopicMetrics_FailedProduceRequestsPerSec",
        "kafka.server:type=BrokerTopicMetrics,name=FailedProduceRequestsPerSec: appends refused.",
        |traffic| &traffic.failed_produce_requests,
    ),
    (
        "kafka_server_BrokerTopicMetrics_FailedFetchRequestsPerSec",
        "kafka.server:type=BrokerTopicMetrics,name=FailedFetchRequestsPerSec: reads refused.",
        |traffic| &traffic.failed_fetch_requests,
    ),
];

impl Broker {
    /// The traffic of every topic; the node's is their sum.
    pub(super) fn traffic_families(&self) -> Vec<Family> {
        let catalog = self.catalog();
        let column = |(name, help, counter): &Column| {
            let mut family = Family::new(name, Kind::Counter, help);
            for topic in catalog.topics() {
                let labels = vec![("topic", topic.name.to_string())];
                family.push(labels, Value::Count(counter(&topic.traffic).get()));
            }
            family
        };
        COLUMNS.iter().map(column).collect()
    }
}
