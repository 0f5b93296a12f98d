//! The report: one self-contained HTML page of one or several runs.
//!
//! The page asks nothing of the network: styles and charts are inline, there
//! is no script, and fonts are the reader's own. Charts follow the reader's
//! light or dark preference through the classes that the SVG writer leaves on
//! coloured elements. The page stays below [`PAGE_LIMIT`]: charts that would
//! take it further are named, not shown.

mod theme;

use crate::charts::{self, Chart};
use crate::compare::{Comparison, compare, run_label};
use crate::rules::{Verdict, unjudged, verdicts};
use crate::summary::{self, Note, State, Tally};
use crate::sweep::Sweep;
use crate::table::Table;
use crate::{PlotError, answer};
use askama::Template;
use plimsoll_results::RunResult;

/// Size that a page stays below, in bytes.
pub const PAGE_LIMIT: usize = 2_000_000;

/// Room for charts; tables and comparisons share most of the rest.
const CHART_BYTES: usize = 900_000;
const TABLE_BYTES: usize = 700_000;
const COMPARED_LINES: usize = 600;

#[derive(Template)]
#[template(path = "report.html")]
struct Page {
    title: String,
    style: String,
    runs: Vec<RunView>,
    comparisons: Vec<ComparisonView>,
}

struct RunView {
    anchor: String,
    label: String,
    name: String,
    question: String,
    state: State,
    answer: Vec<String>,
    table: Table,
    cut: String,
    charts: Vec<Shown>,
    left_out: Vec<String>,
    verdicts: Vec<Verdict>,
    unjudged: Vec<String>,
    notes: Vec<Note>,
    ledger: Vec<Tally>,
    ledger_text: String,
    environment: Vec<(&'static str, String)>,
    command: String,
}

struct ComparisonView {
    cut: String,
    comparison: Comparison,
    charts: Vec<Shown>,
}

/// A chart as it stands in the page.
struct Shown {
    name: String,
    svg: String,
}

/// Chart bytes that may still be spent.
struct Budget(usize);

impl Budget {
    /// Keeps charts while they fit; returns the titles of the others.
    fn spend(&mut self, charts: &[Chart]) -> (Vec<Shown>, Vec<String>) {
        let (mut shown, mut left_out) = (Vec::new(), Vec::new());
        for chart in charts {
            let svg = theme::inline(&chart.svg);
            match self.0.checked_sub(svg.len()) {
                Some(rest) => {
                    self.0 = rest;
                    shown.push(Shown {
                        name: chart.name.clone(),
                        svg,
                    });
                }
                None => left_out.push(chart.title.clone()),
            }
        }
        (shown, left_out)
    }
}

/// Renders one page for the runs, the first being the baseline of comparisons.
pub fn report(runs: &[RunResult]) -> Result<String, PlotError> {
    let first = runs.first().ok_or(PlotError::NoRuns)?;
    let mut budget = Budget(CHART_BYTES);
    let mut comparisons = Vec::new();
    for mut comparison in compare(runs)? {
        let (charts, _) = budget.spend(&comparison.charts);
        let cut = comparison.shorten(COMPARED_LINES / (runs.len() - 1));
        comparisons.push(ComparisonView {
            cut: cut_text(comparison.lines.len(), cut),
            comparison,
            charts,
        });
    }
    let mut views = Vec::new();
    for (position, run) in runs.iter().enumerate() {
        views.push(view(run, position, runs.len(), &mut budget)?);
    }
    let title = if runs.len() == 1 {
        first.name.clone()
    } else {
        format!("{} runs compared", runs.len())
    };
    let page = Page {
        title,
        style: theme::style(),
        runs: views,
        comparisons,
    };
    page.render().map_err(|e| PlotError::Render {
        reason: e.to_string(),
    })
}

fn view(
    run: &RunResult,
    position: usize,
    runs: usize,
    budget: &mut Budget,
) -> Result<RunView, PlotError> {
    let sweep = Sweep::of(run);
    let (charts, left_out) = budget.spend(&charts::draw(run)?);
    let mut table = Table::of(&sweep);
    let cut = table.shorten(TABLE_BYTES / runs);
    Ok(RunView {
        anchor: format!("run-{}", position + 1),
        label: if runs > 1 {
            run_label(run, position)
        } else {
            run.target.label().to_string()
        },
        name: run.name.clone(),
        question: run.description.clone(),
        state: summary::state(run),
        answer: answer::sentences(&sweep),
        cut: cut_text(table.rows.len(), cut),
        table,
        charts,
        left_out,
        verdicts: verdicts(&sweep),
        unjudged: unjudged(&sweep),
        notes: summary::notes(run),
        ledger: summary::ledger(run),
        ledger_text: summary::ledger_text(run),
        environment: summary::environment(run),
        command: summary::command(run),
    })
}

/// What a shortened table says about itself; nothing when it is whole.
fn cut_text(kept: usize, cut_from: Option<usize>) -> String {
    cut_from.map_or_else(String::new, |all| {
        format!("The first {kept} of {all} rows, to keep this page small; the CSV has them all.")
    })
}
