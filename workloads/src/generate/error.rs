//! What is wrong with a file that a workload reads.

use std::{io, path::PathBuf};

/// Why a sample or a trace cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum InputError {
    /// The file could not be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The file is larger than is taken into memory.
    #[error("{} has {bytes} bytes; at most {max} are taken", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its length.
        bytes: u64,
        /// The limit.
        max: u64,
    },
    /// The file holds no record.
    #[error("{source_name} has no records")]
    Empty {
        /// The sample.
        source_name: String,
    },
    /// One record is larger than any topic takes.
    #[error("record {record} of {source_name} has {bytes} bytes; at most {max} are taken")]
    RecordTooLarge {
        /// The sample.
        source_name: String,
        /// Which record, from 1.
        record: usize,
        /// Its length.
        bytes: usize,
        /// The limit.
        max: usize,
    },
    /// A record has no value where the key should be.
    #[error(
        "record {record} of {source_name} has no key at `{field}`: {reason}; take another field, or keys of another kind"
    )]
    Key {
        /// The sample.
        source_name: String,
        /// Which record, from 1.
        record: usize,
        /// The path within the record.
        field: String,
        /// What was found.
        reason: String,
    },
    /// A line of a trace is not a time, or comes before the one above it.
    #[error("{}:{line}: `{text}` is not {expected}", path.display())]
    Trace {
        /// The file.
        path: PathBuf,
        /// Which line, from 1.
        line: usize,
        /// What stands there.
        text: String,
        /// What would be accepted.
        expected: &'static str,
    },
    /// A trace ends before the measured time does.
    #[error("{} has {times} times over {lasts}; warm-up and duration ask for {needed}", path.display())]
    TraceTooShort {
        /// The file.
        path: PathBuf,
        /// How many times it has.
        times: usize,
        /// How long it lasts.
        lasts: crate::units::Span,
        /// How long it must last.
        needed: crate::units::Span,
    },
}
