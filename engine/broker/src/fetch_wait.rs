//! A fetch that waits for bytes, as the partitions it reads see it.

use crate::outcome::Wake;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

/// One waiting fetch, shared by its owner and the partitions it reads. A
/// partition drops it once it is done.
pub(crate) struct FetchWait {
    /// Bytes that must yet arrive before the fetch is worth another look.
    missing: AtomicI64,
    done: AtomicBool,
    waker: Arc<dyn Wake>,
}

impl FetchWait {
    /// A fetch that lacks this many bytes.
    pub(crate) fn new(missing_bytes: i64, waker: Arc<dyn Wake>) -> Arc<Self> {
        Arc::new(Self {
            missing: AtomicI64::new(missing_bytes),
            done: AtomicBool::new(false),
            waker,
        })
    }

    /// Bytes arrived at one of its partitions. Answers whether it is done.
    pub(crate) fn arrived(&self, bytes: i64) -> bool {
        if self.is_done() {
            return true;
        }
        let before = self.missing.fetch_sub(bytes, Ordering::AcqRel);
        if before <= bytes {
            self.wake();
        }
        before <= bytes
    }

    /// Something other than bytes makes the fetch worth another look.
    pub(crate) fn wake(&self) {
        if !self.done.swap(true, Ordering::AcqRel) {
            self.waker.wake();
        }
    }

    /// Nobody waits any more.
    pub(crate) fn cancel(&self) {
        self.done.store(true, Ordering::Release);
    }

    /// Whether the fetch was woken or given up.
    pub(crate) fn is_done(&self) -> bool {
        self.done.load(Ordering::Acquire)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicUsize;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(&self) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn it_wakes_once_when_the_bytes_are_there_and_never_after_it_was_cancelled() {
        let check = |cancel: bool, arrivals: &[i64], expected: usize| {
            let count = Arc::new(Count::default());
            let wait = FetchWait::new(10, Arc::clone(&count) as Arc<dyn Wake>);
            if cancel {
                wait.cancel();
            }
            for bytes in arrivals {
                wait.arrived(*bytes);
            }
            assert_eq!(
                count.0.load(Ordering::Relaxed),
                expected,
                "{cancel} {arrivals:?}"
            );
        };
        check(false, &[9], 0);
        check(false, &[9, 1], 1);
        check(false, &[20, 20], 1);
        check(true, &[20], 0);
    }
}
