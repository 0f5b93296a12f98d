//! What happened, as a hash and, when asked for, in words.
//!
//! Two runs of a seed are the same run when their hashes agree. The words are
//! for people who look for the cause of a violation.

use crate::moment::Moment;
use std::fmt::{self, Write as _};
use std::hash::{DefaultHasher, Hash, Hasher};

/// The longest trace that is kept in words, in lines; what comes after
/// is only hashed.
const LINES_MAX: usize = 2_000_000;

/// The record of a run.
#[derive(Debug, Default)]
pub struct Trace {
    hasher: DefaultHasher,
    events: u64,
    lines: Option<Vec<String>>,
}

impl Trace {
    /// A trace that keeps words only when `in_words` says so.
    pub fn new(in_words: bool) -> Self {
        Self {
            lines: in_words.then(Vec::new),
            ..Self::default()
        }
    }

    /// Notes something that happened.
    pub fn note<T: Hash>(&mut self, at: Moment, what: &T, words: impl FnOnce() -> String) {
        self.events += 1;
        at.hash(&mut self.hasher);
        what.hash(&mut self.hasher);
        self.say(at, words);
    }

    /// Adds words that say nothing new to the hash.
    pub fn say(&mut self, at: Moment, words: impl FnOnce() -> String) {
        if let Some(lines) = &mut self.lines
            && lines.len() < LINES_MAX
        {
            let mut line = String::new();
            // Writing to a string does not fail.
            let _ = write!(line, "{at:>14} {}", words());
            lines.push(line);
        }
    }

    /// The hash of everything noted so far.
    pub fn hash(&self) -> TraceHash {
        TraceHash(self.hasher.finish())
    }

    /// How many things were noted.
    pub const fn events(&self) -> u64 {
        self.events
    }

    /// The words, when they were kept.
    pub fn take_lines(&mut self) -> Vec<String> {
        self.lines.take().unwrap_or_default()
    }
}

/// The hash of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceHash(pub u64);

impl fmt::Display for TraceHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}
