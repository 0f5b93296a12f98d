//! What a handler sees while it decides: the world as it is now, the settings,
//! and the places for what it decides.

use crate::config::GroupConfig;
use crate::names::{GroupId, IdSource, MemberId, TopicId, TopicName};
use crate::refusal::Refusal;
use crate::reply::Reply;
use crate::schema::GroupRecord;
use crate::step::{Effects, Then, Token};
use crate::timers::Timers;
use plimsoll_wire::time::{Instant, Now};
use std::time::Duration;

/// A topic, as assignors need it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TopicInfo {
    /// Its id.
    pub id: TopicId,
    /// How many partitions it has.
    pub partitions: i32,
}

/// The topics of the cluster, as the metadata image has them.
pub trait Topics {
    /// The topic of that name.
    fn by_name(&self, name: &str) -> Option<TopicInfo>;
    /// The name of that topic.
    fn name_of(&self, id: TopicId) -> Option<TopicName>;
    /// Shows every topic that a regular expression may choose: all but the
    /// internal ones.
    fn each(&self, show: &mut dyn FnMut(&TopicName, TopicInfo));
    /// A number that changes whenever topics do.
    fn version(&self) -> i64;
}

/// No topics at all: for coordinators that serve the classic protocol alone.
#[derive(Clone, Copy, Debug)]
pub struct NoTopics;

impl Topics for NoTopics {
    fn by_name(&self, _: &str) -> Option<TopicInfo> {
        None
    }

    fn name_of(&self, _: TopicId) -> Option<TopicName> {
        None
    }

    fn each(&self, _: &mut dyn FnMut(&TopicName, TopicInfo)) {}

    fn version(&self) -> i64 {
        0
    }
}

/// The moment and the metadata a decision is made in.
#[derive(Clone, Copy)]
pub struct World<'a> {
    /// The time.
    pub now: Now,
    /// The topics.
    pub topics: &'a dyn Topics,
}

/// What a deadline is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum TimerKey {
    /// A classic group stops waiting for joins.
    Join(GroupId),
    /// A classic group stops waiting for syncs.
    Sync(GroupId),
    /// A classic member has been silent too long.
    Heartbeat(GroupId, MemberId),
    /// A member of the consumer protocol has been silent too long.
    Session(GroupId, MemberId),
    /// A member has held on to revoked partitions too long.
    Revocation(GroupId, MemberId),
    /// A classic member of a consumer group was asked to join, and has not.
    MemberJoin(GroupId, MemberId),
    /// A classic member of a consumer group has joined, and not synced.
    MemberSync(GroupId, MemberId),
    /// Expired offsets are looked for.
    Expiry,
}

/// One decision in the making.
pub(crate) struct Turn<'a> {
    pub(crate) world: World<'a>,
    pub(crate) config: &'a GroupConfig,
    pub(crate) timers: &'a mut Timers<TimerKey>,
    pub(crate) ids: &'a mut IdSource,
    pub(crate) out: Effects,
}

impl Turn<'_> {
    /// The monotonic time `wait` from now.
    pub(crate) fn after(&self, wait: Duration) -> Instant {
        self.world.now.mono.after(wait)
    }

    pub(crate) fn set_timer(&mut self, key: TimerKey, wait: Duration) {
        let at = self.after(wait);
        self.timers.set(key, at);
    }

    pub(crate) fn reply(&mut self, token: Token, reply: Reply) {
        self.out.replies.push((token, reply));
    }

    pub(crate) fn record(&mut self, record: GroupRecord) {
        self.out.records.push(record);
    }

    /// Replies once the records of this turn, if any, are committed.
    pub(crate) fn answer(&mut self, token: Token, reply: Reply, refused: fn(Refusal) -> Reply) {
        self.out.then = Then::Answer {
            token,
            reply,
            refused,
        };
    }
}
