//! Consuming through librdkafka as a program that subscribes does: the group's
//! coordinator shares the partitions out, and librdkafka tells what it moves.
//!
//! Positions are committed at an interval, and before partitions are given up.

use super::consumer::{LOOK_EVERY, Line, POLL, config, is_fatal, judge};
use crate::clock::Mono;
use crate::driver::{Consumed, ConsumerJob};
use crate::error::DriveError;
use crate::shared_group::{GroupSettings, Seat, SharedGroup};
use plimsoll_workloads::language::{Assignor, GroupProtocol};
use rdkafka::TopicPartitionList;
use rdkafka::client::ClientContext;
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _, ConsumerContext, Rebalance};
use rdkafka::error::KafkaError;
use rdkafka::message::Message as _;
use rdkafka::topic_partition_list::Offset;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Told by librdkafka what the coordinator moves, on the thread that polls.
struct Context {
    group: Arc<SharedGroup>,
    /// Partitions have moved since the poller last looked.
    moved: AtomicBool,
}

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, fac: &str, message: &str) {
        tracing::debug!(?level, fac, message, "librdkafka");
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(%error, reason, "librdkafka");
    }
}

impl ConsumerContext for Context {
    fn pre_rebalance(&self, client: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        if let Rebalance::Revoke(partitions) = rebalance {
            release(client, &self.group, partitions);
        }
    }

    fn post_rebalance(&self, _: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        self.moved.store(true, Ordering::Relaxed);
        if let Rebalance::Assign(partitions) = rebalance {
            self.group.assigned(numbers(partitions), Mono::now());
        }
    }
}

/// Runs one consumer of a group until the group has read up to the finish line.
pub(super) fn consume(mut job: ConsumerJob, seat: &Seat) -> Result<Consumed, DriveError> {
    let group = &seat.group;
    let mut restart = group.next_restart(seat.index, Mono::now());
    while !is_over(&job, group) {
        let client = subscribed(&job, group)?;
        let until = restart;
        read(&mut job, &client, group, until)?;
        restart = group.next_restart(seat.index, Mono::now());
        release(&client, group, &client.assignment()?);
    }
    Ok(Consumed {
        partitions: Vec::new(),
        unfinished: Vec::new(),
        poison: job.inspect.labour.counts(),
        verifier: job.inspect.verifier,
    })
}

fn is_over(job: &ConsumerJob, group: &SharedGroup) -> bool {
    job.finish.is_abandoned() || group.is_finished(&job.finish)
}

fn subscribed(
    job: &ConsumerJob,
    group: &Arc<SharedGroup>,
) -> Result<BaseConsumer<Context>, DriveError> {
    let mut config = config(&job.route, &job.settings)?;
    settings(&mut config, group.name(), group.settings());
    let client: BaseConsumer<Context> = config.create_with_context(Context {
        group: Arc::clone(group),
        moved: AtomicBool::new(false),
    })?;
    client.subscribe(&[&job.route.topic])?;
    Ok(client)
}

fn settings(config: &mut ClientConfig, name: &str, settings: &GroupSettings) {
    config.set("group.id", name);
    let assignor = settings.assignor.map(|assignor| assignor.to_string());
    match settings.protocol {
        GroupProtocol::Classic => {
            let assignor = assignor.unwrap_or_else(|| Assignor::Range.to_string());
            config
                .set("partition.assignment.strategy", assignor)
                .set(
                    "session.timeout.ms",
                    settings.session_timeout.as_millis().to_string(),
                )
                .set(
                    "heartbeat.interval.ms",
                    settings.heartbeat.as_millis().to_string(),
                );
        }
        GroupProtocol::Consumer => {
            config.set("group.protocol", "consumer");
            if let Some(assignor) = assignor {
                config.set("group.remote.assignor", assignor);
            }
        }
    }
}

/// Reads until all is read, or it is time to leave.
fn read(
    job: &mut ConsumerJob,
    client: &BaseConsumer<Context>,
    group: &SharedGroup,
    until: Option<Mono>,
) -> Result<(), DriveError> {
    let mut line = Line::default();
    let mut positions = BTreeMap::new();
    let mut next_commit = Mono::now().after(group.settings().commit_interval);
    let mut since_look = 0;
    loop {
        match client.poll(POLL) {
            Some(Ok(message)) => {
                let partition = message.partition().cast_unsigned();
                judge(job, &mut positions, &message)?;
                group.advance(partition, positions.get(&partition).copied().unwrap_or(0));
                since_look += 1;
            }
            Some(Err(error)) if is_fatal(&error) => return Err(error.into()),
            Some(Err(KafkaError::PartitionEOF(partition))) => {
                since_look = LOOK_EVERY;
                let partition = partition.cast_unsigned();
                line.reached(partition, &job.finish, &mut positions);
                group.advance(partition, positions.get(&partition).copied().unwrap_or(0));
            }
            Some(Err(_)) | None => since_look = LOOK_EVERY,
        }
        if since_look < LOOK_EVERY {
            continue;
        }
        since_look = 0;
        let now = Mono::now();
        job.inspect.recorder.turn(now);
        if client.context().moved.swap(false, Ordering::Relaxed) {
            let own = numbers(&client.assignment()?);
            positions = own.map(|p| (p, group.position(p))).collect();
            line = Line::default();
        }
        line.look(client, job, &positions)?;
        if now >= next_commit {
            next_commit = now.after(group.settings().commit_interval);
            commit(client, group, &client.assignment()?, CommitMode::Async);
        }
        if is_over(job, group) || until.is_some_and(|until| until <= now) {
            return Ok(());
        }
    }
}

/// Gives partitions up, after their positions are committed.
fn release(client: &BaseConsumer<Context>, group: &SharedGroup, partitions: &TopicPartitionList) {
    commit(client, group, partitions, CommitMode::Sync);
    group.released(numbers(partitions), Mono::now());
}

/// Commits how far the group has read these partitions. A commit that fails costs
/// what is read again, and is counted there.
fn commit(
    client: &BaseConsumer<Context>,
    group: &SharedGroup,
    partitions: &TopicPartitionList,
    mode: CommitMode,
) {
    let mut read = TopicPartitionList::new();
    for one in partitions.elements() {
        let position = group.position(one.partition().cast_unsigned());
        if position > 0 {
            let offset = Offset::Offset(position);
            let added = read.add_partition_offset(one.topic(), one.partition(), offset);
            debug_assert!(added.is_ok(), "an offset above 0 is one");
        }
    }
    if read.count() > 0
        && let Err(error) = client.commit(&read, mode)
    {
        tracing::debug!(%error, "positions were not committed");
    }
}

fn numbers(partitions: &TopicPartitionList) -> impl Iterator<Item = u32> + use<> {
    let all = partitions.elements();
    let all: Vec<u32> = all
        .iter()
        .map(|one| one.partition().cast_unsigned())
        .collect();
    all.into_iter()
}
