//! `range`: of each topic every member gets a contiguous share, and members
//! of equal rank get the same partitions of topics of equal size, so that
//! keys that belong together stay together.

use super::Candidates;
use crate::names::{InstanceId, MemberId, TopicId};
use crate::schema::Partitions;
use plimsoll_wire::types::PartitionIndex;
use std::collections::BTreeMap;

pub(super) fn assign(members: &Candidates<'_>) -> BTreeMap<MemberId, Partitions> {
    let mut assigned: BTreeMap<MemberId, Partitions> = members
        .keys()
        .map(|id| ((*id).clone(), Partitions::new()))
        .collect();
    // Static members first, by their lasting name: a restart keeps the rank.
    let mut ranked: Vec<(Option<&InstanceId>, &MemberId)> = members
        .iter()
        .map(|(id, candidate)| (candidate.instance, *id))
        .collect();
    ranked.sort_by_key(|(instance, id)| (instance.is_none(), *instance, *id));
    let mut sizes: BTreeMap<TopicId, i32> = BTreeMap::new();
    for candidate in members.values() {
        sizes.extend(candidate.topics.iter());
    }
    for (topic, size) in sizes {
        let reads = |id: &MemberId| {
            members
                .get(id)
                .is_some_and(|m| m.topics.contains_key(&topic))
        };
        let readers: Vec<&MemberId> = ranked
            .iter()
            .map(|(_, id)| *id)
            .filter(|id| reads(id))
            .collect();
        let count = i32::try_from(readers.len()).unwrap_or(i32::MAX).max(1);
        let (share, extra) = (size / count, size % count);
        let mut from = 0;
        for (rank, id) in (0..).zip(readers) {
            let to = from + share + i32::from(rank < extra);
            if from < to
                && let Some(partitions) = assigned.get_mut(id)
            {
                partitions.insert(topic, (from..to).map(PartitionIndex).collect());
            }
            from = to;
        }
    }
    assigned
}
