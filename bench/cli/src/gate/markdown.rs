//! The verdict as markdown, for a pull request.

use super::text::{HEADINGS, row, sentences};
use plimsoll_gate::GateReport;
use std::fmt::Write as _;

/// The whole text.
pub fn render(report: &GateReport) -> String {
    let mut out = String::new();
    let said = sentences(report).join("\n\n");
    let (verdict, why) = said.split_once(": ").unwrap_or((&said, ""));
    let _ = writeln!(out, "### {}\n\n{}\n", escape(verdict), escape(why));
    let _ = writeln!(out, "| {} |", HEADINGS.join(" | "));
    out.push_str(&"|---".repeat(HEADINGS.len()));
    out.push_str("|\n");
    for metric in &report.outcome.metrics {
        let cells = row(metric).map(|cell| escape(&cell));
        let _ = writeln!(out, "| {} |", cells.join(" | "));
    }
    let _ = writeln!(
        out,
        "\nA is `{}`, B is `{}`; {:.0} s on {} ({} cores). `{}`",
        report.a,
        report.b,
        report.seconds,
        escape(&report.fingerprint.cpu_model),
        report.fingerprint.logical_cores,
        report.command.join(" ")
    );
    out
}

fn escape(text: &str) -> String {
    text.replace('|', "\\|").replace('<', "&lt;")
}
