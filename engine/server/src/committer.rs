//! The thread that syncs for requests that wait for it.

use crate::clock::Clock;
use plimsoll_broker::{Broker, Wake};
use std::io;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// When it is looked again whether a sync elsewhere has ended.
const AGAIN: Duration = Duration::from_millis(1);

/// A running thread; it ends when told to.
#[derive(Debug)]
pub struct Committer {
    signal: Arc<Signal>,
    thread: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct Signal {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    asked: bool,
    stops: bool,
}

impl Wake for Signal {
    fn wake(&self) {
        self.change(|state| state.asked = true);
    }
}

impl Signal {
    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner));
        self.changed.notify_one();
    }

    /// Waits until something is asked; whether to go on.
    fn wait(&self) -> bool {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let mut state = self
            .changed
            .wait_while(state, |state| !state.asked && !state.stops)
            .unwrap_or_else(PoisonError::into_inner);
        state.asked = false;
        !state.stops
    }
}

impl Committer {
    /// Starts the thread.
    pub fn start(broker: &Arc<Broker>, clock: Clock) -> io::Result<Self> {
        let signal = Arc::new(Signal::default());
        broker.set_committer(Arc::clone(&signal) as Arc<dyn Wake>);
        let (broker, told) = (Arc::clone(broker), Arc::clone(&signal));
        let body = move || {
            while told.wait() {
                while broker.commit(clock.now()) {
                    std::thread::sleep(AGAIN);
                }
            }
        };
        let thread = std::thread::Builder::new()
            .name("committer".into())
            .spawn(body)?;
        Ok(Self { signal, thread })
    }

    /// Ends the thread, after the round that is going on.
    pub fn stop(self) {
        self.signal.change(|state| state.stops = true);
        if self.thread.join().is_err() {
            tracing::error!("the committing thread panicked");
        }
    }
}
