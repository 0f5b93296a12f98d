//! `plimsoll calibrate`: what runs say about the calculators' assumptions.

use crate::failure::{Failure, Outcome};
use crate::size::table::table;
use anyhow::Context as _;
use plimsoll_calculators::calibration::{Calibration, HoldBack, Measured, Scaling, hold_back};
use plimsoll_calculators::{Exact, Unit};
use plimsoll_plots::{CurveAxis, CurveChart};
use plimsoll_results::load;
use plimsoll_results::scaling::{Prediction, REACH};
use plimsoll_results::stats::Spread;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Fit the calculators' limits and costs to runs on this machine.
///
/// Reads result.json of each run and nothing else; cells that are not valid are
/// left out. The file it writes is what `plimsoll size --calibration` uses: what
/// a partition, a broker and a consumer carry, codec ratios on your records,
/// what acks, commits and requests cost, and how throughput scales (the
/// Universal Scalability Law, from at least 6 values with 3 repeats each).
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  plimsoll run partition-scaling --out results/scaling\n  \
    plimsoll calibrate results/scaling --out calibration.json\n  \
    plimsoll size partitions --rate 50K/s --size 1KB --calibration calibration.json"
)]
pub struct Args {
    /// Directories that `plimsoll run` wrote.
    #[arg(value_name = "DIR", required = true)]
    runs: Vec<PathBuf>,
    /// The file to write.
    #[arg(long, value_name = "FILE", default_value = "calibration.json")]
    out: PathBuf,
    /// Only look whether the laws hold: fit every other value of each sweep and
    /// predict the rest. The exit code is 1 when a law misses by more than 15 %
    /// or its 90 % intervals hold fewer than 80 % of the runs.
    #[arg(long)]
    check: bool,
    /// Draw the first scaling law and its runs into this file, .svg or .png.
    #[arg(long, value_name = "FILE")]
    chart: Option<PathBuf>,
    /// Print JSON instead of tables.
    #[arg(long)]
    json: bool,
}

/// How far a held-back prediction may be off.
const ERROR_MAX: f64 = 0.15;
/// How many of the held-back runs the intervals must hold.
const COVERAGE_MIN: f64 = 0.8;

/// Reads the runs and writes the calibration.
pub fn run(args: &Args) -> Outcome {
    let mut runs = Vec::new();
    for dir in &args.runs {
        let loaded = load(dir).map_err(Failure::usage)?;
        if let Some(notice) = &loaded.notice {
            eprintln!("warning: {}: {notice}", dir.display());
        }
        runs.push(loaded.run);
    }
    let found = Calibration::of(&runs).map_err(Failure::usage)?;
    if let Some(file) = &args.chart {
        draw(&found, file)?;
    }
    if args.check {
        return check(&found, args.json);
    }
    let mut text = serde_json::to_string_pretty(&found).map_err(Failure::runtime)?;
    text.push('\n');
    std::fs::write(&args.out, &text)
        .with_context(|| format!("cannot write {}", args.out.display()))?;
    match args.json {
        true => print!("{text}"),
        false => {
            print!("{}", describe(&found));
            println!("\nwrote {}", args.out.display());
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The calibration for a person.
fn describe(found: &Calibration) -> String {
    let mut rows = table(["", "low", "likely", "high", "repeats", "at"]);
    let bytes = |value: f64| format!("{:.1} MB/s", value / 1e6);
    let mut row = |name: &str, measured: Option<&Measured>, show: &dyn Fn(f64) -> String| {
        if let Some(m) = measured {
            let cells = [m.low, m.mid, m.high].map(show);
            let [low, mid, high] = cells;
            let at = format!("{} in {}", m.at, m.run);
            rows.add_row([name.to_owned(), low, mid, high, m.n.to_string(), at]);
        }
    };
    row("one partition", found.partition_bytes.as_ref(), &bytes);
    row("one partition", found.partition_records.as_ref(), &si);
    row("one broker appends", found.broker_writes.as_ref(), &bytes);
    row("one broker takes", found.broker_records.as_ref(), &si);
    row("one broker sends", found.broker_reads.as_ref(), &bytes);
    row("one consumer reads", found.consumer_records.as_ref(), &si);
    for (codec, ratio) in &found.codecs {
        row(&format!("{codec} shrinks to 1 in"), Some(ratio), &|value| {
            format!("{value:.3}")
        });
    }
    let millis = |value: f64| format!("{:+.3} ms", value / 1e3);
    let acks = found.acks.as_ref();
    row("acks=all adds, p50", acks.map(|a| &a.p50_us), &millis);
    row("acks=all adds, p99", acks.map(|a| &a.p99_us), &millis);
    row("a commit takes", found.commit_seconds.as_ref(), &|s| {
        format!("{:.3} ms", s * 1e3)
    });
    let mut text = format!("{rows}\n");
    if let Some(cpu) = &found.broker_cpu {
        let _ = writeln!(
            text,
            "\nbroker CPU: {:.1} us a batch and {:.3} s a GB, from {} cells",
            cpu.seconds_per_batch * 1e6,
            cpu.seconds_per_byte * 1e9,
            cpu.n
        );
    }
    for scaling in &found.scaling {
        text.push_str(&law(scaling));
    }
    if !found.left_out.is_empty() {
        text.push_str("\nnot fitted:\n");
        for reason in &found.left_out {
            let _ = writeln!(text, "  {reason}");
        }
    }
    text
}

fn law(scaling: &Scaling) -> String {
    let Ok(fit) = scaling.fit() else {
        return String::new();
    };
    let (law, far) = (fit.law, fit.largest * REACH);
    let peak = fit.peak().map_or_else(
        || "no peak: coherence is not told from zero".to_owned(),
        |peak| {
            format!(
                "peak at {:.0} [{:.0} to {:.0}]",
                peak.n, peak.bounds.low, peak.bounds.high
            )
        },
    );
    format!(
        "\nscaling with {} ({}, {} runs of {} values in {}):\n  \
         one alone {} [{} to {}], contention {:.4} [{:.4} to {:.4}], coherence {:.6} [{:.6} to {:.6}]\n  \
         {peak}; holds up to {far:.0}\n",
        scaling.setting,
        scaling.at,
        fit.runs,
        fit.values,
        scaling.run,
        si(law.gamma),
        si(fit.gamma.low),
        si(fit.gamma.high),
        law.sigma,
        fit.sigma.low,
        fit.sigma.high,
        law.kappa,
        fit.kappa.low,
        fit.kappa.high,
    )
}

/// The law between its intervals, and the runs' medians.
fn draw(found: &Calibration, file: &Path) -> Result<(), Failure> {
    crate::size::chart::check_ending(file)?;
    let reasons = || anyhow::anyhow!("--chart: no law to draw: {}", found.left_out.join("; "));
    let scaling = found
        .scaling
        .first()
        .ok_or_else(|| Failure::runtime(reasons()))?;
    let fit = scaling.fit().map_err(Failure::runtime)?;
    const STEPS: u32 = 100;
    let far = fit.largest * REACH;
    let ns = (0..=STEPS).map(|step| far.powf(f64::from(step) / f64::from(STEPS)));
    let told: Vec<_> = ns.map(|n| (n, fit.predict(n))).collect();
    let mut runs: BTreeMap<u64, Vec<f64>> = BTreeMap::new();
    for sample in &scaling.samples {
        runs.entry(sample.n.to_bits())
            .or_default()
            .push(sample.value);
    }
    let median =
        |(n, values): (u64, Vec<f64>)| Some((f64::from_bits(n), Spread::of(&values)?.median));
    let line = |of: fn(&Prediction) -> f64| told.iter().map(|(n, p)| (*n, of(p))).collect();
    let chart = CurveChart {
        title: format!("Throughput by {}", scaling.setting),
        subtitle: format!(
            "The Universal Scalability Law fitted to {} runs, with the interval in which 90 % of runs lie, up to twice the largest value measured.",
            fit.runs
        ),
        footer: format!("{} · {}", scaling.run, found.machine.cpu_model),
        across: CurveAxis {
            label: format!("{}, logarithmic", scaling.setting),
            format: |value| Unit::Count.show(Exact::from_f64(value.round())),
            log: true,
        },
        up: CurveAxis {
            label: "records/s".to_owned(),
            format: si,
            log: false,
        },
        lines: vec![
            ("law".to_owned(), line(|p| p.likely)),
            (
                "runs, median".to_owned(),
                runs.into_iter().filter_map(median).collect(),
            ),
            ("least".to_owned(), line(|p| p.bounds.low)),
            ("most".to_owned(), line(|p| p.bounds.high)),
        ],
    };
    let drawn = chart.draw("scaling-law").map_err(Failure::runtime)?;
    drawn.write_file(file).map_err(Failure::runtime)
}

/// A rate of records for a person.
fn si(value: f64) -> String {
    Unit::PerSecond.show(Exact::from_f64(value.round()))
}

fn check(found: &Calibration, json: bool) -> Outcome {
    if found.scaling.is_empty() {
        let reasons = found.left_out.join("; ");
        return Err(Failure::runtime(anyhow::anyhow!(
            "no law to check: {reasons}"
        )));
    }
    let mut holds = true;
    let mut rows = Vec::new();
    for scaling in &found.scaling {
        let checked = hold_back(scaling).map_err(Failure::runtime)?;
        let sound = checked.worst() <= ERROR_MAX && checked.coverage() >= COVERAGE_MIN;
        holds &= sound;
        match json {
            true => rows.push(serde_json::json!({
                "setting": checked.setting,
                "at": scaling.at,
                "worst_error": checked.worst(),
                "coverage": checked.coverage(),
                "holds": sound,
            })),
            false => print!("{}", held(scaling, &checked, sound)),
        }
    }
    if json {
        let text = serde_json::to_string_pretty(&rows).map_err(Failure::runtime)?;
        println!("{text}");
    }
    Ok(if holds {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn held(scaling: &Scaling, checked: &HoldBack, sound: bool) -> String {
    let mut rows = table([
        "held back",
        "predicted",
        "90 % of runs",
        "measured",
        "off by",
        "held",
    ]);
    for held in &checked.held {
        let bounds = held.predicted.bounds;
        let measured: Vec<String> = held.measured.iter().map(|v| si(*v)).collect();
        rows.add_row([
            format!("{} = {}", checked.setting, held.n),
            si(held.predicted.likely),
            format!("{} to {}", si(bounds.low), si(bounds.high)),
            measured.join(", "),
            format!("{:+.1} %", held.error() * 100.0),
            format!("{} of {}", held.covered(), held.measured.len()),
        ]);
    }
    format!(
        "{} at {}\n{rows}\nworst {:.1} % (at most 15 %), intervals hold {:.0} % (at least 80 %): {}\n\n",
        scaling.setting,
        scaling.at,
        checked.worst() * 100.0,
        checked.coverage() * 100.0,
        if sound {
            "the law holds"
        } else {
            "the law does not hold"
        }
    )
}
