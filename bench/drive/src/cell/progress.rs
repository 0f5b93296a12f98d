//! What a cell tells while it runs, and how it is told to stop.

use crate::clock::Mono;
use crate::observe::Cores;
use crate::record::Window;
use plimsoll_results::Second;
use std::path::Path;
use std::time::Duration;

/// How a cell is run.
pub struct Options<'a> {
    /// Where the histogram log goes; none is written without.
    pub dir: Option<&'a Path>,
    /// Told how the cell gets on, a few times a second.
    pub progress: &'a mut dyn FnMut(&Progress),
    /// Asked often: why the cell must end now, if it must.
    pub interrupt: &'a dyn Fn() -> Option<Interrupt>,
}

/// Why a cell ends before its time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Interrupt {
    /// The user wants to stop.
    Stopped,
    /// The embedded broker is gone; how it went.
    BrokerDied(String),
}

/// What a cell is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Load without measurement.
    WarmUp,
    /// The measured window.
    Measure,
    /// Waiting for what is on its way.
    Drain,
    /// Writing what is there before the load.
    Fill,
    /// Trying rates, of which none is the answer yet.
    Search,
}

impl Phase {
    /// Where in its window a cell is.
    pub(crate) fn at(window: &Window, now: Mono) -> Self {
        match now {
            now if now < window.from => Self::WarmUp,
            now if now < window.to => Self::Measure,
            _ => Self::Drain,
        }
    }
}

/// How a cell gets on.
#[derive(Clone, Debug)]
pub struct Progress {
    /// What it is doing.
    pub phase: Phase,
    /// Time since the schedule began.
    pub elapsed: Duration,
    /// Time that the schedule takes.
    pub of: Duration,
    /// Records acknowledged so far, warm-up included.
    pub acknowledged: u64,
    /// How it goes, a few times a second within the measured window.
    pub pulse: Option<Pulse>,
}

/// What a cell measures right now, to show and not to keep.
#[derive(Clone, Debug, Default)]
pub struct Pulse {
    /// The newest second of which there is something.
    pub second: Second,
    /// Records that the slowest group is behind.
    pub lag: u64,
    /// Cores in use over the last full second.
    pub cores: Option<Cores>,
    /// Sends that failed so far.
    pub errors: u64,
}
