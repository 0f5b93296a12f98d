//! How long a group stands still when one of its members crashes.
//!
//! The coordinator misses the member after its session timeout, counted from
//! the last heartbeat. The others learn of the rebalance with their next
//! heartbeat. Eager and cooperative groups meet before anyone gets anything:
//! the last heartbeat decides; eager members stop when they learn. A consumer
//! group (KIP-848) does not meet: each member is told with its own heartbeat.

use super::{Failure, Input};
use crate::exact::Exact;
use crate::range::Range;
use crate::rebalance::Protocol;
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

/// Rebalances that are drawn.
const DRAWS: u64 = 200;
/// Seconds that the assignor takes for one partition.
const ASSIGN_EACH: f64 = 1e-6;

/// Seconds of standing still, over many rebalances.
pub(super) struct Stop {
    /// Of the lost member's partitions, from its crash.
    pub(super) lost: Range,
    /// Of everybody else's.
    pub(super) others: Range,
}

/// Draws rebalances of one group; none when it has nobody to take over.
pub(super) fn crash(input: &Input, failure: &Failure) -> Option<Stop> {
    if failure.members < 2 || input.groups == 0 {
        return None;
    }
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    let heartbeat = failure.heartbeat.value.secs_f64();
    let session = failure.session.value.secs_f64();
    let trip = input.round_trip.value.secs_f64();
    let assign = ASSIGN_EACH * f64::from(input.partitions);
    let (mut lost, mut others) = (Vec::new(), Vec::new());
    for _ in 0..DRAWS {
        let missed = session - heartbeat.min(session) * rng.random::<f64>();
        let learns: Vec<f64> = (1..failure.members)
            .map(|_| heartbeat * rng.random::<f64>())
            .collect();
        let last = learns.iter().copied().fold(0.0, f64::max);
        let met = last + trip + assign + trip;
        match failure.protocol {
            Protocol::Consumer => {
                let one = learns.first().copied().unwrap_or(last);
                lost.push(missed + assign + one + trip);
                others.push(0.0);
            }
            Protocol::Cooperative => {
                lost.push(missed + met + trip);
                others.push(0.0);
            }
            Protocol::Eager => {
                lost.push(missed + met + trip);
                let learnt = learns.first().copied().unwrap_or(0.0);
                others.push(met + trip - learnt);
            }
        }
    }
    Some(Stop {
        lost: range(lost),
        others: range(others),
    })
}

/// From the 5th percentile over the median to the 95th.
fn range(mut values: Vec<f64>) -> Range {
    values.sort_by(f64::total_cmp);
    let at = |share: f64| {
        let index = (share * (values.len().max(1) - 1) as f64).round() as usize;
        let seconds = values.get(index).copied().unwrap_or(0.0);
        Exact::from_f64((seconds * 1e6).round() / 1e6)
    };
    Range::new(at(0.05), at(0.5), at(0.95))
}
