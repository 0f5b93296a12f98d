//! The lean client: our own wire code, one thread and a few system calls per
//! worker, so that the load generator stays out of the broker's way.

mod aborted;
mod accumulator;
pub(crate) mod conn;
mod consumer;
pub mod control;
mod coordinator;
mod fetch_codec;
mod group;
mod leadership;
mod link;
mod part;
mod produce_codec;
mod producer;
mod transactor;

pub use conn::CLIENT_ID;

use crate::driver::{Consumed, ConsumerJob, Driver, Produced, ProducerJob};
use crate::error::DriveError;

/// The native client.
#[derive(Clone, Copy, Debug, Default)]
pub struct Native;

impl Driver for Native {
    fn describe(&self) -> String {
        format!("native {}", env!("CARGO_PKG_VERSION"))
    }

    fn produce(&self, job: ProducerJob) -> Result<Produced, DriveError> {
        producer::produce(job)
    }

    fn consume(&self, job: ConsumerJob) -> Result<Consumed, DriveError> {
        consumer::consume(job)
    }
}
