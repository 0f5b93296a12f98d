//! From a workload to its plan.

use super::{Cell, PLAN_VERSION, Plan, PlanAxis, Run, fraction, identity};
use crate::{
    generate::{Sample, Trace},
    language::{
        ArrivalSpec, CellSpec, Contradiction, PayloadSpec, Source, Spec, SpecError, UNSET,
        contradictions,
    },
    units::Span,
};
use rand::{RngCore, SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeMap;

/// Cells that one sweep may have.
const CELLS_MAX: usize = 100_000;

/// Runs that one plan may have.
const RUNS_MAX: usize = 1_000_000;

/// What two batches hold at the usual settings. A sample that is shorter comes
/// more than once in a batch, and compresses better than the stream it is from.
const SAMPLE_BYTES_LOW: usize = 256 * 1024;

impl Spec {
    /// Expands the workload: chooses the cells, checks each, reads the files
    /// they need, and puts the runs in their order.
    pub fn plan(&self) -> Result<Plan, SpecError> {
        let refuse =
            |path: &str, message: String| SpecError::Refused(vec![self.problem(path, message)]);
        let mut rng = ChaCha8Rng::seed_from_u64(self.run.seed);
        let specs = self
            .cells(&mut rng)
            .map_err(|(path, message)| refuse(&path, message))?;
        let mut inputs = Inputs::default();
        for spec in specs.iter().flat_map(CellSpec::each) {
            inputs
                .read(spec)
                .map_err(|(path, message)| refuse(path, message))?;
        }
        let cell = |spec: CellSpec| {
            let mut params = spec.params();
            let id = identity::cell_id(&params, &inputs.hashes);
            for axis in self.axes() {
                let unset = || UNSET.into();
                params.entry(axis.path().to_owned()).or_insert_with(unset);
            }
            Cell { id, params, spec }
        };
        let cells: Vec<_> = specs.into_iter().map(cell).collect();
        let repeats = self.repeats_that_fit(&cells);
        let repeats = repeats.map_err(|message| refuse("time_budget", message))?;
        if cells.len().saturating_mul(repeats as usize) > RUNS_MAX {
            let message = format!("{} cells {repeats} times are too many runs", cells.len());
            return Err(refuse("repeats", message));
        }
        let runs = blocks(cells.len(), repeats, &mut rng);
        let ids: Vec<_> = cells.iter().map(|cell| &cell.id).collect();
        let axes = self.axes().iter().map(|axis| PlanAxis {
            path: axis.path().to_owned(),
            values: axis.values().to_vec(),
        });
        Ok(Plan {
            version: PLAN_VERSION,
            name: self.run.name.clone(),
            question: self.run.question.clone(),
            hash: identity::plan_hash(&self.run.name, &ids, &runs),
            seed: self.run.seed,
            repeats,
            repeats_dropped: self.run.repeats - repeats,
            axes: axes.collect(),
            cells,
            runs,
            inputs: inputs.hashes,
            warnings: inputs.warnings,
        })
    }

    /// The cells to run, each checked against itself.
    fn cells(&self, rng: &mut ChaCha8Rng) -> Result<Vec<CellSpec>, (String, String)> {
        let levels: Vec<_> = self.axes().iter().map(|axis| axis.values().len()).collect();
        let count = levels
            .iter()
            .try_fold(1_usize, |all, &some| all.checked_mul(some));
        if count.is_none_or(|count| count > CELLS_MAX) {
            let levels: Vec<_> = levels.iter().map(usize::to_string).collect();
            let levels = levels.join(" x ");
            return Err((
                String::new(),
                format!("the lists make {levels} cells; at most {CELLS_MAX} are taken"),
            ));
        }
        let denominator = self.run.fraction.denominator();
        let chosen = fraction::choose(&combinations(&levels), &levels, denominator, rng);
        let chosen = chosen.ok_or_else(|| {
            let message = format!(
                "`1/{denominator}` of this sweep would leave two settings that change only \
                 together; use a larger part or more axes"
            );
            ("fraction".to_owned(), message)
        })?;
        chosen
            .iter()
            .map(|combination| self.cell(combination))
            .collect()
    }

    fn cell(&self, combination: &[usize]) -> Result<CellSpec, (String, String)> {
        let mut cell = self.base.clone();
        for (axis, &level) in self.axes().iter().zip(combination) {
            axis.apply(level, &mut cell);
        }
        let Some(Contradiction { path, message }) = contradictions(&cell).into_iter().next() else {
            return Ok(cell.resolved());
        };
        let params = cell.params();
        let values = self.axes().iter().filter_map(|axis| {
            let value = params.get(axis.path())?;
            Some(match value.as_str() {
                Some(text) => format!("{} = {text}", axis.path()),
                None => format!("{} = {value}", axis.path()),
            })
        });
        let values: Vec<_> = values.collect();
        let cell = match values.is_empty() {
            true => String::new(),
            false => format!(" (in the cell {})", values.join(", ")),
        };
        Err((path, format!("{message}{cell}")))
    }

    /// The repeats asked for, or as many as the time budget has room for.
    fn repeats_that_fit(&self, cells: &[Cell]) -> Result<u32, String> {
        let Some(budget) = self.run.time_budget else {
            return Ok(self.run.repeats);
        };
        let block = cells
            .iter()
            .map(Cell::expected)
            .fold(Span::ZERO, Span::plus);
        let fit = budget
            .nanos()
            .checked_div(block.nanos())
            .unwrap_or(u64::MAX);
        let fit = u32::try_from(fit).unwrap_or(u32::MAX);
        if fit > 0 {
            return Ok(fit.min(self.run.repeats));
        }
        let seconds = block.secs_f64().ceil();
        Err(format!(
            "`{budget}` is not enough to run each of the {} cells once, which takes about \
             {seconds}s: give more, run a fraction, or shorten load.duration",
            cells.len()
        ))
    }
}

/// Every combination of levels, the last axis fastest.
pub(super) fn combinations(levels: &[usize]) -> Vec<Vec<usize>> {
    let mut all = vec![Vec::new()];
    for &count in levels {
        let longer = |shorter: &Vec<usize>| {
            let shorter = shorter.clone();
            (0..count).map(move |level| {
                let mut longer = shorter.clone();
                longer.push(level);
                longer
            })
        };
        all = all.iter().flat_map(longer).collect();
    }
    all
}

/// Randomised complete blocks: every cell once in each, in an order of its own.
fn blocks(cells: usize, repeats: u32, rng: &mut ChaCha8Rng) -> Vec<Run> {
    let mut runs = Vec::with_capacity(cells * repeats as usize);
    for repeat in 0..repeats {
        let seed = rng.next_u64();
        let mut order: Vec<_> = (0..cells).collect();
        order.shuffle(rng);
        runs.extend(order.into_iter().map(|cell| Run { cell, repeat, seed }));
    }
    runs
}

/// The files that cells read, each read once.
#[derive(Default)]
struct Inputs {
    hashes: BTreeMap<String, String>,
    warnings: Vec<String>,
    checked: Vec<String>,
}

impl Inputs {
    fn read(&mut self, cell: &CellSpec) -> Result<(), (&'static str, String)> {
        if let PayloadSpec::Sample { source, split } = cell.records.payload() {
            let key = format!("{source} {split} {}", cell.records.keys);
            if !self.checked.contains(&key) {
                self.checked.push(key);
                self.sample(source, cell)
                    .map_err(|message| ("records.sample", message))?;
            }
        }
        if let ArrivalSpec::Trace(path) = &cell.load.arrivals {
            let key = format!("{} {}", path.display(), cell.load_time());
            if !self.checked.contains(&key) {
                self.checked.push(key);
                let trace = Trace::load(path, cell.load_time());
                let trace = trace.map_err(|error| ("load.arrivals", error.to_string()))?;
                let name = cell.load.arrivals.to_string();
                self.hashes
                    .insert(name, identity::content_hash(trace.bytes()));
            }
        }
        Ok(())
    }

    fn sample(&mut self, source: &Source, cell: &CellSpec) -> Result<(), String> {
        let sample = Sample::load(&cell.records).map_err(|error| error.to_string())?;
        let name = source.to_string();
        let hash = identity::content_hash(sample.bytes());
        if self.hashes.insert(name, hash).is_none() && sample.bytes().len() < SAMPLE_BYTES_LOW {
            let length = sample.bytes().len();
            self.warnings.push(format!(
                "the sample {source} has only {length} bytes and will repeat within a batch: \
                 it compresses better than the stream it was taken from"
            ));
        }
        Ok(())
    }
}
