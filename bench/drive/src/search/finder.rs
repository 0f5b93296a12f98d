//! Which rate to try next: a geometric bracket, bisection, a confirming hold.
//!
//! Pure: the caller probes and tells. A rate counts as too high only when it
//! fails twice, because a shared machine fails a good rate now and then, or
//! when it fails by far. A hold that fails lowers the answer a step and is
//! tried again, so what is reported was held.

/// How often a hold may fail before the search gives up.
const HOLDS_MAX: u32 = 8;
/// Factor between rates while the bracket is open.
const BRACKET: f64 = 2.0;
/// Probes in one search.
const PROBES_MAX: u32 = 100;
/// Below this many records a second there is nothing to find.
const RATE_MIN: f64 = 1.0;
/// Above this many the bracket is not opened further.
const RATE_MAX: f64 = 1e9;

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Step {
    /// Try this rate for a short time.
    Probe(f64),
    /// Hold this rate for the full time.
    Hold(f64),
    /// There is an answer.
    Done(Answer),
}

/// How a rate did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Every objective held.
    Passed,
    /// One did not.
    Failed,
    /// One did not, and by so much that another try would not help.
    FailedByFar,
}

/// What was found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Answer {
    /// The highest rate that was held; the lowest tried when none was.
    pub rate: f64,
    /// The lowest rate above it that failed; `None` when none did.
    pub failed_at: Option<f64>,
    /// Whether the rate was held for the full time.
    pub confirmed: bool,
}

/// A search that is going on.
#[derive(Clone, Debug)]
pub struct Finder {
    precision: f64,
    low: Option<f64>,
    high: Option<f64>,
    at: f64,
    failed_once: bool,
    holding: bool,
    holds: u32,
    tries: u32,
    answer: Option<Answer>,
}

impl Finder {
    /// A search that begins at `from` and ends when the highest rate that
    /// passed and the lowest that failed are closer than `precision`, a share.
    pub const fn new(from: f64, precision: f64) -> Self {
        Self {
            precision,
            low: None,
            high: None,
            at: from,
            failed_once: false,
            holding: false,
            holds: 0,
            tries: 0,
            answer: None,
        }
    }

    /// What to do next.
    pub const fn next(&self) -> Step {
        match self.answer {
            Some(answer) => Step::Done(answer),
            None if self.holding => Step::Hold(self.at),
            None => Step::Probe(self.at),
        }
    }

    /// How the rate of [`Finder::next`] did.
    pub fn tell(&mut self, verdict: Verdict) {
        self.tries += 1;
        if self.answer.is_some() {
            return;
        }
        if verdict == Verdict::Failed && !self.failed_once {
            self.failed_once = true;
            return;
        }
        self.failed_once = false;
        let passed = verdict == Verdict::Passed;
        if self.holding {
            self.held(passed);
        } else {
            self.probed(passed);
        }
        if self.answer.is_none() && self.tries >= PROBES_MAX {
            self.finish(false);
        }
    }

    fn probed(&mut self, passed: bool) {
        if passed {
            self.low = Some(self.at);
        } else {
            self.high = Some(self.at);
        }
        match (self.low, self.high) {
            (Some(low), Some(high)) if high / low <= 1.0 + self.precision => {
                self.holding = true;
                self.at = low;
            }
            (Some(low), Some(high)) => self.at = (low * high).sqrt(),
            (Some(low), None) if low * BRACKET > RATE_MAX => self.finish(false),
            (Some(low), None) => self.at = low * BRACKET,
            (None, _) if self.at <= RATE_MIN => self.finish(false),
            (None, _) => self.at = (self.at / BRACKET).max(RATE_MIN),
        }
    }

    fn held(&mut self, passed: bool) {
        self.holds += 1;
        if passed {
            self.low = Some(self.at);
            self.finish(true);
        } else if self.holds >= HOLDS_MAX {
            self.finish(false);
        } else {
            self.high = Some(self.at);
            self.at /= 1.0 + self.precision;
        }
    }

    const fn finish(&mut self, confirmed: bool) {
        self.answer = Some(Answer {
            rate: self.at,
            failed_at: self.high,
            confirmed,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    /// Searches a server that fails above `capacity`, and fails a good rate
    /// with probability `noise`.
    fn search(capacity: f64, from: f64, noise: f64, seed: u64) -> (Answer, u32) {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut finder = Finder::new(from, 0.02);
        loop {
            let rate = match finder.next() {
                Step::Probe(rate) | Step::Hold(rate) => rate,
                Step::Done(answer) => return (answer, finder.tries),
            };
            finder.tell(match rate / capacity {
                far if far > 1.5 => Verdict::FailedByFar,
                over if over > 1.0 => Verdict::Failed,
                _ if rng.random_bool(noise) => Verdict::Failed,
                _ => Verdict::Passed,
            });
        }
    }

    #[test]
    fn a_known_capacity_is_found_from_below_and_from_above() {
        for (capacity, from) in [(5_000.0, 1_000.0), (5_000.0, 80_000.0), (1.5e6, 100.0)] {
            let (answer, tries) = search(capacity, from, 0.0, 1);
            let share = answer.rate / capacity;
            assert!(
                answer.confirmed && (0.98..=1.0).contains(&share),
                "{answer:?}"
            );
            let failed = answer.failed_at.expect("a rate failed");
            assert!(failed > capacity && failed / answer.rate <= 1.02);
            assert!(tries < 40, "{tries}");
        }
    }

    #[test]
    fn a_noisy_machine_is_within_five_per_cent_and_repeats_within_three() {
        let rates: Vec<f64> = (0..200)
            .map(|seed| search(20_000.0, 1_000.0, 0.08, seed).0.rate)
            .collect();
        let within = |share: f64| {
            let near = rates
                .iter()
                .filter(|rate| **rate >= 20_000.0 * (1.0 - share));
            near.count()
        };
        assert!(within(0.05) >= 190, "{} of 200 within 5 %", within(0.05));
        let mut sorted = rates.clone();
        sorted.sort_by(f64::total_cmp);
        let (low, high) = (sorted[20], sorted[179]);
        assert!(
            high / low <= 1.03,
            "the middle eight tenths: {low} to {high}"
        );
    }

    #[test]
    fn a_rate_that_is_never_held_is_not_confirmed() {
        let mut finder = Finder::new(1_000.0, 0.02);
        let mut holds = 0;
        while !matches!(finder.next(), Step::Done(_)) {
            let good = matches!(finder.next(), Step::Probe(rate) if rate < 5_000.0);
            holds += u32::from(matches!(finder.next(), Step::Hold(_)));
            finder.tell(if good {
                Verdict::Passed
            } else {
                Verdict::FailedByFar
            });
        }
        let Step::Done(answer) = finder.next() else {
            panic!("the loop ended");
        };
        assert!(!answer.confirmed && holds == HOLDS_MAX && answer.rate < 5_000.0);
    }

    #[test]
    fn a_server_that_carries_nothing_is_told_from_one_without_a_limit() {
        let (answer, _) = search(0.1, 1_000.0, 0.0, 1);
        assert!(!answer.confirmed && answer.rate == RATE_MIN, "{answer:?}");
        let (answer, tries) = search(f64::INFINITY, 1_000.0, 0.0, 1);
        assert!(!answer.confirmed && answer.failed_at.is_none() && tries < 25);
    }
}
