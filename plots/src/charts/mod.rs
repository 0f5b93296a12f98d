//! The charts: each looks whether a run carries what it needs and draws
//! itself, or is left out.
//!
//! Charts are generic over the swept parameters. Only valid cells are drawn;
//! when none is valid all are, under a title that says so.

mod bands;
mod bars;
mod cost;
mod curve;
mod dumbbell;
pub(crate) mod forest;
mod gate;
mod heat;
mod history;
mod knee;
mod law;
mod lines;
mod rates;
mod rows;
mod scatter;
mod skew;
mod spectrum;
mod timeline;
mod transactions;

use crate::page::Words;
use crate::paint;
use crate::scene::Scene;
use crate::sweep::{Axis, Sweep, named_value};
use crate::{PlotError, units};
use bands::{Band, Edges};
pub use curve::{CurveAxis, CurveChart};
use heat::Shown;
use plimsoll_gate::GateReport;
use plimsoll_gate::history::Track;
use plimsoll_results::{Floor, LatencyKind, Metric, RunResult};
use serde_json::Value;
use std::path::{Path, PathBuf};

/// A drawn chart.
#[derive(Clone, Debug)]
pub struct Chart {
    /// File name without extension; unique within a run.
    pub name: String,
    /// What it shows.
    pub title: String,
    /// The picture as a stand-alone SVG document.
    pub svg: String,
    scene: Scene,
}

/// A chart on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChartFile {
    /// File name without extension.
    pub name: String,
    /// What it shows.
    pub title: String,
    /// The SVG file.
    pub svg: PathBuf,
    /// The PNG file, at twice the logical size.
    pub png: PathBuf,
}

/// What every chart is drawn from.
pub(crate) struct Context<'a> {
    pub sweep: Sweep<'a>,
    /// Set when no cell was valid.
    caveat: Option<&'static str>,
}

impl Chart {
    pub(crate) fn of(name: &str, scene: Scene) -> Result<Self, PlotError> {
        let title = scene.description.split(". ").next().unwrap_or(name);
        Ok(Self {
            name: name.to_string(),
            title: title.to_string(),
            svg: paint::svg(&scene, name)?,
            scene,
        })
    }

    /// Writes one file, as PNG when its name ends so and as SVG otherwise.
    pub fn write_file(&self, file: &Path) -> Result<(), PlotError> {
        if file.extension().is_some_and(|ending| ending == "png") {
            return paint::png(&self.scene, &self.name, file);
        }
        std::fs::write(file, &self.svg).map_err(|source| PlotError::Write {
            path: file.to_path_buf(),
            source,
        })
    }

    /// Writes `NAME.svg` and `NAME.png` into an existing directory.
    pub fn write(&self, dir: &Path) -> Result<ChartFile, PlotError> {
        let svg = dir.join(format!("{}.svg", self.name));
        let png = dir.join(format!("{}.png", self.name));
        std::fs::write(&svg, &self.svg).map_err(|source| PlotError::Write {
            path: svg.clone(),
            source,
        })?;
        paint::png(&self.scene, &self.name, &png)?;
        Ok(ChartFile {
            name: self.name.clone(),
            title: self.title.clone(),
            svg,
            png,
        })
    }
}

/// Draws every chart that the run carries the data for.
pub fn draw(run: &RunResult) -> Result<Vec<Chart>, PlotError> {
    if run.cells.iter().any(|cell| cell.valid) {
        return draw_usable(run, None);
    }
    let mut shown = run.clone();
    for cell in &mut shown.cells {
        cell.valid = true;
    }
    draw_usable(
        &shown,
        Some("No cell of this run is valid: for diagnosis only."),
    )
}

fn draw_usable(run: &RunResult, caveat: Option<&'static str>) -> Result<Vec<Chart>, PlotError> {
    let context = Context {
        sweep: Sweep::of(run),
        caveat,
    };
    let response = Shown {
        metric: Metric::P99(LatencyKind::Response),
        title: "Response time p99",
        format: units::micros,
    };
    let throughput = Shown {
        metric: Metric::RecordsPerSecond,
        title: "Records per second",
        format: units::si,
    };
    let scenes = [
        ("throughput", rates::throughput(&context)),
        ("scaling-law", law::scene(&context)),
        ("latency-by-rate", rates::latency(&context)),
        ("latency-to-the-knee", knee::scene(&context)),
        ("throughput-heat", heat_map(&context, &throughput)),
        ("latency-heat", heat_map(&context, &response)),
        ("latency-spectrum", spectrum::scene(&context)),
        ("response-against-service", dumbbell::scene(&context)),
        ("latency-over-time", timeline::LATENCY.scene(&context)),
        ("throughput-over-time", timeline::FLOW.scene(&context)),
        ("lag-over-time", timeline::LAG.scene(&context)),
        ("disk-over-time", timeline::DISK.scene(&context)),
        ("cpu-over-time", timeline::CPU.scene(&context)),
        ("compression-against-throughput", scatter::scene(&context)),
        ("transactions-against-plain", transactions::scene(&context)),
        ("partition-skew", skew::scene(&context)),
        ("broker-cpu-per-gb", cost::scene(&context)),
    ];
    scenes
        .into_iter()
        .filter_map(|(name, scene)| Some(Chart::of(name, scene?)))
        .collect()
}

/// Draws every chart into `dir`, creating it, as `NAME.svg` and `NAME.png`.
pub fn charts(run: &RunResult, dir: &Path) -> Result<Vec<ChartFile>, PlotError> {
    create(dir)?;
    draw(run)?.iter().map(|chart| chart.write(dir)).collect()
}

fn create(dir: &Path) -> Result<(), PlotError> {
    std::fs::create_dir_all(dir).map_err(|source| PlotError::Write {
        path: dir.to_path_buf(),
        source,
    })
}

/// Draws a gate's verdict into `dir` as `gate.svg` and `gate.png`; nothing when
/// nothing was measured.
pub fn gate_chart(report: &GateReport, dir: &Path) -> Result<Option<ChartFile>, PlotError> {
    let chart = gate::scene(report).map(|scene| Chart::of("gate", scene));
    chart.map(|chart| chart?.write(dir)).transpose()
}

/// Draws the history of each setting on each machine into `dir`, creating it, as
/// `history-1.svg`, `history-1.png` and so on.
pub fn history_charts(tracks: &[Track], dir: &Path) -> Result<Vec<ChartFile>, PlotError> {
    create(dir)?;
    let one = |a: &Track, b: &Track| {
        (&a.machine, &a.name, &a.setting) == (&b.machine, &b.name, &b.setting)
    };
    let scenes = tracks.chunk_by(one).filter_map(history::scene);
    scenes
        .enumerate()
        .map(|(at, scene)| Chart::of(&format!("history-{}", at + 1), scene)?.write(dir))
        .collect()
}

/// Acks against compression when both vary, otherwise the first two varied
/// parameters that do not already have a line chart's shape.
fn heat_map(context: &Context<'_>, shown: &Shown) -> Option<Scene> {
    let sweep = &context.sweep;
    for (rows, columns) in [
        ("acks", "compression"),
        ("linger", "batch_bytes"),
        ("linger", "batch"),
    ] {
        if let (Some(rows), Some(columns)) = (sweep.axis(rows), sweep.axis(columns)) {
            return heat::scene(context, rows, columns, shown);
        }
    }
    let [rows, columns, ..] = sweep.axes.as_slice() else {
        return None;
    };
    let fits = |axis: &Axis| axis.values.len() <= 10;
    if !(fits(rows) && fits(columns)) {
        return None;
    }
    let (rows, columns) = if rows.values.len() > columns.values.len() {
        (columns, rows)
    } else {
        (rows, columns)
    };
    heat::scene(context, rows, columns, shown)
}

impl<'a> Context<'a> {
    /// A run without a caveat.
    pub(crate) fn of(run: &'a RunResult) -> Self {
        Self {
            sweep: Sweep::of(run),
            caveat: None,
        }
    }

    /// Subtitle and footer: `lead`, what is held fixed, what the numbers are
    /// medians of, and where they come from.
    pub(crate) fn words(&self, lead: &str, fixed: &[(&Axis, &Value)]) -> Words {
        let mut parts: Vec<String> = self.caveat.map(str::to_string).into_iter().collect();
        if !lead.is_empty() {
            parts.push(lead.to_string());
        }
        if !fixed.is_empty() {
            let held: Vec<String> = fixed.iter().map(|(a, v)| named_value(a, v)).collect();
            parts.push(format!("At {}.", held.join(", ")));
        }
        parts.push(self.repeats());
        let left_out = self.sweep.run.cells.iter().filter(|c| !c.valid).count();
        if left_out > 0 {
            parts.push(match left_out {
                1 => "1 invalid run is left out.".to_string(),
                _ => format!("{left_out} invalid runs are left out."),
            });
        }
        Words {
            title: String::new(),
            subtitle: parts.join(" "),
            footer: footer(self.sweep.run),
        }
    }

    /// Adds the machine's floor of a latency to a chart's bands; says so in a
    /// sentence. Nothing where it was not measured.
    pub(crate) fn floor(&self, bands: &mut Vec<Band>) -> Option<String> {
        let floor = self.sweep.run.floor(Floor::ROUND_TRIP_P50)?;
        bands.push(Band::floor(Edges::Level(0.0, floor)));
        Some(format!(
            "Grey at the foot: the machine's floor, {} for a message there and back.",
            units::micros(floor)
        ))
    }

    fn repeats(&self) -> String {
        match self.sweep.repeats() {
            (_, 0 | 1) => "Single runs, so no ranges.".to_string(),
            (low, high) if low == high => {
                format!("Median of {high} repeats, with the range from lowest to highest.")
            }
            (low, high) => {
                format!("Median of {low} to {high} repeats, with their range.")
            }
        }
    }
}

fn footer(run: &RunResult) -> String {
    let machine = &run.fingerprint;
    let cores = match machine.logical_cores {
        0 => String::new(),
        1 => "1 core".to_string(),
        n => format!("{n} cores"),
    };
    let client = if run.target.client.is_empty() {
        String::new()
    } else {
        format!("{} client", run.target.client)
    };
    let parts = [
        run.name.as_str(),
        run.target.label(),
        &client,
        &machine.cpu_model,
        &cores,
        run.started_at.get(..10).unwrap_or(&run.started_at),
    ];
    let parts: Vec<&str> = parts.into_iter().filter(|p| !p.is_empty()).collect();
    parts.join(" · ")
}
