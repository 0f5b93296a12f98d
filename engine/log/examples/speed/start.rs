//! Opening many logs that were left cleanly.

use crate::clock::timed;
use crate::fill::{NOW, append, open};
use crate::{Scale, Verdict};
use plimsoll_log::{Checkpointed, LogConfig, PartitionLog};
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

const PARTITIONS: u64 = 1000;
const SEGMENTS: usize = 5;
const WALL_MAX: Duration = Duration::from_secs(1);

pub fn run(scale: Scale) -> Verdict {
    let tmp = tempfile::tempdir()?;
    let config = Arc::new(LogConfig {
        segment_bytes: 64 << 10,
        ..LogConfig::default()
    });
    let partitions = PARTITIONS / scale.divisor;
    let dir = |partition: u64| tmp.path().join(format!("start-{partition}"));
    let value = [7; 1008];
    for partition in 0..partitions {
        let mut log = open(dir(partition), &config, Checkpointed::default())?;
        while log.segment_count() < SEGMENTS {
            append(&mut log, [(None, &value[..]); 16])?;
        }
        log.close_clean(NOW)?;
    }
    let from = Checkpointed {
        clean: true,
        ..Checkpointed::default()
    };
    let (logs, took) = timed(|| {
        (0..partitions)
            .map(|partition| open(dir(partition), &config, from))
            .collect::<Result<Vec<PartitionLog>, Box<dyn Error>>>()
    });
    let segments: usize = logs?.iter().map(PartitionLog::segment_count).sum();
    println!(
        "start: {segments} segments of {partitions} partitions opened in {:.0} ms, {:.0} ms of \
         processor (under {} ms)",
        took.wall.as_secs_f64() * 1e3,
        took.cpu.as_secs_f64() * 1e3,
        WALL_MAX.as_millis(),
    );
    Ok(took.wall < WALL_MAX)
}
