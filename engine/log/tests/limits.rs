//! Where a log ends: retention, and disks that fail or fill up.

use plimsoll_log::{
    AppendAs, AppendError, Appended, Checkpointed, CleanupPolicy, Disk as _, Fault, LogConfig,
    LogError, MemDisk, Origin, PartitionLog, Reason,
};
use plimsoll_wire::batch::{BatchBuilder, BatchHeader, BatchSettings};
use plimsoll_wire::types::{LeaderEpoch, Offset, TimestampMs};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

fn open(disk: &MemDisk, config: LogConfig) -> PartitionLog {
    let config = LogConfig {
        segment_bytes: 1000,
        ..config
    };
    let dir = PathBuf::from("/data/orders-0");
    let from = Checkpointed {
        high_watermark: Offset(i64::MAX),
        ..Checkpointed::default()
    };
    let disk = Arc::new(disk.clone());
    PartitionLog::open(disk, dir, Arc::new(config), from, TimestampMs(0))
        .unwrap()
        .0
}

/// Appends a batch of 300 bytes, one record at `timestamp`.
fn append(log: &mut PartitionLog, timestamp: i64) -> Result<Appended, AppendError> {
    let mut builder = BatchBuilder::new(BatchSettings::default());
    builder.push(TimestampMs(timestamp), None, Some(&[7; 230]));
    let mut batch = builder.build().unwrap();
    let header = BatchHeader::parse(&batch).unwrap();
    let now = TimestampMs(timestamp);
    let how = AppendAs {
        leader_epoch: LeaderEpoch(0),
        now,
        origin: Origin::Client,
    };
    let appended = log.append(&mut batch, &header, how)?;
    log.set_high_watermark(log.log_end());
    Ok(appended)
}

/// What retention takes at `now` from a log of ten records at 0, 10, … 90,
/// three to a segment, the log start at `start`.
fn check(config: LogConfig, start: i64, now: i64, expected: &[(Reason, i64)], log_start: i64) {
    let disk = MemDisk::new();
    let mut log = open(&disk, config);
    for i in 0..10 {
        append(&mut log, i * 10).unwrap();
    }
    log.delete_records_to(Offset(start)).unwrap();
    let expired = log.enforce_retention(TimestampMs(now)).unwrap();
    let taken: Vec<_> = expired
        .iter()
        .map(|e| (e.reason, e.base_offset.get()))
        .collect();
    assert_eq!(taken, expected, "at {now}");
    assert_eq!(log.log_start(), Offset(log_start), "at {now}");
    assert_eq!(log.log_end(), Offset(10));
    for e in &expired {
        assert_eq!(e.files.due, TimestampMs(now + 60_000));
        e.files.remove(&disk).unwrap();
    }
    let names = disk.list(Path::new("/data/orders-0")).unwrap();
    assert!(names.iter().all(|entry| !entry.name.ends_with(".deleted")));
    let next = append(&mut log, now).unwrap();
    assert_eq!(next.base_offset, Offset(10));
}

fn keep_for(ms: u64) -> LogConfig {
    LogConfig {
        retention_ms: Some(Duration::from_millis(ms)),
        ..LogConfig::default()
    }
}

#[test]
fn age_counts_from_a_segments_newest_record() {
    use Reason::Age;
    check(keep_for(100), 0, 120, &[], 0);
    check(keep_for(100), 0, 121, &[(Age, 0)], 3);
    check(keep_for(100), 0, 181, &[(Age, 0), (Age, 3), (Age, 6)], 9);
    check(
        keep_for(100),
        0,
        191,
        &[(Age, 0), (Age, 3), (Age, 6), (Age, 9)],
        10,
    );
}

#[test]
fn size_never_falls_below_its_limit() {
    use Reason::Size;
    let keep = |bytes| LogConfig {
        retention_bytes: Some(bytes),
        ..LogConfig::default()
    };
    let segment = 3 * 300;
    check(keep(4 * segment), 0, 100, &[], 0);
    check(keep(2 * segment + 301), 0, 100, &[], 0);
    check(keep(2 * segment + 300), 0, 100, &[(Size, 0)], 3);
    check(keep(segment), 0, 100, &[(Size, 0), (Size, 3)], 6);
}

#[test]
fn what_lies_below_the_log_start_goes_whatever_the_policy() {
    use Reason::BelowLogStart as Below;
    let compact = CleanupPolicy {
        delete: false,
        compact: true,
    };
    let config = LogConfig {
        cleanup_policy: compact,
        ..keep_for(0)
    };
    check(config.clone(), 5, 1000, &[(Below, 0)], 5);
    check(config, 9, 1000, &[(Below, 0), (Below, 3), (Below, 6)], 9);
}

#[test]
fn nothing_goes_that_is_not_replicated() {
    let mut log = open(&MemDisk::new(), keep_for(1));
    for i in 0..10 {
        append(&mut log, i).unwrap();
    }
    log.set_high_watermark(Offset(5));
    let expired = log.enforce_retention(TimestampMs(1000)).unwrap();
    assert_eq!((expired.len(), log.log_start()), (1, Offset(3)));
}

/// After a failure the log takes nothing more, still reads, and holds every
/// batch that it acknowledged once it is opened again.
fn check_failure(fail: impl FnOnce(&MemDisk), cause: impl FnOnce(&mut PartitionLog)) {
    let disk = MemDisk::new();
    let mut log = open(&disk, LogConfig::default());
    for i in 0..5 {
        append(&mut log, i).unwrap();
    }
    fail(&disk);
    cause(&mut log);
    assert!(log.is_offline());
    let refused = append(&mut log, 9);
    assert!(
        matches!(refused, Err(AppendError::Log(LogError::Offline { .. }))),
        "{refused:?}"
    );
    assert!(matches!(
        log.flush(TimestampMs(0)),
        Err(LogError::Offline { .. })
    ));
    assert_eq!(log.log_end(), Offset(5));
    assert!(
        !log.read(Offset(0), 100, true, Offset(5))
            .unwrap()
            .is_empty()
    );
    drop(log);
    disk.heal();
    disk.set_capacity(None);
    let mut log = open(&disk, LogConfig::default());
    assert_eq!(log.log_end(), Offset(5));
    append(&mut log, 9).unwrap();
}

#[test]
fn a_failed_write_takes_the_log_offline() {
    let failing_append = |log: &mut PartitionLog| {
        assert!(matches!(
            append(log, 9),
            Err(AppendError::Log(LogError::Io { .. }))
        ));
    };
    check_failure(|disk| disk.fail(Fault::Write), failing_append);
    check_failure(|disk| disk.set_capacity(Some(1600)), failing_append);
}

#[test]
fn a_failed_sync_takes_the_log_offline() {
    check_failure(
        |disk| disk.fail(Fault::Sync),
        |log| {
            assert!(matches!(
                log.flush(TimestampMs(0)),
                Err(LogError::Io { .. })
            ))
        },
    );
}

#[test]
fn a_failed_read_is_an_error_and_nothing_more() {
    let disk = MemDisk::new();
    let mut log = open(&disk, LogConfig::default());
    append(&mut log, 1).unwrap();
    disk.fail(Fault::Read);
    assert!(log.read(Offset(0), 100, true, Offset(1)).is_err());
    assert!(
        !log.read(Offset(0), 100, true, Offset(1))
            .unwrap()
            .is_empty()
    );
    append(&mut log, 2).unwrap();
}

#[test]
fn a_flush_that_is_under_way_keeps_another_from_claiming_its_bytes() {
    let mut log = open(&MemDisk::new(), LogConfig::default());
    append(&mut log, 1).unwrap();
    let flush = log.begin_flush().unwrap().unwrap();
    append(&mut log, 2).unwrap();
    assert!(log.begin_flush().unwrap().is_none());
    assert_eq!(log.recovery_point(), Offset(0));
    log.end_flush(&flush, flush.run(), TimestampMs(0)).unwrap();
    assert_eq!(log.recovery_point(), Offset(1));
    log.flush(TimestampMs(0)).unwrap();
    assert_eq!(log.recovery_point(), Offset(2));
}
