//! The cleaner's state as metrics: how far it is behind, and what it does.

use crate::broker::Broker;
use crate::metrics::{Family, Kind, Value};
use plimsoll_wire::time::Now;
use std::sync::atomic::Ordering;

impl Broker {
    /// The cleaner's families.
    pub(crate) fn cleaner_families(&self, now: Now) -> Vec<Family> {
        let mut families = self.lag_families(now);
        families.extend(self.last_pass_families(now));
        let stats = &self.cleaner.stats;
        let mut progress = Family::new(
            "plimsoll_log_cleaner_progress_ratio",
            Kind::Gauge,
            "How far the compaction of a log under way has come, from 0 to 1.",
        );
        for pass in stats.underway() {
            progress.push(pass.labels.clone(), Value::Level(pass.ratio()));
        }
        families.push(progress);
        families.extend([
            Family::count(
                "plimsoll_log_cleaner_passes",
                "Compactions of a log that came to their end.",
                stats.passes.get(),
            ),
            Family::count(
                "plimsoll_log_cleaner_failures",
                "Compactions of a log that failed.",
                stats.failures.get(),
            ),
            Family::count(
                "plimsoll_log_cleaner_io_bytes",
                "Bytes that compaction has read and written.",
                stats.bytes.get(),
            ),
            Family::count(
                "plimsoll_log_cleaner_throttled_milliseconds",
                "How long compaction has waited for log.cleaner.io.max.bytes.per.second.",
                stats.throttled_ms.get(),
            ),
        ]);
        families
    }

    /// How far each compacted log is behind.
    fn lag_families(&self, now: Now) -> Vec<Family> {
        let mut dirty_ratio = Family::new(
            "plimsoll_log_cleaner_dirty_ratio",
            Kind::Gauge,
            "The uncompacted share of a compacted log without its active segment, which \
             min.cleanable.dirty.ratio is compared with.",
        );
        let mut lag_bytes = Family::new(
            "plimsoll_log_cleaner_lag_bytes",
            Kind::Gauge,
            "Bytes of a compacted log that were never compacted, its active segment included.",
        );
        let mut lag_seconds = Family::new(
            "plimsoll_log_cleaner_lag_seconds",
            Kind::Gauge,
            "The age of the oldest record of a compacted log that was never compacted.",
        );
        let (mut max_ratio, mut max_seconds) = (0.0_f64, 0.0_f64);
        let (mut uncleanable, mut uncleanable_bytes) = (0.0, 0.0);
        for partition in self.catalog().partitions() {
            let held = partition.lock();
            let lag = held.log().ok().and_then(|log| log.compaction_lag().ok()?);
            drop(held);
            let Some(lag) = lag else { continue };
            let sealed = (lag.clean_bytes + lag.dirty_bytes).max(1);
            let ratio = lag.dirty_bytes as f64 / sealed as f64;
            let behind = (lag.dirty_bytes + lag.active_bytes) as f64;
            let seconds = lag.oldest_dirty.map_or(0.0, |oldest| {
                (now.wall.get() - oldest.get()).max(0) as f64 / 1000.0
            });
            max_ratio = max_ratio.max(ratio);
            max_seconds = max_seconds.max(seconds);
            if partition.uncleanable.load(Ordering::Relaxed) {
                uncleanable += 1.0;
                uncleanable_bytes += behind;
            }
            dirty_ratio.push(partition.labels(), Value::Level(ratio));
            lag_bytes.push(partition.labels(), Value::Level(behind));
            lag_seconds.push(partition.labels(), Value::Level(seconds));
        }
        vec![
            Family::level(
                "kafka_log_LogCleanerManager_max_dirty_percent",
                "kafka.log:type=LogCleanerManager,name=max-dirty-percent",
                max_ratio * 100.0,
            ),
            Family::level(
                "kafka_log_LogCleanerManager_uncleanable_partitions_count",
                "kafka.log:type=LogCleanerManager,name=uncleanable-partitions-count",
                uncleanable,
            ),
            Family::level(
                "kafka_log_LogCleanerManager_uncleanable_bytes",
                "kafka.log:type=LogCleanerManager,name=uncleanable-bytes",
                uncleanable_bytes,
            ),
            Family::level(
                "kafka_log_LogCleaner_max_compaction_delay_secs",
                "kafka.log:type=LogCleaner,name=max-compaction-delay-secs",
                max_seconds,
            ),
            dirty_ratio,
            lag_bytes,
            lag_seconds,
        ]
    }

    fn last_pass_families(&self, now: Now) -> Vec<Family> {
        let Some(last) = *self.cleaner.stats.last.lock() else {
            return Vec::new();
        };
        let since = now.mono.since(last.ended.mono);
        vec![
            Family::level(
                "kafka_log_LogCleanerManager_time_since_last_run_ms",
                "kafka.log:type=LogCleanerManager,name=time-since-last-run-ms",
                since.as_secs_f64() * 1000.0,
            ),
            Family::level(
                "kafka_log_LogCleaner_max_clean_time_secs",
                "kafka.log:type=LogCleaner,name=max-clean-time-secs: of the last compaction.",
                last.took.as_secs_f64(),
            ),
            Family::level(
                "kafka_log_LogCleaner_cleaner_recopy_percent",
                "kafka.log:type=LogCleaner,name=cleaner-recopy-percent: of the last compaction.",
                last.recopied_percent,
            ),
            Family::level(
                "kafka_log_LogCleaner_max_buffer_utilization_percent",
                "kafka.log:type=LogCleaner,name=max-buffer-utilization-percent: of the last \
                 compaction.",
                last.buffer_percent,
            ),
        ]
    }
}
