//! `plimsoll compare`: what differs between results, with intervals.

use crate::failure::{Failure, Outcome};
use crate::report::load;
use comfy_table::{Table, TableComponent, presets};
use plimsoll_plots::Comparison;
use serde_json::json;
use std::path::PathBuf;
use std::process::ExitCode;

/// Compare results, setting by setting, with the first one given.
///
/// Every difference comes with an interval over the repeats. Where a setting
/// ran only once there is none, and the line says so.
#[derive(clap::Args)]
#[command(after_help = "Example:\n  plimsoll compare results/before results/after")]
pub struct Args {
    /// Directories that `plimsoll run` wrote, the baseline first.
    #[arg(value_name = "DIR", required = true, num_args = 2..)]
    dirs: Vec<PathBuf>,
    /// Print JSON instead of tables.
    #[arg(long)]
    json: bool,
}

/// Prints the comparisons.
pub fn run(args: &Args) -> Outcome {
    let runs = load(&args.dirs)?;
    let comparisons = plimsoll_plots::compare(&runs).map_err(Failure::runtime)?;
    if args.json {
        let all: Vec<_> = comparisons.iter().map(as_json).collect();
        println!("{:#}", serde_json::Value::Array(all));
        return Ok(ExitCode::SUCCESS);
    }
    for comparison in &comparisons {
        print(comparison);
    }
    Ok(ExitCode::SUCCESS)
}

fn print(comparison: &Comparison) {
    println!(
        "{}\nagainst {}\n",
        comparison.candidate, comparison.baseline
    );
    let mut table = Table::new();
    table.load_preset(presets::UTF8_HORIZONTAL_ONLY);
    for lines_between_rows in [
        TableComponent::HorizontalLines,
        TableComponent::MiddleIntersections,
        TableComponent::LeftBorderIntersections,
        TableComponent::RightBorderIntersections,
    ] {
        table.remove_style(lines_between_rows);
    }
    let letter = comparison.letter.to_string();
    table.set_header(["setting", "metric", "A", &letter, "difference"]);
    for line in &comparison.lines {
        table.add_row([
            line.setting.as_str(),
            line.metric,
            &line.baseline,
            &line.candidate,
            &line.change,
        ]);
    }
    if !comparison.lines.is_empty() {
        println!("{table}\n");
    }
    for sentence in comparison.summary.iter().chain(&comparison.cautions) {
        println!("{sentence}");
    }
    println!();
}

fn as_json(comparison: &Comparison) -> serde_json::Value {
    let lines = comparison.lines.iter().map(|line| {
        let interval = line.ratio.and_then(|ratio| ratio.interval);
        json!({
            "setting": line.setting,
            "metric": line.metric,
            "baseline": line.baseline,
            "candidate": line.candidate,
            "ratio": line.ratio.map(|r| r.estimate),
            "low": interval.map(|i| i.low),
            "high": interval.map(|i| i.high),
            "confidence": interval.map(|i| i.confidence),
            "repeats": line.ratio.map(|r| r.n),
        })
    });
    json!({
        "baseline": comparison.baseline,
        "candidate": comparison.candidate,
        "summary": comparison.summary,
        "cautions": comparison.cautions,
        "lines": lines.collect::<Vec<_>>(),
    })
}
