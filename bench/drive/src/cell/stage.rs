//! The topics of a cell: made for it, and deleted after it whatever happens. So are
//! the groups that its consumers were in.

use super::processors;
use super::run::{Bench, Target, group_name};
use super::settings;
use crate::admin::Admin;
use crate::clock::{Mono, sleep_until, wall_ms};
use crate::dead_letters::{self, DeadLetters};
use crate::driver::Route;
use crate::error::{DriveError, is_retriable};
use crate::native::control::{Control, NewTopic};
use plimsoll_results::CellResult;
use plimsoll_workloads::{Cell, Run};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// How long the leaders of a new topic may take to know that they lead.
const LEAD: Duration = Duration::from_secs(30);
const LEAD_GAP_NANOS: u64 = 20_000_000;

/// The workloads of a cell, each as a cell of its own, with their names where there
/// are several.
pub(crate) fn alone(cell: &Cell) -> Vec<(Option<&str>, Cell)> {
    if cell.spec.workloads.is_empty() {
        return vec![(None, cell.clone())];
    }
    let each = cell.spec.workloads.iter().map(|workload| {
        let its = Cell {
            spec: workload.cell.clone(),
            ..cell.clone()
        };
        (Some(workload.name.as_str()), its)
    });
    each.collect()
}

/// Makes the topics of all workloads of a cell, lets `carry` measure on them, and
/// deletes them.
pub(crate) fn on_fresh_topics(
    target: &Target,
    cell: &Cell,
    run: &Run,
    carry: impl FnOnce(&[Bench<'_>]) -> Result<CellResult, DriveError>,
) -> Result<CellResult, DriveError> {
    let alone = alone(cell);
    let mut stage = Stage::default();
    let benches = alone.iter().enumerate().map(|(at, (name, its))| {
        Ok(Bench {
            causes_faults: at == 0,
            ..stage.set(target, its, run, *name)?
        })
    });
    let benches = benches.collect::<Result<Vec<_>, DriveError>>();
    let outcome = benches.and_then(|benches| carry(&benches));
    stage.strike(target);
    outcome
}

/// The topics that were made, and groups that may be.
#[derive(Debug, Default)]
struct Stage {
    topics: Vec<String>,
    groups: Vec<String>,
}

impl Stage {
    /// Makes the topics of a cell, or of its workload `name`, and prepares what
    /// is sent to them.
    fn set<'a>(
        &mut self,
        target: &'a Target,
        cell: &'a Cell,
        run: &'a Run,
        name: Option<&'a str>,
    ) -> Result<Bench<'a>, DriveError> {
        let mut control = Control::reach(&target.bootstrap)?;
        let suffix = name.map_or_else(String::new, |name| format!("-{name}"));
        let topic = NewTopic {
            name: format!(
                "plimsoll-{}-{}-{:x}{suffix}",
                cell.id,
                run.repeat,
                wall_ms()
            ),
            partitions: cell.spec.topic.partitions,
            replication_factor: i16::try_from(cell.spec.topic.replication_factor)
                .unwrap_or(i16::MAX),
            configs: own(cell.spec.topic.configs.iter()),
        };
        let route = self.make(&mut control, target, topic.clone())?;
        if settings::has_dead_letters(&cell.spec) {
            DeadLetters::create(&mut control, &topic)?;
            self.topics
                .push(format!("{}{}", topic.name, dead_letters::SUFFIX));
        }
        let input = settings::copies(&cell.spec).then(|| NewTopic {
            name: format!("{}{}", topic.name, processors::INPUT_SUFFIX),
            ..topic
        });
        let input = input.map(|input| self.make(&mut control, target, input).map(Arc::new));
        let input = input.transpose()?;
        let bench = Bench::prepare(target, cell, run, route)?;
        if cell.spec.consumer.group {
            let names = (0..bench.groups()).map(|group| group_name(&bench.route.topic, group));
            self.groups.extend(names);
        }
        Ok(Bench {
            input,
            name,
            ..bench
        })
    }

    fn make(
        &mut self,
        control: &mut Control,
        target: &Target,
        topic: NewTopic,
    ) -> Result<Route, DriveError> {
        let leaders = control.create_topic(&topic)?;
        self.topics.push(topic.name.clone());
        await_leaders(control, &topic)?;
        Ok(Route {
            bootstrap: target.bootstrap.clone(),
            topic: topic.name,
            leaders,
        })
    }

    /// Deletes them, the last one first.
    fn strike(&self, target: &Target) {
        if self.topics.is_empty() {
            return;
        }
        if !self.groups.is_empty() {
            let deleted = Admin::reach(&target.bootstrap).and_then(|mut admin| {
                let mut groups = self.groups.iter();
                groups.try_for_each(|name| admin.delete_group(name))
            });
            if let Err(error) = deleted {
                tracing::debug!(groups = ?self.groups, %error, "a cell's groups stay behind");
            }
        }
        let deleted = Control::reach(&target.bootstrap).and_then(|mut control| {
            let mut topics = self.topics.iter().rev();
            topics.try_for_each(|name| control.delete_topic(name))
        });
        if let Err(error) = deleted {
            tracing::debug!(topics = ?self.topics, %error, "a cell's topics stay behind");
        }
    }
}

/// Waits until every leader knows that it leads. One that does not yet refuses the
/// first of several batches on their way and takes the next, which then lie before it.
fn await_leaders(control: &mut Control, topic: &NewTopic) -> Result<(), DriveError> {
    let deadline = Mono::now().after(LEAD);
    loop {
        match control.end_offsets(&topic.name, topic.partitions) {
            Err(DriveError::Refused { code, .. })
                if is_retriable(code) && Mono::now() < deadline =>
            {
                sleep_until(Mono::now().plus(LEAD_GAP_NANOS));
            }
            asked => return asked.map(drop),
        }
    }
}

fn own<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> BTreeMap<String, String> {
    pairs
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}
