//! What a consumer does with a record besides reading it: nothing, or the work
//! that a real program would have with it, and poison.
//!
//! Work is time: it follows the record before, so a consumer that is behind
//! works without a pause, and one that is ahead waits for records. A record is
//! poison by its stamp alone, so every reader of it agrees and the count is
//! known beforehand.

use crate::clock::{Mono, sleep_until};
use crate::dead_letters::{DeadLetter, DeadLetters};
use crate::driver::{FinishLine, Incoming};
use crate::error::DriveError;
use plimsoll_workloads::generate::Stamp;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;

/// The shortest sleep: shorter work is done together, later.
const SLEEP_NANOS_MIN: u64 = 100_000;
/// The longest sleep, so that the end of the run is noticed.
const SLEEP_NANOS_MAX: u64 = 50_000_000;

/// What is done with each record.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct LabourSettings {
    /// How long a record takes.
    pub processing: Duration,
    /// Share of the records that cannot be processed.
    pub poison_rate: f64,
    /// How often a record that failed is tried again.
    pub retries: u32,
    /// The pause before each further try.
    pub backoff: Duration,
    /// What failed for good is sent to the dead letters rather than skipped.
    pub dead_letters: bool,
}

/// What became of poison.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PoisonCounts {
    /// Records that could not be processed.
    pub met: u64,
    /// Further tries.
    pub retries: u64,
    /// Records sent to the dead letters, and acknowledged there.
    pub dead_lettered: u64,
    /// Records passed over.
    pub skipped: u64,
}

impl std::ops::AddAssign for PoisonCounts {
    fn add_assign(&mut self, other: Self) {
        self.met += other.met;
        self.retries += other.retries;
        self.dead_lettered += other.dead_lettered;
        self.skipped += other.skipped;
    }
}

/// The work of one consumer.
#[derive(Debug)]
pub struct Labour {
    settings: LabourSettings,
    busy_until: Mono,
    finish: Arc<FinishLine>,
    letters: Option<DeadLetters>,
    counts: PoisonCounts,
}

impl Labour {
    /// The work of a consumer that stops when the line is abandoned.
    pub const fn new(
        settings: LabourSettings,
        finish: Arc<FinishLine>,
        letters: Option<DeadLetters>,
    ) -> Self {
        Self {
            settings,
            busy_until: Mono(0),
            finish,
            letters,
            counts: PoisonCounts {
                met: 0,
                retries: 0,
                dead_lettered: 0,
                skipped: 0,
            },
        }
    }

    /// What ends the run.
    pub fn finish(&self) -> &FinishLine {
        &self.finish
    }

    /// What became of poison so far.
    pub const fn counts(&self) -> PoisonCounts {
        self.counts
    }

    /// Works on a record that was read at `now`. Returns when it was done, or
    /// `None` when the run ended before that.
    pub fn work(
        &mut self,
        record: &Incoming<'_>,
        stamp: &Stamp,
        now: Mono,
    ) -> Result<Option<Mono>, DriveError> {
        if self.settings.processing.is_zero() && self.settings.poison_rate <= 0.0 {
            return Ok(Some(now));
        }
        let poison = is_poison(stamp, record.partition, self.settings.poison_rate);
        let tries = if poison { self.settings.retries } else { 0 };
        self.busy_until = self.busy_until.max(now).after(self.settings.processing);
        for _ in 0..tries {
            let again = self.settings.backoff + self.settings.processing;
            self.busy_until = self.busy_until.after(again);
        }
        if !self.rest() {
            return Ok(None);
        }
        if poison {
            self.counts.met += 1;
            self.counts.retries += u64::from(tries);
            match self.letters.as_mut().filter(|_| self.settings.dead_letters) {
                Some(letters) => {
                    letters.send(&DeadLetter {
                        record,
                        tries: tries + 1,
                    })?;
                    self.counts.dead_lettered += 1;
                }
                None => self.counts.skipped += 1,
            }
        }
        Ok(Some(self.busy_until.max(now)))
    }

    /// Sleeps until the work is done; whether that was allowed.
    fn rest(&self) -> bool {
        loop {
            if self.finish.is_abandoned() {
                return false;
            }
            let now = Mono::now();
            let left = self.busy_until.since(now);
            if left < SLEEP_NANOS_MIN {
                return true;
            }
            sleep_until(now.plus(left.min(SLEEP_NANOS_MAX)));
        }
    }
}

/// Whether a record is poison: a hash of its place, below `rate`.
fn is_poison(stamp: &Stamp, partition: u32, rate: f64) -> bool {
    if rate <= 0.0 {
        return false;
    }
    let lane = u64::from(stamp.producer) << 32 | u64::from(partition);
    let mut hash = lane
        .wrapping_mul(0x9e37_79b9_7f4a_7c15)
        .wrapping_add(stamp.sequence)
        .wrapping_mul(0x9e37_79b9_7f4a_7c15);
    // The finaliser of SplitMix64.
    hash = (hash ^ hash >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    hash = (hash ^ hash >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^= hash >> 31;
    (hash as f64) < rate * u64::MAX as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stamp(producer: u32, sequence: u64) -> Stamp {
        Stamp {
            run: 1,
            producer,
            sequence,
            intended_ns: 0,
            aborts: false,
        }
    }

    const RECORD: Incoming<'_> = Incoming {
        partition: 0,
        offset: 0,
        key: None,
        value: b"v",
        stamp: None,
        bytes: 1,
    };

    fn labour(settings: LabourSettings) -> Labour {
        Labour::new(settings, Arc::default(), None)
    }

    #[test]
    fn the_share_that_is_poison_is_the_one_asked_for() {
        let check = |rate: f64| {
            let lanes = (0..10).flat_map(|producer| (0..5).map(move |part| (producer, part)));
            let poison: usize = lanes
                .map(|(producer, partition)| {
                    let records = (0..2_000).map(|at| stamp(producer, at));
                    let poison = records.filter(|stamp| is_poison(stamp, partition, rate));
                    poison.count()
                })
                .sum();
            assert!(
                (poison as f64 / 1e5 - rate).abs() < 0.005,
                "{rate}: {poison}"
            );
        };
        [0.0, 0.001, 0.1, 0.5, 1.0].into_iter().for_each(check);
    }

    #[test]
    fn work_follows_work_and_waits_for_records() {
        let mut labour = labour(LabourSettings {
            processing: Duration::from_micros(10),
            ..LabourSettings::default()
        });
        let now = Mono::now();
        let mut done = |at: Mono| labour.work(&RECORD, &stamp(0, 0), at).ok().flatten();
        assert_eq!(done(now), Some(now.plus(10_000)));
        assert_eq!(done(now), Some(now.plus(20_000)));
        let later = now.plus(50_000);
        assert_eq!(done(later), Some(later.plus(10_000)));
    }

    #[test]
    fn poison_is_tried_again_then_skipped_and_counted() {
        let mut labour = labour(LabourSettings {
            processing: Duration::from_micros(1),
            poison_rate: 1.0,
            retries: 3,
            backoff: Duration::from_micros(5),
            dead_letters: false,
        });
        let now = Mono::now();
        let done = labour.work(&RECORD, &stamp(0, 0), now).ok().flatten();
        assert_eq!(done, Some(now.plus(4_000 + 15_000)));
        let expected = PoisonCounts {
            met: 1,
            retries: 3,
            skipped: 1,
            ..PoisonCounts::default()
        };
        assert_eq!(labour.counts(), expected);
        labour.finish.abandon();
        assert!(matches!(labour.work(&RECORD, &stamp(0, 1), now), Ok(None)));
        assert_eq!(labour.counts(), expected);
    }
}
