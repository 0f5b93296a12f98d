//! Logs: their sizes, their offsets, and the directories they lie in.

use super::family::{Family, Kind, Value};
use crate::broker::Broker;
use plimsoll_log::PartitionLog;

/// A gauge of one log, its name and its MBean.
type Gauge = (&'static str, &'static str, fn(&PartitionLog) -> f64);

const GAUGES: [Gauge; 4] = [
    (
        "kafka_log_Log_Size",
        "kafka.log:type=Log,name=Size,topic=…,partition=…: bytes of batches.",
        |log| log.size_bytes() as f64,
    ),
    (
        "kafka_log_Log_NumLogSegments",
        "kafka.log:type=Log,name=NumLogSegments,topic=…,partition=…",
        |log| log.segment_count() as f64,
    ),
    (
        "kafka_log_Log_LogStartOffset",
        "kafka.log:type=Log,name=LogStartOffset,topic=…,partition=…",
        |log| log.log_start().get() as f64,
    ),
    (
        "kafka_log_Log_LogEndOffset",
        "kafka.log:type=Log,name=LogEndOffset,topic=…,partition=…",
        |log| log.log_end().get() as f64,
    ),
];

impl Broker {
    /// The gauges of every log that is open.
    pub(super) fn log_families(&self) -> Vec<Family> {
        let mut families = GAUGES.map(|(name, help, _)| Family::new(name, Kind::Gauge, help));
        for partition in self.catalog().partitions() {
            let held = partition.lock();
            let Ok(log) = held.log() else { continue };
            let levels = GAUGES.map(|(_, _, gauge)| gauge(log));
            drop(held);
            for (family, level) in families.iter_mut().zip(levels) {
                family.push(partition.labels(), Value::Level(level));
            }
        }
        families.into()
    }

    /// Which directories work, and their room.
    pub(super) fn log_dir_families(&self) -> Vec<Family> {
        let mut offline = Family::new(
            "kafka_log_LogManager_LogDirectoryOffline",
            Kind::Gauge,
            "kafka.log:type=LogManager,name=LogDirectoryOffline,logDirectory=…: 1 when its disk \
             has failed.",
        );
        let mut usable = Family::new(
            "plimsoll_log_dir_usable_bytes",
            Kind::Gauge,
            "What may still be written to the volume of a log directory.",
        );
        let mut total = Family::new(
            "plimsoll_log_dir_total_bytes",
            Kind::Gauge,
            "The size of the volume of a log directory.",
        );
        let mut failed = 0.0;
        for (dir, is_offline) in self.log_dirs() {
            let labels = || vec![("logDirectory", dir.display().to_string())];
            offline.push(labels(), Value::Level(f64::from(u8::from(is_offline))));
            if is_offline {
                failed += 1.0;
            } else if let Ok(space) = self.disk().space(dir) {
                usable.push(labels(), Value::Level(space.usable as f64));
                total.push(labels(), Value::Level(space.total as f64));
            }
        }
        let count = Family::level(
            "kafka_log_LogManager_OfflineLogDirectoryCount",
            "kafka.log:type=LogManager,name=OfflineLogDirectoryCount: directories whose disk has \
             failed.",
            failed,
        );
        let scanned = Family::level(
            "plimsoll_log_recovery_scanned_bytes",
            "Bytes that were compared with their checksums at the start, because logs had not \
             been closed.",
            self.dirs.scanned_bytes() as f64,
        );
        vec![count, offline, usable, total, scanned]
    }
}
