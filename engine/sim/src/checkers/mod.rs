//! What must hold, one file each. A checker knows facts and the ledger alone:
//! never a broker's inside, but for what nodes say of their replicas.

mod aborted;
mod atomic;
mod commits;
mod compaction;
mod duplicates;
mod finally_read;
mod high_watermark;
mod in_sync;
mod leaders;
mod lost;
mod moves;
mod offsets;
mod order;
mod owners;
mod polls;
mod prefix;
mod processed;
mod progress;
mod sense;
mod sequences;
mod starts;

use crate::facts::Fact;
use crate::ledger::Ledger;
use crate::moment::Moment;
use std::fmt;

/// Something that must hold.
pub trait Checker {
    /// Its name, as a violation shows it.
    fn name(&self) -> &'static str;

    /// Judges a fact. The ledger has it already.
    fn see(&mut self, ledger: &Ledger, fact: &Fact) -> Result<(), String>;

    /// Judges the whole run, once the last readers are through.
    fn end(&mut self, _ledger: &Ledger) -> Result<(), String> {
        Ok(())
    }
}

/// Something that should not have happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// When it was seen.
    pub at: Moment,
    /// Which checker saw it.
    pub checker: &'static str,
    /// What it saw.
    pub what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} (at {} s)", self.checker, self.what, self.at)
    }
}

/// All checkers, and the first violation.
pub struct Checkers {
    ledger: Ledger,
    all: Vec<Box<dyn Checker>>,
    violation: Option<Violation>,
}

impl Default for Checkers {
    fn default() -> Self {
        Self {
            ledger: Ledger::default(),
            all: vec![
                Box::<aborted::Aborted>::default(),
                Box::<atomic::Atomic>::default(),
                Box::<commits::Commits>::default(),
                Box::<compaction::Compaction>::default(),
                Box::<duplicates::Duplicates>::default(),
                Box::<finally_read::FinallyRead>::default(),
                Box::<high_watermark::HighWatermark>::default(),
                Box::<in_sync::InSync>::default(),
                Box::<leaders::Leaders>::default(),
                Box::<lost::Lost>::default(),
                Box::<moves::Moves>::default(),
                Box::<offsets::Offsets>::default(),
                Box::<order::Order>::default(),
                Box::<owners::Owners>::default(),
                Box::<polls::Polls>::default(),
                Box::<prefix::Prefix>::default(),
                Box::<processed::Processed>::default(),
                Box::<progress::Progress>::default(),
                Box::<sense::Sense>::default(),
                Box::<sequences::Sequences>::default(),
                Box::<starts::Starts>::default(),
            ],
            violation: None,
        }
    }
}

impl Checkers {
    /// Shows a fact to all.
    pub fn see(&mut self, at: Moment, fact: &Fact) {
        self.ledger.see(at, fact);
        for checker in &mut self.all {
            let judged = checker.see(&self.ledger, fact);
            note(&mut self.violation, at, checker.name(), judged);
        }
    }

    /// Lets all judge the whole run.
    pub fn end(&mut self, at: Moment) {
        for checker in &mut self.all {
            let judged = checker.end(&self.ledger);
            note(&mut self.violation, at, checker.name(), judged);
        }
    }

    /// The first violation.
    pub const fn violation(&self) -> Option<&Violation> {
        self.violation.as_ref()
    }
}

fn note(
    first: &mut Option<Violation>,
    at: Moment,
    checker: &'static str,
    judged: Result<(), String>,
) {
    if let Err(what) = judged {
        first.get_or_insert(Violation { at, checker, what });
    }
}
