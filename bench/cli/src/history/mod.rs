//! `plimsoll history`: results kept over weeks, and when they moved.

mod store;

use crate::failure::{Failure, Outcome};
use crate::gate::value_text;
use crate::report::load;
use anyhow::{Context as _, anyhow};
use comfy_table::{CellAlignment, Table, presets};
use plimsoll_gate::change_points::{ChangePoint, Sensitivity};
use plimsoll_gate::history::{Entry, Track, tracks};
use plimsoll_plots::units::signed_percent;
use std::path::PathBuf;
use std::process::ExitCode;
use store::Store;

/// Keep results over weeks and find when they moved.
///
/// What is kept is small: a file of medians for each run, in a folder or on a
/// git branch of its own. A level that moved is found by E-divisive change
/// points, for each machine by itself.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  plimsoll history add results/gate-gate-20260102-030405/b
  plimsoll history show --chart charts/
  plimsoll history add results/today --branch plimsoll-history && git push origin plimsoll-history")]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(clap::Subcommand)]
enum Action {
    /// Add results.
    Add {
        /// Directories that `plimsoll run` wrote, or sides of a gate.
        #[arg(value_name = "DIR", required = true)]
        dirs: Vec<PathBuf>,
        #[command(flatten)]
        place: Place,
    },
    /// Show how results developed, and where their level moved.
    Show {
        #[command(flatten)]
        place: Place,
        /// Draw a chart for each setting into this directory, as SVG and PNG.
        #[arg(long, value_name = "DIR")]
        chart: Option<PathBuf>,
        /// Smallest change that counts.
        #[arg(long, value_name = "SHARE", default_value = "3%")]
        margin: plimsoll_workloads::units::Share,
        /// Print JSON instead of the table.
        #[arg(long)]
        json: bool,
    },
}

/// Where the history is kept.
#[derive(clap::Args)]
struct Place {
    /// The folder [default: history].
    #[arg(long, value_name = "DIR", conflicts_with = "branch")]
    folder: Option<PathBuf>,
    /// A git branch of this repository, which is made when it is not there. It
    /// is never checked out.
    #[arg(long, value_name = "NAME")]
    branch: Option<String>,
}

impl Place {
    fn store(self) -> Store {
        match (self.branch, self.folder) {
            (Some(branch), _) => Store::Branch(branch),
            (None, Some(folder)) => Store::Folder(folder),
            (None, None) => Store::Folder(PathBuf::from("history")),
        }
    }
}

/// Adds or shows.
pub fn run(args: Args) -> Outcome {
    match args.action {
        Action::Add { dirs, place } => add(&dirs, &place.store()),
        Action::Show {
            place,
            chart,
            margin,
            json,
        } => {
            let sensitivity = Sensitivity {
                margin: margin.get(),
                ..Sensitivity::default()
            };
            let entries = place.store().entries().map_err(Failure::usage)?;
            let tracks = tracks(&entries, &sensitivity);
            if let Some(dir) = chart {
                for file in
                    plimsoll_plots::history_charts(&tracks, &dir).map_err(Failure::runtime)?
                {
                    eprintln!("{}", file.png.display());
                }
            }
            match json {
                true => println!(
                    "{}",
                    serde_json::to_string_pretty(&tracks).context("cannot write JSON")?
                ),
                false => print!("{}", describe(&tracks)),
            }
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn add(dirs: &[PathBuf], store: &Store) -> Outcome {
    let runs = load(dirs)?;
    let mut entries = Vec::with_capacity(runs.len());
    for (run, dir) in runs.iter().zip(dirs) {
        let entry = Entry::of(run).ok_or_else(|| {
            Failure::usage(anyhow!(
                "{}: no run in it is valid: nothing to keep",
                dir.display()
            ))
        })?;
        entries.push(entry);
    }
    store.add(&entries).map_err(Failure::usage)?;
    println!("{} kept in {store}", plural(entries.len(), "run"));
    Ok(ExitCode::SUCCESS)
}

fn plural(count: usize, what: &str) -> String {
    match count {
        1 => format!("1 {what}"),
        count => format!("{count} {what}s"),
    }
}

/// Every track with its changes, the newest value last.
fn describe(tracks: &[Track]) -> String {
    let mut table = Table::new();
    table.load_preset(presets::UTF8_FULL_CONDENSED);
    table.set_header(["workload", "setting", "metric", "runs", "newest", "changes"]);
    for track in tracks {
        let newest = track
            .points
            .last()
            .map(|point| value_text(track.unit, point.value));
        let changes: Vec<String> = track
            .changes
            .iter()
            .map(|change| told(track, change))
            .collect();
        table.add_row([
            track.name.clone(),
            track.setting.clone(),
            track.metric.clone(),
            track.points.len().to_string(),
            newest.unwrap_or_default(),
            match changes.is_empty() {
                true => "none".to_owned(),
                false => changes.join("\n"),
            },
        ]);
    }
    for column in table.column_iter_mut().skip(3).take(2) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    let mut machines: Vec<&str> = tracks
        .iter()
        .map(|track| track.machine_text.as_str())
        .collect();
    machines.dedup();
    format!("{table}\n{}\n", machines.join("\n"))
}

/// `+12 % worse since 2026-01-15 at 0123456789ab`.
fn told(track: &Track, change: &ChangePoint) -> String {
    let size = signed_percent(change.change());
    let way = if track.is_worse(change) {
        "worse"
    } else {
        "better"
    };
    let Some(point) = track.points.get(change.index) else {
        return size;
    };
    let day = point.started_at.get(..10).unwrap_or(&point.started_at);
    let revision = point
        .revision
        .as_deref()
        .map_or_else(String::new, |revision| {
            format!(" at {}", revision.get(..12).unwrap_or(revision))
        });
    format!("{size}, {way}, since {day}{revision}")
}
