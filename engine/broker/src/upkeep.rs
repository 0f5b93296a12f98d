//! Regular work, and the orderly end.

use crate::broker::Broker;
use crate::error::BrokerError;
use crate::log_dirs::Marks;
use crate::partition::Partition;
use plimsoll_log::{LogError, PartitionLog, TopicPartition};
use plimsoll_wire::time::{Instant, Now};
use std::time::Duration;

/// How often groups are looked at while they have any deadline.
const GROUP_CHECK: Duration = Duration::from_millis(100);

impl Broker {
    /// Does the work that is due: flushes, checkpoints, retention, removals.
    /// Answers when something is due next. Work here may wait for the disk.
    pub fn tick(&self, now: Now) -> Instant {
        let work = self.timers.take(now, &self.limits());
        if work.flush {
            for partition in self.catalog().partitions() {
                report(partition, "flush", flush_if_wanted(partition, now));
            }
        }
        if !self.commits.has_committer() {
            self.commit(now);
        }
        if work.checkpoint {
            self.checkpoint();
        }
        if work.retention {
            self.retain(now);
        }
        for files in work.doomed {
            if let Err(error) = files.remove(self.disk()) {
                let remedy = error.remedy();
                tracing::error!(%error, "cannot remove the files of a deleted segment: {remedy}");
            }
        }
        for path in work.purges {
            if let Err(error) = self.dirs.purge(&path) {
                let remedy = error.remedy();
                tracing::error!(%error, path = %path.display(), "cannot remove a deleted log: {remedy}");
            }
        }
        self.act_on_faults();
        let groups = self
            .tick_groups(now)
            .into_iter()
            .chain(self.tick_transactions(now))
            .min();
        // A request may bring a nearer deadline after this look.
        let soon = groups.map(|at| at.min(now.mono.after(GROUP_CHECK)));
        soon.map_or(self.timers.next(), |at| at.min(self.timers.next()))
    }

    /// Gives up segments that are too old or too many, forgets producers that
    /// have been silent for long, and frees what idle logs hold.
    fn retain(&self, now: Now) {
        for partition in self.catalog().partitions() {
            let mut held = partition.lock();
            report(partition, "free the memory of a log", held.rest_if_idle());
            let Ok(log) = held.log_mut() else {
                continue;
            };
            log.expire_producers(now.wall);
            match log.enforce_retention(now.wall) {
                Ok(expired) if expired.is_empty() => {}
                Ok(expired) => {
                    let (topic, index) = (&partition.topic, partition.index.get());
                    for segment in expired {
                        let base = segment.base_offset.get();
                        let reason = segment.reason;
                        tracing::info!(%topic, partition = index, base, ?reason, "segment deleted");
                        self.timers.doom(segment.files);
                    }
                    held.wake_all();
                }
                Err(error) => report(partition, "enforce retention", Err(error)),
            }
        }
    }

    pub(crate) fn checkpoint(&self) {
        let marks = self.marks();
        let failed = self.dirs.store(&marks);
        let is_stored = |partition: &Partition| {
            let dir = partition.log_dir();
            !failed.iter().any(|(path, _)| Some(*path) == dir.as_deref())
        };
        for partition in self.catalog().partitions() {
            if is_stored(partition)
                && let Some(recovery_point) = marks.recovery_point(&name(partition))
            {
                partition.stored(recovery_point);
            }
        }
        self.dirs_failed(&failed);
    }

    /// Closes every log, writes the checkpoints and leaves the mark of a clean
    /// shutdown. Requests that come later are sent to look for another leader.
    ///
    /// # Errors
    /// When something could not be written. Then the mark is missing and the
    /// next start recovers.
    pub fn shutdown(&self, now: Now) -> Result<(), BrokerError> {
        let mut marks = self.dirs.unopened_marks();
        let mut failed = None;
        for partition in self.catalog().partitions() {
            let mut held = partition.lock();
            if partition.is_offline() {
                marks.keep(name(partition));
            }
            let Ok(log) = held.log_mut() else {
                continue;
            };
            match log.close_clean(now.wall) {
                Ok(()) => marks.add(name(partition), log),
                Err(error) => {
                    // Its directory is not left clean, whatever else failed.
                    partition.storage_failed("close a log", &error);
                    partition.log_dir().map(|dir| self.dirs.fail(&dir));
                    failed = Some(error);
                }
            }
            held.close();
        }
        let stored = self.dirs.store(&marks);
        for (dir, _) in &stored {
            self.dirs.fail(dir);
        }
        let marked = self.dirs.mark_clean();
        let first = stored.into_iter().chain(marked).map(|(_, error)| error);
        match failed.into_iter().chain(first).next() {
            Some(error) => Err(error.into()),
            None => {
                self.note_clean_stop();
                Ok(())
            }
        }
    }

    pub(crate) fn marks(&self) -> Marks {
        let mut marks = self.dirs.unopened_marks();
        for partition in self.catalog().partitions() {
            match partition.lock().log() {
                Ok(log) => marks.add(name(partition), log),
                Err(_) => marks.keep(name(partition)),
            }
        }
        marks
    }
}

fn name(partition: &Partition) -> TopicPartition {
    TopicPartition {
        topic: partition.topic.to_string(),
        partition: partition.index,
    }
}

/// Flushes a log that asks for it, without holding its lock over the slow part.
fn flush_if_wanted(partition: &Partition, now: Now) -> Result<(), LogError> {
    flush_if(partition, now, |log| log.wants_flush(now.wall))
}

/// Flushes a log whatever it asks for, without holding its lock meanwhile.
pub(crate) fn sync_log(partition: &Partition, now: Now) {
    report(partition, "flush", flush_if(partition, now, |_| true));
}

fn flush_if(
    partition: &Partition,
    now: Now,
    wants: impl FnOnce(&PartitionLog) -> bool,
) -> Result<(), LogError> {
    let (flush, life) = {
        let mut held = partition.lock();
        let life = held.life();
        let Ok(log) = held.log_mut() else {
            return Ok(());
        };
        if !wants(log) {
            return Ok(());
        }
        (log.begin_flush()?, life)
    };
    let Some(flush) = flush else {
        return Ok(());
    };
    let outcome = flush.run();
    let mut held = partition.lock();
    if held.life() != life {
        return Ok(());
    }
    match held.log_mut() {
        Ok(log) => log.end_flush(&flush, outcome, now.wall),
        Err(_) => outcome,
    }
}

fn report(partition: &Partition, action: &str, outcome: Result<(), LogError>) {
    if let Err(error) = outcome {
        partition.storage_failed(action, &error);
    }
}
