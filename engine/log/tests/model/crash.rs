//! Runs in which the power goes.

use crate::model::Model;
use crate::seeds;
use crate::world::{Crashed, World, config, keyed_config};
use plimsoll_log::{LogConfig, MemDisk};
use std::ops::Range;

const STEPS: usize = 40;
/// A pass needs segments that are full, flushed and checkpointed.
const KEYED_STEPS: usize = 80;

/// A run up to its end or the crash, whichever comes first.
fn run(seed: u64, steps: usize, disk: &MemDisk, config: &LogConfig) -> Option<World> {
    let mut world = World::with(seed, disk, config.clone()).ok()?;
    for _ in 0..steps {
        if let Err(Crashed) = world.step() {
            break;
        }
    }
    Some(world)
}

/// What the next process finds is what was there before the step that the
/// power ended, or after it, or a beginning of either that holds everything
/// durable; and the log goes on from there.
fn check(seed: u64, steps: usize, crash_at: u64, config: &LogConfig) {
    let disk = MemDisk::new();
    disk.crash_at(crash_at);
    let Some(world) = run(seed, steps, &disk, config) else {
        return;
    };
    let context = format!("crash at operation {crash_at}");
    let durable = world.durable;
    let mut world = world.reopen(disk.after_crash(crash_at ^ seed << 32));
    let end = world.log().log_end().get();
    let start = world.log().log_start().get();
    assert!(
        end >= durable,
        "seed {seed} {context}: {end} is the end, {durable} was durable"
    );
    // Records may have been deleted past all that the crash left: then the log
    // begins again, empty, where it was made to start.
    let nothing = (world.log().size_bytes() == 0 && start == end).then(|| Model::empty_at(start));
    let begun_anew = nothing.is_some();
    let prefixes = [&world.after, &world.model].map(|model| model.prefix(end));
    let Some(mut model) = nothing.or_else(|| prefixes.into_iter().flatten().next()) else {
        panic!("seed {seed} {context}: the log ends at {end}, within a batch");
    };
    assert!(
        begun_anew || start <= world.after.start.max(world.model.start),
        "seed {seed} {context}: start {start}"
    );
    model.start = start;
    world.model = model;
    world.check(&context);
    for _ in 0..5 {
        world.step().unwrap();
    }
    world.check(&format!("{context}, then five steps"));
}

/// Crashes each seed's run at each of its operations; how many runs that were,
/// and how many passes of compaction the whole ones made.
fn check_all(seeds: Range<u64>, steps: usize, config: &LogConfig) -> (u64, usize) {
    let (mut runs, mut passes) = (0, 0);
    for seed in seeds {
        let disk = MemDisk::new();
        passes += run(seed, steps, &disk, config).map_or(0, |world| world.passes);
        let operations = disk.operations();
        assert!(operations > 50, "seed {seed}: {operations} operations");
        for crash_at in 1..=operations {
            check(seed, steps, crash_at, config);
        }
        runs += operations;
    }
    (runs, passes)
}

#[test]
fn a_crash_at_every_operation_loses_nothing_durable_and_tears_nothing() {
    let (runs, _) = check_all(seeds(6), STEPS, &config());
    println!("{runs} runs");
}

#[test]
fn a_crash_at_every_operation_of_a_compacted_log_leaves_every_view_as_it_was() {
    let (runs, passes) = check_all(seeds(4), KEYED_STEPS, &keyed_config());
    println!("{runs} runs, {passes} passes");
    assert!(passes > 2, "{passes} passes are too few to tell");
}
