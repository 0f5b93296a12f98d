//! The plan as `--dry-run` prints it.

use plimsoll_results::value_label;
use plimsoll_workloads::Plan;
use std::fmt::Write as _;
use std::time::Duration;

/// Cells that are listed one by one.
const LISTED_MAX: usize = 200;

/// A time to the second, as people say it.
pub fn time(span: Duration) -> String {
    let seconds = span.as_secs_f64().ceil() as u64;
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, seconds) => format!("{seconds} s"),
        (0, minutes, seconds) => format!("{minutes} min {seconds} s"),
        (hours, minutes, _) => format!("{hours} h {minutes} min"),
    }
}

/// What would be run, and how long it would take.
pub fn describe(plan: &Plan) -> String {
    let mut out = String::new();
    let mut line = |text: String| writeln!(out, "{text}").unwrap_or_default();
    line(format!("workload  {}", plan.name));
    if !plan.question.is_empty() {
        line(format!("question  {}", plan.question));
    }
    line(format!("plan      {}", plan.hash));
    for axis in &plan.axes {
        let values: Vec<String> = axis.values.iter().map(value_label).collect();
        line(format!("sweep     {} = {}", axis.path, values.join(", ")));
    }
    let (cells, runs) = (plan.cells.len(), plan.runs.len());
    line(format!(
        "cells     {cells}, {} times: {runs} runs",
        plan.repeats
    ));
    line(format!(
        "duration  about {}, at most {}",
        time(plan.expected().duration()),
        time(plan.at_most().duration())
    ));
    if plan.repeats_dropped > 0 {
        line(format!(
            "dropped   {} repeats that the time budget has no room for",
            plan.repeats_dropped
        ));
    }
    for warning in &plan.warnings {
        line(format!("warning   {warning}"));
    }
    line(String::new());
    for (at, (run, cell)) in plan.iter().take(LISTED_MAX).enumerate() {
        line(format!(
            "{:>4}  {}  repeat {}  {}",
            at + 1,
            cell.id,
            run.repeat,
            plan.label(cell)
        ));
    }
    if runs > LISTED_MAX {
        line(format!("      and {} more", runs - LISTED_MAX));
    }
    out
}
