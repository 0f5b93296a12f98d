//! How a broker tells a connection that a parked request may go on.
//!
//! A wake costs one atomic swap while the connection has not yet run since the
//! last one, so a thousand appends between two runs cost one wake-up.

use crate::service::Wake;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Waker;

/// The wake of one connection's task.
#[derive(Debug, Default)]
pub struct TaskWake {
    woken: AtomicBool,
    task: OnceLock<Waker>,
}

impl TaskWake {
    /// Binds the wake to the task that polls, and takes what was signalled
    /// since the last call. A task that was spawned as it is keeps its waker for
    /// life, so the first one is kept.
    pub fn take(&self, waker: &Waker) -> bool {
        self.task.get_or_init(|| waker.clone());
        self.woken.swap(false, Ordering::AcqRel)
    }
}

impl Wake for TaskWake {
    fn wake(&self) {
        if !self.woken.swap(true, Ordering::AcqRel)
            && let Some(task) = self.task.get()
        {
            task.wake_by_ref();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::AtomicUsize;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl std::task::Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn wakes_between_two_runs_of_the_task_are_one() {
        let count = Arc::new(Count::default());
        let waker = Waker::from(Arc::clone(&count));
        let wake = TaskWake::default();
        assert!(!wake.take(&waker));
        for _ in 0..5 {
            wake.wake();
        }
        assert_eq!(count.0.load(Ordering::Relaxed), 1);
        assert!(wake.take(&waker));
        wake.wake();
        assert_eq!(count.0.load(Ordering::Relaxed), 2);
    }

    #[test]
    fn a_wake_before_the_first_run_is_kept() {
        let wake = TaskWake::default();
        wake.wake();
        assert!(wake.take(&Waker::from(Arc::new(Count::default()))));
    }
}
