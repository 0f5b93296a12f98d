//! Which replica a consumer had better read (KIP-392).

use super::leading::InSync;
use plimsoll_wire::types::NodeId;

/// The replica in the consumer's rack that is furthest along, when the leader is
/// not there itself. As Kafka's rack-aware selector does it: among those in sync
/// that have the offset which the consumer asks for.
pub(crate) fn in_rack<'a>(
    rack: &str,
    leader: NodeId,
    replicas: &[InSync],
    rack_of: impl Fn(NodeId) -> Option<&'a str>,
) -> Option<NodeId> {
    let is_near = |node: NodeId| rack_of(node) == Some(rack);
    if is_near(leader) {
        return None;
    }
    let near = replicas.iter().filter(|replica| is_near(replica.node));
    let best = near.max_by_key(|replica| (replica.end, replica.caught_up_at, -replica.node.get()));
    best.map(|replica| replica.node)
}

#[cfg(test)]
mod tests {
    use super::*;
    use plimsoll_wire::time::Instant;
    use plimsoll_wire::types::Offset;
    use std::time::Duration;

    #[test]
    fn a_consumer_reads_the_replica_of_its_rack_that_is_furthest_along() {
        let racks = [None, Some("a"), Some("b"), Some("b"), None];
        let rack_of = |node: NodeId| usize::try_from(node.get()).ok().and_then(|at| racks[at]);
        let replica = |node: i32, end: i64, ms: u64| InSync {
            node: NodeId(node),
            end: Offset(end),
            caught_up_at: Instant(Duration::from_millis(ms)),
        };
        let check = |rack: &str, replicas: &[InSync], expected: Option<i32>| {
            let found = in_rack(rack, NodeId(1), replicas, rack_of);
            assert_eq!(found, expected.map(NodeId), "{rack} {replicas:?}");
        };
        let (two, three) = (replica(2, 10, 5), replica(3, 10, 4));
        check("a", &[two, three], None);
        check("b", &[two, three], Some(2));
        check("b", &[two, replica(3, 11, 0)], Some(3));
        check("b", &[replica(2, 10, 4), three], Some(2));
        check("c", &[two, three], None);
        check("b", &[replica(4, 10, 9)], None);
        check("b", &[], None);
    }
}
