//! One member's step from what it owns towards what it should own.
//!
//! Revoke before assign: a member goes to the target epoch only when it has
//! given up everything that is not in its target, and it receives a partition
//! only when nobody else has it.

use crate::names::TopicId;
use crate::schema::{CurrentValue, MemberState, Partitions};
use plimsoll_wire::mutation::{self, Mutation};
use plimsoll_wire::types::PartitionIndex;

/// Where a member should get to.
pub(super) struct Goal<'a> {
    pub(super) epoch: i32,
    pub(super) target: &'a Partitions,
    /// What the member says it owns; `None` when it does not say.
    pub(super) owned: Option<&'a Partitions>,
    /// Whether somebody has the partition, be it only still to revoke.
    pub(super) is_owned: &'a dyn Fn(TopicId, PartitionIndex) -> bool,
}

/// The member's next state; the same when it has to wait.
pub(super) fn reconcile(current: &CurrentValue, goal: &Goal<'_>) -> CurrentValue {
    match current.state {
        MemberState::Stable if current.epoch == goal.epoch => current.clone(),
        MemberState::Stable | MemberState::UnreleasedPartitions => next(current, goal),
        MemberState::UnrevokedPartitions if goal.still_owns(&current.revoking) => current.clone(),
        MemberState::UnrevokedPartitions => next(current, goal),
    }
}

impl Goal<'_> {
    /// Whether the member has not yet given up what it must. Silence is no
    /// consent.
    fn still_owns(&self, revoking: &Partitions) -> bool {
        let Some(owned) = self.owned else {
            return true;
        };
        revoking.iter().any(|(topic, indexes)| {
            let owned = owned.get(topic);
            owned.is_some_and(|owned| !owned.is_disjoint(indexes))
        })
    }
}

fn next(current: &CurrentValue, goal: &Goal<'_>) -> CurrentValue {
    let kept = common(&current.assigned, goal.target);
    let revoking = without(&current.assigned, &kept);
    let mut wanted = without(goal.target, &kept);
    let mut unreleased = false;
    for (topic, indexes) in &mut wanted {
        indexes.retain(|index| {
            let owned = (goal.is_owned)(*topic, *index);
            unreleased |= owned;
            !owned || mutation::is(Mutation::AssignTwice)
        });
    }
    if !revoking.is_empty() && goal.still_owns(&revoking) {
        // An earlier revocation is acknowledged by an epoch of its own.
        let acknowledged = current.state == MemberState::UnrevokedPartitions;
        return CurrentValue {
            epoch: current.epoch + i32::from(acknowledged),
            previous_epoch: current.epoch,
            state: MemberState::UnrevokedPartitions,
            assigned: kept,
            revoking,
        };
    }
    let mut assigned = kept;
    for (topic, indexes) in wanted {
        if !indexes.is_empty() {
            assigned.entry(topic).or_default().extend(indexes);
        }
    }
    CurrentValue {
        epoch: goal.epoch,
        previous_epoch: current.epoch,
        state: if unreleased {
            MemberState::UnreleasedPartitions
        } else {
            MemberState::Stable
        },
        assigned,
        revoking: Partitions::new(),
    }
}

/// What is in both.
pub(super) fn common(a: &Partitions, b: &Partitions) -> Partitions {
    let both = a.iter().filter_map(|(topic, indexes)| {
        let shared: std::collections::BTreeSet<_> =
            indexes.intersection(b.get(topic)?).copied().collect();
        (!shared.is_empty()).then_some((*topic, shared))
    });
    both.collect()
}

/// What is in `a` alone.
pub(super) fn without(a: &Partitions, b: &Partitions) -> Partitions {
    let rest = a.iter().filter_map(|(topic, indexes)| {
        let mut rest = indexes.clone();
        if let Some(taken) = b.get(topic) {
            rest.retain(|index| !taken.contains(index));
        }
        (!rest.is_empty()).then_some((*topic, rest))
    });
    rest.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(indexes: &[i32]) -> Partitions {
        let indexes: std::collections::BTreeSet<_> =
            indexes.iter().copied().map(PartitionIndex).collect();
        let mut partitions = Partitions::new();
        if !indexes.is_empty() {
            partitions.insert(TopicId::from_u128(1), indexes);
        }
        partitions
    }

    /// A member as `(epoch, state, assigned, revoking)`.
    type Member<'a> = (i32, MemberState, &'a [i32], &'a [i32]);

    fn member((epoch, state, assigned, revoking): Member<'_>) -> CurrentValue {
        CurrentValue {
            epoch,
            previous_epoch: epoch,
            state,
            assigned: parts(assigned),
            revoking: parts(revoking),
        }
    }

    /// `(target epoch, target)`, what the member says it owns, what others own.
    struct Scene<'a> {
        goal: (i32, &'a [i32]),
        owned: Option<&'a [i32]>,
        taken: &'a [i32],
    }

    fn check(from: Member<'_>, scene: Scene<'_>, expected: Member<'_>) {
        let owned = scene.owned.map(parts);
        let is_owned = |_, index: PartitionIndex| scene.taken.contains(&index.get());
        let to = reconcile(
            &member(from),
            &Goal {
                epoch: scene.goal.0,
                target: &parts(scene.goal.1),
                owned: owned.as_ref(),
                is_owned: &is_owned,
            },
        );
        let expected = member(expected);
        assert_eq!(
            (to.epoch, to.state),
            (expected.epoch, expected.state),
            "{from:?}"
        );
        assert_eq!(
            (to.assigned, to.revoking),
            (expected.assigned, expected.revoking),
            "{from:?}"
        );
    }

    #[test]
    fn a_member_revokes_before_it_moves_and_waits_for_what_others_hold() {
        use MemberState::{Stable, UnreleasedPartitions, UnrevokedPartitions};
        let scene = |goal, owned, taken| Scene { goal, owned, taken };
        check(
            (1, Stable, &[0, 1], &[]),
            scene((1, &[0, 1]), None, &[0, 1]),
            (1, Stable, &[0, 1], &[]),
        );
        check(
            (1, Stable, &[0, 1], &[]),
            scene((2, &[1, 2]), None, &[0, 1]),
            (1, UnrevokedPartitions, &[1], &[0]),
        );
        check(
            (1, UnrevokedPartitions, &[1], &[0]),
            scene((2, &[1, 2]), None, &[0, 1]),
            (1, UnrevokedPartitions, &[1], &[0]),
        );
        check(
            (1, UnrevokedPartitions, &[1], &[0]),
            scene((2, &[1, 2]), Some(&[0, 1]), &[0, 1]),
            (1, UnrevokedPartitions, &[1], &[0]),
        );
        check(
            (1, UnrevokedPartitions, &[1], &[0]),
            scene((2, &[1, 2]), Some(&[1]), &[0, 1]),
            (2, Stable, &[1, 2], &[]),
        );
        check(
            (1, UnrevokedPartitions, &[1], &[0]),
            scene((2, &[1, 2]), Some(&[1]), &[0, 1, 2]),
            (2, UnreleasedPartitions, &[1], &[]),
        );
        check(
            (2, UnreleasedPartitions, &[1], &[]),
            scene((2, &[1, 2]), None, &[1]),
            (2, Stable, &[1, 2], &[]),
        );
        check(
            (1, UnrevokedPartitions, &[1], &[0]),
            scene((3, &[2]), Some(&[1]), &[0, 1]),
            (2, UnrevokedPartitions, &[], &[1]),
        );
        check(
            (0, Stable, &[], &[]),
            scene((5, &[3]), Some(&[]), &[]),
            (5, Stable, &[3], &[]),
        );
    }
}
