//! Ctrl-C and SIGTERM for commands that have something to save.
//!
//! The first signal asks the command to stop and keep what it has; a second
//! one ends the process at once.

use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use tokio::signal::unix::{SignalKind, signal};

/// The exit code of a process that an interrupt ended.
pub const INTERRUPTED: i32 = 130;

/// Whether the user asked to stop.
#[derive(Clone, Debug, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Takes over the process's signals.
    ///
    /// # Errors
    /// When the system refuses the handlers or the thread that waits for them.
    pub fn install() -> std::io::Result<Self> {
        let stop = Self::default();
        let asked = stop.clone();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let (mut interrupt, mut terminate) = {
            let _inside = runtime.enter();
            (
                signal(SignalKind::interrupt())?,
                signal(SignalKind::terminate())?,
            )
        };
        thread::Builder::new()
            .name("signals".to_owned())
            .spawn(move || {
                runtime.block_on(async {
                    loop {
                        tokio::select! {
                            _ = interrupt.recv() => {}
                            _ = terminate.recv() => {}
                        }
                        if asked.0.swap(true, Ordering::Relaxed) {
                            process::exit(INTERRUPTED);
                        }
                        eprintln!("stopping: what was measured is kept; once more to quit at once");
                    }
                });
            })?;
        Ok(stop)
    }

    /// Asks the command to stop, as a signal does; whether it was asked before.
    pub fn ask(&self) -> bool {
        self.0.swap(true, Ordering::Relaxed)
    }

    /// Whether a signal came.
    pub fn is_asked(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
