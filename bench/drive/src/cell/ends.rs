//! Where the logs of a cell's topic end, once nothing more is written.

use super::run::{Bench, TICK_NANOS};
use crate::clock::{Mono, sleep_until};
use crate::driver::Produced;
use crate::error::DriveError;
use crate::native::control::Control;
use plimsoll_wire::types::Offset;
use std::time::Duration;

/// How long the markers of the last transactions may take.
const MARKERS: Duration = Duration::from_secs(10);
/// How long an end offset must stand still to be final without acks.
const UNACKED_STILL: Duration = Duration::from_millis(500);

impl Bench<'_> {
    /// Where each partition's log ends, once it does.
    pub(crate) fn ends(&self, produced: &[Produced]) -> Result<Vec<Offset>, DriveError> {
        let written = produced.iter().flat_map(|p| &p.written);
        self.ends_after(written.map(|w| w.sent()).sum())
    }

    /// The same, `sent` records having been handed over.
    pub(crate) fn ends_after(&self, sent: u64) -> Result<Vec<Offset>, DriveError> {
        // A fresh connection: brokers close those that idle through a long cell.
        let mut control = Control::reach(&self.target.bootstrap)?;
        let partitions = self.cell.spec.topic.partitions;
        let mut ends = control.end_offsets(&self.route.topic, partitions)?;
        if self.cell.spec.transactions.records.is_some() {
            return self.settled(&mut control, ends);
        }
        if self.cell.spec.producer.acks.wire() != 0 {
            return Ok(ends);
        }
        // Nobody told when the last record arrived: wait until the log rests.
        let mut still_since = Mono::now();
        while total(&ends) < sent && Mono::now().elapsed_since(still_since) < UNACKED_STILL {
            sleep_until(Mono::now().plus(TICK_NANOS));
            let now = control.end_offsets(&self.route.topic, partitions)?;
            if now != ends {
                still_since = Mono::now();
                ends = now;
            }
        }
        Ok(ends)
    }

    /// Waits until no transaction is open any more: the markers of the last
    /// ones may still be on their way.
    fn settled(
        &self,
        control: &mut Control,
        mut ends: Vec<Offset>,
    ) -> Result<Vec<Offset>, DriveError> {
        let partitions = self.cell.spec.topic.partitions;
        let deadline = Mono::now().after(MARKERS);
        loop {
            let stable = control.stable_offsets(&self.route.topic, partitions)?;
            if stable == ends || Mono::now() >= deadline {
                return Ok(ends);
            }
            sleep_until(Mono::now().plus(TICK_NANOS));
            ends = control.end_offsets(&self.route.topic, partitions)?;
        }
    }
}

fn total(ends: &[Offset]) -> u64 {
    ends.iter().map(|end| end.get().unsigned_abs()).sum()
}
