//! `uniform`: as even as subscriptions allow, and as little moved as that
//! allows.
//!
//! With equal subscriptions every member has a quota, keeps what fits into it
//! and the rest goes to whoever has room. With different ones, partitions that
//! nobody has go to the reader with the least, rarest topics first; then single
//! partitions move from members with more to readers with at least two fewer,
//! until none can. Each such move lowers the sum of squared loads, so the
//! moves come to an end.

use super::Candidates;
use crate::names::{MemberId, TopicId};
use crate::schema::Partitions;
use plimsoll_wire::types::PartitionIndex;
use std::collections::{BTreeMap, BTreeSet};

type Place = (TopicId, PartitionIndex);

pub(super) fn assign(members: &Candidates<'_>) -> BTreeMap<MemberId, Partitions> {
    let mut draft = Draft::new(members);
    let mut topics = members.values().map(|m| &m.topics);
    let first = topics.next();
    if topics.all(|t| Some(t) == first) {
        draft.fill_quotas();
    } else {
        draft.place_unowned();
        draft.even_out();
    }
    draft.finish()
}

struct Draft<'a> {
    members: &'a Candidates<'a>,
    assigned: BTreeMap<&'a MemberId, BTreeSet<Place>>,
    unowned: BTreeSet<Place>,
}

impl<'a> Draft<'a> {
    /// Everyone keeps what they had and may still have.
    fn new(members: &'a Candidates<'a>) -> Self {
        let mut unowned = BTreeSet::new();
        for candidate in members.values() {
            for (topic, size) in candidate.topics.iter() {
                let last = (*topic, PartitionIndex(size - 1));
                if !unowned.contains(&last) {
                    unowned.extend((0..*size).map(|index| (*topic, PartitionIndex(index))));
                }
            }
        }
        let mut assigned = BTreeMap::new();
        for (id, candidate) in members {
            let mut kept = BTreeSet::new();
            for place in candidate.before.into_iter().flat_map(super::super::places) {
                if candidate.topics.contains_key(&place.0) && unowned.remove(&place) {
                    kept.insert(place);
                }
            }
            assigned.insert(*id, kept);
        }
        Self {
            members,
            assigned,
            unowned,
        }
    }

    fn fill_quotas(&mut self) {
        let owned: usize = self.assigned.values().map(BTreeSet::len).sum();
        let total = owned + self.unowned.len();
        let count = self.assigned.len().max(1);
        let (share, mut extra) = (total / count, total % count);
        // Whoever already has more than a share keeps the extra one.
        let mut ids: Vec<&MemberId> = self.assigned.keys().copied().collect();
        ids.sort_by_key(|id| self.assigned.get(id).is_none_or(|has| has.len() <= share));
        let mut room = Vec::new();
        for id in ids {
            let Some(has) = self.assigned.get_mut(id) else {
                continue;
            };
            let quota = share + usize::from(extra > 0);
            extra = extra.saturating_sub(1);
            while has.len() > quota {
                self.unowned.extend(has.pop_last());
            }
            room.push((id, quota - has.len()));
        }
        for (id, room) in room {
            for _ in 0..room {
                let (Some(has), Some(place)) =
                    (self.assigned.get_mut(id), self.unowned.pop_first())
                else {
                    break;
                };
                has.insert(place);
            }
        }
    }

    fn readers(&self, topic: TopicId) -> impl Iterator<Item = &'a MemberId> + '_ {
        let members = self.members.iter();
        let readers = members.filter(move |(_, m)| m.topics.contains_key(&topic));
        readers.map(|(id, _)| *id)
    }

    fn load(&self, id: &MemberId) -> usize {
        self.assigned.get(id).map_or(0, BTreeSet::len)
    }

    fn place_unowned(&mut self) {
        let mut unowned: Vec<Place> = std::mem::take(&mut self.unowned).into_iter().collect();
        unowned.sort_by_cached_key(|place| (self.readers(place.0).count(), *place));
        for place in unowned {
            let least = self.readers(place.0).min_by_key(|id| (self.load(id), *id));
            if let Some(has) = least.and_then(|id| self.assigned.get_mut(id)) {
                has.insert(place);
            }
        }
    }

    fn even_out(&mut self) {
        let mut moved = true;
        while moved {
            moved = false;
            for id in self.assigned.keys().copied().collect::<Vec<_>>() {
                moved |= self.shed(id);
            }
        }
    }

    /// Moves what this member has too much of; says whether it had any.
    fn shed(&mut self, id: &'a MemberId) -> bool {
        let mut moved = false;
        let has = self.assigned.get(id).cloned().unwrap_or_default();
        for place in has {
            let least = self.readers(place.0).min_by_key(|id| (self.load(id), *id));
            let Some(least) = least.filter(|l| self.load(l) + 1 < self.load(id)) else {
                continue;
            };
            if let Some(from) = self.assigned.get_mut(id) {
                from.remove(&place);
            }
            if let Some(to) = self.assigned.get_mut(least) {
                to.insert(place);
            }
            moved = true;
        }
        moved
    }

    fn finish(self) -> BTreeMap<MemberId, Partitions> {
        let finished = self.assigned.into_iter().map(|(id, places)| {
            let mut partitions = Partitions::new();
            for (topic, index) in places {
                partitions.entry(topic).or_default().insert(index);
            }
            (id.clone(), partitions)
        });
        finished.collect()
    }
}
