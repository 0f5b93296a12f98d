//! The offered rate over time, and its inverse: when is the n-th record due?
//!
//! Invariant: a due time is computed from the count of records since the
//! start, never from the time before it, so that rounding cannot add up.

use crate::{
    language::{LoadSpec, RateSpec},
    units::Rate,
};

/// A stretch of time over which the rate changes evenly.
#[derive(Clone, Copy, Debug)]
struct Segment {
    start_s: f64,
    length_s: f64,
    from: f64,
    to: f64,
    /// Records due before the segment starts.
    before: f64,
}

/// The rate from the start of the warm-up to the end of the measured time.
#[derive(Clone, Debug)]
pub(super) struct Profile {
    segments: Vec<Segment>,
}

impl Profile {
    /// The profile of a load; `None` when it runs at maximum speed.
    pub(super) fn of(load: &LoadSpec, mean_record_bytes: f64) -> Option<Self> {
        let warmup = load.warmup.secs_f64();
        let duration = load.duration.secs_f64();
        let mut profile = Self {
            segments: Vec::new(),
        };
        match &load.rate {
            // A search gives each of its probes a rate of its own.
            RateSpec::Max | RateSpec::Search => return None,
            RateSpec::Records(rate) => {
                let rate = rate.per_second();
                profile.push(warmup + duration, rate, rate);
            }
            RateSpec::Bytes(rate) => {
                let rate = rate.bytes_per_second() as f64 / mean_record_bytes.max(1.0);
                profile.push(warmup + duration, rate, rate);
            }
            RateSpec::Ramp { from, to } => {
                profile.push(warmup, from.per_second(), from.per_second());
                profile.push(duration, from.per_second(), to.per_second());
            }
            RateSpec::Steps(levels) => {
                let first = levels.first().map_or(0.0, |level| level.per_second());
                profile.push(warmup, first, first);
                for level in levels.iter().copied().map(Rate::per_second) {
                    profile.push(duration / levels.len() as f64, level, level);
                }
            }
        }
        Some(profile)
    }

    fn push(&mut self, length_s: f64, from: f64, to: f64) {
        if length_s <= 0.0 {
            return;
        }
        let last = self.segments.last();
        self.segments.push(Segment {
            start_s: last.map_or(0.0, |last| last.start_s + last.length_s),
            length_s,
            from,
            to,
            before: last.map_or(0.0, |last| last.before + last.records()),
        });
    }

    /// When the record with `count` others before it is due, in nanoseconds;
    /// `None` after the end. `hint` is where to look first, for counts that
    /// rise.
    pub(super) fn due_ns(&self, count: f64, hint: &mut usize) -> Option<u64> {
        while let Some(segment) = self.segments.get(*hint) {
            let within = count - segment.before;
            if within < segment.records() {
                let seconds = segment.start_s + segment.time_of(within);
                return Some((seconds * 1e9).round() as u64);
            }
            *hint += 1;
        }
        None
    }

    /// The records due over the whole time.
    pub(super) fn records(&self) -> f64 {
        let last = self.segments.last();
        last.map_or(0.0, |last| last.before + last.records())
    }
}

impl Segment {
    fn records(&self) -> f64 {
        (self.from + self.to) / 2.0 * self.length_s
    }

    /// Seconds into the segment at which `count` records have come: the root
    /// of `from·t + slope·t²/2 = count`, in the form that stays exact as the
    /// slope goes to zero.
    fn time_of(&self, count: f64) -> f64 {
        let slope = (self.to - self.from) / self.length_s;
        let speed = (self.from * self.from + 2.0 * slope * count)
            .max(0.0)
            .sqrt();
        2.0 * count / (self.from + speed)
    }
}
