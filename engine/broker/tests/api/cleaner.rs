//! Compaction in the background: its speed, its threads, its state.

use crate::client::{delete_orders, produce_name, world_with};
use crate::metrics::value;
use crate::support::World;
use plimsoll_broker::CleanerClock;
use plimsoll_wire::batch::{BatchBuilder, BatchSettings};
use plimsoll_wire::error_code::ErrorCode;
use plimsoll_wire::time::Now;
use plimsoll_wire::types::TimestampMs;
use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

/// A clock that jumps over every pause, and calls someone at the first.
struct Jumping<'a> {
    now: Mutex<Now>,
    paused: Mutex<Duration>,
    at_pause: Box<dyn Fn() + 'a>,
}

impl<'a> Jumping<'a> {
    fn new(now: Now, at_pause: impl Fn() + 'a) -> Self {
        Self {
            now: Mutex::new(now),
            paused: Mutex::default(),
            at_pause: Box::new(at_pause),
        }
    }
}

impl CleanerClock for Jumping<'_> {
    fn now(&self) -> Now {
        *self.now.lock().unwrap()
    }

    fn pause(&self, time: Duration) {
        let first = std::mem::replace(&mut *self.paused.lock().unwrap(), Duration::MAX);
        if first.is_zero() {
            (self.at_pause)();
        }
        *self.paused.lock().unwrap() = first + time;
        let mut now = self.now.lock().unwrap();
        now.mono = now.mono.after(time);
    }
}

/// A world with one compacted partition of some megabytes that are dirty and
/// durable.
fn dirty(settings: &[(&str, &str)]) -> World {
    let mut all = vec![
        ("log.cleanup.policy", "compact"),
        ("log.segment.bytes", "1000000"),
        ("log.cleaner.min.cleanable.ratio", "0.01"),
    ];
    all.extend_from_slice(settings);
    let (mut world, _) = world_with(&all);
    for round in 0..60_u8 {
        let mut builder = BatchBuilder::new(BatchSettings::default());
        let now = TimestampMs(world.now.wall.get());
        builder.push(now, Some(&[round % 7]), Some(&[round; 90_000]));
        let batch = builder.build().expect("it builds");
        assert_eq!(produce_name(&mut world, &batch).error, ErrorCode::None);
    }
    for _ in 0..2 {
        world.pass(Duration::from_secs(61));
        world.broker.tick(world.now);
    }
    world
}

const ORDERS: &[(&str, &str)] = &[("topic", "orders"), ("partition", "0")];

#[test]
fn a_pass_moves_no_more_bytes_a_second_than_it_may() {
    let world = dirty(&[("log.cleaner.io.max.bytes.per.second", "1000000")]);
    let ratio = value(&world, "plimsoll_log_cleaner_dirty_ratio", ORDERS);
    assert_eq!(ratio, Some(1.0), "nothing is compacted yet");
    let clock = Jumping::new(world.now, || {
        let progress = value(&world, "plimsoll_log_cleaner_progress_ratio", ORDERS);
        assert!(progress.is_some_and(|p| p > 0.0 && p < 1.0), "{progress:?}");
    });
    world.broker.clean_paced(&clock);
    let moved = value(&world, "plimsoll_log_cleaner_io_bytes", &[]).expect("it is counted");
    let paused = clock.paused.lock().unwrap().as_secs_f64();
    assert!(moved > 9e6, "{moved} bytes");
    assert!(
        (paused - moved / 1e6).abs() < 0.01,
        "{moved} bytes in {paused} s"
    );
    assert_eq!(
        value(&world, "plimsoll_log_cleaner_progress_ratio", ORDERS),
        None
    );
    assert_eq!(value(&world, "plimsoll_log_cleaner_passes", &[]), Some(1.0));
    let ratio = value(&world, "plimsoll_log_cleaner_dirty_ratio", ORDERS);
    assert_eq!(ratio, Some(0.0));
    let percent = value(&world, "kafka_log_LogCleanerManager_max_dirty_percent", &[]);
    assert_eq!(percent, Some(0.0));
}

#[test]
fn a_log_is_cleaned_by_one_thread_at_a_time() {
    let world = dirty(&[
        ("log.cleaner.threads", "2"),
        ("log.cleaner.io.max.bytes.per.second", "1000000"),
    ]);
    assert_eq!(world.broker.cleaner_threads(), 2);
    let passes = || value(&world, "plimsoll_log_cleaner_passes", &[]);
    let clock = Jumping::new(world.now, || {
        // The second thread looks while the first is at work.
        world.broker.clean_paced(&Jumping::new(world.now, || {}));
        assert_eq!(passes(), Some(0.0), "there is nothing else to clean");
    });
    world.broker.clean_paced(&clock);
    assert_eq!(passes(), Some(1.0));
}

#[test]
fn a_shutdown_ends_a_pass_that_waits() {
    let world = dirty(&[("log.cleaner.io.max.bytes.per.second", "1000")]);
    let clock = Jumping::new(world.now, || world.broker.stop_cleaning());
    world.broker.clean_paced(&clock);
    let paused = *clock.paused.lock().unwrap();
    assert!(paused < Duration::from_secs(1), "it waited for {paused:?}");
    assert_eq!(value(&world, "plimsoll_log_cleaner_passes", &[]), Some(0.0));
}

#[test]
fn a_topic_deleted_during_a_pass_is_no_failed_disk() {
    let world = dirty(&[("log.cleaner.io.max.bytes.per.second", "1000000")]);
    let clock = Jumping::new(world.now, || delete_orders(&world));
    world.broker.clean_paced(&clock);
    let offline = value(&world, "kafka_log_LogManager_OfflineLogDirectoryCount", &[]);
    assert_eq!(offline, Some(0.0));
}

#[test]
fn a_log_that_cannot_be_read_is_given_up_and_told() {
    let mut world = dirty(&[]);
    let segment = Path::new("/data/orders-0/00000000000000000000.log");
    world.disk.flip(segment, 5000, 1);
    let size = value(&world, "kafka_log_Log_Size", ORDERS);
    for _ in 0..2 {
        world.broker.clean(world.now);
        world.pass(Duration::from_secs(60));
    }
    let state = |name: &str| value(&world, name, &[]);
    assert_eq!(
        state("plimsoll_log_cleaner_failures"),
        Some(1.0),
        "tried once"
    );
    let uncleanable = "kafka_log_LogCleanerManager_uncleanable_partitions_count";
    assert_eq!(state(uncleanable), Some(1.0));
    assert_eq!(
        value(&world, "kafka_log_Log_Size", ORDERS),
        size,
        "nothing is touched"
    );
    assert_eq!(
        state("kafka_log_LogManager_OfflineLogDirectoryCount"),
        Some(0.0)
    );
}

/// A restart must know what has been compacted: a log that is taken for dirty
/// again is read and written again, each time.
#[test]
fn what_has_been_cleaned_is_remembered_over_a_restart() {
    let mut world = dirty(&[]);
    world.broker.clean(world.now);
    world.restart(true);
    let ratio = value(&world, "plimsoll_log_cleaner_dirty_ratio", ORDERS);
    assert_eq!(ratio, Some(0.0));
}
