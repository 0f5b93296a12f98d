//! A timer that is cheap to move later.
//!
//! Most deadlines never come: the next request replaces them. The runtime's
//! timer is therefore only moved when it must fire earlier; when it fires early
//! the task looks again and arms it anew.

use crate::clock::Clock;
use plimsoll_wire::time::Instant;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::time::Sleep;

/// Wakes a task no later than the earliest instant it was armed for.
#[derive(Debug, Default)]
pub struct Timer {
    sleep: Option<Pin<Box<Sleep>>>,
    /// What the sleep is set to while it has not fired.
    armed: Option<Instant>,
}

impl Timer {
    /// Makes sure that the task runs again by `at`; ready when `at` has come.
    pub fn arm(&mut self, cx: &mut Context<'_>, clock: &Clock, at: Instant) -> Poll<()> {
        if self
            .armed
            .is_some_and(|armed| armed <= at && armed > clock.now().mono)
        {
            return Poll::Pending;
        }
        let alarm = clock.alarm(at);
        let sleep = match &mut self.sleep {
            Some(sleep) => {
                sleep.as_mut().reset(alarm);
                sleep
            }
            None => self.sleep.insert(Box::pin(tokio::time::sleep_until(alarm))),
        };
        let fired = sleep.as_mut().poll(cx);
        self.armed = fired.is_pending().then_some(at);
        fired
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[tokio::test(flavor = "current_thread")]
    async fn a_timer_fires_at_the_earliest_instant_and_can_be_armed_again() {
        let clock = Clock::start();
        let mut timer = Timer::default();
        let mut runs = 0;
        let soon = Instant(Duration::from_millis(5));
        std::future::poll_fn(|cx| {
            runs += 1;
            let _ = timer.arm(cx, &clock, Instant(Duration::from_secs(3600)));
            timer.arm(cx, &clock, soon)
        })
        .await;
        assert!(clock.now().mono >= soon);
        assert!(runs <= 3, "{runs} runs");
    }
}
