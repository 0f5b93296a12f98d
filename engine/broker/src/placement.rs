//! Which brokers hold the replicas of new partitions.
//!
//! As Kafka's striped assignment: leaders go round the brokers, racks taking
//! turns where brokers name them (`broker.rack`), and a partition's replicas
//! stand in as many racks as there are. A broker without a rack stands in one
//! with all others that have none. Fenced brokers get nothing.

use crate::refusal::Refusal;
use plimsoll_cluster::Image;
use plimsoll_wire::error_code::ErrorCode;
use plimsoll_wire::types::NodeId;
use std::collections::{BTreeMap, BTreeSet};

/// The most partitions one request may create.
const PARTITIONS_PER_REQUEST_MAX: i32 = 10_000;

/// Spreads `partitions` over the brokers, starting with the `first`th.
pub(crate) fn spread(
    image: &Image,
    partitions: i32,
    replicas: i16,
    first: usize,
) -> Result<Vec<Vec<NodeId>>, Refusal> {
    let racks = racks(image);
    let brokers: usize = racks.iter().map(Vec::len).sum();
    let wanted = usize::try_from(replicas).unwrap_or(0);
    if wanted > brokers || brokers == 0 {
        return Err(Refusal::new(
            ErrorCode::InvalidReplicationFactor,
            format!("replication factor: {replicas}, but only {brokers} brokers are here"),
        ));
    }
    if partitions > PARTITIONS_PER_REQUEST_MAX {
        return Err(Refusal::new(
            ErrorCode::PolicyViolation,
            format!("partitions: {partitions}, at most {PARTITIONS_PER_REQUEST_MAX} at once"),
        ));
    }
    let count = usize::try_from(partitions).unwrap_or(0);
    let of_partition = |partition: usize| match racks.as_slice() {
        [brokers] => around(brokers, first + partition, wanted),
        racks => across(racks, first + partition, wanted),
    };
    Ok((0..count).map(of_partition).collect())
}

/// The brokers that may hold replicas, by rack.
fn racks(image: &Image) -> Vec<Vec<NodeId>> {
    let mut racks: BTreeMap<Option<&str>, Vec<NodeId>> = BTreeMap::new();
    let live = image.brokers().iter().filter(|(_, broker)| !broker.fenced);
    for (id, broker) in live {
        racks.entry(broker.rack.as_deref()).or_default().push(*id);
    }
    racks.into_values().collect()
}

/// The replicas of the `turn`th partition over brokers of one rack.
fn around(brokers: &[NodeId], turn: usize, wanted: usize) -> Vec<NodeId> {
    // Each turn around the brokers shifts the followers, so that a lost
    // leader's load does not fall on one neighbour.
    let shift = turn / brokers.len();
    let others = brokers.len() - 1;
    let follower = |n: usize| turn + 1 + (shift + n) % others.max(1);
    std::iter::once(turn)
        .chain((0..wanted.saturating_sub(1)).map(follower))
        .filter_map(|place| brokers.get(place % brokers.len()).copied())
        .collect()
}

/// The replicas of the `turn`th partition over several racks: each next one in
/// the next rack that has a broker left.
fn across(racks: &[Vec<NodeId>], turn: usize, wanted: usize) -> Vec<NodeId> {
    let mut chosen: Vec<NodeId> = Vec::with_capacity(wanted);
    let visit = turn / racks.len();
    let mut step = 0;
    // After as many rounds as the largest rack has brokers, all are chosen.
    let largest = racks.iter().map(Vec::len).max().unwrap_or(0);
    while chosen.len() < wanted && step < racks.len() * largest {
        // The shift by whole turns keeps the same two brokers from always
        // meeting in a partition.
        let rack = racks.get((turn + step) % racks.len());
        let brokers = rack.map_or(&[][..], Vec::as_slice);
        let start = if step == 0 {
            visit
        } else {
            visit + step + visit / brokers.len().max(1)
        };
        let candidates =
            (0..brokers.len()).filter_map(|n| brokers.get((start + n) % brokers.len()));
        let next = candidates.copied().find(|node| !chosen.contains(node));
        chosen.extend(next);
        step += 1;
    }
    chosen
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
        let racks: Vec<Option<&str>> = (0..brokers).map(|_| None).collect();
        in_racks(&racks)
    }

    fn in_racks(racks: &[Option<&str>]) -> Image {
        let mut image = Image::default();
        for (id, rack) in (0..).zip(racks) {
            let record = RegisterBroker {
                broker: NodeId(id),
                incarnation: Uuid::nil(),
                epoch: BrokerEpoch(0),
                endpoints: vec![],
                features: vec![],
                rack: rack.map(str::to_owned),
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

    /// Replicas are distinct, in as many racks as can be, and each rack leads
    /// `leads` of `partitions` by its index.
    fn check_racks(racks: &[Option<&str>], replicas: i16, partitions: i32, leads: &[usize]) {
        let image = in_racks(racks);
        let spread = spread(&image, partitions, replicas, 5).expect("it fits");
        let rack_of = |node: &NodeId| racks[usize::try_from(node.get()).expect("small")];
        let names: BTreeSet<_> = racks.iter().collect();
        let wanted = usize::try_from(replicas).expect("small");
        let mut led = vec![0; names.len()];
        for nodes in &spread {
            let distinct: BTreeSet<_> = nodes.iter().collect();
            assert_eq!(distinct.len(), wanted, "{nodes:?}");
            let stand_in: BTreeSet<_> = nodes.iter().map(rack_of).collect();
            assert_eq!(stand_in.len(), wanted.min(names.len()), "{nodes:?}");
            let leader = rack_of(&nodes[0]);
            led[names
                .iter()
                .position(|name| **name == leader)
                .expect("known")] += 1;
        }
        assert_eq!(led, leads, "{racks:?}");
    }

    #[test]
    fn replicas_stand_in_as_many_racks_as_there_are() {
        let (a, b, c) = (Some("a"), Some("b"), Some("c"));
        check_racks(&[a, b, c], 3, 6, &[2, 2, 2]);
        check_racks(&[a, a, b, b, c, c], 3, 12, &[4, 4, 4]);
        check_racks(&[a, a, a, b], 2, 8, &[4, 4]);
        check_racks(&[a, a, a, b], 4, 8, &[4, 4]);
        check_racks(&[a, a, b], 3, 4, &[2, 2]);
        check_racks(&[None, a, None, b], 3, 6, &[2, 2, 2]);
    }

    #[test]
    fn the_brokers_of_equal_racks_lead_equally_and_share_a_lost_leaders_load() {
        let racks = ["a", "b", "c"].map(Some).repeat(3);
        let spread = spread(&in_racks(&racks), 90, 3, 0).expect("it fits");
        let mut led = BTreeMap::new();
        let mut second = BTreeMap::<NodeId, BTreeSet<NodeId>>::new();
        for nodes in &spread {
            *led.entry(nodes[0]).or_insert(0) += 1;
            second.entry(nodes[0]).or_default().insert(nodes[1]);
        }
        assert!(led.values().all(|count| *count == 10), "{led:?}");
        assert!(second.values().all(|next| next.len() == 3), "{second:?}");
    }

    #[test]
    fn more_replicas_than_brokers_are_refused() {
        let refused = spread(&image(1), 1, 2, 0).expect_err("one broker");
        assert_eq!(refused.code, ErrorCode::InvalidReplicationFactor);
    }
}
