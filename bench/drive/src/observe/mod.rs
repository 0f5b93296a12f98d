//! What a run costs: CPU, memory and disk of broker and client processes.

mod disk;
mod listener;
mod process;
mod watch;

pub use disk::{DiskUse, DiskWatch};
pub use listener::local_listeners;
pub use watch::{Cores, Observed, Side, Watch};
