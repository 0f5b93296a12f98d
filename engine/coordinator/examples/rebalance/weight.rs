//! What a group, its members and offsets, and a transactional id weigh in
//! memory: allocated bytes, all live, counted by the allocator.

use crate::client::{Client, Protocol};
use crate::host::Host;
use plimsoll_coordinator::command::{CommitPartition, CommitTopic, OffsetCommit};
use plimsoll_coordinator::transaction::{
    InitProducer, TransactionCommand, TransactionStep, TransactionWorld,
};
use plimsoll_coordinator::{
    Appended, Command, Token, TopicId, TransactionConfig, TransactionShard, TransactionalId,
};
use plimsoll_wire::time::{Instant, Now};
use plimsoll_wire::types::{LeaderEpoch, Offset, PartitionIndex, ProducerId, TimestampMs};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use std::alloc::System;
use std::time::Duration;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const GROUPS: usize = 1000;
const PARTITIONS: i32 = 10;
const MEMBERS: usize = 100;
const IDS: usize = 10_000;

pub fn print() {
    println!("in memory                                            bytes");
    let line = |what: &str, bytes: f64| println!("{what:50} {bytes:7.0}");
    line(
        "a group of offsets alone, 10 partitions",
        groups_of_offsets(),
    );
    line("a classic member, two partitions", members(Protocol::Eager));
    line(
        "a consumer-protocol member, two partitions",
        members(Protocol::Consumer),
    );
    line("a transactional id", transactional_ids());
}

/// Bytes that what `build` returns holds on to.
fn weigh<T>(build: impl FnOnce() -> T) -> f64 {
    let region = Region::new(ALLOCATOR);
    let built = build();
    let change = region.change();
    drop(built);
    change.bytes_allocated as f64 - change.bytes_deallocated as f64
}

fn groups_of_offsets() -> f64 {
    let bytes = weigh(|| {
        let mut host = Host::new(PARTITIONS);
        for group in 0..GROUPS {
            let partitions = (0..PARTITIONS).map(|partition| CommitPartition {
                partition: PartitionIndex(partition),
                offset: Offset(7),
                leader_epoch: LeaderEpoch(0),
                metadata: None,
            });
            let commit = Command::Commit(OffsetCommit {
                group: format!("group-{group:04}").as_str().into(),
                generation: -1,
                member: "".into(),
                instance: None,
                retention: None,
                knows_epochs: true,
                topics: vec![CommitTopic {
                    topic: "t".into(),
                    id: TopicId::nil(),
                    partitions: partitions.collect(),
                }],
            });
            drop(host.send(Token(0), commit));
        }
        host
    });
    bytes / GROUPS as f64
}

/// Of one group, by difference.
fn members(protocol: Protocol) -> f64 {
    let group = |members: usize| {
        weigh(|| {
            let mut host = Host::new(2 * members as i32);
            for number in 0..members {
                drop(host.send(Token(number as u64), Client::new(protocol, number).enter()));
            }
            host
        })
    };
    (group(2 * MEMBERS) - group(MEMBERS)) / MEMBERS as f64
}

fn transactional_ids() -> f64 {
    let now = Now {
        wall: TimestampMs(1_700_000_000_000),
        mono: Instant::default(),
    };
    let bytes = weigh(|| {
        let mut shard = TransactionShard::new(TransactionConfig::default());
        let mut next = 0;
        for number in 0..IDS {
            let mut ids = || Some(ProducerId(number as i64));
            let mut world = TransactionWorld {
                now,
                producer_ids: &mut ids,
            };
            let init = TransactionCommand::Init(InitProducer {
                id: TransactionalId::from(format!("id-{number:05}").as_str()),
                timeout: Duration::from_secs(60),
                expected: None,
            });
            let TransactionStep { append, .. } = shard.handle(&mut world, Token(0), init);
            if append.is_some() {
                next += 1;
                let appended = Appended {
                    base: Offset(next - 1),
                    high_watermark: Offset(next),
                };
                drop(shard.outcome(now, Ok(appended)));
            }
        }
        shard
    });
    bytes / IDS as f64
}
