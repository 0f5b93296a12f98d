//! What the checkpoint files say of all logs at one time.

use plimsoll_log::{Checkpoints, PartitionLog, TopicPartition};
use plimsoll_wire::types::Offset;
use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};

/// The offsets of all logs at one time, by data directory.
#[derive(Debug, Default)]
pub(crate) struct Marks {
    by_dir: HashMap<PathBuf, Checkpoints>,
    /// Partitions whose logs could not be opened: what the files say of them
    /// stays as it is.
    unopened: BTreeSet<TopicPartition>,
}

impl Marks {
    /// The recovery point that was noted for a partition.
    pub(crate) fn recovery_point(&self, partition: &TopicPartition) -> Option<Offset> {
        self.by_dir
            .values()
            .find_map(|marks| marks.recovery_points.get(partition).copied())
    }

    /// Takes note of one log.
    pub(crate) fn add(&mut self, partition: TopicPartition, log: &PartitionLog) {
        let Some(dir) = log.dir().parent() else {
            return;
        };
        let marks = self.by_dir.entry(dir.to_owned()).or_default();
        marks
            .recovery_points
            .insert(partition.clone(), log.recovery_point());
        marks.log_starts.insert(partition.clone(), log.log_start());
        marks.cleaned.insert(partition.clone(), log.cleaned_to());
        marks
            .high_watermarks
            .insert(partition, log.high_watermark());
    }

    /// Takes note of a partition without a log.
    pub(crate) fn keep(&mut self, partition: TopicPartition) {
        self.unopened.insert(partition);
    }

    /// What was noted for one directory.
    pub(super) fn of(&self, dir: &Path) -> Checkpoints {
        self.by_dir.get(dir).cloned().unwrap_or_default()
    }

    pub(super) const fn unopened(&self) -> &BTreeSet<TopicPartition> {
        &self.unopened
    }
}
