//! A gate's verdict: for each metric every pair, the estimate with its interval,
//! and the margin and the limit that it is held against.

use crate::page::{LABEL, Words, page, shorten, ticks, x_labels};
use crate::paint::text_width;
use crate::palette::Role;
use crate::scale::Scale;
use crate::scene::{Align, At, Frame, Paint, Scene, Text};
use crate::units::signed_percent;
use plimsoll_gate::{Direction, GateReport, Method, MetricVerdict, Verdict};

const ROW: f64 = 58.0;
/// Rows of one chart; the metrics that changed least are left out.
const ROWS_MAX: usize = 30;
const LONGEST_LABEL: f64 = 230.0;
/// Room right of the drawing, for the verdict.
const VERDICT: f64 = 108.0;
/// The axis reaches over this share of the pairs; the few beyond it are drawn
/// at its ends.
const SHOWN_SHARE: f64 = 0.9;

/// Draws the chart; `None` when nothing was measured.
pub(crate) fn scene(report: &GateReport) -> Option<Scene> {
    let shown = most_changed(&report.outcome.metrics);
    let rows: Vec<Row<'_>> = shown.iter().map(|m| Row::of(report, m)).collect();
    let (low, high) = extent(&rows)?;
    let words = words(report);
    let (mut scene, body) = page(&words, 180.0 + rows.len() as f64 * ROW);
    let label_room = rows
        .iter()
        .map(|row| text_width(&row.metric.rule.name, LABEL, true))
        .fold(0.0, f64::max)
        .min(LONGEST_LABEL);
    let frame = Frame {
        left: body.left + label_room + 14.0,
        top: body.top,
        right: body.right - VERDICT,
        bottom: body.top + rows.len() as f64 * ROW,
    };
    let scale = Scale::linear(low, high, frame.left, frame.right);
    x_labels(
        &mut scene,
        frame,
        &scale,
        &ticks(&scale, signed_percent),
        true,
    );
    for (at, row) in rows.iter().enumerate() {
        row.draw(&mut scene, frame, &scale, at);
    }
    let zero = scale.at(0.0);
    scene.line(At(zero, frame.top), At(zero, frame.bottom), 1.5, Role::Axis);
    let at = At(frame.middle().0, frame.bottom + 36.0);
    let label = "B against A, more is worse; tinted from the margin to the limit, and past it";
    scene.text(
        Text::new(at, LABEL, label)
            .align(Align::Middle)
            .paint(Role::Muted),
    );
    Some(scene)
}

/// The metrics in their order, without those that changed least where there are
/// too many.
fn most_changed(metrics: &[MetricVerdict]) -> Vec<&MetricVerdict> {
    let size = |metric: &MetricVerdict| metric.judgement.change.abs();
    let mut sizes: Vec<f64> = metrics.iter().map(size).collect();
    sizes.sort_by(|a, b| b.total_cmp(a));
    let least = sizes.get(ROWS_MAX - 1).copied().unwrap_or(0.0);
    let shown = metrics.iter().filter(|metric| size(metric) >= least);
    shown.take(ROWS_MAX).collect()
}

fn words(report: &GateReport) -> Words {
    let verdict = match report.verdict() {
        Verdict::Pass => "PASS",
        Verdict::Fail => "FAIL",
        Verdict::Inconclusive => "INCONCLUSIVE",
    };
    let machine = &report.fingerprint;
    let all = report.outcome.metrics.len();
    let cut = match all > ROWS_MAX {
        true => format!(" The {ROWS_MAX} that changed most of {all}."),
        false => String::new(),
    };
    Words {
        title: format!("Gate {}: {verdict}", report.name),
        subtitle: format!(
            "A is {}, B is {}. {}{cut}",
            report.a,
            report.b,
            marks(report)
        ),
        footer: format!(
            "{} · {} cores · {}",
            machine.cpu_model,
            machine.logical_cores,
            report.started_at.get(..10).unwrap_or(&report.started_at)
        ),
    }
}

/// What the marks in a row are.
fn marks(report: &GateReport) -> String {
    let counted = report.outcome.pairs;
    match report.method {
        Method::Pairs => format!(
            "Each faint dot is one of {counted} pairs; the bold one is the Hodges–Lehmann estimate \
             with its interval."
        ),
        Method::Groups => format!(
            "The dot is the Hodges–Lehmann estimate from at least {counted} results a side, with \
             its interval."
        ),
    }
}

struct Row<'a> {
    metric: &'a MetricVerdict,
    /// Worsening in each pair; empty where values are not pairs.
    pairs: Vec<f64>,
}

impl<'a> Row<'a> {
    fn of(report: &GateReport, metric: &'a MetricVerdict) -> Self {
        let series = report.series.iter().find(|s| s.name == metric.rule.name);
        let paired = report.method == Method::Pairs;
        let worse = |(a, b): (&f64, &f64)| match metric.rule.direction {
            Direction::HigherIsWorse => b / a - 1.0,
            Direction::LowerIsWorse => a / b - 1.0,
        };
        let pairs = series
            .filter(|_| paired)
            .map(|s| s.a.iter().zip(&s.b).map(worse).collect());
        Self {
            metric,
            pairs: pairs.unwrap_or_default(),
        }
    }

    fn draw(&self, scene: &mut Scene, frame: Frame, scale: &Scale, row: usize) {
        let top = frame.top + row as f64 * ROW;
        let y = top + ROW / 2.0;
        let (role, verdict) = standing(self.metric);
        let rules = &self.metric.rule.rules;
        let band = |from: f64, to: f64| Frame {
            left: from,
            top: top + 4.0,
            right: to,
            bottom: top + ROW - 4.0,
        };
        let tint = Paint::from(Role::Series(1));
        let (margin, limit) = (scale.at(rules.margin), scale.at(rules.limit));
        scene.rect(band(margin, limit), tint.opacity(0.07));
        scene.rect(band(limit, frame.right), tint.opacity(0.16));
        let name = shorten(&self.metric.rule.name, LABEL, LONGEST_LABEL);
        scene.text(
            Text::new(At(frame.left - 12.0, y), LABEL, name)
                .bold()
                .align(Align::End),
        );
        let paint = Paint::from(role);
        for (at, worse) in self.pairs.iter().enumerate() {
            // Spread out over the row, so that equal values do not hide each other.
            let spread = ((at * 7) % 11) as f64 / 10.0 - 0.5;
            let at = At(scale.at(*worse), y + spread * (ROW - 24.0));
            scene.dot(at, 2.4, paint.opacity(0.35));
        }
        let judgement = &self.metric.judgement;
        if let Some((low, high)) = judgement.interval {
            scene.line(At(scale.at(low), y), At(scale.at(high), y), 3.5, paint);
        }
        scene.dot(At(scale.at(judgement.change), y), 7.0, Role::Card);
        scene.dot(At(scale.at(judgement.change), y), 5.5, paint);
        let right = frame.right + 12.0;
        scene.text(
            Text::new(At(right, y - 8.0), LABEL, verdict)
                .bold()
                .paint(role),
        );
        let change = signed_percent(judgement.change);
        scene.text(Text::new(At(right, y + 9.0), LABEL, change).paint(Role::Muted));
    }
}

fn standing(metric: &MetricVerdict) -> (Role, &'static str) {
    match (metric.gated, metric.judgement.verdict) {
        (false, _) => (Role::Series(6), "not gated"),
        (true, Verdict::Pass) => (Role::Series(2), "PASS"),
        (true, Verdict::Fail) => (Role::Series(1), "FAIL"),
        (true, Verdict::Inconclusive) => (Role::Series(4), "open"),
    }
}

/// What the axis spans: every interval, the limits, and most of the pairs.
fn extent(rows: &[Row<'_>]) -> Option<(f64, f64)> {
    let mut ends = vec![-0.02, 0.02];
    for row in rows {
        ends.push(row.metric.rule.rules.limit * 1.15);
        ends.push(row.metric.judgement.change);
        let interval = row.metric.judgement.interval;
        ends.extend(interval.into_iter().flat_map(|(low, high)| [low, high]));
        let mut pairs = row.pairs.clone();
        pairs.retain(|worse| worse.is_finite());
        pairs.sort_by(f64::total_cmp);
        let outside = ((1.0 - SHOWN_SHARE) / 2.0 * pairs.len() as f64).floor() as usize;
        ends.extend(pairs.get(outside));
        ends.extend(pairs.iter().rev().nth(outside));
    }
    ends.retain(|end| end.is_finite());
    let low = ends.iter().copied().fold(0.0, f64::min);
    let high = ends.iter().copied().fold(0.0, f64::max);
    let pad = (high - low) * 0.03;
    (!rows.is_empty()).then_some((low - pad, high + pad))
}
