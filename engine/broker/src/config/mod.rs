//! Kafka's properties: what they are called, which values they take, which of
//! several settings counts.
//!
//! No property is silently ignored: an unknown one is refused with the nearest
//! known name, one that the engine does not do is refused, and one that only
//! tunes machinery of Kafka's own is accepted with a warning.

mod broker;
mod broker_table;
mod cluster_limits;
mod error;
mod layers;
mod limits;
mod property;
mod registry;
mod security_table;
mod topic_table;

pub use broker::{BrokerConfig, Endpoint, Roles};
pub use broker_table::broker_properties;
pub use cluster_limits::ClusterLimits;
pub use error::ConfigError;
pub use layers::{Layers, Properties, Setting, Source};
pub use limits::{Limits, QuotaWindows};
pub use property::{Kind, Property, Support, Update, elements};
pub use registry::{
    LISTENER_PREFIX, broker_property, check_broker_live, check_broker_start, check_topic,
    topic_property,
};
pub use topic_table::{Synonym, TOPIC_PROPERTIES, TopicProperty};
