//! What the broker counts, under Kafka's names, and the report of it.
//!
//! Counting is on the hot path, so it is an addition to an atomic and nothing
//! else: no lock, no allocation, no clock. What can be read off the logs and
//! the metadata is not counted but looked up when someone asks.
//!
//! To add a family: write a method that returns [`Family`]s and name it in
//! [`Broker::metrics`]. A family is called as its MBean, `domain_type_name`,
//! and its help is the MBean itself.

mod counter;
mod family;
mod histogram;
mod logs;
mod node;
mod requests;
mod traffic;

use crate::broker::Broker;
use plimsoll_wire::time::Now;

pub(crate) use counter::Counter;
pub use family::{Family, Kind, Sample, Spread, Value};
pub use histogram::Histogram;
pub(crate) use node::IsrMoves;
pub(crate) use requests::Requests;
pub(crate) use traffic::Traffic;

impl Broker {
    /// Everything that is counted or can be looked up, as of now.
    pub fn metrics(&self, now: Now) -> Vec<Family> {
        let mut families = self.traffic_families();
        families.extend(self.requests.families());
        families.extend(self.log_families());
        families.extend(self.cleaner_families(now));
        families.extend(self.log_dir_families());
        families.extend(self.replica_families());
        families.extend(self.controller_families());
        families
    }
}
