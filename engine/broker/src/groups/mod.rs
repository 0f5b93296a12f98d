//! Groups on this node: a coordinator for each partition of the offsets topic,
//! driven by requests and by time.
//!
//! A coordinator decides, its records are appended to its partition, and only
//! then it goes on. Its lock is held meanwhile, and taken before a partition's,
//! never after.

mod image_topics;
mod settings;

use crate::access::{Access, Guarded};
use crate::broker::Broker;
use crate::news::{News, Note};
use crate::outcome::{Outcome, Response, Wake};
use crate::own_log::{OwnLog, OwnWriteError, Replayed, Written};
use crate::partition::Partition;
use crate::replies::{Answer, Pending, Slot, Waiting, respond_later};
use crate::request::{Envelope, Request};
use crate::topic_name::OFFSETS_TOPIC;
use image_topics::ImageTopics;
use parking_lot::Mutex;
use plimsoll_cluster::AclOperation;
use plimsoll_coordinator::{
    Command, GroupConfig, GroupShard, Refusal, Reply, Step, Token, World, drive, partition_for,
};
use plimsoll_wire::error_code::ErrorCode;
use plimsoll_wire::mutation::{self, Mutation};
use plimsoll_wire::time::{Instant, Now};
use plimsoll_wire::types::{NodeId, PartitionIndex, ProducerId};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

pub(crate) use settings::group_config;

/// The coordinators of this node.
pub(crate) struct Groups {
    config: GroupConfig,
    shards: Mutex<BTreeMap<PartitionIndex, Arc<Shard>>>,
    next_token: AtomicU64,
    news: Arc<News>,
}

/// One partition's coordinator, its log, and who waits for replies.
struct Shard {
    coordinator: Mutex<GroupShard>,
    log: OwnLog,
    waiting: Waiting<Reply>,
}

/// What a request asks of a group's coordinator.
pub(crate) struct Question<'a> {
    /// The group.
    pub(crate) group: &'a str,
    /// What is asked.
    pub(crate) command: Command,
}

/// Who asks, and when.
#[derive(Clone, Copy)]
pub(crate) struct Asker<'a> {
    /// Told when an answer comes that was waited for.
    pub(crate) waker: &'a Arc<dyn Wake>,
    /// Now.
    pub(crate) now: Now,
}

/// What a client must be allowed to do to a group to ask this of it.
const fn needed(command: &Command) -> AclOperation {
    match command {
        Command::Fetch(_) => AclOperation::Describe,
        Command::DeleteGroup(_) | Command::DeleteOffsets(_) => AclOperation::Delete,
        _ => AclOperation::Read,
    }
}

/// The error code of a coordinator's refusal: they have the same names.
pub(crate) fn code_of(refusal: Refusal) -> ErrorCode {
    let named = ErrorCode::ALL
        .iter()
        .find(|code| code.name() == refusal.name());
    named.copied().unwrap_or(ErrorCode::UnknownServerError)
}

impl Groups {
    pub(crate) fn new(config: GroupConfig) -> Self {
        Self {
            config,
            shards: Mutex::default(),
            next_token: AtomicU64::new(0),
            news: Arc::default(),
        }
    }

    /// `worker` is told when a coordinator's records have been replicated.
    pub(crate) fn notify(&self, worker: Arc<dyn Wake>) {
        self.news.tell(worker);
    }

    fn token(&self) -> Token {
        Token(self.next_token.fetch_add(1, Ordering::Relaxed))
    }
}

impl Shard {
    /// Carries a step to its end: replies go to those who wait, records to the
    /// log. The reply under `token` is handed back.
    fn carry_out(
        &self,
        coordinator: &mut GroupShard,
        world: World<'_>,
        first: Step<Reply>,
        token: Option<Token>,
    ) -> Option<Reply> {
        let replies = drive(
            first,
            |append| self.log.append(append, world.now),
            |outcome| coordinator.outcome(world, outcome),
        );
        let mut ours = None;
        for (to, reply) in replies {
            if Some(to) == token {
                ours = Some(reply);
            } else {
                self.waiting.deliver(to, reply);
            }
        }
        ours
    }

    /// Acts on all deadlines that have passed.
    fn expire(&self, coordinator: &mut GroupShard, world: World<'_>) {
        while coordinator
            .next_deadline()
            .is_some_and(|at| at <= world.now.mono)
        {
            let step = coordinator.expire(world);
            self.carry_out(coordinator, world, step, None);
        }
    }
}

impl Broker {
    /// Asks a group's coordinator, and answers the request with its reply: at
    /// once, or when the reply comes.
    pub(crate) fn coordinate(
        &self,
        request: &Request<'_>,
        group: &str,
        command: Command,
        encode: impl FnOnce(Envelope, Answer<Reply>) -> Response + Send + 'static,
    ) -> Outcome {
        let envelope = request.envelope;
        let deadline = self.coordinator_deadline(&command, request.now);
        let question = Question { group, command };
        let pending = self.ask_permitted(request, &request.access(self), question);
        respond_later(vec![pending], deadline, move |answers| {
            encode(envelope, one(answers))
        })
    }

    /// Asks the coordinators of several groups, and answers when all have
    /// replied, in the order of the questions.
    pub(crate) fn coordinate_all<'a>(
        &self,
        request: &Request<'_>,
        questions: impl Iterator<Item = Question<'a>>,
        encode: impl FnOnce(Envelope, Vec<Answer<Reply>>) -> Response + Send + 'static,
    ) -> Outcome {
        let envelope = request.envelope;
        let deadline = self.commit_deadline(request.now);
        let access = request.access(self);
        let ask = |question| self.ask_permitted(request, &access, question);
        respond_later(questions.map(ask).collect(), deadline, move |answers| {
            encode(envelope, answers)
        })
    }

    /// Asks a group's coordinator, if the client may ask this of the group.
    fn ask_permitted(
        &self,
        request: &Request<'_>,
        access: &Access,
        question: Question<'_>,
    ) -> Pending<Reply> {
        let group = Guarded::Group(question.group);
        match access.check(needed(&question.command), group) {
            Ok(()) => self.ask_group(question, || Ok(()), request.asker()),
            Err(code) => Pending::Here(Err(code)),
        }
    }

    /// Asks a group's coordinator, if `check` still agrees once the coordinator
    /// is at hand: nothing else is written to its partition meanwhile.
    pub(crate) fn ask_group(
        &self,
        question: Question<'_>,
        check: impl FnOnce() -> Result<(), ErrorCode>,
        asker: Asker<'_>,
    ) -> Pending<Reply> {
        let shard = match self.shard_of(question.group, asker.now) {
            Ok(shard) => shard,
            Err(code) => return Pending::Here(Err(code)),
        };
        let token = self.groups.token();
        let slot = Slot::new(asker.waker);
        shard.waiting.add(token, &slot);
        let reply = self.command(&shard, (token, question.command), check, asker.now);
        match reply.transpose().or_else(|| slot.take()) {
            Some(answer) => {
                shard.waiting.forget(token);
                Pending::Here(answer)
            }
            None => Pending::Coming(slot),
        }
    }

    /// By when a command is answered at the latest. The members of a group wait
    /// for each other as long as the coordinator's own deadlines let them.
    fn coordinator_deadline(&self, command: &Command, now: Now) -> Instant {
        match command {
            Command::Join(_) | Command::Sync(_) => Instant(Duration::MAX),
            _ => self.commit_deadline(now),
        }
    }

    /// How long a coordinator's records may take to be replicated.
    pub(crate) fn commit_deadline(&self, now: Now) -> Instant {
        now.mono.after(self.limits().offsets_commit_timeout)
    }

    fn command(
        &self,
        shard: &Shard,
        (token, command): (Token, Command),
        check: impl FnOnce() -> Result<(), ErrorCode>,
        now: Now,
    ) -> Result<Option<Reply>, ErrorCode> {
        let topics = self.topics_seen();
        let world = World {
            now,
            topics: &topics,
        };
        let mut coordinator = shard.coordinator.lock();
        check()?;
        shard.expire(&mut coordinator, world);
        let step = coordinator.handle(world, token, command);
        let reply = shard.carry_out(&mut coordinator, world, step, Some(token));
        // A delay of nothing is over at once.
        shard.expire(&mut coordinator, world);
        Ok(reply)
    }

    /// Looks at the coordinator of a group.
    pub(crate) fn look_at_group<T>(
        &self,
        group: &str,
        now: Now,
        look: impl FnOnce(&GroupShard) -> T,
    ) -> Result<T, ErrorCode> {
        let shard = self.shard_of(group, now)?;
        let coordinator = shard.coordinator.lock();
        Ok(look(&coordinator))
    }

    /// Looks at every coordinator of this node.
    pub(crate) fn look_at_groups(&self, now: Now, mut look: impl FnMut(&GroupShard)) {
        self.load_groups(now);
        let shards: Vec<_> = self.groups.shards.lock().values().cloned().collect();
        for shard in shards {
            look(&shard.coordinator.lock());
        }
    }

    /// Lets replies leave whose records have been replicated.
    pub(crate) fn answer_groups(&self, now: Now) {
        let news = self.groups.news.take();
        if news.is_empty() {
            return;
        }
        let topics = self.topics_seen();
        let world = World {
            now,
            topics: &topics,
        };
        for index in news {
            let shard = self.groups.shards.lock().get(&index).cloned();
            let Some(shard) = shard else {
                continue;
            };
            let mut coordinator = shard.coordinator.lock();
            if let Some(high_watermark) = shard.log.high_watermark() {
                let step = coordinator.committed(world, high_watermark);
                shard.carry_out(&mut coordinator, world, step, None);
                if let Some(upto) = coordinator.awaits() {
                    shard.log.await_replicas(upto);
                }
            }
        }
    }

    /// Acts on what has become due in groups. Answers when the next is due.
    pub(crate) fn tick_groups(&self, now: Now) -> Option<Instant> {
        self.answer_groups(now);
        self.load_groups(now);
        let shards: Vec<_> = self.groups.shards.lock().values().cloned().collect();
        let topics = self.topics_seen();
        let world = World {
            now,
            topics: &topics,
        };
        let mut next = None;
        for shard in shards {
            let mut coordinator = shard.coordinator.lock();
            shard.expire(&mut coordinator, world);
            next = [next, coordinator.next_deadline()]
                .into_iter()
                .flatten()
                .min();
        }
        next
    }

    /// Writes a transaction's marker to a partition of the offsets topic, and
    /// tells its coordinator.
    pub(crate) fn end_group_transaction(
        &self,
        index: PartitionIndex,
        marker: Vec<u8>,
        (producer, committed): (ProducerId, bool),
        now: Now,
    ) -> Result<Written, OwnWriteError> {
        let shard = self.shard(index, now).map_err(|_| OwnWriteError::Gone)?;
        let mut coordinator = shard.coordinator.lock();
        let written = shard.log.write(marker, now)?;
        coordinator.replay_marker(producer, committed);
        Ok(written)
    }

    fn topics_seen(&self) -> ImageTopics {
        ImageTopics::new(self.image(), self.metadata_offset().get())
    }

    /// Loads every coordinator whose partition is here.
    fn load_groups(&self, now: Now) {
        let catalog = self.catalog();
        let partitions = catalog
            .topic(OFFSETS_TOPIC)
            .map_or(&[][..], |t| &t.partitions);
        if self.groups.shards.lock().len() == partitions.len() {
            return;
        }
        let leads = |p: &&Arc<Partition>| !p.is_offline() && p.leader() == self.node();
        let usable = partitions.iter().filter(leads);
        for index in usable.map(|partition| partition.index) {
            match self.shard(index, now) {
                // Its replicas are not all heard of yet: it is tried again.
                Ok(_) | Err(ErrorCode::CoordinatorLoadInProgress) => {}
                Err(code) => tracing::error!(
                    partition = index.get(),
                    code = code.name(),
                    "groups not loaded"
                ),
            }
        }
    }

    fn shard_of(&self, group: &str, now: Now) -> Result<Arc<Shard>, ErrorCode> {
        let shard = self.shard(PartitionIndex(self.group_partition(group, now)?), now)?;
        if self.has_lease(now) {
            Ok(shard)
        } else {
            Err(ErrorCode::CoordinatorNotAvailable)
        }
    }

    /// The partition of the offsets topic that holds a group; the topic is
    /// created when it is missing.
    pub(crate) fn group_partition(&self, group: &str, now: Now) -> Result<i32, ErrorCode> {
        self.partition_of_internal(OFFSETS_TOPIC, group, now)
    }

    pub(crate) fn partition_of_internal(
        &self,
        topic: &str,
        key: &str,
        now: Now,
    ) -> Result<i32, ErrorCode> {
        let count = || {
            self.catalog()
                .topic(topic)
                .map(|topic| topic.partitions.len())
        };
        let partitions = count().or_else(|| {
            self.auto_create(now, &[topic]);
            count()
        });
        let partitions = partitions.ok_or(ErrorCode::CoordinatorNotAvailable)?;
        Ok(partition_for(
            key,
            i32::try_from(partitions).unwrap_or(i32::MAX),
        ))
    }

    /// The node that coordinates what `key` names: the leader of its partition
    /// of one of the broker's own topics.
    pub(crate) fn coordinator_of(
        &self,
        topic: &str,
        key: &str,
        now: Now,
    ) -> Result<NodeId, ErrorCode> {
        let index = self.partition_of_internal(topic, key, now)?;
        let image = self.image();
        let partitions = image.topic(topic).map(|topic| &topic.partitions);
        let leader = partitions
            .and_then(|partitions| partitions.get(&index.into()))
            .map(|partition| partition.leader);
        leader
            .filter(|leader| *leader != NodeId::NONE)
            .ok_or(ErrorCode::CoordinatorNotAvailable)
    }

    /// This node leads a partition of the offsets topic no more, or in another
    /// term: whoever comes next replays it.
    pub(crate) fn resign_groups(&self, index: PartitionIndex) {
        if mutation::is(Mutation::KeepCoordinator) {
            return;
        }
        let shard = self.groups.shards.lock().remove(&index);
        if let Some(shard) = shard {
            shard.waiting.abandon();
        }
    }

    /// The coordinator of a partition, loaded from its log on first use.
    fn shard(&self, index: PartitionIndex, now: Now) -> Result<Arc<Shard>, ErrorCode> {
        let mut shards = self.groups.shards.lock();
        if let Some(shard) = shards.get(&index) {
            return Ok(Arc::clone(shard));
        }
        let partition = self
            .catalog()
            .partition(OFFSETS_TOPIC, index)
            .cloned()
            .map_err(|_| ErrorCode::CoordinatorNotAvailable)?;
        if partition.leader() != self.node() {
            return Err(ErrorCode::NotCoordinator);
        }
        let seed = self.random_id().as_u64_pair().0;
        let mut coordinator = GroupShard::new(self.groups.config.clone(), seed);
        let note = Note {
            index,
            news: Arc::clone(&self.groups.news),
        };
        let log = OwnLog::of(partition, Arc::new(note))?;
        let high_watermark = log.replay(|replayed| match replayed {
            Replayed::Record {
                offset,
                producer,
                key,
                value,
            } => coordinator.replay(offset, producer, key, value),
            Replayed::Marker {
                producer,
                committed,
            } => {
                coordinator.replay_marker(producer, committed);
                Ok(())
            }
        })?;
        let shard = Shard {
            coordinator: Mutex::new(coordinator),
            log,
            waiting: Waiting::default(),
        };
        let topics = self.topics_seen();
        let world = World {
            now,
            topics: &topics,
        };
        {
            let mut coordinator = shard.coordinator.lock();
            let step = coordinator.loaded(world, high_watermark);
            shard.carry_out(&mut coordinator, world, step, None);
        }
        let shard = Arc::new(shard);
        shards.insert(index, Arc::clone(&shard));
        Ok(shard)
    }
}

/// The answer to the only question.
pub(crate) fn one<R>(answers: Vec<Answer<R>>) -> Answer<R> {
    let first = answers.into_iter().next();
    first.unwrap_or(Err(ErrorCode::UnknownServerError))
}
