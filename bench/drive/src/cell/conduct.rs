//! Carrying a cell, or one process's share of it, through its phases.
//!
//! Consumers are reading before the first record is sent; whoever is asked for the
//! logs' ends is asked when the producers are done, and consumers read up to them.

use super::conductor::Conductor;
use super::faults::Script;
use super::outcome;
use super::processors::Processors;
use super::progress::Options;
use super::run::{Bench, group_name};
use super::settings;
use super::workers::{Crew, Share};
use crate::clock::Mono;
use crate::driver::{Consumed, Marking, Produced};
use crate::error::DriveError;
use crate::native::control::Control;
use crate::observe::{Observed, Watch};
use crate::record::{BacklogWatch, Collector, CommitBoard, Window};
use crate::shared_group::{GroupEvents, SharedGroup};
use crate::verify::Lanes;
use plimsoll_results::{Backlog, Fault};
use plimsoll_wire::types::Offset;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// How one process carries a cell, or its share of one.
pub(crate) struct Assignment {
    /// Which of the cell's workers are its own.
    pub(crate) share: Share,
    /// The phases.
    pub(crate) window: Window,
    /// How the run's records are marked.
    pub(crate) marking: Marking,
    /// Producers and partitions of the whole cell.
    pub(crate) lanes: Lanes,
    /// The groups whose partitions the cluster shares out, as
    /// [`Bench::shared_groups`] makes them.
    pub(crate) shared: Vec<Arc<SharedGroup>>,
    /// Where measurements come together.
    pub(crate) collector: Collector,
}

/// Says where the logs end, once the producers are done.
pub(crate) type Ends<'a> = &'a mut dyn FnMut(&[Produced]) -> Result<Vec<Offset>, DriveError>;

/// What one process measured.
pub(crate) struct Conducted {
    pub(crate) produced: Vec<Produced>,
    /// What processors wrote again.
    pub(crate) processed: Vec<Produced>,
    pub(crate) consumed: Vec<Vec<Consumed>>,
    pub(crate) ends: Vec<Offset>,
    pub(crate) observed: Observed,
    /// Records in the time that was observed.
    pub(crate) observed_records: u64,
    /// When the last of it was read.
    pub(crate) finished_at: Mono,
    pub(crate) cores: Vec<outcome::CoresInSecond>,
    pub(crate) backlog: Vec<Backlog>,
    pub(crate) lags: Vec<u64>,
    /// How partitions moved in groups, where the cluster may move them.
    pub(crate) moves: Option<GroupEvents>,
    /// The faults that were caused.
    pub(crate) faults: Vec<Fault>,
    pub(crate) collector: Collector,
}

impl Bench<'_> {
    /// Starts the workers and leads them through the phases.
    pub(crate) fn conduct(
        &self,
        assignment: Assignment,
        options: Options<'_>,
        ends: Ends<'_>,
    ) -> Result<Conducted, DriveError> {
        let crew = self.crew(&assignment);
        let mut conductor = self.conductor(&crew, assignment.collector, options);
        let consumers: Vec<_> = (0..self.groups())
            .map(|group| crew.consumers(group))
            .collect::<Result<_, _>>()?;
        let input = self.input.as_ref();
        let processors = input
            .map(|input| Processors::start(&crew, input))
            .transpose()?;
        let producers = crew.producers(input.unwrap_or(&self.route))?;
        let produced = conductor.produce(producers, &consumers);
        let processed = self.process(&mut conductor, processors, produced.is_ok());
        let ends = match (&produced, &processed) {
            (Ok(produced), Ok(_)) => ends(produced).map(Some),
            _ => Ok(None),
        };
        let consumed = conductor.consume(consumers, ends.as_ref().ok().and_then(Option::as_ref));
        let (produced, processed) = (produced?, processed?);
        let (ends, mut consumed) = (ends?.unwrap_or_default(), consumed?);
        for (group, shared) in consumed.iter_mut().zip(&crew.shared) {
            group.push(shared.consumed(&crew.finish));
        }
        Ok(Conducted {
            produced,
            processed,
            consumed,
            ends,
            observed: conductor.observed.take().unwrap_or_default(),
            observed_records: conductor.observed_records,
            finished_at: conductor.finished_at,
            cores: std::mem::take(&mut conductor.cores),
            backlog: conductor.backlog.results(),
            lags: std::mem::take(&mut conductor.lags),
            faults: conductor.script.caused(),
            collector: conductor.collector,
            moves: GroupEvents::of_all(&crew.shared),
        })
    }

    /// What the workers share.
    fn crew(&self, assignment: &Assignment) -> Crew<'_> {
        let spec = &self.cell.spec;
        let lanes = assignment.lanes;
        let waits = settings::times_commits(spec);
        Crew {
            shared: assignment.shared.clone(),
            commits: waits.then(|| Arc::new(CommitBoard::new(lanes))),
            seed: self.run.seed,
            driver: settings::driver(spec),
            spec,
            route: Arc::clone(&self.route),
            records: &self.records,
            schedule: &self.schedule,
            window: assignment.window,
            share: assignment.share,
            marking: assignment.marking,
            lanes,
            on_time: self.groups().saturating_sub(spec.consumer.late_groups()),
            depot: assignment.collector.depot(),
            stop: Arc::new(AtomicBool::new(false)),
            finish: Arc::default(),
        }
    }

    /// Who leads them.
    fn conductor<'o>(
        &self,
        crew: &Crew<'_>,
        collector: Collector,
        options: Options<'o>,
    ) -> Conductor<'o> {
        let window = crew.window;
        let rig = self.target.rig.clone().filter(|_| self.causes_faults);
        Conductor {
            window,
            others_send: crew.share.of > 1,
            stop: Arc::clone(&crew.stop),
            finish: Arc::clone(&crew.finish),
            watch: Watch::new(&self.target.broker_pids),
            collector,
            observed: None,
            observed_records: 0,
            measuring: false,
            cores: Vec::new(),
            backlog: BacklogWatch::new(
                window,
                (0..self.groups()).map(|group| crew.starts(group).max(window.start)),
            ),
            finished_at: window.to,
            next_pulse: window.from,
            script: Script::new(&self.cell.spec, rig, &window),
            lags: Vec::new(),
            options,
        }
    }

    /// Lets processors, where there are any, read what was produced to its end.
    fn process(
        &self,
        conductor: &mut Conductor<'_>,
        processors: Option<Processors>,
        produced: bool,
    ) -> Result<Vec<Produced>, DriveError> {
        match (processors, self.input.as_ref()) {
            (Some(processors), Some(input)) if produced => {
                // All is acknowledged: transactions take no other acks than all.
                let partitions = self.cell.spec.topic.partitions;
                let ends = Control::reach(&self.target.bootstrap)
                    .and_then(|mut control| control.end_offsets(&input.topic, partitions));
                conductor.process(processors, ends)
            }
            (Some(processors), _) => {
                processors.line().abandon();
                processors.join()
            }
            (None, _) => Ok(Vec::new()),
        }
    }

    /// The groups whose partitions the cluster shares out.
    pub(crate) fn shared_groups(&self, window: Window, lanes: Lanes) -> Vec<Arc<SharedGroup>> {
        let Some(settings) = settings::group(&self.cell.spec) else {
            return Vec::new();
        };
        let names = (0..self.groups()).map(|group| group_name(&self.route.topic, group));
        names
            .map(|name| Arc::new(SharedGroup::new(name, settings, window, lanes)))
            .collect()
    }
}
