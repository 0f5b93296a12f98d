//! The metadata records, in Kafka's schemas: a frame version, the record's
//! type and version as variable-length integers, then its flexible body.
//!
//! One version of each record is written; every version Kafka 4.1 knows is read.

mod acl;
mod broker;
mod quota;
mod scram;
mod settings;
mod topic;

pub use acl::{
    AccessControlEntry, AclBinding, AclOperation, AclPattern, AclPermission, AclResource,
    RemoveAccessControlEntry,
};
pub use broker::{
    BrokerEndpoint, BrokerFeature, BrokerRegistrationChange, RegisterBroker, UnregisterBroker,
};
pub use quota::{ClientQuota, QuotaEntity, QuotaKey, QuotaName, QuotaValue};
pub use scram::{RemoveScramCredential, ScramCredential};
pub use settings::{ConfigChange, FeatureLevel, ProducerIds, ResourceType};
pub use topic::{PartitionChange, PartitionRecord, RemoveTopic, TopicRecord};

use crate::codec::{Reader, Writer};
use crate::error::ClusterError;

/// The only frame version Kafka has defined.
const FRAME_VERSION: u32 = 1;

/// One change of the cluster's metadata.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MetadataRecord {
    /// A broker left for good.
    UnregisterBroker(UnregisterBroker),
    /// A topic exists.
    Topic(TopicRecord),
    /// A partition exists, or is replaced whole.
    Partition(PartitionRecord),
    /// A setting is set or removed.
    Config(ConfigChange),
    /// Some fields of a partition change.
    PartitionChange(PartitionChange),
    /// A topic is gone.
    RemoveTopic(RemoveTopic),
    /// A feature is finalised at a level.
    FeatureLevel(FeatureLevel),
    /// Producer ids below a bound are handed out.
    ProducerIds(ProducerIds),
    /// A broker's fencing changes.
    BrokerRegistrationChange(BrokerRegistrationChange),
    /// A user may prove a password.
    ScramCredential(ScramCredential),
    /// A user's password no longer opens.
    RemoveScramCredential(RemoveScramCredential),
    /// Someone may do something, or may not.
    AccessControlEntry(AccessControlEntry),
    /// Such an entry is gone.
    RemoveAccessControlEntry(RemoveAccessControlEntry),
    /// Some clients' quota is set or removed.
    ClientQuota(ClientQuota),
    /// Nothing, written to advance the log.
    NoOp,
    /// A broker process registered.
    RegisterBroker(RegisterBroker),
}

impl MetadataRecord {
    /// The record's bytes, as the value of a log record.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Writer::default();
        out.uvarint(FRAME_VERSION);
        let (api_key, version) = self.api();
        out.uvarint(api_key);
        out.uvarint(version);
        match self {
            Self::UnregisterBroker(record) => record.write(&mut out),
            Self::Topic(record) => record.write(&mut out),
            Self::Partition(record) => record.write(&mut out),
            Self::Config(record) => record.write(&mut out),
            Self::PartitionChange(record) => record.write(&mut out),
            Self::RemoveTopic(record) => record.write(&mut out),
            Self::FeatureLevel(record) => record.write(&mut out),
            Self::ProducerIds(record) => record.write(&mut out),
            Self::BrokerRegistrationChange(record) => record.write(&mut out),
            Self::ScramCredential(record) => record.write(&mut out),
            Self::RemoveScramCredential(record) => record.write(&mut out),
            Self::AccessControlEntry(record) => record.write(&mut out),
            Self::RemoveAccessControlEntry(record) => record.write(&mut out),
            Self::ClientQuota(record) => record.write(&mut out),
            Self::NoOp => out.no_tags(),
            Self::RegisterBroker(record) => record.write(&mut out),
        }
        out.into_bytes()
    }

    /// The record's type number, and the version that is written.
    const fn api(&self) -> (u32, u32) {
        match self {
            Self::UnregisterBroker(_) => (1, 0),
            Self::Topic(_) => (2, 0),
            Self::Partition(_) => (3, 2),
            Self::Config(_) => (4, 0),
            Self::PartitionChange(_) => (5, 2),
            Self::RemoveTopic(_) => (9, 0),
            Self::ScramCredential(_) => (11, 0),
            Self::FeatureLevel(_) => (12, 0),
            Self::ClientQuota(_) => (14, 0),
            Self::ProducerIds(_) => (15, 0),
            Self::BrokerRegistrationChange(_) => (17, 2),
            Self::AccessControlEntry(_) => (18, 0),
            Self::RemoveAccessControlEntry(_) => (19, 0),
            Self::NoOp => (20, 0),
            Self::RemoveScramCredential(_) => (22, 0),
            Self::RegisterBroker(_) => (0, 3),
        }
    }

    /// Reads a record from the value of a log record.
    ///
    /// # Errors
    /// When the bytes end early, do not fit the schema, or name a record that
    /// this engine does not know.
    pub fn decode(bytes: &[u8]) -> Result<Self, ClusterError> {
        let mut from = Reader::new(bytes);
        let frame = from.uvarint("frame version")?;
        if frame != FRAME_VERSION {
            return Err(ClusterError::UnknownFrame(frame));
        }
        let api_key = from.uvarint("record type")?;
        let version = from.uvarint("record version")?;
        let from = &mut from;
        Ok(match (api_key, version) {
            (1, 0) => Self::UnregisterBroker(UnregisterBroker::read(from)?),
            (2, 0) => Self::Topic(TopicRecord::read(from)?),
            (3, 0..=2) => Self::Partition(PartitionRecord::read(from, version)?),
            (4, 0) => Self::Config(ConfigChange::read(from)?),
            (5, 0..=2) => Self::PartitionChange(PartitionChange::read(from)?),
            (9, 0) => Self::RemoveTopic(RemoveTopic::read(from)?),
            (11, 0) => Self::ScramCredential(ScramCredential::read(from)?),
            (12, 0) => Self::FeatureLevel(FeatureLevel::read(from)?),
            (14, 0) => Self::ClientQuota(ClientQuota::read(from)?),
            (15, 0) => Self::ProducerIds(ProducerIds::read(from)?),
            (17, 0..=2) => Self::BrokerRegistrationChange(BrokerRegistrationChange::read(from)?),
            (18, 0) => Self::AccessControlEntry(AccessControlEntry::read(from)?),
            (19, 0) => Self::RemoveAccessControlEntry(RemoveAccessControlEntry::read(from)?),
            (20, 0) => Self::NoOp,
            (22, 0) => Self::RemoveScramCredential(RemoveScramCredential::read(from)?),
            (0, 0..=3) => Self::RegisterBroker(RegisterBroker::read(from, version)?),
            _ => return Err(ClusterError::UnknownRecord { api_key, version }),
        })
    }
}

/// One of every record, for tests.
#[cfg(test)]
pub(crate) fn samples() -> Vec<MetadataRecord> {
    use plimsoll_wire::scram::{Credential, ScramMechanism};
    use plimsoll_wire::types::{BrokerEpoch, LeaderEpoch, NodeId, PartitionIndex, ProducerId};
    use uuid::Uuid;
    let topic = Uuid::from_u128(0x1234_5678_9abc_def0_1122_3344_5566_7788);
    vec![
        MetadataRecord::UnregisterBroker(UnregisterBroker {
            broker: NodeId(3),
            epoch: BrokerEpoch(9),
        }),
        MetadataRecord::Topic(TopicRecord {
            name: "orders".into(),
            id: topic,
        }),
        MetadataRecord::Partition(PartitionRecord {
            partition: PartitionIndex(2),
            topic,
            replicas: vec![NodeId(1), NodeId(2)],
            isr: vec![NodeId(1)],
            removing: vec![],
            adding: vec![NodeId(2)],
            leader: NodeId(1),
            leader_epoch: LeaderEpoch(4),
            partition_epoch: 5,
            eligible: vec![NodeId(2)],
            last_known_eligible: vec![],
        }),
        MetadataRecord::Config(ConfigChange {
            resource: ResourceType::Topic,
            name: "orders".into(),
            key: "retention.ms".into(),
            value: None,
        }),
        MetadataRecord::PartitionChange(PartitionChange {
            isr: Some(vec![NodeId(1), NodeId(2)]),
            leader: Some(NodeId(2)),
            eligible: Some(vec![]),
            ..PartitionChange::of(topic, PartitionIndex(2))
        }),
        MetadataRecord::RemoveTopic(RemoveTopic { id: topic }),
        MetadataRecord::FeatureLevel(FeatureLevel {
            name: "metadata.version".into(),
            level: 27,
        }),
        MetadataRecord::ProducerIds(ProducerIds {
            broker: NodeId(1),
            epoch: BrokerEpoch(3),
            next: ProducerId(1000),
        }),
        MetadataRecord::BrokerRegistrationChange(BrokerRegistrationChange {
            broker: NodeId(1),
            epoch: BrokerEpoch(3),
            fenced: Some(false),
            in_controlled_shutdown: None,
        }),
        MetadataRecord::ScramCredential(ScramCredential {
            user: "alice".into(),
            mechanism: ScramMechanism::Sha512,
            credential: Credential {
                salt: vec![1, 2],
                stored_key: vec![3; 64],
                server_key: vec![4; 64],
                iterations: 4096,
            },
        }),
        MetadataRecord::RemoveScramCredential(RemoveScramCredential {
            user: "alice".into(),
            mechanism: ScramMechanism::Sha256,
        }),
        MetadataRecord::AccessControlEntry(AccessControlEntry {
            id: topic,
            binding: AclBinding {
                resource: AclResource::Topic,
                name: "orders".into(),
                pattern: AclPattern::Prefixed,
                principal: "User:alice".into(),
                host: "*".into(),
                operation: AclOperation::Read,
                permission: AclPermission::Allow,
            },
        }),
        MetadataRecord::RemoveAccessControlEntry(RemoveAccessControlEntry {
            id: Uuid::from_u128(5),
        }),
        MetadataRecord::ClientQuota(ClientQuota {
            entity: QuotaEntity {
                user: Some(QuotaName::Default),
                client: Some(QuotaName::Of("app".into())),
            },
            key: QuotaKey::ProducerByteRate,
            value: QuotaValue::new(1024.5),
        }),
        MetadataRecord::ClientQuota(ClientQuota {
            entity: QuotaEntity {
                user: Some(QuotaName::Of("alice".into())),
                client: None,
            },
            key: QuotaKey::ConsumerByteRate,
            value: None,
        }),
        MetadataRecord::NoOp,
        MetadataRecord::RegisterBroker(RegisterBroker {
            broker: NodeId(1),
            incarnation: topic,
            epoch: BrokerEpoch(3),
            endpoints: vec![BrokerEndpoint {
                name: "PLAINTEXT".into(),
                host: "localhost".into(),
                port: 49_092,
                security_protocol: 0,
            }],
            features: vec![BrokerFeature {
                name: "group.version".into(),
                min: 0,
                max: 1,
            }],
            rack: Some("a".into()),
            fenced: false,
            in_controlled_shutdown: false,
            log_dirs: vec![topic],
        }),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_record_reads_back() {
        for record in samples() {
            assert_eq!(MetadataRecord::decode(&record.encode()), Ok(record));
        }
    }

    #[test]
    fn a_record_cut_anywhere_is_refused() {
        for record in samples() {
            let bytes = record.encode();
            let body_starts = 3;
            for cut in 0..bytes.len() {
                let refused = MetadataRecord::decode(bytes.get(..cut).unwrap_or_default()).is_err();
                let may_be_empty = matches!(record, MetadataRecord::NoOp) && cut >= body_starts;
                assert!(refused || may_be_empty, "{record:?} cut at {cut}");
            }
        }
    }

    #[test]
    fn unknown_frames_and_records_are_named() {
        assert_eq!(
            MetadataRecord::decode(&[2, 2, 0]),
            Err(ClusterError::UnknownFrame(2))
        );
        assert_eq!(
            MetadataRecord::decode(&[1, 99, 0]),
            Err(ClusterError::UnknownRecord {
                api_key: 99,
                version: 0
            })
        );
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in proptest::collection::vec(0u8.., 0..64)) {
            let _ = MetadataRecord::decode(&bytes);
        }
    }
}
