//! Replication: what a partition's leader knows of its followers, and how a
//! follower keeps up.
//!
//! - `leading`: the leader's view, from which the high watermark and the ISR
//!   follow.
//! - `fetcher`: the follower's fetches, one under way to each leader.
//! - `nearest`: which replica a consumer had better read.
//! - `throttle`: holding back replicas that catch up.
//! - `isr`: the leader has the controller change the ISR.

pub(crate) mod fetcher;
pub(crate) mod isr;
pub(crate) mod leading;
pub(crate) mod nearest;
pub(crate) mod throttle;

pub(crate) use fetcher::Fetchers;
pub(crate) use isr::IsrChanges;
pub(crate) use leading::Leading;
pub(crate) use throttle::{Throttle, Throttled};
