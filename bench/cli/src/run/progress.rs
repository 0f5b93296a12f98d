//! How a run gets on, on standard error: a screen on a terminal, otherwise a
//! line for each finished cell.

use super::screen::{Screen, View};
use crate::interrupt::Stop;
use plimsoll_drive::cell::{Phase, Progress};
use plimsoll_plots::units::{micros, si};
use plimsoll_results::CellResult;
use plimsoll_workloads::{Cell, Plan};
use std::io::IsTerminal as _;
use std::time::Duration;

/// Shows a run's progress.
pub struct Display {
    kind: Kind,
    view: View,
    cell_time: Duration,
    /// Expected time of the cells that are done.
    done: Duration,
}

enum Kind {
    Silent,
    Lines,
    Screen(Box<Screen>),
}

impl Display {
    /// A display of the whole plan, of which nothing is done yet. Keys on the
    /// screen ask `stop`.
    pub fn new(plan: &Plan, stop: &Stop, quiet: bool) -> Self {
        let terminal = !quiet && std::io::stderr().is_terminal();
        // A terminal that cannot be drawn on still takes lines.
        let screen = terminal.then(|| Screen::open(stop).ok()).flatten();
        Self {
            kind: match (quiet, screen) {
                (true, _) => Kind::Silent,
                (false, Some(screen)) => Kind::Screen(Box::new(screen)),
                (false, None) => Kind::Lines,
            },
            view: View::of(plan),
            cell_time: Duration::ZERO,
            done: Duration::ZERO,
        }
    }

    /// A cell begins.
    pub fn begin(&mut self, plan: &Plan, cell: &Cell) {
        self.cell_time = cell.expected().duration();
        self.view.begin(plan.label(cell));
        self.draw();
    }

    /// The cell gets on.
    pub fn step(&mut self, progress: &Progress) {
        let share = progress.elapsed.as_secs_f64() / progress.of.as_secs_f64().max(1e-3);
        self.view.spent = self.done + self.cell_time.mul_f64(share.min(1.0));
        self.view.phase = match progress.phase {
            Phase::WarmUp => "warming up",
            Phase::Measure => "measuring",
            Phase::Drain => "draining",
            Phase::Fill => "filling",
            Phase::Search => "searching",
        };
        self.view.cell_time = (progress.elapsed.min(progress.of), progress.of);
        if let Some(pulse) = &progress.pulse {
            self.view.feel(pulse);
        }
        self.draw();
    }

    /// The cell was done before.
    pub fn skip(&mut self) {
        self.advance();
    }

    /// The cell has ended.
    pub fn end(&mut self, result: &CellResult) {
        self.advance();
        let response = result.latency.response.as_ref();
        let p99 = response.map_or_else(|| "–".to_owned(), |r| micros(r.p99_us));
        let verdict = match result.valid {
            true => String::new(),
            false => format!("; invalid: {}", result.invalid_reasons.join("; ")),
        };
        let line = format!(
            "{}/{} {}: {} records/s, p99 {p99}{verdict}",
            self.view.at,
            self.view.of,
            self.view.label,
            si(result.throughput.records_per_s),
        );
        match &mut self.kind {
            Kind::Silent => {}
            Kind::Lines => eprintln!("{line}"),
            Kind::Screen(screen) => screen.line(&line),
        }
    }

    /// The run has ended.
    pub fn finish(&mut self) {
        if let Kind::Screen(screen) = &mut self.kind {
            screen.close();
            self.kind = Kind::Silent;
        }
    }

    fn advance(&mut self) {
        self.done += self.cell_time;
        self.view.spent = self.done;
        self.draw();
    }

    fn draw(&mut self) {
        if let Kind::Screen(screen) = &mut self.kind {
            screen.draw(&self.view);
        }
    }
}
