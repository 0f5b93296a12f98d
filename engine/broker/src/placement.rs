//! Which brokers hold the replicas of new partitions.

use crate::refusal::Refusal;
use plimsoll_cluster::Image;
use plimsoll_wire::error_code::ErrorCode;
use plimsoll_wire::types::NodeId;
use std::collections::BTreeSet;

/// The most partitions one request may create.
const PARTITIONS_PER_REQUEST_MAX: i32 = 10_000;

/// Spreads `partitions` over the brokers, starting with the `first`th.
pub(crate) fn spread(
    image: &Image,
    partitions: i32,
    replicas: i16,
    first: usize,
) -> Result<Vec<Vec<NodeId>>, Refusal> {
    let brokers: Vec<NodeId> = image
        .brokers()
        .iter()
        .filter(|(_, broker)| !broker.fenced)
        .map(|(id, _)| *id)
        .collect();
    let wanted = usize::try_from(replicas).unwrap_or(0);
    if wanted > brokers.len() || brokers.is_empty() {
        return Err(Refusal::new(
            ErrorCode::InvalidReplicationFactor,
            format!(
                "replication factor: {replicas}, but only {} brokers are here",
                brokers.len()
            ),
        ));
    }
    if partitions > PARTITIONS_PER_REQUEST_MAX {
        return Err(Refusal::new(
            ErrorCode::PolicyViolation,
            format!("partitions: {partitions}, at most {PARTITIONS_PER_REQUEST_MAX} at once"),
        ));
    }
    let count = usize::try_from(partitions).unwrap_or(0);
    let of_partition = |partition: usize| {
        let leader = first + partition;
        // Each turn around the brokers shifts the followers, so that a lost
        // leader's load does not fall on one neighbour.
        let shift = leader / brokers.len();
        let others = brokers.len() - 1;
        let follower = |n: usize| leader + 1 + (shift + n) % others.max(1);
        std::iter::once(leader)
            .chain((0..wanted - 1).map(follower))
            .filter_map(|place| brokers.get(place % brokers.len()).copied())
            .collect()
    };
    Ok((0..count).map(of_partition).collect())
}

/// Checks replicas that a client chose.
pub(crate) fn check_chosen(image: &Image, replicas: &[NodeId]) -> Result<(), Refusal> {
    let refuse = |words: String| Err(Refusal::new(ErrorCode::InvalidReplicaAssignment, words));
    if replicas.is_empty() {
        return refuse("replica assignment: a partition has no replicas".into());
    }
    let mut seen = BTreeSet::new();
    for node in replicas {
        if !seen.insert(node) {
            return refuse(format!("replica assignment: broker {node} is listed twice"));
        }
        if !image.brokers().contains_key(node) {
            return refuse(format!(
                "replica assignment: broker {node} is not registered"
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use plimsoll_cluster::{MetadataRecord, RegisterBroker};
    use plimsoll_wire::types::BrokerEpoch;
    use uuid::Uuid;

    fn image(brokers: i32) -> Image {
        let mut image = Image::default();
        for id in 0..brokers {
            let record = RegisterBroker {
                broker: NodeId(id),
                incarnation: Uuid::nil(),
                epoch: BrokerEpoch(0),
                endpoints: vec![],
                features: vec![],
                rack: None,
                fenced: false,
                in_controlled_shutdown: false,
                log_dirs: vec![],
            };
            image
                .replay(&MetadataRecord::RegisterBroker(record))
                .expect("it fits");
        }
        image
    }

    #[test]
    fn replicas_are_distinct_and_leaders_even() {
        for brokers in 1..6i32 {
            for replicas in 1..=brokers {
                let wanted = i16::try_from(replicas).expect("small");
                let spread = spread(&image(brokers), brokers * 4, wanted, 3).expect("it fits");
                let mut leaders = vec![0; usize::try_from(brokers).expect("small")];
                for nodes in &spread {
                    let distinct: BTreeSet<_> = nodes.iter().collect();
                    assert_eq!(distinct.len(), usize::try_from(replicas).expect("small"));
                    leaders[usize::try_from(nodes[0].get()).expect("small")] += 1;
                }
                assert!(leaders.iter().all(|count| *count == 4), "{leaders:?}");
            }
        }
    }

    #[test]
    fn more_replicas_than_brokers_are_refused() {
        let refused = spread(&image(1), 1, 2, 0).expect_err("one broker");
        assert_eq!(refused.code, ErrorCode::InvalidReplicationFactor);
    }
}
