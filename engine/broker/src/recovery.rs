//! Opening all logs at a start, several at once.
//!
//! After a crash each log is scanned from its recovery point on. That is work
//! for the processor and the disk, and no log needs another's, so the jobs go to
//! whoever drives the broker, who may have threads.

use crate::broker::Broker;
use crate::config::Properties;
use crate::topic_settings::TopicSettings;
use plimsoll_cluster::{Image, ResourceType};
use plimsoll_log::TopicPartition;
use plimsoll_wire::time::Now;
use std::fmt;

/// A piece of work that waits for nothing else.
pub type Job<'a> = Box<dyn FnOnce() + Send + 'a>;

/// Runs jobs for the broker.
pub trait Workers: fmt::Debug + Send + Sync {
    /// Runs all jobs, in any order and at most `at_once` at a time, and returns
    /// when all are done.
    fn run<'a>(&self, jobs: Vec<Job<'a>>, at_once: usize);
}

/// Runs jobs one after the other.
#[derive(Clone, Copy, Debug, Default)]
pub struct InOrder;

impl Workers for InOrder {
    fn run<'a>(&self, jobs: Vec<Job<'a>>, _at_once: usize) {
        for job in jobs {
            job();
        }
    }
}

impl Broker {
    /// Opens the logs that lie in the directories, for the partitions of the
    /// image to take over.
    pub(crate) fn recover_logs(&self, image: &Image, now: Now) {
        let mut jobs: Vec<Job<'_>> = Vec::new();
        for topic in image.topics() {
            let own = image.configs(ResourceType::Topic, &topic.name);
            let settings = TopicSettings::of(&self.layers(), own.unwrap_or(&Properties::new()));
            for (index, partition) in &topic.partitions {
                let name = TopicPartition {
                    topic: topic.name.to_string(),
                    partition: *index,
                };
                if partition.replicas.contains(&self.node()) && self.dirs.awaits(&name) {
                    let config = settings.log.clone();
                    jobs.push(Box::new(move || self.dirs.recover(name, &config, now)));
                }
            }
        }
        let logs = jobs.len();
        let per_dir = self.limits().recovery_threads;
        let dirs = self.log_dirs().filter(|(_, offline)| !offline).count();
        self.config
            .workers
            .run(jobs, per_dir.saturating_mul(dirs).max(1));
        let bytes = self.dirs.scanned_bytes();
        if bytes > 0 {
            tracing::info!(logs, bytes, "logs were not closed, their ends were scanned");
        }
    }
}
