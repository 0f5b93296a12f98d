//! Coordinators with news: what they wrote has been replicated, so that their
//! replies may leave and their next steps be taken.
//!
//! A partition's lock is held when it says so. So the news is noted, and acted
//! on by whoever does the broker's work.

use crate::outcome::Wake;
use parking_lot::Mutex;
use plimsoll_wire::types::PartitionIndex;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Which coordinators of one kind have news.
#[derive(Default)]
pub(crate) struct News {
    of: Mutex<BTreeSet<PartitionIndex>>,
    worker: Mutex<Option<Arc<dyn Wake>>>,
}

impl News {
    /// `worker` is told of news.
    pub(crate) fn tell(&self, worker: Arc<dyn Wake>) {
        *self.worker.lock() = Some(worker);
    }

    /// Takes the news.
    pub(crate) fn take(&self) -> BTreeSet<PartitionIndex> {
        std::mem::take(&mut *self.of.lock())
    }
}

/// Notes that one coordinator has news.
pub(crate) struct Note {
    /// The coordinator's partition.
    pub(crate) index: PartitionIndex,
    /// Where it is noted.
    pub(crate) news: Arc<News>,
}

impl Wake for Note {
    fn wake(&self) {
        self.news.of.lock().insert(self.index);
        if let Some(worker) = &*self.news.worker.lock() {
            worker.wake();
        }
    }
}
