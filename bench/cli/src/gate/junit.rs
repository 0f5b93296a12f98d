//! The verdict as JUnit XML, which most CI systems can show.
//!
//! A metric is a test case: FAIL is a failure, what is undecided or not gated
//! is skipped with its reason.

use super::text::{change, row, sentences};
use plimsoll_gate::{GateReport, MetricVerdict, Verdict};
use std::fmt::Write as _;

/// The whole document.
pub fn render(report: &GateReport) -> String {
    let metrics = &report.outcome.metrics;
    let of = |wanted: fn(&MetricVerdict) -> bool| metrics.iter().filter(|m| wanted(m)).count();
    let damaged = usize::from(!report.damage.is_empty());
    let mut out = String::new();
    let _ = writeln!(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>");
    let _ = writeln!(
        out,
        "<testsuite name=\"plimsoll gate {}\" tests=\"{}\" failures=\"{}\" skipped=\"{}\" \
         errors=\"0\" time=\"{:.3}\" timestamp=\"{}\">",
        escape(&report.name),
        metrics.len() + damaged,
        of(is_failed) + damaged,
        of(is_skipped),
        report.seconds,
        escape(&report.started_at)
    );
    for metric in metrics {
        case(&mut out, report, metric);
    }
    for damage in &report.damage {
        let _ = writeln!(
            out,
            "  <testcase classname=\"plimsoll.gate.{}\" name=\"records intact\">\n    \
             <failure message=\"{}\"/>\n  </testcase>",
            escape(&report.name),
            escape(damage)
        );
    }
    let said = sentences(report).join("\n");
    let _ = writeln!(out, "  <system-out>{}</system-out>", escape(&said));
    out.push_str("</testsuite>\n");
    out
}

fn case(out: &mut String, report: &GateReport, metric: &MetricVerdict) {
    let _ = writeln!(
        out,
        "  <testcase classname=\"plimsoll.gate.{}\" name=\"{}\">",
        escape(&report.name),
        escape(&metric.rule.name)
    );
    let [_, a, b, worse_by, p, detects, standing] = row(metric);
    let numbers = format!("A {a}, B {b}, worse by {worse_by}, p {p}, detects {detects}");
    let element = match (is_failed(metric), is_skipped(metric)) {
        (true, _) => Some("failure"),
        (false, true) => Some("skipped"),
        (false, false) => None,
    };
    if let Some(element) = element {
        let message = format!("{standing}: worse by {}", change(&metric.judgement));
        let _ = writeln!(out, "    <{element} message=\"{}\"/>", escape(&message));
    }
    let _ = writeln!(out, "    <system-out>{}</system-out>", escape(&numbers));
    out.push_str("  </testcase>\n");
}

fn is_failed(metric: &MetricVerdict) -> bool {
    metric.gated && metric.judgement.verdict == Verdict::Fail
}

fn is_skipped(metric: &MetricVerdict) -> bool {
    !metric.gated || metric.judgement.verdict == Verdict::Inconclusive
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}
