//! A broker is lost: what stops, what piles up, and when all is as it was.
//!
//! Broker 0 goes. Partitions that it leads stop until the controller notices
//! and elects another leader, one after the other; their producers keep what
//! they would have sent. With acks=all, partitions that it follows are not
//! acknowledged either until it is out of the in-sync replicas, which the same
//! detection decides; that holds nothing back at the brokers.

use super::cluster::{Outage, Shape};
use super::engine::World;
use super::parts::{Phase, Waited};
use super::queue::Nanos;

/// The broker that fails.
const LOST: u32 = 0;
/// Batches of a backlog are bundled when there are more than so many budgets of
/// them.
const BACKLOG_BUDGETS: f64 = 2.0;

/// Budgets of batches in which a backlog must be gone.
const DRAIN_BUDGETS: u32 = 4;

/// A backlog of which less than this share is gone by then does not shrink.
const GONE_MIN: f64 = 0.01;

/// What came after.
pub(super) struct Aftermath {
    /// Partitions that lost their leader.
    pub(super) leaderless: u32,
    /// Partitions that lost a follower.
    pub(super) unfollowed: u32,
    /// From the failure to the last election.
    pub(super) elected: Nanos,
    /// Records that piled up.
    pub(super) backlog: f64,
    /// From the failure until the backlog was acknowledged; none when it does not
    /// shrink.
    pub(super) drained: Option<Nanos>,
    /// That only a part of it was simulated.
    pub(super) extended: bool,
    /// While it drained.
    pub(super) draining: Phase,
    /// Afterwards, with one broker less.
    pub(super) degraded: Phase,
}

/// Loses a broker in a world that has reached its steady state.
pub(super) fn run(world: &mut World<'_>, outage: Outage) -> Aftermath {
    world.settle();
    let shape = world.shape;
    let failed = world.now();
    let led: Vec<u32> = (0..shape.partitions)
        .filter(|p| shape.leader(*p) == LOST)
        .collect();
    let follows = |p: &u32| (1..shape.replication).any(|copy| shape.replica(*p, copy) == LOST);
    let unfollowed = (0..shape.partitions).filter(follows).count();
    world.jump(outage.detection);
    world.lost = Some(LOST);
    let elections = outage.election.saturating_mul(led.len() as u64);
    let elected = outage.detection + elections;
    let backlog = match shape.replication {
        // Without a copy elsewhere nothing is elected: the partitions stay away.
        1 => 0.0,
        _ => pile_up(world, &led, failed, outage),
    };
    let waiting = world.backlog();
    let began = world.now();
    let draining = world.drain_backlog(shape.budget.saturating_mul(DRAIN_BUDGETS));
    let left = world.backlog();
    // As fast as the part that was simulated, the rest goes too.
    let gone = (waiting - left) as f64 / waiting.max(1) as f64;
    let whole = (world.now() - began) as f64 / gone;
    let drained = (gone > GONE_MIN).then(|| began - failed + whole as Nanos);
    world.settle();
    let degraded = world.drive(shape.budget, true);
    Aftermath {
        leaderless: led.len() as u32,
        unfollowed: unfollowed as u32,
        elected,
        backlog,
        drained: drained.filter(|_| backlog > 0.0),
        extended: left > 0,
        draining,
        degraded,
    }
}

/// Sends what waited for each partition once its leader is elected; returns the
/// records.
fn pile_up(world: &mut World<'_>, led: &[u32], failed: Nanos, outage: Outage) -> f64 {
    let shape = world.shape;
    let each = shape.batches() * shape.records / f64::from(shape.partitions);
    let bundle = bundle(shape, led.len(), each, outage);
    let mut all = 0.0;
    for (turn, partition) in led.iter().enumerate() {
        let stopped = outage.detection + outage.election.saturating_mul(turn as u64 + 1);
        let records = each * stopped as f64 / 1e9;
        let batches = batches(shape, records) / bundle;
        // A part of a batch is one by chance, so that the sum is right.
        let whole = batches.floor()
            + if world.chance() < batches.fract() {
                1.0
            } else {
                0.0
            };
        all += records;
        for _ in 0..whole as u64 {
            let created = failed + (world.chance() * stopped as f64) as Nanos;
            let waited = Waited {
                partition: *partition,
                created,
                records: records / batches.max(1e-9),
            };
            world.push_backlog(&waited, failed + stopped);
        }
    }
    all
}

/// Batches into which producers have put `records` of one partition.
fn batches(shape: &Shape, records: f64) -> f64 {
    let producers = f64::from(shape.producers);
    let of_one = records / producers;
    match of_one < 1.0 {
        true => records,
        false => producers * (of_one / shape.full_records).ceil(),
    }
}

/// How many batches go as one, so that a long outage stays within the budget.
fn bundle(shape: &Shape, led: usize, each: f64, outage: Outage) -> f64 {
    let longest = outage.detection + outage.election.saturating_mul(led as u64);
    let expected = led as f64 * batches(shape, each * longest as f64 / 1e9);
    (expected / (BACKLOG_BUDGETS * f64::from(shape.budget))).max(1.0)
}
