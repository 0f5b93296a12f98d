//! Compaction leaves every read_committed reader's latest values as they were.

use crate::seeds;
use crate::view::{Seen, table, view};
use crate::world::{World, keyed_config};
use plimsoll_log::{CleanPlan, Disk as _, MemDisk, PartitionLog};
use plimsoll_wire::types::{Offset, ProducerId, TimestampMs};
use std::collections::{BTreeMap, HashMap};
use std::ops::ControlFlow;
use std::path::Path;

fn sequences(log: &PartitionLog) -> HashMap<ProducerId, (i32, Option<Offset>)> {
    let data = log
        .producers()
        .filter(|producer| producer.last_sequence.get() >= 0);
    data.map(|p| (p.producer_id, (p.last_sequence.get(), p.txn_start)))
        .collect()
}

/// A keyed log with sealed, flushed segments.
fn world(seed: u64, disk: &MemDisk) -> World {
    let mut world = World::with(seed, disk, keyed_config()).unwrap();
    while world.model.batches.len() < 80 {
        world.append_some().unwrap();
        world.end_some().unwrap();
    }
    world.settle().unwrap();
    world
}

fn plan(world: &World, now: i64) -> Option<CleanPlan> {
    let log = world.log();
    log.plan_clean(TimestampMs(now), log.recovery_point())
        .unwrap()
}

/// Passes until none is wanted; how many there were.
fn clean(world: &mut World, now: i64, map_bytes: usize) -> usize {
    let mut passes = 0;
    while let Some(plan) = plan(world, now) {
        let cleaned = plan
            .run(map_bytes, &mut |_| ControlFlow::Continue(()))
            .unwrap()
            .unwrap();
        assert!(
            cleaned.cleaned_to > world.log().cleaned_to(),
            "a pass got nowhere"
        );
        let doomed = world
            .log
            .as_mut()
            .unwrap()
            .install(cleaned, TimestampMs(now))
            .unwrap();
        doomed
            .expect("nothing changed meanwhile")
            .remove(&world.disk)
            .unwrap();
        passes += 1;
    }
    passes
}

/// Fails unless `log` says what `before` said, and no more than it.
fn assert_equivalent(before: &BTreeMap<i64, Seen>, log: &PartitionLog, context: &str) {
    let after = view(log);
    for (offset, seen) in &after {
        assert_eq!(Some(seen), before.get(offset), "{context}: offset {offset}");
    }
    assert_eq!(table(&after), table(before), "{context}");
}

#[test]
fn the_latest_committed_values_are_the_same_before_and_after() {
    let mut several = 0;
    for seed in seeds(12) {
        let disk = MemDisk::new();
        let mut world = world(seed, &disk);
        let before = view(world.log());
        let producers = sequences(world.log());
        let size = world.log().size_bytes();
        let map_bytes = if seed % 2 == 0 { 1 << 20 } else { 24 * 5 };
        let passes = clean(&mut world, 2_000_000, map_bytes);
        several += usize::from(passes > 1);
        let context = format!("seed {seed} after {passes} passes");
        assert_equivalent(&before, world.log(), &context);
        assert!(world.log().size_bytes() < size, "{context}: nothing went");
        let cleaned_to = world.log().cleaned_to().get();
        let mut keys: Vec<_> = view(world.log())
            .into_iter()
            .filter(|(offset, _)| *offset < cleaned_to)
            .map(|(_, seen)| seen)
            .collect();
        assert!(
            keys.iter().all(|seen| !seen.aborted),
            "{context}: aborted data stayed"
        );
        keys.sort_by(|a, b| a.key.cmp(&b.key));
        if passes == 1 {
            assert!(
                keys.windows(2).all(|two| two[0].key != two[1].key),
                "{context}: a key twice"
            );
        }
        forget_snapshots(&disk);
        let world = world.reopen(disk.fork());
        assert_equivalent(&before, world.log(), &context);
        assert_eq!(sequences(world.log()), producers, "{context}: producers");
    }
    assert!(several > 0, "no run took several passes");
}

fn forget_snapshots(disk: &MemDisk) {
    let dir = Path::new("/data/t-0");
    for entry in disk.list(dir).unwrap() {
        if entry.name.ends_with(".snapshot") {
            disk.remove_file(&dir.join(entry.name)).unwrap();
        }
    }
}

#[test]
fn tombstones_and_markers_go_after_their_time_and_not_before() {
    for seed in seeds(4) {
        let mut world = world(seed, &MemDisk::new());
        let day = 24 * 3600 * 1000;
        clean(&mut world, 2_000_000, 1 << 20);
        let kept = |world: &World| {
            let cleaned = world.log().cleaned_to().get();
            let view = view(world.log());
            view.range(..cleaned)
                .filter(|(_, seen)| seen.value.is_none())
                .count()
        };
        let tombstones = kept(&world);
        world.dirty_again().unwrap();
        let first_round = world.log().cleaned_to().get();
        clean(&mut world, 2_000_000 + day - 1, 1 << 20);
        let still = view(world.log())
            .range(..first_round)
            .filter(|(_, s)| s.value.is_none())
            .count();
        assert!(still <= tombstones, "seed {seed}");
        world.dirty_again().unwrap();
        clean(&mut world, 2_000_000 + 2 * day, 1 << 20);
        let gone = view(world.log())
            .range(..first_round)
            .filter(|(_, s)| s.value.is_none())
            .count();
        assert_eq!(
            gone, 0,
            "seed {seed}: {tombstones} tombstones at first, {still} within the day"
        );
    }
}

#[test]
fn a_crash_at_every_operation_of_a_pass_loses_nothing() {
    for seed in seeds(1) {
        let disk = MemDisk::new();
        let world = world(seed, &disk);
        let before = view(world.log());
        let producers = sequences(world.log());
        let end = world.log().log_end();
        let (mut crash_at, mut finished) = (0, false);
        while !finished {
            crash_at += 1;
            let copy = disk.fork();
            let mut world = World::on(&copy, keyed_config());
            world.log.as_mut().unwrap().flush(TimestampMs(0)).unwrap();
            copy.crash_at(copy.operations() + crash_at);
            let log = world.log.as_mut().unwrap();
            let plan = log
                .plan_clean(TimestampMs(2_000_000), log.recovery_point())
                .unwrap();
            let pass = plan
                .unwrap()
                .run(1 << 20, &mut |_| ControlFlow::Continue(()));
            if let Ok(Some(cleaned)) = pass {
                finished = log.install(cleaned, TimestampMs(2_000_000)).is_ok();
            }
            let context = format!("seed {seed}, crash at operation {crash_at}");
            let world = world.reopen(copy.after_crash(crash_at));
            assert_eq!(world.log().log_end(), end, "{context}");
            assert_equivalent(&before, world.log(), &context);
            assert_eq!(sequences(world.log()), producers, "{context}: producers");
        }
        assert!(crash_at > 20, "seed {seed}: {crash_at} operations");
    }
}
