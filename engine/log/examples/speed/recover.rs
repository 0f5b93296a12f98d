//! The scan after a crash against the least that it could do.

use crate::clock::{Took, median, timed};
use crate::fill::{NOW, append, open};
use crate::{Scale, Verdict};
use plimsoll_log::{Checkpointed, LogConfig};
use plimsoll_wire::batch::crc32c;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

const LOG_BYTES: u64 = 1 << 30;
const RECORDS_A_BATCH: usize = 16;
const READ_BYTES: usize = 1 << 20;
/// How many times as long as the floor the scan may take.
const RATIO_MAX: f64 = 1.5;

pub fn run(scale: Scale) -> Verdict {
    let tmp = tempfile::tempdir()?;
    let dir = tmp.path().join("recover-0");
    let config = Arc::new(LogConfig::default());
    let mut log = open(dir.clone(), &config, Checkpointed::default())?;
    let value = [7; 1008];
    while log.size_bytes() < LOG_BYTES / scale.divisor - (64 << 10) {
        append(&mut log, [(None, &value[..]); RECORDS_A_BATCH])?;
    }
    log.flush(NOW)?;
    let bytes = log.size_bytes() as f64;
    drop(log);
    let file = dir.join("00000000000000000000.log");
    let (mut scans, mut floors) = (Vec::new(), Vec::new());
    for _ in 0..scale.rounds {
        let (opened, took) = timed(|| open(dir.clone(), &config, Checkpointed::default()));
        opened?;
        scans.push(took);
        let (sum, took) = timed(|| checksum(&file));
        std::hint::black_box(sum?);
        floors.push(took);
    }
    let middle = |times: &[Took], of: fn(&Took) -> Duration| {
        median(times.iter().map(of).collect()).as_secs_f64()
    };
    let wall = middle(&scans, |t| t.wall) / middle(&floors, |t| t.wall);
    let cpu = middle(&scans, |t| t.cpu) / middle(&floors, |t| t.cpu);
    let speed = |seconds: f64| bytes / seconds / 1e9;
    println!(
        "recover: {:.0} MB scanned at {:.2} GB/s, read and checksummed at {:.2} GB/s: {wall:.2} \
         times as long, {cpu:.2} times the processor (medians of {} turns; at most {RATIO_MAX})",
        bytes / 1e6,
        speed(middle(&scans, |t| t.wall)),
        speed(middle(&floors, |t| t.wall)),
        scale.rounds,
    );
    Ok(wall <= RATIO_MAX)
}

fn checksum(path: &Path) -> std::io::Result<u32> {
    let mut file = File::open(path)?;
    let mut buffer = vec![0; READ_BYTES];
    let mut sum = 0;
    loop {
        let got = file.read(&mut buffer)?;
        let Some(bytes) = buffer.get(..got).filter(|bytes| !bytes.is_empty()) else {
            return Ok(sum);
        };
        sum ^= crc32c(bytes);
    }
}
