//! What a coordinator costs by itself: deciding, encoding and replaying, with
//! a journal that only counts.

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use plimsoll_coordinator::command::{
    Client, CommitPartition, CommitTopic, ConsumerHeartbeat, Heartbeat, JoinGroup, OffsetCommit,
    SyncGroup,
};
use plimsoll_coordinator::transaction::{
    AddPartitions, EndTransaction, InitProducer, TransactionCommand, TransactionReply,
    TransactionStep, TransactionWorld,
};
use plimsoll_coordinator::{
    Appended, Command, GroupConfig, GroupShard, Producer, Reply, Token, TopicId, TopicInfo,
    TopicName, Topics, TransactionConfig, TransactionShard, World, drive,
};
use plimsoll_wire::time::{Instant, Now};
use plimsoll_wire::types::{LeaderEpoch, Offset, PartitionIndex, ProducerId, TimestampMs};
use std::collections::BTreeSet;
use std::hint::black_box;
use std::time::Duration;

struct OneTopic(i32);

impl Topics for OneTopic {
    fn by_name(&self, name: &str) -> Option<TopicInfo> {
        (name == "t").then_some(TopicInfo {
            id: TopicId::from_u128(1),
            partitions: self.0,
        })
    }

    fn name_of(&self, _: TopicId) -> Option<TopicName> {
        Some("t".into())
    }

    fn each(&self, _: &mut dyn FnMut(&TopicName, TopicInfo)) {}

    fn version(&self) -> i64 {
        1
    }
}

struct Bench {
    shard: GroupShard,
    topics: OneTopic,
    next: i64,
    now: Now,
}

impl Bench {
    fn new(partitions: i32) -> Self {
        Self {
            shard: GroupShard::new(GroupConfig::default(), 1),
            topics: OneTopic(partitions),
            next: 0,
            now: Now {
                wall: TimestampMs(1_700_000_000_000),
                mono: Instant::default(),
            },
        }
    }

    fn run(&mut self, command: Command) -> Vec<(Token, Reply)> {
        let (now, topics, next) = (self.now, &self.topics, &mut self.next);
        let world = World { now, topics };
        let first = self.shard.handle(world, Token(0), command);
        let append = |append: &plimsoll_coordinator::Append| {
            let base = Offset(*next);
            *next += append.records.len() as i64;
            Ok(Appended {
                base,
                high_watermark: Offset(*next),
            })
        };
        drive(first, append, |outcome| self.shard.outcome(world, outcome))
    }

    fn pass(&mut self, wait: Duration) {
        self.now.mono = self.now.mono.after(wait);
        while self
            .shard
            .next_deadline()
            .is_some_and(|at| at <= self.now.mono)
        {
            let world = World {
                now: self.now,
                topics: &self.topics,
            };
            let step = self.shard.expire(world);
            black_box(step.replies.len());
        }
    }
}

fn commit(partitions: i32) -> Command {
    Command::Commit(OffsetCommit {
        group: "g".into(),
        generation: -1,
        member: "".into(),
        instance: None,
        retention: None,
        knows_epochs: true,
        topics: vec![CommitTopic {
            topic: "t".into(),
            id: TopicId::nil(),
            partitions: (0..partitions)
                .map(|partition| CommitPartition {
                    partition: PartitionIndex(partition),
                    offset: Offset(7),
                    leader_epoch: LeaderEpoch(0),
                    metadata: None,
                })
                .collect(),
        }],
    })
}

fn commits(c: &mut Criterion) {
    let mut group = c.benchmark_group("commit");
    for partitions in [1, 10] {
        let mut bench = Bench::new(partitions);
        group.throughput(Throughput::Elements(partitions as u64));
        group.bench_function(format!("{partitions} partitions"), |b| {
            b.iter(|| black_box(bench.run(commit(partitions))));
        });
    }
}

fn report(member: usize, epoch: i32) -> ConsumerHeartbeat {
    let joins = epoch == 0;
    ConsumerHeartbeat {
        group: "g".into(),
        member: format!("member-{member:04}").into(),
        member_id_required: true,
        epoch,
        instance: None,
        rack: None,
        rebalance_timeout: joins.then_some(Duration::from_secs(300)),
        topics: joins.then(|| BTreeSet::from(["t".to_owned()])),
        regex: None,
        assignor: None,
        owned: joins.then(Vec::new),
        client: Client::default(),
    }
}

fn epoch_of(replies: &[(Token, Reply)]) -> i32 {
    match replies {
        [(_, Reply::ConsumerHeartbeat(Ok(reply)))] => reply.epoch,
        other => panic!("expected an answer, got {other:?}"),
    }
}

fn consumers(c: &mut Criterion) {
    let mut group = c.benchmark_group("consumer");
    for members in [10, 100, 1000] {
        let mut bench = Bench::new(1000);
        for member in 0..members {
            bench.run(Command::ConsumerHeartbeat(report(member, 0)));
        }
        let last = bench.run(Command::ConsumerHeartbeat(report(
            members - 1,
            members as i32,
        )));
        let epoch = epoch_of(&last);
        group.bench_function(format!("heartbeat among {members}"), |b| {
            b.iter(|| black_box(bench.run(Command::ConsumerHeartbeat(report(members - 1, epoch)))));
        });
        group.bench_function(format!("leave and join among {members}"), |b| {
            b.iter(|| {
                bench.run(Command::ConsumerHeartbeat(report(members - 1, -1)));
                bench.run(Command::ConsumerHeartbeat(report(members - 1, 0)))
            });
        });
    }
}

fn join() -> JoinGroup {
    JoinGroup {
        group: "g".into(),
        member: "".into(),
        instance: None,
        client: Client::default(),
        session_timeout: Duration::from_secs(45),
        rebalance_timeout: Duration::from_secs(300),
        protocol_type: "consumer".into(),
        protocols: vec![(
            "range".into(),
            b"\0\0\0\0\0\x01\0\x01t\xff\xff\xff\xff".as_slice().into(),
        )],
        member_id_required: false,
        may_skip_assignment: true,
    }
}

/// Every member joins, and every one syncs.
fn form(members: usize) -> Bench {
    let mut bench = Bench::new(1000);
    for _ in 0..members {
        bench.run(Command::Join(join()));
    }
    bench.pass(Duration::from_secs(600));
    bench
}

fn classic(c: &mut Criterion) {
    let mut group = c.benchmark_group("classic");
    for members in [10, 100, 1000] {
        group.bench_function(format!("form a group of {members}"), |b| {
            b.iter_batched(|| (), |()| form(members), BatchSize::PerIteration);
        });
    }
    let mut bench = Bench::new(1);
    bench.run(Command::Join(join()));
    let described = bench.shard.describe(&"g".into()).expect("the group");
    let member = described.members[0].member.clone();
    bench.pass(Duration::from_secs(4));
    bench.run(Command::Sync(SyncGroup {
        group: "g".into(),
        generation: 1,
        member: member.clone(),
        instance: None,
        protocol_type: None,
        protocol: None,
        assignments: Vec::new(),
    }));
    group.bench_function("heartbeat", |b| {
        b.iter(|| {
            black_box(bench.run(Command::Heartbeat(Heartbeat {
                group: "g".into(),
                generation: 1,
                member: member.clone(),
                instance: None,
            })))
        });
    });
}

struct Transactions {
    shard: TransactionShard,
    next: i64,
    now: Now,
}

impl Transactions {
    fn run(&mut self, command: TransactionCommand) -> TransactionReply {
        let mut ids = || Some(ProducerId(1));
        let mut world = TransactionWorld {
            now: self.now,
            producer_ids: &mut ids,
        };
        let step = self.shard.handle(&mut world, Token(0), command);
        let mut replies = Vec::new();
        self.carry(step, &mut replies);
        replies.swap_remove(0)
    }

    fn carry(&mut self, step: TransactionStep, replies: &mut Vec<TransactionReply>) {
        replies.extend(step.replies.into_iter().map(|(_, reply)| reply));
        if step.append.is_some() {
            self.next += 1;
            let appended = Appended {
                base: Offset(self.next - 1),
                high_watermark: Offset(self.next),
            };
            let step = self.shard.outcome(self.now, Ok(appended));
            self.carry(step, replies);
        }
        for markers in step.markers {
            let (id, epoch) = (&markers.id, markers.producer.epoch);
            let step = self
                .shard
                .markers_written(self.now, id, epoch, &markers.partitions);
            self.carry(step, replies);
        }
    }
}

fn transactions(c: &mut Criterion) {
    let mut bench = Transactions {
        shard: TransactionShard::new(TransactionConfig::default()),
        next: 0,
        now: Now {
            wall: TimestampMs(1_700_000_000_000),
            mono: Instant::default(),
        },
    };
    let init = TransactionCommand::Init(InitProducer {
        id: "t".into(),
        timeout: Duration::from_secs(60),
        expected: None,
    });
    let TransactionReply::Init(Ok(producer)) = bench.run(init) else {
        panic!("expected a producer");
    };
    let whole = |bench: &mut Transactions, producer: Producer| {
        bench.run(TransactionCommand::AddPartitions(AddPartitions {
            id: "t".into(),
            producer,
            partitions: vec![("t".into(), PartitionIndex(0))],
            client_version: 0,
            verify_only: false,
        }));
        bench.run(TransactionCommand::End(EndTransaction {
            id: "t".into(),
            producer,
            commit: true,
            client_version: 0,
        }))
    };
    c.bench_function("transaction", |b| {
        b.iter(|| black_box(whole(&mut bench, producer)))
    });
}

criterion_group!(benches, commits, consumers, classic, transactions);
criterion_main!(benches);
