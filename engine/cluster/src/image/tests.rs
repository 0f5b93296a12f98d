//! Replaying records into an image.

use super::*;
use crate::records::{FeatureLevel, RemoveTopic, ScramCredential};

const ORDERS: Uuid = Uuid::from_u128(7);

fn topic(name: &str, id: Uuid) -> MetadataRecord {
    MetadataRecord::Topic(TopicRecord {
        name: name.into(),
        id,
    })
}

fn partition(number: i32) -> MetadataRecord {
    MetadataRecord::Partition(PartitionRecord {
        partition: PartitionIndex(number),
        topic: ORDERS,
        replicas: vec![NodeId(1), NodeId(2)],
        isr: vec![NodeId(1), NodeId(2)],
        removing: vec![],
        adding: vec![],
        leader: NodeId(1),
        leader_epoch: LeaderEpoch(0),
        partition_epoch: 0,
        eligible: vec![],
        last_known_eligible: vec![],
    })
}

fn setting(value: Option<&str>) -> MetadataRecord {
    MetadataRecord::Config(ConfigChange {
        resource: ResourceType::Topic,
        name: "orders".into(),
        key: "retention.ms".into(),
        value: value.map(str::to_owned),
    })
}

fn replayed(records: &[MetadataRecord]) -> Image {
    let mut image = Image::default();
    for record in records {
        assert_eq!(image.replay(record), Ok(()), "{record:?}");
    }
    image
}

#[test]
fn a_topic_is_found_by_name_and_by_id_until_it_is_removed() {
    let mut image = replayed(&[topic("orders", ORDERS), partition(0), setting(Some("5"))]);
    assert_eq!(image.topic("orders"), image.topic_by_id(ORDERS));
    assert_eq!(
        image.topic("orders").map(|topic| topic.partitions.len()),
        Some(1)
    );
    let removal = MetadataRecord::RemoveTopic(RemoveTopic { id: ORDERS });
    assert_eq!(image.replay(&removal), Ok(()));
    assert_eq!(image, Image::default());
}

#[test]
fn a_change_of_leader_starts_a_new_epoch_and_other_changes_do_not() {
    let mut image = replayed(&[topic("orders", ORDERS), partition(0)]);
    let epochs = |image: &Image| {
        let topic = image.topic("orders").expect("the topic exists");
        let partition = &topic.partitions[&PartitionIndex(0)];
        (partition.leader_epoch.get(), partition.partition_epoch)
    };
    let empty = PartitionChange::of(ORDERS, PartitionIndex(0));
    let shrink = PartitionChange {
        isr: Some(vec![NodeId(1)]),
        ..empty.clone()
    };
    assert_eq!(
        image.replay(&MetadataRecord::PartitionChange(shrink)),
        Ok(())
    );
    assert_eq!(epochs(&image), (0, 1));
    let elect = PartitionChange {
        leader: Some(NodeId(2)),
        ..empty
    };
    assert_eq!(
        image.replay(&MetadataRecord::PartitionChange(elect)),
        Ok(())
    );
    assert_eq!(epochs(&image), (1, 2));
}

#[test]
fn records_that_do_not_fit_are_refused_and_change_nothing() {
    let check = |records: &[MetadataRecord], bad: MetadataRecord, expected: ClusterError| {
        let mut image = replayed(records);
        let before = image.clone();
        assert_eq!(image.replay(&bad), Err(expected));
        assert_eq!(image, before);
    };
    let orders = topic("orders", ORDERS);
    check(&[], partition(0), ClusterError::UnknownTopic(ORDERS));
    check(
        std::slice::from_ref(&orders),
        topic("orders", Uuid::from_u128(8)),
        ClusterError::TopicExists("orders".into()),
    );
    check(
        std::slice::from_ref(&orders),
        MetadataRecord::PartitionChange(PartitionChange::of(ORDERS, PartitionIndex(3))),
        ClusterError::UnknownPartition {
            topic: ORDERS,
            partition: PartitionIndex(3),
        },
    );
}

#[test]
fn a_setting_or_feature_can_be_taken_back() {
    let feature = |level| {
        MetadataRecord::FeatureLevel(FeatureLevel {
            name: "group.version".into(),
            level,
        })
    };
    let image = replayed(&[setting(Some("5")), setting(None), feature(1), feature(0)]);
    assert_eq!(image, Image::default());
}

#[test]
fn a_users_password_is_kept_for_each_mechanism() {
    let kept = |mechanism, salt: u8| {
        MetadataRecord::ScramCredential(ScramCredential {
            user: "alice".into(),
            mechanism,
            credential: Credential {
                salt: vec![salt],
                stored_key: vec![1],
                server_key: vec![2],
                iterations: 4096,
            },
        })
    };
    let removed = |mechanism| {
        MetadataRecord::RemoveScramCredential(RemoveScramCredential {
            user: "alice".into(),
            mechanism,
        })
    };
    let (sha256, sha512) = (ScramMechanism::Sha256, ScramMechanism::Sha512);
    let mut image = replayed(&[kept(sha256, 1), kept(sha512, 2), kept(sha256, 3)]);
    let salts = |image: &Image| -> Vec<u8> {
        let credentials = image.scram().get("alice").into_iter().flatten();
        credentials.map(|(_, kept)| kept.salt[0]).collect()
    };
    assert_eq!(salts(&image), [3, 2]);
    assert_eq!(image.replay(&removed(sha256)), Ok(()));
    assert_eq!(salts(&image), [2]);
    assert_eq!(image.replay(&removed(sha512)), Ok(()));
    assert_eq!(image, Image::default());
}

#[test]
fn a_published_copy_does_not_change() {
    let mut image = replayed(&[topic("orders", ORDERS), partition(0)]);
    let published = image.clone();
    assert_eq!(image.replay(&partition(1)), Ok(()));
    assert_eq!(
        published
            .topic("orders")
            .map(|topic| topic.partitions.len()),
        Some(1)
    );
}
