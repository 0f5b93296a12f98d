//! How a run gets on, on standard error: a bar on a terminal, otherwise a line
//! for each finished cell.

use super::table::{count, micros};
use indicatif::{ProgressBar, ProgressStyle};
use plimsoll_drive::cell::{Phase, Progress};
use plimsoll_results::CellResult;
use plimsoll_workloads::{Cell, Plan};
use std::io::IsTerminal as _;
use std::time::Duration;

/// Shows a run's progress.
pub struct Display {
    kind: Kind,
    /// Expected time of the cells that are done.
    done: Duration,
    at: usize,
    of: usize,
    label: String,
    cell_time: Duration,
}

enum Kind {
    Silent,
    Lines,
    Bar(ProgressBar),
}

impl Display {
    /// A display of the whole plan, of which nothing is done yet.
    pub fn new(plan: &Plan, quiet: bool) -> Self {
        let kind = match quiet {
            true => Kind::Silent,
            false if std::io::stderr().is_terminal() => Kind::Bar(bar(plan)),
            false => Kind::Lines,
        };
        Self {
            kind,
            done: Duration::ZERO,
            at: 0,
            of: plan.runs.len(),
            label: String::new(),
            cell_time: Duration::ZERO,
        }
    }

    /// A cell begins.
    pub fn begin(&mut self, plan: &Plan, cell: &Cell) {
        self.at += 1;
        self.label = plan.label(cell);
        self.cell_time = cell.expected().duration();
        if let Kind::Bar(bar) = &self.kind {
            bar.set_message(format!("{}/{} {}: starting", self.at, self.of, self.label));
        }
    }

    /// The cell gets on.
    pub fn step(&self, progress: &Progress) {
        let Kind::Bar(bar) = &self.kind else {
            return;
        };
        let share = progress.elapsed.as_secs_f64() / progress.of.as_secs_f64().max(1e-3);
        let now = self.done + self.cell_time.mul_f64(share.min(1.0));
        bar.set_position(millis(now));
        let phase = match progress.phase {
            Phase::WarmUp => "warming up",
            Phase::Measure => "measuring",
            Phase::Drain => "draining",
            Phase::Fill => "filling",
            Phase::Search => "searching",
        };
        bar.set_message(format!(
            "{}/{} {}: {phase}, {} records",
            self.at,
            self.of,
            self.label,
            count(progress.acknowledged as f64)
        ));
    }

    /// The cell was done before.
    pub fn skip(&mut self) {
        self.advance();
    }

    /// The cell has ended.
    pub fn end(&mut self, result: &CellResult) {
        self.advance();
        if !matches!(self.kind, Kind::Lines) {
            return;
        }
        let response = result.latency.response.as_ref();
        let p99 = response.map_or_else(|| "–".to_owned(), |r| micros(r.p99_us));
        let verdict = match result.valid {
            true => String::new(),
            false => format!("; invalid: {}", result.invalid_reasons.join("; ")),
        };
        eprintln!(
            "{}/{} {}: {} records/s, p99 {p99}{verdict}",
            self.at,
            self.of,
            self.label,
            count(result.throughput.records_per_s),
        );
    }

    /// The run has ended.
    pub fn finish(&self) {
        if let Kind::Bar(bar) = &self.kind {
            bar.finish_and_clear();
        }
    }

    fn advance(&mut self) {
        self.done += self.cell_time;
        if let Kind::Bar(bar) = &self.kind {
            bar.set_position(millis(self.done));
        }
    }
}

fn bar(plan: &Plan) -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:24} {percent:>3} % {eta:>5} left  {wide_msg}");
    let bar = ProgressBar::new(millis(plan.expected().duration()));
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
