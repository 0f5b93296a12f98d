//! The threads of a cell.
//!
//! Each worker has a thread of its own and sends its report when it ends. The
//! first failure stops the others.

use crate::clock::Mono;
use crate::dead_letters::DeadLetters;
use crate::driver::{
    Consumed, ConsumerJob, Driver, FinishLine, Inspect, Marking, Produced, ProducerJob, Route,
};
use crate::error::DriveError;
use crate::feed::{Feed, FeedSettings};
use crate::labour::{Labour, LabourSettings};
use crate::record::{CommitBoard, Depot, Recorder, Window};
use crate::shared_group::{Seat, SharedGroup};
use crate::verify::{Lanes, Verifier};
use plimsoll_workloads::CellSpec;
use plimsoll_workloads::generate::{Records, Schedule, Transactions, Worker};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread::{self, JoinHandle};

/// Everything that the workers of a cell share.
pub struct Crew<'a> {
    /// The client.
    pub driver: &'static dyn Driver,
    /// The cell.
    pub spec: &'a CellSpec,
    /// Where records go.
    pub route: Arc<Route>,
    /// Which of the workers are this process's own.
    pub share: Share,
    /// What they are.
    pub records: &'a Records,
    /// When they are due.
    pub schedule: &'a Schedule,
    /// The phases.
    pub window: Window,
    /// How records are marked.
    pub marking: Marking,
    /// Producers, those that filled the topic included, and partitions.
    pub lanes: Lanes,
    /// Groups that read along from the start; the others begin late.
    pub on_time: u32,
    /// Where intervals go.
    pub depot: Arc<Depot>,
    /// The groups whose partitions the cluster shares out; empty where it does not.
    pub shared: Vec<Arc<SharedGroup>>,
    /// The commits, where there are transactions and somebody waits for them.
    pub commits: Option<Arc<CommitBoard>>,
    /// The seed of what the workers draw.
    pub seed: u64,
    /// Ends the schedule early.
    pub stop: Arc<AtomicBool>,
    /// Ends consuming.
    pub finish: Arc<FinishLine>,
}

/// One process's share of a cell's workers: every `of`th from `index` on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Share {
    /// Which process, from 0.
    pub index: u32,
    /// How many there are.
    pub of: u32,
}

impl Default for Share {
    fn default() -> Self {
        Self { index: 0, of: 1 }
    }
}

impl Share {
    /// This process's share of the workers that are numbered after so many others,
    /// so that small workloads do not all fall to the first process.
    #[must_use]
    pub const fn after(self, workers: u32) -> Self {
        let index = (self.index + self.of - workers % self.of) % self.of;
        Self { index, ..self }
    }

    /// Whether a worker is in it.
    pub const fn has(self, worker: u32) -> bool {
        worker % self.of == self.index
    }
}

/// Threads that end with a report.
pub struct Running<T> {
    handles: Vec<(String, JoinHandle<Result<T, DriveError>>)>,
}

impl<T: Send + 'static> Running<T> {
    pub(super) fn start(
        jobs: Vec<(
            String,
            impl FnOnce() -> Result<T, DriveError> + Send + 'static,
        )>,
    ) -> Result<Self, DriveError> {
        let mut handles = Vec::with_capacity(jobs.len());
        for (name, job) in jobs {
            let handle = thread::Builder::new()
                .name(name.clone())
                .spawn(job)
                .map_err(|error| DriveError::Worker {
                    worker: name.clone(),
                    cause: error.to_string(),
                })?;
            handles.push((name, handle));
        }
        Ok(Self { handles })
    }

    /// Whether all have ended.
    pub fn is_finished(&self) -> bool {
        self.handles.iter().all(|(_, handle)| handle.is_finished())
    }

    /// Whether one has ended; before its time that means it failed.
    pub fn any_finished(&self) -> bool {
        self.handles.iter().any(|(_, handle)| handle.is_finished())
    }

    /// Waits for all; their reports, or the first failure.
    pub fn join(self) -> Result<Vec<T>, DriveError> {
        let mut reports = Vec::with_capacity(self.handles.len());
        let mut failure = None;
        for (worker, handle) in self.handles {
            let outcome = handle.join().unwrap_or_else(|_panic| {
                Err(DriveError::Worker {
                    worker,
                    cause: "it panicked".to_owned(),
                })
            });
            match outcome {
                Ok(report) => reports.push(report),
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        failure.map_or(Ok(reports), Err)
    }
}

impl Crew<'_> {
    /// When a group may begin to read.
    pub fn starts(&self, group: u32) -> Mono {
        let consumer = &self.spec.consumer;
        if self.is_late(group) {
            self.window.start.after(consumer.start_after.duration())
        } else if self.spec.producer.count == 0 {
            self.window.start
        } else {
            Mono::default()
        }
    }

    const fn is_late(&self, group: u32) -> bool {
        group >= self.on_time
    }

    /// What a group's consumers record. Latencies of groups that catch up stay
    /// out where others read along: they would drown theirs.
    fn consumer_recorder(&self, group: u32) -> Recorder {
        if self.is_late(group) && self.on_time > 0 {
            return Recorder::late(self.window, group, self.depot());
        }
        Recorder::consumer(self.window, group, self.commits.is_some(), self.depot())
    }

    fn depot(&self) -> Arc<Depot> {
        Arc::clone(&self.depot)
    }

    /// Starts the producers, who write to the topic of `route`.
    pub fn producers(&self, route: &Arc<Route>) -> Result<Running<Produced>, DriveError> {
        let settings = Arc::new(super::settings::load_producer(self.spec));
        let scheduled = self.spec.load.rate.is_scheduled();
        let feed = FeedSettings {
            window: self.window,
            marking: self.marking,
            partitions: self.spec.topic.partitions,
            batch_bytes: settings.batch_bytes,
        };
        let own = (0..self.spec.producer.count).filter(|index| self.share.has(*index));
        let jobs = own.map(|index| {
            let worker = Worker {
                index,
                of: self.spec.producer.count,
            };
            let transactions = Transactions::new(&self.spec.transactions, worker, self.seed)
                .filter(|_| !super::settings::copies(self.spec));
            let source = Feed::new(self.schedule, self.records, worker, &feed);
            let job = ProducerJob {
                worker: index,
                route: Arc::clone(route),
                settings: Arc::clone(&settings),
                recorder: match transactions {
                    None => Recorder::producer(self.window, scheduled, self.depot()),
                    Some(_) => Recorder::transactional(self.window, scheduled, self.depot()),
                },
                source: Box::new(source.in_transactions(transactions)),
                reads: None,
                commits: self.commits.clone(),
                stop: Arc::clone(&self.stop),
            };
            let driver = self.driver;
            (format!("producer-{index}"), move || driver.produce(job))
        });
        Running::start(jobs.collect())
    }

    fn labour(&self, settings: LabourSettings) -> Labour {
        let letters = super::settings::has_dead_letters(self.spec);
        let letters = letters.then(|| DeadLetters::of(&self.route.topic, &self.route.bootstrap));
        Labour::new(settings, Arc::clone(&self.finish), letters)
    }

    /// Starts the consumers of one group.
    pub fn consumers(&self, group: u32) -> Result<Running<Consumed>, DriveError> {
        let settings = Arc::new(super::settings::consumer(self.spec));
        let labour = super::settings::labour(self.spec);
        let count = self.spec.consumer.count;
        let own = (0..count).filter(|index| self.share.has(*index));
        let jobs = own.map(|index| {
            let partitions = 0..self.spec.topic.partitions;
            let shared = self.shared.get(group as usize);
            let job = ConsumerJob {
                worker: group * count + index,
                route: Arc::clone(&self.route),
                settings: Arc::clone(&settings),
                starts: self.starts(group),
                partitions: partitions
                    .filter(|partition| shared.is_none() && partition % count == index)
                    .collect(),
                seat: shared.map(|shared| Seat {
                    group: Arc::clone(shared),
                    index,
                }),
                inspect: Inspect {
                    verifier: match shared {
                        None => Verifier::new(self.lanes),
                        Some(_) => Verifier::new(Lanes::NONE),
                    },
                    group: shared.cloned(),
                    recorder: self.consumer_recorder(group),
                    marking: self.marking,
                    commits: self.commits.clone(),
                    latest: None,
                    labour: self.labour(labour),
                    forward: None,
                },
                finish: Arc::clone(&self.finish),
            };
            let driver = self.driver;
            (format!("consumer-{group}-{index}"), move || {
                driver.consume(job)
            })
        });
        Running::start(jobs.collect())
    }
}
