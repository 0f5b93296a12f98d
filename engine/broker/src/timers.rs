//! What is due when: the broker's regular work.

use crate::config::Limits;
use parking_lot::Mutex;
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
    /// Directories of deleted partitions, by when they may be removed.
    purges: Vec<(Instant, PathBuf)>,
}

/// The work that is due.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Work {
    pub(crate) retention: bool,
    pub(crate) checkpoint: bool,
    pub(crate) flush: bool,
    pub(crate) purges: Vec<PathBuf>,
}

impl Timers {
    pub(crate) fn new(now: Now, limits: &Limits) -> Self {
        Self {
            due: Mutex::new(Due {
                retention: now.mono.after(limits.retention_check_interval),
                checkpoint: now.mono.after(limits.checkpoint_interval),
                flush: now.mono.after(FLUSH_CHECK),
                purges: Vec::new(),
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
        };
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

    /// When something is due next.
    pub(crate) fn next(&self) -> Instant {
        let due = self.due.lock();
        let purge = due.purges.iter().map(|(at, _)| *at).min();
        let regular = due.retention.min(due.checkpoint).min(due.flush);
        purge.map_or(regular, |purge| purge.min(regular))
    }
}
