//! What is wrong with a workload, said so that it can be put right.

use std::{fmt, io, path::PathBuf};

/// Where a setting was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// A line of a file, counted from 1.
    Line(String, usize),
    /// The command line's `--set`.
    Set,
    /// The workload as a whole.
    Whole(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line(file, line) => write!(f, "{file}:{line}"),
            Self::Set => f.write_str("--set"),
            Self::Whole(file) => f.write_str(file),
        }
    }
}

/// One thing that is wrong, with its place and the setting's dotted path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    pub(crate) origin: Origin,
    pub(crate) path: String,
    pub(crate) message: String,
}

impl Problem {
    /// The dotted path of the setting; empty when it is the file as a whole.
    pub fn path(&self) -> &str {
        &self.path
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.origin)?;
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.message)
    }
}

/// Why a workload cannot be run.
#[derive(Debug, thiserror::Error)]
pub enum SpecError {
    /// A file could not be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// Neither a file nor a shipped workload has this name.
    #[error("there is no workload `{name}`: {accepted}")]
    NotFound {
        /// What was asked for.
        name: String,
        /// What there is.
        accepted: String,
    },
    /// The workload was read and is wrong; every problem found, one a line.
    #[error("{}", lines(.0))]
    Refused(Vec<Problem>),
}

fn lines(problems: &[Problem]) -> String {
    let lines: Vec<_> = problems.iter().map(Problem::to_string).collect();
    lines.join("\n")
}
