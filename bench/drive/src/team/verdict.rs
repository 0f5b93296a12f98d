//! From the members' reports to a cell's result.

use super::lanes;
use super::merged::Merged;
use super::message::Report;
use crate::audit::clock_doubt;
use crate::cell::{
    Bench, Finished, Measured, histogram_log, judge, merge, observed_bytes, target_rate,
};
use crate::clock::Mono;
use crate::error::DriveError;
use crate::observe::{DiskWatch, Side};
use crate::record::{Collector, Window};
use plimsoll_results::{CellResult, WorkerClock};
use plimsoll_wire::types::Offset;
use plimsoll_workloads::{Cell, Run};
use std::path::Path;

/// What a cell's result is made of that is known, or opened, before it starts.
pub(super) struct Verdict<'a> {
    cell: &'a Cell,
    run: &'a Run,
    window: Window,
    loads: Vec<LoadVerdict<'a>>,
    /// Where several workloads come together.
    together: Option<Sink>,
}

struct LoadVerdict<'a> {
    bench: &'a Bench<'a>,
    sink: Sink,
    disk: DiskWatch,
}

struct Sink {
    histogram_file: Option<String>,
    collector: Collector,
}

impl<'a> Verdict<'a> {
    /// To be called before the window begins. Histogram logs go to `dir`.
    pub(super) fn prepare(
        (cell, run): (&'a Cell, &'a Run),
        benches: &'a [Bench<'a>],
        window: Window,
        dir: Option<&Path>,
    ) -> Result<Self, DriveError> {
        let together = match benches.len() {
            0 | 1 => None,
            _ => {
                let log = dir.map(|dir| histogram_log(cell, run, None, &window, dir));
                let (histogram_file, log) = log.transpose()?.unzip();
                Some(Sink {
                    histogram_file,
                    collector: Collector::new(log),
                })
            }
        };
        let loads = benches.iter().map(|bench| {
            let (histogram_file, collector) = bench.collector(&window, dir)?;
            let collector = match &together {
                Some(all) => collector.passing_on(all.collector.depot()),
                None => collector,
            };
            Ok(LoadVerdict {
                bench,
                sink: Sink {
                    histogram_file,
                    collector,
                },
                disk: DiskWatch::start(&bench.route, window),
            })
        });
        Ok(Self {
            cell,
            run,
            window,
            loads: loads.collect::<Result<_, DriveError>>()?,
            together,
        })
    }

    /// The cell's result, of the members' reports and of where the logs end.
    pub(super) fn judge(
        self,
        reports: Vec<Report>,
        ends: Vec<Vec<Offset>>,
        broker: Option<Side>,
        clocks: &[WorkerClock],
    ) -> Result<CellResult, DriveError> {
        let window = self.window;
        let started_at = jiff::Timestamp::now() - Mono::now().elapsed_since(window.from);
        let objectives = self
            .loads
            .iter()
            .map(|its| its.bench.cell.spec.load.objective);
        let strictest = objectives.flatten().map(|span| span.duration()).min();
        let mut merged: Vec<Merged> = self.loads.iter().map(|_| Merged::default()).collect();
        for report in reports {
            for ((its, load), report) in merged.iter_mut().zip(&self.loads).zip(report.loads) {
                load.sink.collector.take_in(its.absorb(report));
            }
        }
        let mut carried = Vec::with_capacity(self.loads.len());
        for ((mut its, load), ends) in merged.into_iter().zip(self.loads).zip(ends) {
            its.observed.broker.clone_from(&broker);
            let name = load.bench.name.unwrap_or_default().to_owned();
            let finished = load.judge(its, ends, window, self.run, &started_at.to_string())?;
            carried.push((name, finished));
        }
        let mut result = match self.together {
            Some(all) => {
                let collected = all.collector.finish()?;
                let mut result = merge(self.cell, self.run, carried, &collected);
                result.histogram_file = all.histogram_file;
                result
            }
            None => carried.pop().map(|(_, one)| one.result).unwrap_or_default(),
        };
        result.workers = clocks.to_vec();
        clock_doubt(&mut result, strictest);
        Ok(result)
    }
}

impl LoadVerdict<'_> {
    fn judge(
        self,
        mut merged: Merged,
        ends: Vec<Offset>,
        window: Window,
        run: &Run,
        started_at: &str,
    ) -> Result<Finished, DriveError> {
        let spec = &self.bench.cell.spec;
        let measured = Measured {
            moves: merged.group_events(window),
            started_at: started_at.to_owned(),
            window: window.length(),
            target_rate: target_rate(spec, &self.bench.schedule),
            lanes: lanes(spec),
            reads_only: false,
            dead_letters: None,
            observed_records: merged.observed_records,
            produced: merged.produced.into_values().collect(),
            processed: Vec::new(),
            consumed: merged.consumed,
            ends,
            collected: self.sink.collector.finish()?,
            observed: merged.observed,
            cores: merged.cores,
            backlog: Vec::new(),
            lags: Vec::new(),
            disk: self.disk.end(),
            faults: Vec::new(),
            histogram_file: self.sink.histogram_file,
        };
        let observed_bytes = observed_bytes(&measured);
        let moves = measured.moves.clone();
        Ok(Finished {
            result: judge(self.bench.cell, run, measured),
            observed_bytes,
            moves,
        })
    }
}
