//! `--chart`: an answer's curve as a picture.

use crate::failure::Failure;
use anyhow::anyhow;
use plimsoll_calculators::curve::{Axis, Curve};
use plimsoll_calculators::{Answer, Exact, Unit};
use plimsoll_plots::{CurveAxis, CurveChart};
use std::path::Path;

/// Draws the curve of `answer` into `file`.
pub fn draw(answer: &Answer, file: &Path) -> Result<(), Failure> {
    check_ending(file)?;
    let curve = answer.curves.first().ok_or_else(|| {
        Failure::usage(anyhow!(
            "--chart: {} has no curve; accepted with disk, lag, transactions and cost",
            answer.calculator
        ))
    })?;
    let chart = chart(answer, curve).draw(&answer.calculator);
    let chart = chart.map_err(Failure::runtime)?;
    chart.write_file(file).map_err(Failure::runtime)
}

/// Refuses a file that is neither SVG nor PNG.
pub fn check_ending(file: &Path) -> Result<(), Failure> {
    let ending = file.extension().and_then(|ending| ending.to_str());
    match ending {
        Some("svg" | "png") => Ok(()),
        _ => Err(Failure::usage(anyhow!(
            "--chart is {}; accepted: a file that ends in .svg or .png",
            file.display()
        ))),
    }
}

fn chart(answer: &Answer, curve: &Curve) -> CurveChart {
    let longest = longest(curve);
    let (scale, unit) = match curve.across.unit {
        Unit::Seconds => time_unit(longest),
        _ => (1.0, ""),
    };
    let mut across = axis(&curve.across);
    if !unit.is_empty() {
        across.label = format!("{}, in {unit}", curve.across.label);
    }
    let scaled = |points: &[(f64, f64)]| points.iter().map(|&(x, y)| (x / scale, y)).collect();
    let binds = answer.binds.as_ref();
    CurveChart {
        title: curve.title.clone(),
        subtitle: binds.map_or_else(String::new, |b| {
            format!("What binds: {}: {}.", b.term, b.because)
        }),
        footer: format!(
            "plimsoll size {} · rules {}",
            answer.calculator,
            answer.rules.join(", ")
        ),
        across,
        up: axis(&curve.up),
        lines: curve
            .series
            .iter()
            .map(|s| (s.label.clone(), scaled(&s.points)))
            .collect(),
    }
}

fn longest(curve: &Curve) -> f64 {
    let points = curve.series.iter().flat_map(|series| &series.points);
    points.map(|(x, _)| *x).fold(0.0, f64::max)
}

/// The unit in which a time has few digits, and its seconds.
fn time_unit(longest: f64) -> (f64, &'static str) {
    const UNITS: [(f64, &str); 3] = [(86_400.0, "days"), (3600.0, "hours"), (60.0, "minutes")];
    let fits = |(seconds, _): &&(f64, &str)| longest >= 3.0 * seconds;
    UNITS.iter().find(fits).copied().unwrap_or((1.0, "seconds"))
}

fn axis(axis: &Axis) -> CurveAxis {
    CurveAxis {
        label: match axis.log {
            true => format!("{}, logarithmic", axis.label),
            false => axis.label.clone(),
        },
        format: match axis.unit {
            Unit::Bytes => |value| Unit::Bytes.brief(rounded(value)),
            Unit::Dollars => |value| format!("${}", Unit::Count.show(rounded(value))),
            Unit::Share => |value| Unit::Share.show(rounded(value)),
            _ => |value| Unit::Count.show(rounded(value)),
        },
        log: axis.log,
    }
}

/// Ticks are round numbers that floating point has made long.
fn rounded(value: f64) -> Exact {
    Exact::from_f64((value * 1e6).round() / 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_curve_is_drawn_as_svg_and_png_and_others_are_refused() {
        use plimsoll_calculators::{lag, network};
        let dir = tempfile::tempdir().expect("a directory");
        let rate = |text: &str| text.parse().expect("a rate");
        let mut input = lag::Input::new(rate("50K/s"), rate("60K/s"));
        input.outage = "1h".parse().expect("a time");
        let lag = lag::lag(&input).expect("a sound input");
        for name in ["lag.svg", "lag.png"] {
            let file = dir.path().join(name);
            draw(&lag, &file).expect("a curve");
            assert!(std::fs::metadata(&file).expect("a file").len() > 1000);
        }
        let refused = draw(&lag, &dir.path().join("lag.pdf")).expect_err("no such format");
        assert!(
            refused.to_string().contains("ends in .svg or .png"),
            "{refused}"
        );
        let input = network::Input::new(rate("1K/s"), "1KB".parse().expect("a size"));
        let network = network::network(&input).expect("a sound input");
        let refused = draw(&network, &dir.path().join("n.svg")).expect_err("no curve");
        assert!(
            refused.to_string().contains("network has no curve"),
            "{refused}"
        );
    }

    #[test]
    fn times_are_counted_in_the_unit_that_fits() {
        let check = |seconds: f64, unit: &str| assert_eq!(time_unit(seconds).1, unit);
        check(604_800.0, "days");
        check(86_400.0, "hours");
        check(600.0, "minutes");
        check(10.0, "seconds");
    }
}
