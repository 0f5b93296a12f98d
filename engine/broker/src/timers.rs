//! What is due when: the broker's regular work.

use crate::config::Limits;
use parking_lot::Mutex;
use plimsoll_log::Doomed;
use plimsoll_wire::time::{Instant, Now};
use std::path::PathBuf;
use std::time::Duration;

/// How often logs that ask for a flush are looked for.
pub(crate) const FLUSH_CHECK: Duration = Duration::from_millis(500);

/// The due times of regular work.
pub(crate) struct Timers {
    due: Mutex<Due>,
}

/// When each kind of work is due next.
struct Due {
    retention: Instant,
    checkpoint: Instant,
    flush: Instant,
    clean: Instant,
    /// Directories of deleted partitions, by when they may be removed.
    purges: Vec<(Instant, PathBuf)>,
    /// Files of deleted segments, which know when they may be removed.
    doomed: Vec<Doomed>,
}

/// The work that is due.
#[derive(Debug, Default)]
pub(crate) struct Work {
    pub(crate) retention: bool,
    pub(crate) checkpoint: bool,
    pub(crate) flush: bool,
    pub(crate) purges: Vec<PathBuf>,
    pub(crate) doomed: Vec<Doomed>,
}

impl Timers {
    pub(crate) fn new(now: Now, limits: &Limits) -> Self {
        Self {
            due: Mutex::new(Due {
                retention: now.mono.after(limits.retention_check_interval),
                checkpoint: now.mono.after(limits.checkpoint_interval),
                flush: now.mono.after(FLUSH_CHECK),
                clean: now.mono.after(limits.clean_backoff),
                purges: Vec::new(),
                doomed: Vec::new(),
            }),
        }
    }

    /// Takes the work that is due and plans its next turn.
    pub(crate) fn take(&self, now: Now, limits: &Limits) -> Work {
        let mut due = self.due.lock();
        let turn = |at: &mut Instant, every: Duration| {
            let is_due = *at <= now.mono;
            if is_due {
                *at = now.mono.after(every);
            }
            is_due
        };
        let mut work = Work {
            retention: turn(&mut due.retention, limits.retention_check_interval),
            checkpoint: turn(&mut due.checkpoint, limits.checkpoint_interval),
            flush: turn(&mut due.flush, FLUSH_CHECK),
            purges: Vec::new(),
            doomed: Vec::new(),
        };
        if work.flush {
            let doomed = std::mem::take(&mut due.doomed);
            (work.doomed, due.doomed) = doomed.into_iter().partition(|files| files.due <= now.wall);
        }
        due.purges.retain(|(at, path)| {
            let is_due = *at <= now.mono;
            if is_due {
                work.purges.push(path.clone());
            }
            !is_due
        });
        work
    }

    /// Plans the removal of a directory.
    pub(crate) fn purge_at(&self, at: Instant, path: PathBuf) {
        self.due.lock().purges.push((at, path));
    }

    /// Plans the removal of files of deleted segments.
    pub(crate) fn doom(&self, files: Doomed) {
        self.due.lock().doomed.push(files);
    }

    /// Whether logs should be looked at for compaction.
    pub(crate) fn is_clean_due(&self, now: Now) -> bool {
        self.due.lock().clean <= now.mono
    }

    /// Plans the next look for compaction.
    pub(crate) fn clean_at(&self, at: Instant) {
        self.due.lock().clean = at;
    }

    /// When logs should be looked at for compaction.
    pub(crate) fn next_clean(&self) -> Instant {
        self.due.lock().clean
    }

    /// When something is due next.
    pub(crate) fn next(&self) -> Instant {
        let due = self.due.lock();
        let purge = due.purges.iter().map(|(at, _)| *at).min();
        let regular = due.retention.min(due.checkpoint).min(due.flush);
        purge.map_or(regular, |purge| purge.min(regular))
    }
}
