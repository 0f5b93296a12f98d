//! The report as markdown, for a pull request.

use crate::compare::compare;
use crate::rules::verdicts;
use crate::summary::{command, ledger, ledger_text, notes, state};
use crate::sweep::Sweep;
use crate::table::Table;
use crate::{PlotError, answer};
use plimsoll_results::RunResult;
use std::fmt::Write as _;

/// Renders the runs, comparisons first.
pub fn markdown(runs: &[RunResult]) -> Result<String, PlotError> {
    if runs.is_empty() {
        return Err(PlotError::NoRuns);
    }
    let mut out = String::new();
    for comparison in compare(runs)? {
        let _ = writeln!(
            out,
            "## {} against {}\n",
            escape(&comparison.candidate),
            escape(&comparison.baseline)
        );
        for sentence in &comparison.summary {
            let _ = writeln!(out, "{}\n", escape(sentence));
        }
        for caution in &comparison.cautions {
            let _ = writeln!(out, "- {}", escape(caution));
        }
        out.push('\n');
        let letter = comparison.letter.to_string();
        let head = ["setting", "metric", "A", &letter, "difference"];
        let lines = comparison.lines.iter().map(|line| {
            vec![
                line.setting.clone(),
                line.metric.to_string(),
                line.baseline.clone(),
                line.candidate.clone(),
                line.change.clone(),
            ]
        });
        table(&mut out, &head.map(String::from), lines);
    }
    for run in runs {
        section(&mut out, run);
    }
    Ok(out)
}

fn section(out: &mut String, run: &RunResult) {
    let sweep = Sweep::of(run);
    let _ = writeln!(
        out,
        "## {} on {}: {}\n",
        escape(&run.name),
        escape(run.target.label()),
        state(run).text()
    );
    if !run.description.is_empty() {
        let _ = writeln!(out, "*{}*\n", escape(&run.description));
    }
    for sentence in answer::sentences(&sweep) {
        let _ = writeln!(out, "{}\n", escape(&sentence));
    }
    for note in notes(run) {
        let _ = writeln!(out, "- **{}** {}", note.severity, escape(&note.text));
    }
    out.push('\n');
    let numbers = Table::of(&sweep);
    let mut head = numbers.parameters.clone();
    head.extend(numbers.metrics.iter().map(|name| (*name).to_string()));
    head.push("repeats".to_string());
    let rows = numbers.rows.iter().map(|row| {
        let mut cells = row.values.clone();
        cells.extend(row.numbers.iter().map(|n| match n.range.as_str() {
            "" => n.median.clone(),
            range => format!("{} ({range})", n.median),
        }));
        cells.push(row.repeats.clone());
        cells
    });
    table(out, &head, rows);
    let verdicts = verdicts(&sweep);
    if !verdicts.is_empty() {
        let head = ["rule", "claim", "verdict", "evidence"].map(String::from);
        let rows = verdicts.iter().map(|v| {
            let tentative = if v.tentative { ", tentative" } else { "" };
            vec![
                v.id.to_string(),
                v.claim.to_string(),
                format!("{}{tentative}", v.standing.text()),
                v.evidence.clone(),
            ]
        });
        table(out, &head, rows);
    }
    let tallies: Vec<String> = ledger(run)
        .iter()
        .map(|(name, count, _)| format!("{count} {name}"))
        .collect();
    let _ = writeln!(out, "{}. {}\n", tallies.join(", "), ledger_text(run));
    if !run.command.is_empty() {
        let _ = writeln!(out, "```sh\n{}\n```\n", command(run));
    }
}

fn table(out: &mut String, head: &[String], rows: impl Iterator<Item = Vec<String>>) {
    let mut line = |cells: &[String]| {
        let cells: Vec<String> = cells.iter().map(|c| escape(c)).collect();
        let _ = writeln!(out, "| {} |", cells.join(" | "));
    };
    line(head);
    line(&vec!["---".to_string(); head.len()]);
    for row in rows {
        line(&row);
    }
    out.push('\n');
}

/// Keeps text from ending a cell, a line or becoming markup.
fn escape(text: &str) -> String {
    text.replace('\n', " ")
        .replace('|', "\\|")
        .replace('<', "&lt;")
        .replace('*', "\\*")
}
