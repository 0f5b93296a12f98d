//! Measuring: each record's times go into histograms, each second's counts
//! into a timeline.

mod collector;
mod recorder;
mod window;

pub use collector::{Collected, Collector, Depot};
pub use recorder::{Mark, Recorder, Tally};
pub use window::Window;
