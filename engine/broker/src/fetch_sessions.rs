//! Fetch sessions (KIP-227): a client names its partitions once and then sends
//! and receives only what changed.
//!
//! There is a fixed number of slots. When all are taken, a session that was
//! idle for long gives way, or one that is smaller than the newcomer; else the
//! newcomer fetches without a session.

use crate::partition::Partition;
use parking_lot::Mutex;
use plimsoll_wire::error_code::ErrorCode;
use plimsoll_wire::time::Instant;
use plimsoll_wire::topic::Topic;
use plimsoll_wire::types::{LeaderEpoch, Offset, PartitionIndex};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

/// How long a session keeps its slot although nobody uses it, or although a
/// larger one wants it.
const EVICTABLE_AFTER: Duration = Duration::from_secs(120);

/// A topic as the client calls it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum TopicKey {
    /// By name: before version 13.
    Name(Arc<str>),
    /// By id.
    Id(Uuid),
}

impl TopicKey {
    /// The topic in a response.
    pub(crate) fn wire(&self) -> Topic<'_> {
        match self {
            Self::Name(name) => Topic::Name(name),
            Self::Id(id) => Topic::Id(*id),
        }
    }
}

/// What a client wants of one partition.
#[derive(Clone)]
pub(crate) struct Target {
    /// The topic, as the client calls it.
    pub(crate) topic: TopicKey,
    /// The partition's number.
    pub(crate) index: PartitionIndex,
    /// The partition, when there is one.
    pub(crate) partition: Result<Arc<Partition>, ErrorCode>,
    /// The first offset wanted.
    pub(crate) from: Offset,
    /// The most bytes wanted.
    pub(crate) bytes_max: usize,
    /// The client's idea of the leader's term.
    pub(crate) epoch: LeaderEpoch,
    /// The term of the last record the client has.
    pub(crate) last_epoch: LeaderEpoch,
    /// Where in its session it is.
    pub(crate) slot: usize,
}

impl Target {
    fn key(&self) -> Key {
        (self.topic.clone(), self.index)
    }
}

type Key = (TopicKey, PartitionIndex);

/// What a client was last told of a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) high_watermark: Offset,
    pub(crate) log_start: Offset,
}

/// Nothing, so that whatever comes next is news.
const NOTHING: Told = Told {
    high_watermark: Offset(-1),
    log_start: Offset(-1),
};

/// One client's session.
pub(crate) struct Session {
    /// The epoch that the next request must carry.
    next_epoch: i32,
    by_id: bool,
    members: Vec<(Target, Told)>,
    slots: HashMap<Key, usize>,
    /// The member that comes first next time, so that each has its turn.
    first: usize,
    opened: Instant,
    used: Instant,
}

impl Session {
    fn new(targets: Vec<Target>, by_id: bool, now: Instant) -> Self {
        let mut session = Self {
            next_epoch: 1,
            by_id,
            members: Vec::with_capacity(targets.len()),
            slots: HashMap::with_capacity(targets.len()),
            first: 0,
            opened: now,
            used: now,
        };
        session.put(targets);
        session
    }

    /// Checks a request's epoch and starts its turn.
    pub(crate) fn begin(&mut self, epoch: i32, by_id: bool, now: Instant) -> Result<(), ErrorCode> {
        if epoch != self.next_epoch {
            return Err(ErrorCode::InvalidFetchSessionEpoch);
        }
        if by_id != self.by_id && !self.members.is_empty() {
            return Err(ErrorCode::FetchSessionTopicIdError);
        }
        self.by_id = by_id;
        self.next_epoch = if epoch == i32::MAX { 1 } else { epoch + 1 };
        self.used = now;
        Ok(())
    }

    /// Adds partitions, or replaces what is wanted of them.
    pub(crate) fn put(&mut self, targets: Vec<Target>) {
        for target in targets {
            if let Some((member, _)) = self
                .slots
                .get(&target.key())
                .and_then(|slot| self.members.get_mut(*slot))
            {
                *member = target;
            } else {
                self.slots.insert(target.key(), self.members.len());
                self.members.push((target, NOTHING));
            }
        }
    }

    /// Drops a partition.
    pub(crate) fn forget(&mut self, topic: &TopicKey, index: PartitionIndex) {
        let Some(slot) = self.slots.remove(&(topic.clone(), index)) else {
            return;
        };
        self.members.swap_remove(slot);
        if let Some((moved, _)) = self.members.get(slot) {
            self.slots.insert(moved.key(), slot);
        }
    }

    /// All that is wanted, in turn, with each partition looked up anew.
    pub(crate) fn targets(
        &mut self,
        find: impl Fn(&TopicKey, PartitionIndex) -> Result<Arc<Partition>, ErrorCode>,
    ) -> Vec<Target> {
        let count = self.members.len();
        self.first = if count == 0 {
            0
        } else {
            (self.first + 1) % count
        };
        let mut targets = Vec::with_capacity(count);
        for turn in 0..count {
            let slot = (self.first + turn) % count;
            if let Some((member, _)) = self.members.get_mut(slot) {
                member.slot = slot;
                member.partition = find(&member.topic, member.index);
                targets.push(member.clone());
            }
        }
        targets
    }

    /// Takes note of what the client is about to be told of the partition in
    /// `slot`. Answers whether it is news.
    pub(crate) fn tell(&mut self, slot: usize, told: Option<Told>) -> bool {
        let Some((_, before)) = self.members.get_mut(slot) else {
            return true;
        };
        let now = told.unwrap_or(NOTHING);
        let news = told.is_none() || *before != now;
        *before = now;
        news
    }
}

/// All sessions.
pub(crate) struct FetchSessions {
    slots_max: usize,
    open: Mutex<HashMap<i32, Arc<Mutex<Session>>>>,
}

impl FetchSessions {
    /// A cache of at most this many sessions.
    pub(crate) fn new(slots_max: usize) -> Self {
        Self {
            slots_max,
            open: Mutex::default(),
        }
    }

    /// The session of this id.
    pub(crate) fn get(&self, id: i32) -> Option<Arc<Mutex<Session>>> {
        self.open.lock().get(&id).cloned()
    }

    /// Ends a session.
    pub(crate) fn close(&self, id: i32) {
        self.open.lock().remove(&id);
    }

    /// Opens a session under an id that `draw` finds. Answers with it and the
    /// session, or nothing when no slot is free.
    pub(crate) fn open(
        &self,
        targets: &[Target],
        by_id: bool,
        now: Instant,
        mut draw: impl FnMut() -> i32,
    ) -> Option<(i32, Arc<Mutex<Session>>)> {
        let mut open = self.open.lock();
        if open.len() >= self.slots_max {
            let victim = victim(&open, targets.len(), now)?;
            open.remove(&victim);
        }
        let mut id = draw();
        while open.contains_key(&id) {
            id = draw();
        }
        let session = Arc::new(Mutex::new(Session::new(targets.to_vec(), by_id, now)));
        open.insert(id, Arc::clone(&session));
        Some((id, session))
    }
}

/// The session that gives way to one of `size` partitions.
fn victim(open: &HashMap<i32, Arc<Mutex<Session>>>, size: usize, now: Instant) -> Option<i32> {
    let facts = |(id, session): (&i32, &Arc<Mutex<Session>>)| {
        let session = session.lock();
        (*id, session.used, session.opened, session.members.len())
    };
    let all: Vec<_> = open.iter().map(facts).collect();
    let stale = all
        .iter()
        .filter(|(_, used, ..)| now.since(*used) > EVICTABLE_AFTER)
        .min_by_key(|(id, used, ..)| (*used, *id));
    let smaller = || {
        all.iter()
            .filter(|(_, _, opened, held)| now.since(*opened) > EVICTABLE_AFTER && *held < size)
            .min_by_key(|(id, .., held)| (*held, *id))
    };
    stale.or_else(smaller).map(|(id, ..)| *id)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Instant {
        Instant(Duration::from_secs(seconds))
    }

    fn target(index: i32) -> Target {
        Target {
            topic: TopicKey::Name(Arc::from("orders")),
            index: PartitionIndex(index),
            partition: Err(ErrorCode::UnknownTopicOrPartition),
            from: Offset(0),
            bytes_max: 1,
            epoch: LeaderEpoch::NONE,
            last_epoch: LeaderEpoch::NONE,
            slot: 0,
        }
    }

    fn wanted(session: &mut Session) -> Vec<i32> {
        let missing = |_: &TopicKey, _| Err(ErrorCode::UnknownTopicOrPartition);
        session
            .targets(missing)
            .iter()
            .map(|target| target.index.get())
            .collect()
    }

    #[test]
    fn partitions_are_added_forgotten_and_take_turns() {
        let mut session = Session::new((0..3).map(target).collect(), false, at(0));
        assert_eq!(wanted(&mut session), [1, 2, 0]);
        assert_eq!(wanted(&mut session), [2, 0, 1]);
        session.forget(&TopicKey::Name(Arc::from("orders")), PartitionIndex(0));
        session.forget(&TopicKey::Name(Arc::from("orders")), PartitionIndex(7));
        session.put(vec![target(5), target(1)]);
        let mut all = wanted(&mut session);
        all.sort_unstable();
        assert_eq!(all, [1, 2, 5]);
    }

    #[test]
    fn only_news_is_told() {
        let mut session = Session::new(vec![target(0)], false, at(0));
        let told = |high_watermark| {
            Some(Told {
                high_watermark: Offset(high_watermark),
                log_start: Offset(0),
            })
        };
        let mut check = |told, expected: bool| assert_eq!(session.tell(0, told), expected);
        check(told(0), true);
        check(told(0), false);
        check(told(1), true);
        check(None, true);
        check(None, true);
        check(told(1), true);
    }

    #[test]
    fn epochs_follow_one_another() {
        let mut session = Session::new(vec![target(0)], false, at(0));
        let mut check = |epoch, by_id, expected: Result<(), ErrorCode>| {
            assert_eq!(session.begin(epoch, by_id, at(0)), expected);
        };
        check(2, false, Err(ErrorCode::InvalidFetchSessionEpoch));
        check(1, true, Err(ErrorCode::FetchSessionTopicIdError));
        check(1, false, Ok(()));
        check(1, false, Err(ErrorCode::InvalidFetchSessionEpoch));
        check(2, false, Ok(()));
    }

    #[test]
    fn a_slot_is_given_up_when_it_is_stale_or_smaller() {
        let sessions = FetchSessions::new(1);
        let mut next = 0;
        let mut open = |partitions: i32, now| {
            let targets: Vec<_> = (0..partitions).map(target).collect();
            let draw = || {
                next += 1;
                next
            };
            sessions.open(&targets, false, now, draw).is_some()
        };
        assert!(open(2, at(0)));
        assert!(
            !open(9, at(60)),
            "neither stale nor old enough to be compared"
        );
        assert!(open(1, at(121)), "the first was idle for two minutes");
        assert!(!open(1, at(200)));
        assert!(open(2, at(300)));
    }
}
