//! What the broker does by itself as time passes.

use crate::client::{produce_name, world_with};
use crate::lookup::offset_at;
use crate::support::World;
use plimsoll_log::{Disk, Open};
use plimsoll_wire::batch::{BatchBuilder, BatchSettings};
use plimsoll_wire::error_code::ErrorCode;
use plimsoll_wire::types::TimestampMs;
use std::path::Path;
use std::time::Duration;

/// A batch of one record with this key, stamped with the world's clock.
fn keyed(world: &World, key: &str) -> Vec<u8> {
    let mut builder = BatchBuilder::new(BatchSettings::default());
    builder.push(
        TimestampMs(world.now.wall.get()),
        Some(key.as_bytes()),
        Some(&[7; 50]),
    );
    builder.build().expect("it builds")
}

fn start_of(world: &mut World) -> i64 {
    offset_at(world, 6, -2).1
}

#[test]
fn old_segments_go_and_the_rest_stays() {
    let (mut world, _) = world_with(&[
        ("log.retention.ms", "600000"),
        ("log.segment.bytes", "300"),
        ("log.retention.check.interval.ms", "1000"),
    ]);
    for _ in 0..6 {
        let batch = keyed(&world, "a");
        assert_eq!(produce_name(&mut world, &batch).error, ErrorCode::None);
    }
    world.pass(Duration::from_secs(300));
    let batch = keyed(&world, "b");
    produce_name(&mut world, &batch);
    world.broker.tick(world.now);
    assert_eq!(start_of(&mut world), 0, "nothing is old enough");
    world.pass(Duration::from_secs(301));
    world.broker.tick(world.now);
    let start = start_of(&mut world);
    assert!((4..=6).contains(&start), "the log starts at {start}");
    world.pass(Duration::from_secs(120));
    world.broker.tick(world.now);
    world.restart(true);
    assert_eq!(start_of(&mut world), start);
}

#[test]
fn compaction_keeps_the_latest_record_of_each_key() {
    let (mut world, _) = world_with(&[
        ("log.cleanup.policy", "compact"),
        ("log.segment.bytes", "300"),
        ("log.cleaner.min.cleanable.ratio", "0.01"),
    ]);
    for round in 0..10 {
        let batch = keyed(&world, if round % 2 == 0 { "a" } else { "b" });
        assert_eq!(produce_name(&mut world, &batch).error, ErrorCode::None);
    }
    let size = |world: &mut World| crate::lookup::size(world);
    let before = size(&mut world);
    world.pass(Duration::from_secs(61));
    // Segments are made durable, then checkpoints say so, then logs are cleaned.
    world.broker.tick(world.now);
    world.pass(Duration::from_secs(61));
    world.broker.tick(world.now);
    world.broker.clean(world.now);
    let after = size(&mut world);
    assert!(after < before / 2, "{before} bytes before, {after} after");
    assert_eq!(offset_at(&mut world, 6, -1).1, 10, "offsets stay");
    world.restart(true);
    assert_eq!(size(&mut world), after);
}

/// A disk lost the end of a log that the checkpoint calls durable. What is
/// appended in its place is not durable, so the checkpoint must say so before
/// the broker takes anything.
#[test]
fn a_checkpoint_past_the_end_of_its_log_is_written_again_at_the_start() {
    let (mut world, _) = world_with(&[]);
    let batch = keyed(&world, "a");
    assert_eq!(produce_name(&mut world, &batch).error, ErrorCode::None);
    world.restart(true);
    let path = Path::new("/data/recovery-point-offset-checkpoint");
    assert!(
        text(&world, path).contains("orders 0 1"),
        "{}",
        text(&world, path)
    );
    world
        .disk
        .cut(Path::new("/data/orders-0/00000000000000000000.log"), 10);
    world.restart(false);
    assert!(
        text(&world, path).contains("orders 0 0"),
        "{}",
        text(&world, path)
    );
}

fn text(world: &World, path: &Path) -> String {
    let file = world.disk.open(path, Open::Read).expect("it is there");
    let mut bytes = vec![0; usize::try_from(file.len().expect("its length")).expect("short")];
    file.read_at(&mut bytes, 0).expect("it is read");
    String::from_utf8(bytes).expect("it is text")
}
