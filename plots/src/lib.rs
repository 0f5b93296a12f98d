//! Charts and reports, drawn from results alone.
//!
//! [`charts`] writes SVG and PNG files, [`report`] one self-contained HTML
//! page, [`markdown`] and [`csv`] the same numbers for a pull request and a
//! spreadsheet. All of them take [`plimsoll_results::RunResult`]s, or what a gate
//! left, and nothing else: no clock, no network, no system font, no file beside those written.

mod answer;
mod charts;
mod compare;
mod csv;
mod effects;
mod error;
mod markdown;
mod page;
mod paint;
mod palette;
mod report;
mod rules;
mod scale;
mod scene;
mod summary;
mod sweep;
mod table;
pub mod units;

pub use answer::answer;
pub use charts::{
    Chart, ChartFile, CurveAxis, CurveChart, charts, draw, gate_chart, history_charts,
};
pub use compare::{Comparison, ComparisonLine, compare};
pub use csv::csv;
pub use error::PlotError;
pub use markdown::markdown;
pub use report::{PAGE_LIMIT, report};
pub use sweep::value_order;
pub use table::numbers;
