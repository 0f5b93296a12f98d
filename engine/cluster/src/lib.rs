//! The cluster's metadata: records, and the image they replay into.
//!
//! Everything a broker knows about topics, partitions, brokers, configuration
//! and features comes from one ordered log of records, in Kafka's own schemas.
//! Nothing here changes state except [`Image::replay`]: whoever wants a change
//! writes records through a [`MetadataLog`] and replays them once they are
//! durable. The crate does no I/O.

mod acls;
mod codec;
mod error;
mod image;
mod image_records;
mod log;
pub mod quorum;
mod quotas;
mod records;
pub mod succession;

pub use acls::{Acls, WILDCARD};
pub use codec::{Reader, Writer};
pub use error::ClusterError;
pub use image::{BrokerImage, ConfigResource, Image, PartitionImage, TopicImage};
pub use log::StorageFault;
pub use quotas::{ClientQuotas, QuotaShare};
pub use records::{
    AccessControlEntry, AclBinding, AclOperation, AclPattern, AclPermission, AclResource,
    BrokerEndpoint, BrokerFeature, BrokerRegistrationChange, ClientQuota, ConfigChange,
    FeatureLevel, MetadataRecord, PartitionChange, PartitionRecord, ProducerIds, QuotaEntity,
    QuotaKey, QuotaName, QuotaValue, RegisterBroker, RemoveAccessControlEntry,
    RemoveScramCredential, RemoveTopic, ResourceType, ScramCredential, TopicRecord,
    UnregisterBroker,
};
