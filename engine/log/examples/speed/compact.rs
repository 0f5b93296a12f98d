//! One pass over a log in which each key lies ten times.

use crate::clock::{peak, reset_peak, timed};
use crate::fill::{NOW, append, open};
use crate::{Scale, Verdict};
use plimsoll_log::{Checkpointed, CleanupPolicy, LogConfig};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::ops::ControlFlow;
use std::sync::Arc;

const RECORDS: u64 = 1 << 20;
const RECORDS_A_KEY: u64 = 10;
const RECORDS_A_BATCH: usize = 16;
const KEY_BYTES: usize = 16;
/// With the key and what the format adds, 1 KiB.
const VALUE_BYTES: usize = 1000;
/// Kafka's default for the map of keys.
const MAP_BYTES: usize = (128 << 20) / 10 * 9;

pub fn run(scale: Scale) -> Verdict {
    let tmp = tempfile::tempdir()?;
    let config = Arc::new(LogConfig {
        cleanup_policy: CleanupPolicy {
            delete: false,
            compact: true,
        },
        segment_bytes: (128 << 20) / scale.divisor,
        ..LogConfig::default()
    });
    let dir = tmp.path().join("compact-0");
    let mut log = open(dir, &config, Checkpointed::default())?;
    let records = RECORDS / scale.divisor;
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let mut value = vec![0; VALUE_BYTES];
    rng.fill(&mut value[..]);
    for _ in 0..records / RECORDS_A_BATCH as u64 {
        let keys = [(); RECORDS_A_BATCH].map(|()| {
            let key = rng.random_range(0..records / RECORDS_A_KEY);
            format!("{key:0KEY_BYTES$}")
        });
        append(
            &mut log,
            keys.iter().map(|key| (Some(key.as_bytes()), &value[..])),
        )?;
    }
    log.roll(NOW)?;
    log.flush(NOW)?;
    let plan = log
        .plan_clean(NOW, log.recovery_point())?
        .ok_or("nothing to compact")?;
    let before = reset_peak();
    let (cleaned, took) = timed(|| plan.run(MAP_BYTES, &mut |_| ControlFlow::Continue(())));
    let memory = peak().saturating_sub(before);
    let cleaned = cleaned?.ok_or("the pass was stopped")?;
    let progress = cleaned.progress;
    let bytes = progress.read_bytes as f64;
    drop(plan);
    log.install(cleaned, NOW)?.ok_or("the log has changed")?;
    println!(
        "compact: {:.0} MB of 1 KiB records to {:.0} MB, {} keys: {:.0} MB/s, {:.2} CPU s per GB, \
         {:.1} MiB more memory at its peak (24 bytes a key are {:.1} MiB)",
        bytes / 1e6,
        progress.written_bytes as f64 / 1e6,
        progress.keys,
        bytes / 1e6 / took.wall.as_secs_f64(),
        took.cpu.as_secs_f64() / (bytes / 1e9),
        memory as f64 / f64::from(1 << 20),
        (progress.keys * 24) as f64 / f64::from(1 << 20),
    );
    Ok(true)
}
