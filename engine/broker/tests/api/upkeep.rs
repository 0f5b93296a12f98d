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

/// Runs the jobs last first, and notes how many there were.
#[derive(Debug, Default)]
struct Backwards(std::sync::atomic::AtomicUsize);

impl plimsoll_broker::Workers for Backwards {
    fn run<'a>(&self, jobs: Vec<plimsoll_broker::Job<'a>>, at_once: usize) {
        assert_eq!(at_once, 3, "three threads for the one directory");
        self.0
            .fetch_add(jobs.len(), std::sync::atomic::Ordering::Relaxed);
        jobs.into_iter().rev().for_each(|job| job());
    }
}

#[test]
fn logs_are_opened_by_the_workers_and_scanned_from_their_recovery_points_only() {
    let (mut world, _) = world_with(&[("num.recovery.threads.per.data.dir", "3")]);
    let batch = keyed(&world, "a");
    for _ in 0..200 {
        assert_eq!(produce_name(&mut world, &batch).error, ErrorCode::None);
    }
    world.pass(Duration::from_secs(61));
    let path = Path::new("/data/orders-0/00000000000000000000.log");
    world.restart(true);
    assert_eq!(scanned(&world), 0.0, "it was closed cleanly");
    let (mark, whole) = (text_len(&world, path), 20);
    for _ in 0..whole {
        assert_eq!(produce_name(&mut world, &batch).error, ErrorCode::None);
    }
    let workers = std::sync::Arc::new(Backwards::default());
    world.workers = Some(workers.clone());
    world.restart(false);
    let opened = workers.0.load(std::sync::atomic::Ordering::Relaxed);
    assert_eq!(opened, 2, "the topic's partitions");
    let tail = (text_len(&world, path) - mark) as f64;
    let seen = scanned(&world);
    assert!(
        seen >= tail && seen < tail + 8192.0,
        "{seen} bytes for a tail of {tail}"
    );
    assert_eq!(offset_at(&mut world, 6, -1).1, 220);
}

fn scanned(world: &World) -> f64 {
    crate::metrics::value(world, "plimsoll_log_recovery_scanned_bytes", &[]).expect("it is there")
}

fn text_len(world: &World, path: &Path) -> u64 {
    let file = world.disk.open(path, Open::Read).expect("it is there");
    file.len().expect("its length")
}
