//! Measuring: each record's times go into histograms, each second's counts
//! into a timeline.

mod backlog;
mod collector;
mod commits;
mod recorder;
mod window;

pub use backlog::BacklogWatch;
pub use collector::{Collected, Collector, Depot};
pub use commits::{Commit, CommitBoard};
pub use recorder::{Ended, Interval, Mark, Recorder, Tally};
pub use window::Window;
