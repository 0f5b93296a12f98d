//! The thread that acts on committed metadata: it opens and removes logs, so
//! that neither a client's connection nor a heartbeat waits for that.

use crate::clock::Clock;
use plimsoll_broker::{Broker, Wake};
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{self, SyncSender, TrySendError};
use std::thread::JoinHandle;

/// A running thread; it ends when told to.
#[derive(Debug)]
pub struct Worker {
    stop: SyncSender<Call>,
    thread: JoinHandle<()>,
}

enum Call {
    Work,
    Stop,
}

/// Tells the thread that there is something to do; once is enough.
struct Bell(SyncSender<Call>);

impl Wake for Bell {
    fn wake(&self) {
        match self.0.try_send(Call::Work) {
            Ok(()) | Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {}
        }
    }
}

impl Worker {
    /// Starts the thread.
    pub fn start(broker: &Arc<Broker>, clock: Clock) -> io::Result<Self> {
        let (bell, calls) = mpsc::sync_channel(1);
        broker.notify_work(Arc::new(Bell(bell.clone())));
        let broker = Arc::clone(broker);
        let thread = std::thread::Builder::new()
            .name("metadata".into())
            .spawn(move || {
                while let Ok(Call::Work) = calls.recv() {
                    broker.work(clock.now());
                }
            })?;
        Ok(Self { stop: bell, thread })
    }

    /// Ends the thread, after the work that is going on.
    pub fn stop(self) {
        let _ended_already = self.stop.send(Call::Stop);
        if self.thread.join().is_err() {
            tracing::error!("the thread that acts on metadata panicked");
        }
    }
}
