//! A shard on a stage: virtual time, a journal in memory, replies by token.

use bytes::Bytes;
use plimsoll_coordinator::command::{
    Client, CommitPartition, CommitTopic, Heartbeat, JoinGroup, OffsetCommit, OffsetFetch,
    SyncGroup,
};
use plimsoll_coordinator::reply::{JoinRefused, Joined, Synced};
use plimsoll_coordinator::{
    Append, AppendRefused, Appended, Command, GroupConfig, GroupShard, MemberId, Refusal, Reply,
    Step, Token, TopicId, TopicInfo, TopicName, Topics, World,
};
use plimsoll_wire::time::{Instant, Now};
use plimsoll_wire::types::{LeaderEpoch, Offset, PartitionIndex, ProducerId, TimestampMs};
use std::collections::BTreeMap;
use std::time::Duration;

/// One entry of the journal: a record or a transaction's marker.
#[derive(Clone, Debug)]
pub enum Entry {
    Record(Option<ProducerId>, Bytes, Option<Bytes>),
    Marker(ProducerId, bool),
}

/// The topics of a small cluster.
#[derive(Clone, Debug, Default)]
pub struct Catalogue {
    topics: BTreeMap<TopicName, TopicInfo>,
    version: i64,
}

impl Topics for Catalogue {
    fn by_name(&self, name: &str) -> Option<TopicInfo> {
        self.topics.get(name).copied()
    }

    fn name_of(&self, id: TopicId) -> Option<TopicName> {
        let found = self.topics.iter().find(|(_, info)| info.id == id);
        found.map(|(name, _)| name.clone())
    }

    fn each(&self, show: &mut dyn FnMut(&TopicName, TopicInfo)) {
        self.topics
            .iter()
            .for_each(|(name, info)| show(name, *info));
    }

    fn version(&self) -> i64 {
        self.version
    }
}

pub struct Stage {
    pub shard: GroupShard,
    pub journal: Vec<Entry>,
    pub replies: BTreeMap<Token, Reply>,
    /// Appends are refused for this reason.
    pub refuse: Option<AppendRefused>,
    /// The high watermark stays where it is.
    pub hold: bool,
    pub topics: Catalogue,
    config: GroupConfig,
    high_watermark: Offset,
    now: Now,
    tokens: u64,
}

pub fn secs(s: u64) -> Duration {
    Duration::from_secs(s)
}

impl Stage {
    pub fn new(config: GroupConfig) -> Self {
        let mut stage = Self {
            shard: GroupShard::new(config.clone(), 1),
            journal: Vec::new(),
            replies: BTreeMap::new(),
            refuse: None,
            hold: false,
            topics: Catalogue::default(),
            config,
            high_watermark: Offset(0),
            now: Now {
                wall: TimestampMs(1_700_000_000_000),
                mono: Instant::default(),
            },
            tokens: 0,
        };
        stage.load();
        stage
    }

    /// With a short initial delay, so that tests read well.
    pub fn quick() -> Self {
        Self::new(GroupConfig {
            initial_rebalance_delay: secs(1),
            ..GroupConfig::default()
        })
    }

    pub fn with_topics(topics: &[(&str, i32)]) -> Self {
        let mut stage = Self::quick();
        for (name, partitions) in topics {
            stage.set_topic(name, *partitions);
        }
        stage
    }

    /// Creates a topic, or gives it more partitions.
    pub fn set_topic(&mut self, name: &str, partitions: i32) {
        self.topics.version += 1;
        let id = TopicId::from_u128(self.topics.topics.len() as u128 + 1);
        let info = self.topics.topics.entry(name.into());
        let info = info.or_insert(TopicInfo { id, partitions });
        info.partitions = partitions;
    }

    pub fn partitions(&self, name: &str) -> i32 {
        self.topics.topics[name].partitions
    }

    pub fn topic_id(&self, name: &str) -> TopicId {
        self.topics.topics[name].id
    }

    /// The state of `g`, of the consumer protocol.
    pub fn consumer_state(&self) -> &'static str {
        let described = self.shard.describe_consumer(&"g".into());
        described.map_or("Dead", |d| d.state)
    }

    fn load(&mut self) {
        let now = self.now;
        let world = World {
            now,
            topics: &self.topics,
        };
        let step = self.shard.loaded(world, self.high_watermark);
        self.carry(step);
    }

    /// Appends, reports, and collects replies until nothing is left to do.
    fn carry(&mut self, first: Step<Reply>) {
        let mut step = first;
        loop {
            self.replies.extend(step.replies);
            let Some(append) = step.append else { return };
            let outcome = self.append(append);
            let world = World {
                now: self.now,
                topics: &self.topics,
            };
            step = self.shard.outcome(world, outcome);
        }
    }

    fn append(&mut self, append: Append) -> Result<Appended, AppendRefused> {
        if let Some(why) = self.refuse {
            return Err(why);
        }
        let base = Offset(self.journal.len() as i64);
        let producer = append.producer.map(|p| p.id);
        let entries = append.records.into_iter();
        self.journal
            .extend(entries.map(|(k, v)| Entry::Record(producer, k, v)));
        if !self.hold {
            self.high_watermark = Offset(self.journal.len() as i64);
        }
        Ok(Appended {
            base,
            high_watermark: self.high_watermark,
        })
    }

    pub fn send(&mut self, command: Command) -> Token {
        self.tokens += 1;
        let token = Token(self.tokens);
        let world = World {
            now: self.now,
            topics: &self.topics,
        };
        let step = self.shard.handle(world, token, command);
        self.carry(step);
        token
    }

    /// Sends a command that is answered at once.
    pub fn ask(&mut self, command: Command) -> Reply {
        let token = self.send(command);
        self.reply(token).expect("an answer at once")
    }

    pub fn reply(&mut self, token: Token) -> Option<Reply> {
        self.replies.remove(&token)
    }

    /// Lets time pass, deadline by deadline.
    pub fn pass(&mut self, wait: Duration) {
        let end = self.now.mono.after(wait);
        while let Some(due) = self.shard.next_deadline().filter(|due| *due <= end) {
            self.set_mono(due.max(self.now.mono));
            let world = World {
                now: self.now,
                topics: &self.topics,
            };
            let step = self.shard.expire(world);
            self.carry(step);
        }
        self.set_mono(end);
    }

    fn set_mono(&mut self, to: Instant) {
        let moved = i64::try_from(to.since(self.now.mono).as_millis()).unwrap();
        self.now.wall = TimestampMs(self.now.wall.get() + moved);
        self.now.mono = to;
    }

    /// Lets the high watermark catch up.
    pub fn release(&mut self) {
        self.hold = false;
        self.high_watermark = Offset(self.journal.len() as i64);
        let world = World {
            now: self.now,
            topics: &self.topics,
        };
        let step = self.shard.committed(world, self.high_watermark);
        self.carry(step);
    }

    pub fn marker(&mut self, producer: ProducerId, committed: bool) {
        self.journal.push(Entry::Marker(producer, committed));
        self.shard.replay_marker(producer, committed);
        self.release();
    }

    /// A new coordinator takes over, from what is in the journal.
    pub fn fail_over(&mut self) {
        let shard = self.replayed();
        assert_eq!(
            shard.hard_state(),
            self.shard.hard_state(),
            "replay from empty"
        );
        self.take_over(shard);
    }

    /// The same, and the records above the high watermark are lost.
    pub fn crash_over(&mut self) {
        self.journal.truncate(self.high_watermark.get() as usize);
        let shard = self.replayed();
        self.take_over(shard);
    }

    fn replayed(&mut self) -> GroupShard {
        self.tokens += 1000;
        let mut shard = GroupShard::new(self.config.clone(), self.tokens);
        for (at, entry) in self.journal.iter().enumerate() {
            match entry {
                Entry::Record(producer, key, value) => shard
                    .replay(Offset(at as i64), *producer, key, value.as_deref())
                    .expect("records that the shard itself wrote"),
                Entry::Marker(producer, committed) => shard.replay_marker(*producer, *committed),
            }
        }
        shard
    }

    fn take_over(&mut self, shard: GroupShard) {
        let old = std::mem::replace(&mut self.shard, shard);
        self.replies.extend(old.unload());
        self.high_watermark = Offset(self.journal.len() as i64);
        self.load();
    }
}

pub fn join(group: &str, member: &str) -> JoinGroup {
    JoinGroup {
        group: group.into(),
        member: member.into(),
        instance: None,
        client: Client {
            id: "c".into(),
            host: "/127.0.0.1".into(),
        },
        session_timeout: secs(10),
        rebalance_timeout: secs(30),
        protocol_type: "consumer".into(),
        protocols: vec![("range".into(), subscription(&["t"]))],
        member_id_required: false,
        may_skip_assignment: true,
    }
}

pub fn subscription(topics: &[&str]) -> Bytes {
    let mut raw = vec![0, 1, 0, 0, 0, topics.len() as u8];
    for topic in topics {
        raw.extend([0, topic.len() as u8]);
        raw.extend(topic.as_bytes());
    }
    raw.extend([255; 4]);
    raw.extend([0; 4]);
    raw.into()
}

/// A subscription (version 1) that says what of `t` is owned.
pub fn embedded(topics: &[&str], owned: &[i32]) -> Bytes {
    let mut raw = subscription(topics).to_vec();
    raw.truncate(raw.len() - 4);
    if owned.is_empty() {
        raw.extend([0; 4]);
    } else {
        raw.extend([0, 0, 0, 1, 0, 1, b't']);
        raw.extend((owned.len() as u32).to_be_bytes());
        raw.extend(owned.iter().flat_map(|i| i.to_be_bytes()));
    }
    raw.into()
}

/// The partitions in an assignment of one topic.
pub fn assignment_of(raw: &[u8]) -> Vec<i32> {
    let topics = u32::from_be_bytes(raw[2..6].try_into().unwrap());
    if topics == 0 {
        return Vec::new();
    }
    let name = usize::from(u16::from_be_bytes(raw[6..8].try_into().unwrap()));
    let indexes = &raw[8 + name + 4..raw.len() - 4];
    let indexes = indexes.chunks_exact(4);
    indexes
        .map(|raw| i32::from_be_bytes(raw.try_into().unwrap()))
        .collect()
}

/// An assignment of partitions of `t`.
pub fn assignment(indexes: &[i32]) -> Bytes {
    let mut raw = vec![0, 1, 0, 0, 0, 1, 0, 1, b't'];
    raw.extend((indexes.len() as u32).to_be_bytes());
    raw.extend(indexes.iter().flat_map(|i| i.to_be_bytes()));
    raw.extend([255; 4]);
    raw.into()
}

/// An assignment of nothing that can be told from any other.
pub fn tag(member: &MemberId) -> Bytes {
    let mut raw = vec![0, 0, 0, 0, 0, 0];
    raw.extend((member.as_str().len() as u32).to_be_bytes());
    raw.extend(member.as_str().as_bytes());
    raw.into()
}

pub fn sync(group: &str, joined: &Joined) -> SyncGroup {
    SyncGroup {
        group: group.into(),
        generation: joined.generation,
        member: joined.member.clone(),
        instance: None,
        protocol_type: Some("consumer".into()),
        protocol: Some("range".into()),
        assignments: joined
            .members
            .iter()
            .map(|m| (m.member.clone(), tag(&m.member)))
            .collect(),
    }
}

pub fn heartbeat(group: &str, member: &MemberId, generation: i32) -> Command {
    Command::Heartbeat(Heartbeat {
        group: group.into(),
        generation,
        member: member.clone(),
        instance: None,
    })
}

pub fn commit(group: &str, member: &MemberId, generation: i32, offset: i64) -> OffsetCommit {
    OffsetCommit {
        group: group.into(),
        generation,
        member: member.clone(),
        instance: None,
        retention: None,
        knows_epochs: true,
        topics: vec![commit_topic("t", 0, offset)],
    }
}

pub fn commit_topic(topic: &str, partition: i32, offset: i64) -> CommitTopic {
    CommitTopic {
        topic: topic.into(),
        id: Default::default(),
        partitions: vec![CommitPartition {
            partition: PartitionIndex(partition),
            offset: Offset(offset),
            leader_epoch: LeaderEpoch(0),
            metadata: None,
        }],
    }
}

pub fn fetch(group: &str) -> OffsetFetch {
    OffsetFetch {
        group: group.into(),
        member: None,
        epoch: -1,
        topics: None,
        require_stable: false,
    }
}

impl Stage {
    pub fn joined(&mut self, token: Token) -> Joined {
        match self.reply(token) {
            Some(Reply::Join(Ok(joined))) => joined,
            other => panic!("expected a join, got {other:?}"),
        }
    }

    pub fn join_refused(&mut self, request: JoinGroup) -> JoinRefused {
        match self.ask(Command::Join(request)) {
            Reply::Join(Err(refused)) => refused,
            other => panic!("expected a refusal, got {other:?}"),
        }
    }

    pub fn synced(&mut self, token: Token) -> Result<Synced, Refusal> {
        match self.reply(token) {
            Some(Reply::Sync(synced)) => synced,
            other => panic!("expected a sync, got {other:?}"),
        }
    }

    pub fn beat(&mut self, group: &str, member: &MemberId, generation: i32) -> Result<(), Refusal> {
        match self.ask(heartbeat(group, member, generation)) {
            Reply::Heartbeat(outcome) => outcome,
            other => panic!("expected a heartbeat, got {other:?}"),
        }
    }

    /// Brings these joins to a stable generation; the joins as answered.
    pub fn stable(&mut self, group: &str, requests: Vec<JoinGroup>) -> Vec<Joined> {
        let sent: Vec<_> = requests
            .into_iter()
            .map(|r| self.send(Command::Join(r)))
            .collect();
        self.pass(secs(5));
        let joined: Vec<_> = sent.into_iter().map(|t| self.joined(t)).collect();
        let sent: Vec<_> = joined
            .iter()
            .map(|j| {
                let mut request = sync(group, j);
                request.protocol = None;
                self.send(Command::Sync(request))
            })
            .collect();
        for token in sent {
            self.synced(token).expect("an assignment");
        }
        joined
    }

    /// The one offset of `t-0` that a group has.
    pub fn committed(&mut self, group: &str) -> Option<i64> {
        match self.ask(Command::Fetch(fetch(group))) {
            Reply::Fetch(Ok(topics)) => {
                let (_, offsets) = topics.into_iter().next()?;
                let (_, offset) = offsets.into_iter().next()?;
                offset.unwrap().map(|o| o.offset.get())
            }
            other => panic!("expected offsets, got {other:?}"),
        }
    }

    pub fn state(&self, group: &str) -> &'static str {
        let described = self.shard.describe(&group.into());
        described.map_or("Dead", |d| d.state)
    }
}
