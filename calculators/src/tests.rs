//! The calculators against the document, against each other, and against
//! inputs that make no sense.

mod bad_input;
mod document;
mod properties;
mod tables;

use crate::answer::{Answer, Value};
use crate::disk::Storage;
use plimsoll_units::Rate;
use std::fmt::{Debug, Write as _};
use std::str::FromStr;

/// A quantity from its text.
pub(crate) fn of<T: FromStr<Err: Debug>>(text: &str) -> T {
    text.parse().expect(text)
}

/// A line's quantity for a person.
pub(crate) fn shown<'a>(answer: &'a Answer, line: &str) -> &'a str {
    let line = answer.get(line).unwrap_or_else(|| panic!("{answer:#?}"));
    line.value.shown()
}

/// A line's least, likely and most.
pub(crate) fn numbers(answer: &Answer, line: &str) -> [f64; 3] {
    match &answer.get(line).unwrap_or_else(|| panic!("{line}")).value {
        Value::Quantity { low, mid, high, .. } => {
            [low, mid, high].map(|number| number.as_f64().expect("a finite number"))
        }
        Value::Text(text) => panic!("{line} is `{text}`"),
    }
}

pub(crate) fn mid(answer: &Answer, line: &str) -> f64 {
    numbers(answer, line)[1]
}

fn rate(per_second: f64) -> Rate {
    Rate::from_per_second(per_second).expect("in range")
}

/// As the document counts: no framing to speak of.
fn storage(brokers: u32, partitions: u32) -> Storage {
    Storage {
        brokers,
        partitions,
        ..Storage::default()
    }
}

/// The answer as plain text.
pub(crate) fn table(answer: &Answer) -> String {
    let mut text = String::new();
    for line in &answer.lines {
        let _ = writeln!(
            text,
            "{} = {}  ({})",
            line.name,
            line.value.shown(),
            line.because
        );
    }
    if let Some(binds) = &answer.binds {
        let _ = writeln!(text, "binds: {}, {}", binds.term, binds.because);
    }
    for assumed in &answer.assumptions {
        let _ = writeln!(
            text,
            "assumed: {} {} ({})",
            assumed.name, assumed.value, assumed.provenance
        );
    }
    for c in &answer.corrections {
        let _ = writeln!(
            text,
            "{}: document {}; right {}; because {}",
            c.rule, c.document, c.right, c.because
        );
    }
    for note in &answer.notes {
        let _ = writeln!(text, "note: {note}");
    }
    let _ = writeln!(text, "rules: {}", answer.rules.join(" "));
    text
}
