//! The coordinator under virtual time, and the CPU time that it takes.

use plimsoll_coordinator::{
    Append, Appended, Command, GroupConfig, GroupShard, Reply, Step, Token, TopicId, TopicInfo,
    TopicName, Topics, World, drive,
};
use plimsoll_wire::time::{Instant, Now};
use plimsoll_wire::types::{Offset, TimestampMs};
use rustix::time::{ClockId, clock_gettime};
use std::time::Duration;

/// The one topic of these groups.
pub const TOPIC: &str = "t";

pub struct OneTopic(pub i32);

impl Topics for OneTopic {
    fn by_name(&self, name: &str) -> Option<TopicInfo> {
        (name == TOPIC).then_some(TopicInfo {
            id: topic_id(),
            partitions: self.0,
        })
    }

    fn name_of(&self, id: TopicId) -> Option<TopicName> {
        (id == topic_id()).then(|| TOPIC.into())
    }

    fn each(&self, show: &mut dyn FnMut(&TopicName, TopicInfo)) {
        let name = TopicName::from(TOPIC);
        if let Some(info) = self.by_name(TOPIC) {
            show(&name, info);
        }
    }

    fn version(&self) -> i64 {
        1
    }
}

pub fn topic_id() -> TopicId {
    TopicId::from_u128(1)
}

pub struct Host {
    pub shard: GroupShard,
    pub now: Now,
    /// What the coordinator has computed so far.
    pub cpu: Duration,
    topics: OneTopic,
    next: i64,
}

impl Host {
    pub fn new(partitions: i32) -> Self {
        Self {
            shard: GroupShard::new(GroupConfig::default(), 1),
            now: Now {
                wall: TimestampMs(1_700_000_000_000),
                mono: Instant::default(),
            },
            cpu: Duration::ZERO,
            topics: OneTopic(partitions),
            next: 0,
        }
    }

    pub fn send(&mut self, token: Token, command: Command) -> Vec<(Token, Reply)> {
        self.work(|shard, world| shard.handle(world, token, command))
    }

    pub fn expire(&mut self) -> Vec<(Token, Reply)> {
        self.work(|shard, world| shard.expire(world))
    }

    /// Carries a step to its end; every append is committed at once.
    fn work(
        &mut self,
        decide: impl FnOnce(&mut GroupShard, World<'_>) -> Step<Reply>,
    ) -> Vec<(Token, Reply)> {
        let began = cpu_time();
        let world = World {
            now: self.now,
            topics: &self.topics,
        };
        let first = decide(&mut self.shard, world);
        let next = &mut self.next;
        let append = |append: &Append| {
            let base = Offset(*next);
            *next += i64::try_from(append.records.len()).unwrap_or(0);
            Ok(Appended {
                base,
                high_watermark: Offset(*next),
            })
        };
        let shard = &mut self.shard;
        let replies = drive(first, append, |outcome| shard.outcome(world, outcome));
        self.cpu += cpu_time().saturating_sub(began);
        replies
    }
}

/// The CPU time of this thread.
pub fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    let nanos = u32::try_from(time.tv_nsec).unwrap_or(0);
    Duration::new(seconds, nanos)
}
