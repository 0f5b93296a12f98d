//! The processors of a read-process-write: each a reader of some partitions of
//! the input and a producer that writes the same records again, in transactions
//! with the offsets up to which they were read.

use super::settings;
use super::workers::{Crew, Running};
use crate::clock::Mono;
use crate::driver::{
    Consumed, ConsumerJob, FinishLine, GroupOffsets, Inspect, Produced, ProducerJob, Route,
};
use crate::error::DriveError;
use crate::labour::{Labour, LabourSettings};
use crate::record::{Collector, Recorder};
use crate::relay::relay;
use crate::verify::Verifier;
use plimsoll_workloads::generate::{Transactions, Worker};
use std::sync::Arc;

/// What is added to the name of the topic that is read.
pub const INPUT_SUFFIX: &str = "-input";

/// Both halves of all processors, and how far the readers read.
pub struct Processors {
    readers: Running<Consumed>,
    writers: Running<Produced>,
    line: Arc<FinishLine>,
}

impl Processors {
    /// Starts them on the topic of `input`.
    pub fn start(crew: &Crew<'_>, input: &Arc<Route>) -> Result<Self, DriveError> {
        let of = crew.spec.transactions.processors;
        let line: Arc<FinishLine> = Arc::default();
        let (mut readers, mut writers) = (Vec::new(), Vec::new());
        for index in 0..of {
            let worker = Worker { index, of };
            let Some(transactions) = Transactions::new(&crew.spec.transactions, worker, crew.seed)
            else {
                continue;
            };
            let (forward, relay) = relay(transactions);
            let reader = reader(crew, input, &line, worker);
            let reader = ConsumerJob {
                inspect: Inspect {
                    forward: Some(forward),
                    ..reader.inspect
                },
                ..reader
            };
            let writer = ProducerJob {
                worker: index,
                route: Arc::clone(&crew.route),
                settings: Arc::new(settings::producer(crew.spec)),
                source: Box::new(relay),
                recorder: Recorder::processor(crew.window, Arc::clone(&crew.depot)),
                reads: Some(GroupOffsets {
                    group: format!("{}-processors", crew.route.topic),
                    topic: input.topic.clone(),
                }),
                commits: None,
                stop: Arc::clone(&crew.stop),
            };
            let driver = crew.driver;
            readers.push((format!("reader-{index}"), move || driver.consume(reader)));
            writers.push((format!("processor-{index}"), move || driver.produce(writer)));
        }
        Ok(Self {
            readers: Running::start(readers)?,
            writers: Running::start(writers)?,
            line,
        })
    }

    /// How far the readers read, once that is known.
    pub fn line(&self) -> &FinishLine {
        &self.line
    }

    /// Whether all are done.
    pub fn is_finished(&self) -> bool {
        self.readers.is_finished() && self.writers.is_finished()
    }

    /// What the writers did.
    pub fn join(self) -> Result<Vec<Produced>, DriveError> {
        let read = self.readers.join();
        let written = self.writers.join()?;
        read.map(|_| written)
    }
}

fn reader(
    crew: &Crew<'_>,
    input: &Arc<Route>,
    line: &Arc<FinishLine>,
    worker: Worker,
) -> ConsumerJob {
    let mut fetching = settings::consumer(crew.spec);
    fetching.read_committed = false;
    let partitions = 0..crew.spec.topic.partitions;
    // What is read here is not what the cell's consumers read.
    let apart = Collector::new(None).depot();
    ConsumerJob {
        worker: worker.index,
        route: Arc::clone(input),
        settings: Arc::new(fetching),
        starts: Mono::default(),
        partitions: partitions
            .filter(|partition| partition % worker.of == worker.index)
            .collect(),
        seat: None,
        inspect: Inspect {
            group: None,
            verifier: Verifier::new(crew.lanes),
            recorder: Recorder::late(crew.window, 0, apart),
            marking: crew.marking,
            commits: None,
            latest: None,
            labour: Labour::new(LabourSettings::default(), Arc::clone(line), None),
            forward: None,
        },
        finish: Arc::clone(line),
    }
}
