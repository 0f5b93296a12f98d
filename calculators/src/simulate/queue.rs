//! A first-in-first-out queue before servers that are alike.
//!
//! Callers come in the order of their times. Then no waiting line is needed:
//! who comes is served by the server that is free first, from the later of the
//! two times on, and that is exact.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Nanoseconds since the model began.
pub(super) type Nanos = u64;

/// The servers of one queue.
#[derive(Clone, Debug)]
pub(super) struct Queue {
    free_at: BinaryHeap<Reverse<Nanos>>,
    busy: Nanos,
    servers: u64,
}

impl Queue {
    pub(super) fn new(servers: u32) -> Self {
        let servers = servers.max(1);
        Self {
            free_at: (0..servers).map(|_| Reverse(0)).collect(),
            busy: 0,
            servers: u64::from(servers),
        }
    }

    /// When someone is done who comes `now` and takes `service`.
    pub(super) fn serve(&mut self, now: Nanos, service: Nanos) -> Nanos {
        if service == 0 && self.servers == 1 && self.free_at.peek().is_some_and(|f| f.0 <= now) {
            return now;
        }
        let Reverse(free) = self.free_at.pop().unwrap_or(Reverse(0));
        let done = free.max(now).saturating_add(service);
        self.free_at.push(Reverse(done));
        self.busy = self.busy.saturating_add(service);
        done
    }

    /// The share of `time` that the servers were kept busy.
    pub(super) fn utilisation(&self, time: Nanos) -> f64 {
        self.busy as f64 / (time.max(1) as f64 * self.servers as f64)
    }

    /// Forgets how busy it was, not who is being served.
    pub(super) const fn forget(&mut self) {
        self.busy = 0;
    }
}
