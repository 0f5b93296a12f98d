//! Runs in which the power goes.

use crate::cases;
use crate::model::Model;
use crate::world::{Crashed, World};
use plimsoll_log::MemDisk;

const STEPS: usize = 40;

/// A run up to its end or the crash, whichever comes first.
fn run(seed: u64, disk: &MemDisk) -> Option<World> {
    let mut world = World::new(seed, disk).ok()?;
    for _ in 0..STEPS {
        if let Err(Crashed) = world.step() {
            break;
        }
    }
    Some(world)
}

/// What the next process finds is what was there before the step that the
/// power ended, or after it, or a beginning of either that holds everything
/// durable; and the log goes on from there.
fn check(seed: u64, crash_at: u64) {
    let disk = MemDisk::new();
    disk.crash_at(crash_at);
    let Some(world) = run(seed, &disk) else {
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
    let prefixes = [&world.after, &world.model].map(|model| model.prefix(end));
    let Some(mut model) = nothing.or_else(|| prefixes.into_iter().flatten().next()) else {
        panic!("seed {seed} {context}: the log ends at {end}, within a batch");
    };
    assert!(
        start <= world.after.start.max(world.model.start),
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

#[test]
fn a_crash_at_every_operation_loses_nothing_durable_and_tears_nothing() {
    for seed in 0..cases(2) {
        let disk = MemDisk::new();
        run(seed, &disk);
        let operations = disk.operations();
        assert!(operations > 50, "seed {seed}: {operations} operations");
        for crash_at in 1..=operations {
            check(seed, crash_at);
        }
    }
}
