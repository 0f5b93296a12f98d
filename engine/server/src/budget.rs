//! The memory that large requests of all connections may take together
//! (`queued.max.request.bytes`).
//!
//! A request larger than an ordinary read buffer claims its whole length before
//! more than that is read of it. While nothing is left its socket is not read.
//! As in Kafka a claim succeeds whenever anything is left, so the bound is the
//! budget plus one frame, and a frame larger than the budget is still served.

use crate::service::Wake as _;
use crate::wake::TaskWake;
use parking_lot::Mutex;
use std::sync::Arc;

/// A budget of bytes and who waits for it.
#[derive(Debug)]
pub struct Budget {
    limit: Option<usize>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    claimed: usize,
    waiting: Vec<Arc<TaskWake>>,
}

impl Budget {
    /// A budget; none is without bound and costs nothing.
    pub fn new(limit: Option<usize>) -> Self {
        Self {
            limit,
            state: Mutex::default(),
        }
    }

    /// Claims `bytes`, or has `task` woken when it is worth trying again.
    pub fn claim(&self, bytes: usize, task: &Arc<TaskWake>) -> bool {
        let Some(limit) = self.limit else { return true };
        let mut state = self.state.lock();
        if state.claimed < limit {
            state.claimed += bytes;
            return true;
        }
        if !state
            .waiting
            .iter()
            .any(|waiting| Arc::ptr_eq(waiting, task))
        {
            state.waiting.push(Arc::clone(task));
        }
        false
    }

    /// Gives a claim back.
    pub fn give_back(&self, bytes: usize) {
        if self.limit.is_none() || bytes == 0 {
            return;
        }
        let mut state = self.state.lock();
        state.claimed -= bytes;
        for task in state.waiting.drain(..) {
            task.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::task::Waker;

    #[test]
    fn claims_wait_while_nothing_is_left_and_are_woken() {
        let budget = Budget::new(Some(100));
        let (task, waker) = (Arc::new(TaskWake::default()), Waker::noop());
        assert!(budget.claim(60, &task));
        assert!(budget.claim(1000, &task), "something was left");
        assert!(!budget.claim(1, &task));
        assert!(!budget.claim(1, &task));
        assert_eq!(budget.state.lock().waiting.len(), 1, "a task waits once");
        assert!(!task.take(waker));
        budget.give_back(60);
        assert!(task.take(waker), "it is told to try again");
        assert!(!budget.claim(1, &task), "1000 bytes are still claimed");
        budget.give_back(1000);
        assert!(budget.claim(1, &task));
    }

    #[test]
    fn without_a_limit_every_claim_succeeds() {
        let budget = Budget::new(None);
        let task = Arc::new(TaskWake::default());
        assert!((0..10).all(|_| budget.claim(usize::MAX, &task)));
        budget.give_back(5);
    }
}
