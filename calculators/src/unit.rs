//! How quantities look: bytes in decimal and binary, times in the unit that
//! fits, all to four digits.

use crate::exact::Exact;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a line of an answer counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Bytes.
    Bytes,
    /// Bytes per second.
    BytesPerSecond,
    /// Things per second.
    PerSecond,
    /// Seconds.
    Seconds,
    /// Things.
    Count,
    /// A number as a setting takes it, digit by digit.
    Setting,
    /// A share of a whole, or a multiple of it.
    Share,
    /// How many times as much.
    Times,
    /// US dollars.
    Dollars,
}

const DECIMAL: [(&str, u128); 6] = [
    ("EB", 1_000_000_000_000_000_000),
    ("PB", 1_000_000_000_000_000),
    ("TB", 1_000_000_000_000),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("KB", 1000),
];
const BINARY: [(&str, u128); 6] = [
    ("EiB", 1 << 60),
    ("PiB", 1 << 50),
    ("TiB", 1 << 40),
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
];
const COUNTS: [(&str, u128); 4] = [
    ("T", 1_000_000_000_000),
    ("G", 1_000_000_000),
    ("M", 1_000_000),
    ("K", 1000),
];
/// Times in nanoseconds.
const TIMES: [(&str, u128); 7] = [
    ("d", 86_400_000_000_000),
    ("h", 3_600_000_000_000),
    ("min", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
    ("us", 1000),
    ("ns", 1),
];
/// Whole counts below this are shown digit by digit.
const IN_FULL_BELOW: u128 = 100_000;

impl Unit {
    /// `value` for a person.
    pub fn show(self, value: Exact) -> String {
        if !value.is_finite() {
            return "unlimited".to_owned();
        }
        match self {
            Self::Bytes => bytes(value),
            Self::BytesPerSecond => format!("{}/s", scaled(value, &DECIMAL, "B")),
            Self::PerSecond => format!("{}/s", count(value)),
            Self::Count => count(value),
            Self::Setting => fixed(value, 0),
            Self::Seconds => seconds(value),
            Self::Share => format!("{}%", four_digits(value * Exact::whole(100))),
            Self::Times => format!("{}x", four_digits(value)),
            Self::Dollars => format!("${}", dollars(value)),
        }
    }

    /// `value` as the end of a range: bytes in decimal alone.
    pub fn brief(self, value: Exact) -> String {
        match self {
            Self::Bytes if value.is_finite() => scaled(value, &DECIMAL, "B"),
            _ => self.show(value),
        }
    }
}

fn bytes(value: Exact) -> String {
    let decimal = scaled(value, &DECIMAL, "B");
    match value < Exact::whole(1024) {
        true => decimal,
        false => format!("{decimal} ({})", scaled(value, &BINARY, "B")),
    }
}

fn count(value: Exact) -> String {
    match value < Exact::whole(IN_FULL_BELOW) {
        true if value.as_whole().is_some() => fixed(value, 0),
        true => four_digits(value),
        false => scaled(value, &COUNTS, "").replace(' ', ""),
    }
}

fn seconds(value: Exact) -> String {
    let nanos = value * Exact::whole(1_000_000_000);
    if nanos.is_zero() {
        return "0 s".to_owned();
    }
    scaled(nanos, &TIMES, "ns")
}

fn dollars(value: Exact) -> String {
    match value < Exact::ONE {
        true if (value * Exact::whole(100)).as_whole().is_none() => fixed(value, 4),
        _ if value < Exact::whole(1000) => fixed(value, 2),
        _ => fixed(value, 0),
    }
}

/// `value` in the largest of `units` that it fills, else in `base`.
fn scaled(value: Exact, units: &[(&str, u128)], base: &str) -> String {
    let filled = |&&(_, unit): &&(&str, u128)| value >= Exact::whole(unit);
    let (name, unit) = units.iter().find(filled).copied().unwrap_or((base, 1));
    format!("{} {name}", four_digits(value / Exact::whole(unit)))
        .trim_end()
        .to_owned()
}

/// Four significant digits, fewer where the rest are zeros.
fn four_digits(value: Exact) -> String {
    let places = match value.floor().as_whole().unwrap_or(u128::MAX) {
        0 => 4,
        1..=9 => 3,
        10..=99 => 2,
        100..=999 => 1,
        _ => 0,
    };
    let text = fixed(value, places);
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    }
}

/// `value` with `places` digits after the point, halves rounded up.
fn fixed(value: Exact, places: u32) -> String {
    let scale = 10_u128.pow(places);
    let rounded = (value * Exact::whole(scale) + Exact::ratio(1, 2)).floor();
    let Some(rounded) = rounded.as_whole() else {
        return format!("{:e}", value.to_f64());
    };
    match places {
        0 => rounded.to_string(),
        _ => format!(
            "{}.{:0width$}",
            rounded / scale,
            rounded % scale,
            width = places as usize
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_shown_to_four_digits() {
        let check = |unit: Unit, over: u128, under: u128, expected: &str| {
            assert_eq!(unit.show(Exact::ratio(over, under)), expected);
        };
        check(Unit::Bytes, 60_480_000_000_000, 1, "60.48 TB (55.01 TiB)");
        check(Unit::Bytes, 61, 1, "61 B");
        check(Unit::BytesPerSecond, 100_000_000, 1, "100 MB/s");
        check(Unit::PerSecond, 2500, 9, "277.8/s");
        check(Unit::PerSecond, 1_000_000, 1, "1M/s");
        check(Unit::Count, 65_530, 1, "65530");
        check(Unit::Seconds, 1, 10, "100 ms");
        check(Unit::Seconds, 604_800, 1, "7 d");
        check(Unit::Seconds, 0, 1, "0 s");
        check(Unit::Share, 1, 8, "12.5%");
        check(Unit::Times, 81, 1, "81x");
        check(Unit::Dollars, 6000, 1, "$6000");
        check(Unit::Dollars, 7, 100, "$0.07");
        check(Unit::Dollars, 1, 16, "$0.0625");
        check(Unit::Setting, 604_800_000, 1, "604800000");
        check(Unit::Count, 1, 0, "unlimited");
    }
}
