//! The librdkafka client, which many applications use: what the load of a real
//! program costs, against [`native`](crate::native), which keeps out of the way.
//!
//! Partitions are chosen by the harness, by Java's rules, before the record is
//! handed over, so that both clients put the same records in the same places.

mod consumer;
mod group;
mod producer;
mod transactions;

use crate::driver::{Consumed, ConsumerJob, Driver, Produced, ProducerJob};
use crate::error::DriveError;

/// librdkafka through the `rdkafka` crate.
#[derive(Clone, Copy, Debug, Default)]
pub struct Librdkafka;

impl Driver for Librdkafka {
    fn describe(&self) -> String {
        format!("librdkafka {}", rdkafka::util::get_rdkafka_version().1)
    }

    fn produce(&self, job: ProducerJob) -> Result<Produced, DriveError> {
        producer::produce(job)
    }

    fn consume(&self, job: ConsumerJob) -> Result<Consumed, DriveError> {
        consumer::consume(job)
    }
}
