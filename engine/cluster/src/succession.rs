//! Who leads a partition next, and who counts as in sync: what the controller
//! decides when nodes come, go and move (KIP-966).
//!
//! - A leader comes from the ISR; when that is empty, from the eligible
//!   replicas, which hold every committed record; only an unclean election
//!   takes anyone else.
//! - While the ISR is smaller than min.insync.replicas nothing is committed, so
//!   that whoever leaves it then stays eligible.
//! - A reassignment adds before it removes: it is complete once all that it
//!   adds are in sync, and as many of those that stay as commit a record. Whoever
//!   has what is committed goes no sooner, also when a move is called off: the
//!   last of the others may have lost it and not be back to say so.

use crate::image::PartitionImage;
use crate::records::PartitionChange;
use plimsoll_wire::types::{NodeId, PartitionIndex};
use uuid::Uuid;

/// What holds while a partition's state is decided.
pub struct Rules<'a> {
    /// Whether a node may lead.
    pub may_lead: &'a dyn Fn(NodeId) -> bool,
    /// Whether a replica that lacks committed records may lead.
    pub unclean: bool,
    /// How many replicas in sync commit a record.
    pub in_sync_min: usize,
}

/// What is asked of a partition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wish {
    /// The ISR, when it is to change.
    pub isr: Option<Vec<NodeId>>,
    /// Nodes that lost what was not durable: they are in sync no more.
    pub unclean_stop: Option<NodeId>,
    /// Move the leadership to the preferred replica when it is in sync.
    pub preferred: bool,
    /// New replicas, and those being added and removed.
    pub reassign: Option<Reassign>,
}

/// The replicas of a partition that is being moved.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reassign {
    /// All replicas while it moves.
    pub replicas: Vec<NodeId>,
    /// Those that are added.
    pub adding: Vec<NodeId>,
    /// Those that are removed once the added are in sync.
    pub removing: Vec<NodeId>,
}

/// The change that fulfils a wish and keeps a leader; none when nothing changes.
pub fn decide(
    topic: Uuid,
    index: PartitionIndex,
    now: &PartitionImage,
    wish: &Wish,
    rules: &Rules<'_>,
) -> Option<PartitionChange> {
    let mut next = Next::of(now);
    if let Some(reassign) = &wish.reassign {
        next.begin_reassignment(reassign, rules);
    }
    if let Some(isr) = &wish.isr {
        next.isr.clone_from(isr);
    }
    if let Some(node) = wish.unclean_stop {
        next.isr.retain(|member| *member != node);
    }
    next.finish_reassignment(rules);
    next.isr.retain(|member| next.replicas.contains(member));
    let leader_before = next.leader;
    next.elect(wish.preferred, rules);
    next.find_eligible(now, wish.unclean_stop, rules);
    next.change(topic, index, now, leader_before)
}

/// A partition's next state while it is worked out.
struct Next {
    replicas: Vec<NodeId>,
    adding: Vec<NodeId>,
    removing: Vec<NodeId>,
    isr: Vec<NodeId>,
    eligible: Vec<NodeId>,
    last_known: Vec<NodeId>,
    leader: NodeId,
}

impl Next {
    fn of(now: &PartitionImage) -> Self {
        Self {
            replicas: now.replicas.clone(),
            adding: now.adding.clone(),
            removing: now.removing.clone(),
            isr: now.isr.clone(),
            eligible: now.eligible.clone(),
            last_known: now.last_known_eligible.clone(),
            leader: now.leader,
        }
    }

    /// How many replicas in sync commit a record, of so many.
    fn enough(replicas: usize, rules: &Rules<'_>) -> usize {
        rules.in_sync_min.clamp(1, replicas.max(1))
    }

    /// Takes the new replicas on. Of those that an earlier move had added and
    /// this one does without, who has what is committed stays to be removed.
    fn begin_reassignment(&mut self, to: &Reassign, rules: &Rules<'_>) {
        self.replicas.clone_from(&to.replicas);
        self.adding.clone_from(&to.adding);
        self.removing.clone_from(&to.removing);
        let stays = self.isr.iter().filter(|node| to.replicas.contains(node));
        if stays.count() >= Self::enough(to.replicas.len(), rules) {
            return;
        }
        for node in self.isr.iter().chain(&self.eligible) {
            if !self.replicas.contains(node) {
                self.replicas.push(*node);
                self.removing.push(*node);
            }
        }
    }

    /// Takes the old replicas away once all new ones are in sync, and enough.
    fn finish_reassignment(&mut self, rules: &Rules<'_>) {
        if self.adding.is_empty() && self.removing.is_empty() {
            return;
        }
        let stays = |node: &&NodeId| !self.removing.contains(node);
        let in_sync: Vec<NodeId> = self.isr.iter().filter(stays).copied().collect();
        let left = self.replicas.iter().filter(stays).count();
        let complete = in_sync.len() >= Self::enough(left, rules)
            && self.adding.iter().all(|node| in_sync.contains(node));
        if complete {
            self.replicas = self.replicas.iter().filter(stays).copied().collect();
            self.isr = in_sync;
            self.adding.clear();
            self.removing.clear();
        }
    }

    fn elect(&mut self, preferred: bool, rules: &Rules<'_>) {
        let can = |node: &&NodeId| self.isr.contains(node) && (rules.may_lead)(**node);
        let first = self.replicas.first().filter(can).copied();
        let stays = Some(self.leader).filter(|leader| can(&leader));
        let from_isr = if preferred {
            first.or(stays)
        } else {
            stays.or(first)
        };
        let from_isr = from_isr.or_else(|| self.replicas.iter().find(can).copied());
        if let Some(leader) = from_isr {
            self.leader = leader;
            return;
        }
        self.leader = NodeId::NONE;
        if !self.isr.is_empty() && !rules.unclean {
            // Those in sync hold all that is committed: one of them comes back.
            return;
        }
        let live = |node: &&NodeId| (rules.may_lead)(**node) && self.replicas.contains(node);
        let eligible = self.eligible.iter().find(live).copied();
        let last = match (&self.last_known[..], &self.eligible[..], &self.isr[..]) {
            ([only], [], []) => Some(only).filter(live).copied(),
            _ => None,
        };
        let anyone = || {
            let found = self.replicas.iter().find(live).copied();
            found.filter(|_| rules.unclean)
        };
        if let Some(leader) = eligible.or(last).or_else(anyone) {
            self.leader = leader;
            self.isr = vec![leader];
        }
    }

    fn find_eligible(&mut self, now: &PartitionImage, stopped: Option<NodeId>, rules: &Rules<'_>) {
        if self.isr.len() >= Self::enough(self.replicas.len(), rules) {
            self.eligible.clear();
            self.last_known.clear();
            return;
        }
        let mut eligible: Vec<NodeId> = now.eligible.clone();
        eligible.extend(&now.isr);
        eligible.sort_unstable();
        eligible.dedup();
        eligible.retain(|node| self.replicas.contains(node) && !self.isr.contains(node));
        let was_eligible = stopped.filter(|node| eligible.contains(node));
        eligible.retain(|node| Some(*node) != was_eligible);
        if self.isr.is_empty() && eligible.is_empty() && self.last_known.is_empty() {
            self.last_known = was_eligible.into_iter().collect();
        } else if !self.isr.is_empty() {
            self.last_known.clear();
        }
        self.eligible = eligible;
    }

    fn change(
        self,
        topic: Uuid,
        index: PartitionIndex,
        now: &PartitionImage,
        leader_before: NodeId,
    ) -> Option<PartitionChange> {
        let differs = |new: Vec<NodeId>, old: &Vec<NodeId>| (new != *old).then_some(new);
        let empty = PartitionChange::of(topic, index);
        let change = PartitionChange {
            leader: (self.leader != leader_before).then_some(self.leader),
            isr: differs(self.isr, &now.isr),
            replicas: differs(self.replicas, &now.replicas),
            adding: differs(self.adding, &now.adding),
            removing: differs(self.removing, &now.removing),
            eligible: differs(self.eligible, &now.eligible),
            last_known_eligible: differs(self.last_known, &now.last_known_eligible),
            ..empty.clone()
        };
        (change != empty).then_some(change)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use plimsoll_wire::types::LeaderEpoch;

    fn nodes(ids: &[i32]) -> Vec<NodeId> {
        ids.iter().copied().map(NodeId).collect()
    }

    /// Three replicas led by 1, with this ISR and these eligible replicas.
    fn partition(leader: i32, isr: &[i32], eligible: &[i32]) -> PartitionImage {
        PartitionImage {
            replicas: nodes(&[1, 2, 3]),
            isr: nodes(isr),
            removing: vec![],
            adding: vec![],
            leader: NodeId(leader),
            leader_epoch: LeaderEpoch(4),
            partition_epoch: 9,
            eligible: nodes(eligible),
            last_known_eligible: vec![],
        }
    }

    /// Leader, ISR and eligible replicas after the wish.
    fn after(
        now: &PartitionImage,
        wish: &Wish,
        alive: &[i32],
        unclean: bool,
    ) -> (i32, Vec<NodeId>, Vec<NodeId>) {
        let rules = Rules {
            may_lead: &|node| alive.contains(&node.get()),
            unclean,
            in_sync_min: 2,
        };
        let change = decide(Uuid::nil(), PartitionIndex(0), now, wish, &rules);
        let change = change.unwrap_or(PartitionChange::of(Uuid::nil(), PartitionIndex(0)));
        (
            change.leader.unwrap_or(now.leader).get(),
            change.isr.unwrap_or_else(|| now.isr.clone()),
            change.eligible.unwrap_or_else(|| now.eligible.clone()),
        )
    }

    fn isr(ids: &[i32]) -> Wish {
        Wish {
            isr: Some(nodes(ids)),
            ..Wish::default()
        }
    }

    #[test]
    fn the_next_leader_is_in_sync_and_in_the_order_of_replicas() {
        let check =
            |now: &PartitionImage, wish: &Wish, alive: &[i32], leader: i32, in_sync: &[i32]| {
                let (to, isr, _) = after(now, wish, alive, false);
                assert_eq!(
                    (to, isr),
                    (leader, nodes(in_sync)),
                    "{now:?} {wish:?} {alive:?}"
                );
            };
        let all = partition(1, &[1, 2, 3], &[]);
        check(&all, &isr(&[2, 3]), &[2, 3], 2, &[2, 3]);
        check(&all, &isr(&[1, 3]), &[1, 3], 1, &[1, 3]);
        // Node 2 is alive and out of sync.
        check(&partition(1, &[1, 3], &[]), &isr(&[3]), &[2, 3], 3, &[3]);
        // Nobody in sync is alive: no leader, and the ISR is remembered.
        check(&partition(1, &[1], &[]), &isr(&[1]), &[2, 3], -1, &[1]);
        let preferred = Wish {
            preferred: true,
            ..Wish::default()
        };
        check(
            &partition(3, &[1, 3], &[]),
            &preferred,
            &[1, 2, 3],
            1,
            &[1, 3],
        );
        check(&partition(3, &[3], &[]), &preferred, &[1, 2, 3], 3, &[3]);
    }

    #[test]
    fn whoever_leaves_an_isr_too_small_to_commit_stays_eligible() {
        let two = partition(1, &[1, 2], &[]);
        assert_eq!(
            after(&two, &isr(&[1]), &[1], false),
            (1, nodes(&[1]), nodes(&[2]))
        );
        let one = partition(1, &[1], &[2]);
        assert_eq!(
            after(&one, &isr(&[]), &[3], false),
            (-1, nodes(&[]), nodes(&[1, 2]))
        );
        assert_eq!(after(&one, &isr(&[]), &[2, 3], false).0, 2);
        assert_eq!(
            after(&one, &isr(&[1, 3]), &[1, 3], false),
            (1, nodes(&[1, 3]), nodes(&[]))
        );
    }

    #[test]
    fn only_an_unclean_election_takes_a_replica_that_lacks_records() {
        let now = partition(1, &[1], &[]);
        assert_eq!(after(&now, &isr(&[]), &[3], false).0, -1);
        assert_eq!(
            after(&now, &isr(&[]), &[3], true),
            (3, nodes(&[3]), nodes(&[1]))
        );
    }

    #[test]
    fn a_node_that_stopped_uncleanly_is_neither_in_sync_nor_eligible() {
        let stopped = |node| Wish {
            unclean_stop: Some(NodeId(node)),
            ..Wish::default()
        };
        let two = partition(1, &[1, 2], &[]);
        assert_eq!(
            after(&two, &stopped(2), &[1], false),
            (1, nodes(&[1]), nodes(&[]))
        );
        let one = partition(1, &[1], &[2]);
        assert_eq!(
            after(&one, &stopped(1), &[3], false),
            (-1, nodes(&[]), nodes(&[2]))
        );
        // The last one that held anything may come back: there is nobody better.
        let alone = partition(1, &[1], &[]);
        let rules = Rules {
            may_lead: &|node| node == NodeId(1),
            unclean: false,
            in_sync_min: 2,
        };
        let change = decide(Uuid::nil(), PartitionIndex(0), &alone, &stopped(1), &rules);
        let change = change.expect("the ISR changes");
        assert_eq!(change.last_known_eligible, Some(nodes(&[1])));
    }

    #[test]
    fn a_reassignment_adds_before_it_removes() {
        let moving = Wish {
            reassign: Some(Reassign {
                replicas: nodes(&[4, 1, 2, 3]),
                adding: nodes(&[4]),
                removing: nodes(&[1]),
            }),
            ..Wish::default()
        };
        let now = partition(1, &[1, 2, 3], &[]);
        let rules = Rules {
            may_lead: &|_| true,
            unclean: false,
            in_sync_min: 2,
        };
        let change = decide(Uuid::nil(), PartitionIndex(0), &now, &moving, &rules);
        let change = change.expect("it begins");
        assert_eq!(change.replicas, Some(nodes(&[4, 1, 2, 3])));
        assert_eq!((change.leader, change.isr), (None, None));
        let begun = PartitionImage {
            replicas: nodes(&[4, 1, 2, 3]),
            adding: nodes(&[4]),
            removing: nodes(&[1]),
            ..now
        };
        let caught_up = isr(&[1, 2, 3, 4]);
        let change = decide(Uuid::nil(), PartitionIndex(0), &begun, &caught_up, &rules);
        let change = change.expect("it ends");
        assert_eq!(change.replicas, Some(nodes(&[4, 2, 3])));
        assert_eq!(change.isr, Some(nodes(&[2, 3, 4])));
        assert_eq!(change.leader, Some(NodeId(4)));
        assert_eq!(change.removing, Some(vec![]));
    }

    #[test]
    fn whoever_has_what_is_committed_goes_once_enough_others_have_it() {
        let rules = Rules {
            may_lead: &|_| true,
            unclean: false,
            in_sync_min: 2,
        };
        let reassign = |replicas: &[i32], adding: &[i32], removing: &[i32]| Wish {
            reassign: Some(Reassign {
                replicas: nodes(replicas),
                adding: nodes(adding),
                removing: nodes(removing),
            }),
            ..Wish::default()
        };
        let place = (Uuid::nil(), PartitionIndex(0));
        let check = |now: &PartitionImage, wish: &Wish, replicas: &[i32], removing: &[i32]| {
            let change = decide(place.0, place.1, now, wish, &rules);
            let change = change.unwrap_or(PartitionChange::of(place.0, place.1));
            let after = (
                change.replicas.unwrap_or_else(|| now.replicas.clone()),
                change.removing.unwrap_or_else(|| now.removing.clone()),
            );
            assert_eq!(
                after,
                (nodes(replicas), nodes(removing)),
                "{now:?} {wish:?}"
            );
        };
        // Node 2 may be all that is left, and may have lost it.
        let two = partition(1, &[1, 2], &[]);
        check(&two, &reassign(&[2, 3, 1], &[], &[1]), &[2, 3, 1], &[1]);
        let begun = PartitionImage {
            replicas: nodes(&[2, 3, 1]),
            removing: nodes(&[1]),
            ..partition(1, &[1, 2], &[])
        };
        check(&begun, &isr(&[1, 2, 3]), &[2, 3], &[]);
        // A move to 4 is called off while 4 is one of two that have it.
        let called_off = PartitionImage {
            replicas: nodes(&[1, 2, 4]),
            adding: nodes(&[4]),
            ..partition(1, &[1, 4], &[])
        };
        let back = reassign(&[1, 2], &[], &[]);
        check(&called_off, &back, &[1, 2, 4], &[4]);
        let all = PartitionImage {
            isr: nodes(&[1, 2, 4]),
            ..called_off
        };
        check(&all, &back, &[1, 2], &[]);
    }
}
