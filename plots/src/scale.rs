//! Scales: from values to positions, and the ticks worth labelling.

/// How values spread over an axis.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Kind {
    Linear,
    Log,
}

/// A mapping from values to positions in logical pixels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Scale {
    kind: Kind,
    low: f64,
    high: f64,
    from: f64,
    to: f64,
}

impl Scale {
    /// From zero to just above `high`.
    pub(crate) fn from_zero(high: f64, from: f64, to: f64) -> Self {
        let high = if high.is_finite() && high > 0.0 {
            high
        } else {
            1.0
        };
        Self {
            kind: Kind::Linear,
            low: 0.0,
            high: high * 1.05,
            from,
            to,
        }
    }

    /// Exactly from `low` to `high`.
    pub(crate) fn linear(low: f64, high: f64, from: f64, to: f64) -> Self {
        let high = if high > low { high } else { low + 1.0 };
        Self {
            kind: Kind::Linear,
            low,
            high,
            from,
            to,
        }
    }

    /// Logarithmic, from just below `low` to just above `high`.
    pub(crate) fn log(low: f64, high: f64, from: f64, to: f64) -> Self {
        let low = if low.is_finite() && low > 0.0 {
            low
        } else {
            1e-3
        };
        let high = if high > low { high } else { low };
        let (low, high) = if high / low < 1.5 {
            (low / 1.6, high * 1.6)
        } else {
            (low * 0.94, high * 1.06)
        };
        Self {
            kind: Kind::Log,
            low,
            high,
            from,
            to,
        }
    }

    /// The position of a value, clamped to the axis.
    pub(crate) fn at(&self, value: f64) -> f64 {
        let share = match self.kind {
            Kind::Linear => (value - self.low) / (self.high - self.low),
            Kind::Log => {
                (value.max(self.low).ln() - self.low.ln()) / (self.high.ln() - self.low.ln())
            }
        };
        let share = if share.is_finite() {
            share.clamp(0.0, 1.0)
        } else {
            0.0
        };
        self.from + (self.to - self.from) * share
    }

    /// Values worth a labelled grid line.
    pub(crate) fn ticks(&self) -> Vec<f64> {
        match self.kind {
            Kind::Linear => self.linear_ticks(),
            Kind::Log => self.log_ticks(),
        }
    }

    fn linear_ticks(&self) -> Vec<f64> {
        let step = nice_step((self.high - self.low) / 6.0);
        let first = (self.low / step - 1e-9).ceil() as i64;
        let last = (self.high / step + 1e-9).floor() as i64;
        (first..=last).map(|i| i as f64 * step).collect()
    }

    fn log_ticks(&self) -> Vec<f64> {
        let decades = (self.high / self.low).log10();
        let within: &[f64] = match decades {
            d if d > 3.2 => &[1.0],
            d if d > 1.6 => &[1.0, 3.0],
            d if d > 0.7 => &[1.0, 2.0, 5.0],
            _ => &[1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0],
        };
        let first = self.low.log10().floor() as i32;
        let last = self.high.log10().ceil() as i32;
        (first..=last)
            .flat_map(|decade| within.iter().map(move |m| m * 10f64.powi(decade)))
            .filter(|v| *v >= self.low * 0.999 && *v <= self.high * 1.001)
            .collect()
    }
}

/// The next of 1, 2, 2.5, 5 × 10ⁿ at or above `rough`.
fn nice_step(rough: f64) -> f64 {
    if !(rough.is_finite() && rough > 0.0) {
        return 1.0;
    }
    let decade = 10f64.powf(rough.log10().floor());
    [1.0, 2.0, 2.5, 5.0, 10.0]
        .iter()
        .map(|m| m * decade)
        .find(|step| *step >= rough * 0.999)
        .unwrap_or(decade * 10.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_ticks(scale: Scale, expected: &[f64]) {
        let got = scale.ticks();
        assert_eq!(got.len(), expected.len(), "{got:?}");
        for (got, want) in got.iter().zip(expected) {
            assert!((got - want).abs() <= want.abs() * 1e-9, "{got} for {want}");
        }
    }

    #[test]
    fn ticks_are_round_numbers_within_the_axis() {
        check_ticks(
            Scale::from_zero(812_000.0, 0.0, 1.0),
            &[0.0, 2e5, 4e5, 6e5, 8e5],
        );
        check_ticks(
            Scale::log(90.0, 12_000.0, 0.0, 1.0),
            &[100.0, 300.0, 1e3, 3e3, 1e4],
        );
        check_ticks(
            Scale::linear(0.0, 4.0, 0.0, 1.0),
            &[0.0, 1.0, 2.0, 3.0, 4.0],
        );
    }

    #[test]
    fn useless_values_still_give_an_axis() {
        for scale in [
            Scale::from_zero(f64::NAN, 0.0, 100.0),
            Scale::from_zero(0.0, 0.0, 100.0),
            Scale::log(0.0, 0.0, 0.0, 100.0),
            Scale::log(5.0, 5.0, 0.0, 100.0),
            Scale::linear(3.0, 3.0, 0.0, 100.0),
        ] {
            assert!(scale.ticks().len() < 30, "{scale:?}");
            for value in [f64::NAN, -1.0, 0.0, 1e18, f64::INFINITY] {
                let at = scale.at(value);
                assert!(
                    (0.0..=100.0).contains(&at),
                    "{scale:?} puts {value} at {at}"
                );
            }
        }
    }
}
