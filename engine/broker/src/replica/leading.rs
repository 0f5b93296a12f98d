//! The leader's view of a partition.
//!
//! The high watermark is the smallest log end of those in sync, counting also
//! those whom a change under way would add: the controller may have made it
//! already. It stays where it is while fewer than min.insync.replicas are in
//! sync (KIP-966), and never moves back within a term.

use plimsoll_cluster::PartitionImage;
use plimsoll_wire::mutation::{self, Mutation};
use plimsoll_wire::time::Instant;
use plimsoll_wire::types::{BrokerEpoch, LeaderEpoch, NodeId, Offset};
use std::time::Duration;

/// Nothing is known of a follower's log yet.
const UNKNOWN: Offset = Offset(-1);

/// What the leader of one term knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Leading {
    /// The term.
    pub(crate) epoch: LeaderEpoch,
    /// Where the log ended when the term began.
    pub(crate) start: Offset,
    /// Counts the changes of the partition's state.
    pub(crate) partition_epoch: i32,
    me: NodeId,
    isr: Vec<NodeId>,
    followers: Vec<Follower>,
    /// The ISR that the controller was asked for.
    asked: Option<Asked>,
    in_sync_min: usize,
}

/// A change of the ISR that is under way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) isr: Vec<NodeId>,
    /// The state on which it was formed.
    pub(crate) partition_epoch: i32,
}

/// Another replica, as it is known from its fetches.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Follower {
    node: NodeId,
    run: BrokerEpoch,
    end: Offset,
    /// When it last had everything.
    caught_up_at: Instant,
    fetched_at: Instant,
    /// Where the leader's log ended at that fetch.
    end_then: Offset,
}

/// A follower's fetch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Heard {
    pub(crate) node: NodeId,
    pub(crate) run: BrokerEpoch,
    /// From where it fetches: all before is in its log.
    pub(crate) from: Offset,
    pub(crate) at: Instant,
}

/// Another replica in sync, as a consumer may read it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct InSync {
    pub(crate) node: NodeId,
    /// Where its log ends.
    pub(crate) end: Offset,
    /// When it last had everything.
    pub(crate) caught_up_at: Instant,
}

impl Leading {
    /// A term begins, for a log that ends at `end`.
    pub(crate) fn begin(
        me: NodeId,
        image: &PartitionImage,
        end: Offset,
        now: Instant,
        in_sync_min: usize,
    ) -> Self {
        let mut leading = Self {
            epoch: image.leader_epoch,
            start: end,
            partition_epoch: image.partition_epoch,
            me,
            isr: Vec::new(),
            followers: Vec::new(),
            asked: None,
            in_sync_min,
        };
        leading.take_over(image, now, in_sync_min);
        leading
    }

    /// The controller says how the partition stands within the term.
    pub(crate) fn take_over(&mut self, image: &PartitionImage, now: Instant, in_sync_min: usize) {
        if image.partition_epoch < self.partition_epoch {
            return;
        }
        let moved = image.partition_epoch > self.partition_epoch;
        self.partition_epoch = image.partition_epoch;
        self.in_sync_min = in_sync_min.clamp(1, image.replicas.len().max(1));
        self.isr.clone_from(&image.isr);
        if moved {
            self.asked = None;
        }
        let others = image.replicas.iter().filter(|node| **node != self.me);
        let mut followers = Vec::with_capacity(image.replicas.len());
        for node in others {
            let known = self
                .followers
                .iter()
                .find(|follower| follower.node == *node);
            followers.push(known.cloned().unwrap_or(Follower {
                node: *node,
                run: BrokerEpoch(-1),
                end: UNKNOWN,
                caught_up_at: now,
                fetched_at: now,
                end_then: Offset(i64::MAX),
            }));
        }
        self.followers = followers;
    }

    /// Whether there is nobody else to have the records.
    pub(crate) fn is_alone(&self) -> bool {
        self.followers.is_empty()
    }

    /// Whether as many are in sync as a commit needs.
    pub(crate) fn has_enough(&self) -> bool {
        self.isr.len() >= self.in_sync_min
    }

    /// Whether a replica is in sync.
    pub(crate) fn is_in_sync(&self, node: NodeId) -> bool {
        self.isr.contains(&node)
    }

    /// The other replicas in sync that have an offset.
    pub(crate) fn in_sync_with(&self, offset: Offset) -> Vec<InSync> {
        let has = |follower: &&Follower| {
            self.is_in_sync(follower.node) && follower.end >= offset && follower.end > UNKNOWN
        };
        let found = self.followers.iter().filter(has);
        found
            .map(|follower| InSync {
                node: follower.node,
                end: follower.end,
                caught_up_at: follower.caught_up_at,
            })
            .collect()
    }

    /// A follower fetches. Answers whether it is one. What an earlier run had
    /// the present one may have lost.
    pub(crate) fn hear(&mut self, heard: Heard, log_end: Offset) -> bool {
        let found = self.followers.iter_mut().find(|f| f.node == heard.node);
        let counts = |follower: &&mut Follower| {
            heard.run >= follower.run || mutation::is(Mutation::FollowUnregistered)
        };
        let Some(follower) = found.filter(counts) else {
            return false;
        };
        if heard.from >= log_end {
            follower.caught_up_at = follower.caught_up_at.max(heard.at);
        } else if heard.from >= follower.end_then {
            follower.caught_up_at = follower.caught_up_at.max(follower.fetched_at);
        }
        follower.run = heard.run;
        follower.end = heard.from;
        follower.fetched_at = heard.at;
        follower.end_then = log_end;
        true
    }

    /// The high watermark by what is known now; none while it may not move.
    pub(crate) fn high_watermark(&self, log_end: Offset) -> Option<Offset> {
        if !self.has_enough() {
            return None;
        }
        let counted = |node: NodeId| {
            let asked = self.asked.as_ref();
            self.isr.contains(&node) || asked.is_some_and(|asked| asked.isr.contains(&node))
        };
        let ends = self
            .followers
            .iter()
            .filter(|follower| counted(follower.node))
            .map(|follower| follower.end);
        Some(ends.min().map_or(log_end, |end| end.min(log_end)))
    }

    /// The ISR as it ought to be, when that differs and nothing is under way.
    /// `grows` and `shrinks` say which ways it may change.
    pub(crate) fn wanted_isr(
        &self,
        (log_end, high_watermark): (Offset, Offset),
        now: Instant,
        lag_max: Duration,
    ) -> Option<Vec<NodeId>> {
        if self.asked.is_some() {
            return None;
        }
        let stays = |follower: &Follower| {
            follower.end >= log_end || now.since(follower.caught_up_at) <= lag_max
        };
        let joins = |follower: &Follower| {
            follower.end >= high_watermark && follower.end >= self.start && follower.run.get() >= 0
        };
        let member = |follower: &&Follower| {
            if self.isr.contains(&follower.node) {
                stays(follower)
            } else {
                joins(follower)
            }
        };
        let mut wanted = vec![self.me];
        wanted.extend(self.followers.iter().filter(member).map(|f| f.node));
        let same = wanted.len() == self.isr.len() && wanted.iter().all(|n| self.isr.contains(n));
        (!same).then_some(wanted)
    }

    /// The ISR without this node, when someone is left and nothing is under way.
    pub(crate) fn without_me(&self) -> Option<Vec<NodeId>> {
        let others = self.isr.iter().copied().filter(|node| *node != self.me);
        let others: Vec<NodeId> = others.collect();
        (self.asked.is_none() && !others.is_empty()).then_some(others)
    }

    /// Whether a follower outside the ISR may join it.
    pub(crate) fn may_grow(&self, node: NodeId, high_watermark: Offset) -> bool {
        self.asked.is_none()
            && !self.isr.contains(&node)
            && self.followers.iter().any(|follower| {
                follower.node == node
                    && follower.end >= high_watermark
                    && follower.end >= self.start
                    && follower.run.get() >= 0
            })
    }

    /// The controller is asked for this ISR.
    pub(crate) fn ask(&mut self, isr: Vec<NodeId>) {
        self.asked = Some(Asked {
            isr,
            partition_epoch: self.partition_epoch,
        });
    }

    /// The controller refused: the ISR is as it was.
    pub(crate) fn refused(&mut self, partition_epoch: i32) {
        if self
            .asked
            .as_ref()
            .is_some_and(|asked| asked.partition_epoch == partition_epoch)
        {
            self.asked = None;
        }
    }

    /// What the controller was asked for.
    pub(crate) const fn asked(&self) -> Option<&Asked> {
        self.asked.as_ref()
    }

    /// The run of a member, −1 when unknown.
    pub(crate) fn run_of(&self, node: NodeId) -> BrokerEpoch {
        let found = self.followers.iter().find(|f| f.node == node);
        found.map_or(BrokerEpoch(-1), |follower| follower.run)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nodes(ids: &[i32]) -> Vec<NodeId> {
        ids.iter().copied().map(NodeId).collect()
    }

    fn image(isr: &[i32], partition_epoch: i32) -> PartitionImage {
        PartitionImage {
            replicas: nodes(&[1, 2, 3]),
            isr: nodes(isr),
            removing: vec![],
            adding: vec![],
            leader: NodeId(1),
            leader_epoch: LeaderEpoch(2),
            partition_epoch,
            eligible: vec![],
            last_known_eligible: vec![],
        }
    }

    fn at(ms: u64) -> Instant {
        Instant(Duration::from_millis(ms))
    }

    fn leading(isr: &[i32]) -> Leading {
        Leading::begin(NodeId(1), &image(isr, 5), Offset(10), at(0), 2)
    }

    fn hear(leading: &mut Leading, node: i32, from: i64, ms: u64, end: i64) {
        let heard = Heard {
            node: NodeId(node),
            run: BrokerEpoch(7),
            from: Offset(from),
            at: at(ms),
        };
        assert!(leading.hear(heard, Offset(end)));
    }

    #[test]
    fn the_high_watermark_is_the_smallest_end_in_sync() {
        let mut leading = leading(&[1, 2, 3]);
        assert_eq!(leading.high_watermark(Offset(10)), Some(UNKNOWN));
        hear(&mut leading, 2, 10, 1, 10);
        hear(&mut leading, 3, 8, 1, 10);
        assert_eq!(leading.high_watermark(Offset(10)), Some(Offset(8)));
        leading.take_over(&image(&[1, 2], 6), at(2), 2);
        assert_eq!(leading.high_watermark(Offset(12)), Some(Offset(10)));
        leading.take_over(&image(&[1], 7), at(2), 2);
        assert_eq!(leading.high_watermark(Offset(12)), None, "one is too few");
    }

    #[test]
    fn consumers_are_sent_to_replicas_in_sync_that_have_the_offset() {
        let mut leading = leading(&[1, 2]);
        assert_eq!(leading.in_sync_with(Offset(0)), [], "nothing is known yet");
        hear(&mut leading, 2, 9, 1, 10);
        hear(&mut leading, 3, 10, 1, 10);
        let nodes = |offset| {
            let found = leading.in_sync_with(Offset(offset));
            found.iter().map(|one| one.node.get()).collect::<Vec<_>>()
        };
        assert_eq!(nodes(9), [2]);
        assert_eq!(nodes(10), Vec::<i32>::new());
        assert!(leading.is_in_sync(NodeId(2)) && !leading.is_in_sync(NodeId(3)));
    }

    #[test]
    fn whoever_may_have_been_added_counts_already() {
        let mut leading = leading(&[1, 2]);
        hear(&mut leading, 2, 20, 1, 20);
        hear(&mut leading, 3, 15, 1, 20);
        assert_eq!(leading.high_watermark(Offset(20)), Some(Offset(20)));
        leading.ask(nodes(&[1, 2, 3]));
        assert_eq!(leading.high_watermark(Offset(20)), Some(Offset(15)));
        leading.refused(5);
        assert_eq!(leading.high_watermark(Offset(20)), Some(Offset(20)));
    }

    #[test]
    fn what_an_earlier_run_of_a_follower_had_does_not_count() {
        let mut leading = leading(&[1, 2]);
        hear(&mut leading, 2, 9, 1, 10);
        let earlier = Heard {
            node: NodeId(2),
            run: BrokerEpoch(6),
            from: Offset(10),
            at: at(2),
        };
        assert!(!leading.hear(earlier, Offset(10)));
        assert_eq!(leading.high_watermark(Offset(10)), Some(Offset(9)));
    }

    #[test]
    fn a_follower_joins_at_the_high_watermark_and_leaves_when_it_lags() {
        let lag = Duration::from_millis(100);
        let mut leading = leading(&[1, 2]);
        let ends = |hw| (Offset(20), Offset(hw));
        hear(&mut leading, 2, 20, 10, 20);
        hear(&mut leading, 3, 9, 10, 20);
        assert_eq!(
            leading.wanted_isr(ends(9), at(20), lag),
            None,
            "before the term's start"
        );
        hear(&mut leading, 3, 15, 20, 20);
        assert_eq!(
            leading.wanted_isr(ends(15), at(20), lag),
            Some(nodes(&[1, 2, 3]))
        );
        assert_eq!(leading.wanted_isr(ends(16), at(20), lag), None);
        hear(&mut leading, 2, 18, 30, 20);
        assert_eq!(leading.wanted_isr(ends(16), at(110), lag), None);
        assert_eq!(
            leading.wanted_isr(ends(16), at(131), lag),
            Some(nodes(&[1]))
        );
        // It keeps up with a log that grows: it had all of the fetch before.
        hear(&mut leading, 2, 20, 131, 30);
        hear(&mut leading, 2, 30, 140, 40);
        assert_eq!(
            leading.wanted_isr((Offset(40), Offset(30)), at(230), lag),
            None
        );
    }
}
