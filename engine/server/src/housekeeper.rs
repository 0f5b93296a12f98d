//! The thread that lets time pass in the broker and tidies the buffers.
//!
//! It is a thread of its own because what falls due may be slow: flushing,
//! deleting segments, writing checkpoints. No connection waits for it.

use crate::clock::Clock;
use crate::pool::BufferPool;
use plimsoll_wire::time::{Instant, Now};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::JoinHandle;
use std::time::Duration;

/// The longest time between two ticks. Something may fall due earlier than the
/// last tick knew of; it is then late by no more than this.
const TICK_MAX: Duration = Duration::from_millis(50);
/// The shortest time between two ticks.
const TICK_MIN: Duration = Duration::from_millis(1);
/// How often buffers that nobody used are freed.
const TRIM_EVERY: Duration = Duration::from_secs(5);

/// A running thread; it ends when told to.
#[derive(Debug)]
pub struct Housekeeper {
    stop: mpsc::Sender<()>,
    thread: JoinHandle<()>,
}

impl Housekeeper {
    /// Starts the thread. `tick` does what is due and says when the next is.
    pub fn start(
        clock: Clock,
        pools: Vec<Arc<BufferPool>>,
        tick: impl Fn(Now) -> Instant + Send + 'static,
    ) -> io::Result<Self> {
        let (stop, stopped) = mpsc::channel();
        let body = move || {
            let mut trimmed = clock.now().mono;
            loop {
                let now = clock.now();
                let next = catch_unwind(AssertUnwindSafe(|| tick(now))).unwrap_or_else(|_| {
                    tracing::error!("background work panicked, it is tried again");
                    now.mono.after(TICK_MAX)
                });
                if now.mono.since(trimmed) >= TRIM_EVERY {
                    trimmed = now.mono;
                    for pool in &pools {
                        pool.trim();
                    }
                }
                let wait = clock.until(next).clamp(TICK_MIN, TICK_MAX);
                if stopped.recv_timeout(wait) != Err(RecvTimeoutError::Timeout) {
                    return;
                }
            }
        };
        let thread = std::thread::Builder::new()
            .name("housekeeper".into())
            .spawn(body)?;
        Ok(Self { stop, thread })
    }

    /// Ends the thread, after the tick that is going on.
    pub fn stop(self) {
        drop(self.stop);
        if self.thread.join().is_err() {
            tracing::error!("the housekeeping thread panicked");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn a_tick_that_panics_is_not_the_last() {
        let ticks = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&ticks);
        let tick = move |now: Now| {
            assert!(
                counted.fetch_add(1, Ordering::Relaxed) > 0,
                "the first tick fails"
            );
            now.mono
        };
        let housekeeper = Housekeeper::start(Clock::start(), Vec::new(), tick).unwrap();
        while ticks.load(Ordering::Relaxed) < 3 {
            std::thread::yield_now();
        }
        housekeeper.stop();
    }

    #[test]
    fn time_passes_until_it_is_stopped() {
        let ticks = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&ticks);
        let tick = move |now: Now| {
            counted.fetch_add(1, Ordering::Relaxed);
            now.mono
        };
        let housekeeper = Housekeeper::start(Clock::start(), Vec::new(), tick).unwrap();
        while ticks.load(Ordering::Relaxed) < 3 {
            std::thread::yield_now();
        }
        housekeeper.stop();
        let after = ticks.load(Ordering::Relaxed);
        std::thread::sleep(TICK_MIN * 5);
        assert_eq!(ticks.load(Ordering::Relaxed), after);
    }
}
