//! Why a chart or a report could not be made.

use std::path::PathBuf;

/// Everything that can go wrong here.
#[derive(Debug, thiserror::Error)]
pub enum PlotError {
    /// A drawing backend failed.
    #[error("cannot draw chart {chart}: {reason}")]
    Draw {
        /// The chart's name.
        chart: String,
        /// What the backend said.
        reason: String,
    },
    /// A file could not be written.
    #[error("cannot write {path}: {source}", path = .path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The refusal.
        source: std::io::Error,
    },
    /// The page could not be rendered.
    #[error("cannot render the report: {reason}")]
    Render {
        /// What the template engine said.
        reason: String,
    },
    /// There is nothing to report on.
    #[error("no results given: name at least one directory that `plimsoll run` wrote")]
    NoRuns,
}
