//! What a calculator answers: named lines, what binds, the rules it rests on,
//! and where the document is off.

use crate::curve::Curve;
use crate::error::InputError;
use crate::exact::Exact;
use crate::parameter::{Parameter, Provenance};
use crate::range::Range;
use crate::unit::Unit;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt::Display;

/// An answer, in the order in which it is read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// The calculator.
    pub calculator: String,
    /// The results.
    pub lines: Vec<Line>,
    /// What decides the answer, where several terms compete.
    pub binds: Option<Binding>,
    /// What was assumed, and where it came from.
    pub assumptions: Vec<Assumption>,
    /// Where the document says something else.
    pub corrections: Vec<Correction>,
    /// What else to know.
    pub notes: Vec<String>,
    /// Ids of the document's rules that the answer bears on.
    pub rules: Vec<String>,
    /// Where a curve says more than a number.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub curves: Vec<Curve>,
}

/// One result.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// What it is.
    pub name: String,
    /// How much, or what.
    pub value: Value,
    /// How it comes about.
    pub because: String,
}

/// What a line holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Value {
    /// A quantity in its base unit, whole where it is whole.
    Quantity {
        /// What it counts.
        unit: Unit,
        /// The least.
        low: serde_json::Number,
        /// The likely.
        mid: serde_json::Number,
        /// The most.
        high: serde_json::Number,
        /// The three, for a person.
        shown: String,
    },
    /// Words.
    Text(String),
}

/// The term that decides.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Binding {
    /// Its name.
    pub term: String,
    /// Why it wins.
    pub because: String,
}

/// A value that the answer rests on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Assumption {
    /// The field.
    pub name: String,
    /// Its value, as a person writes it.
    pub value: String,
    /// Where it came from.
    pub provenance: Provenance,
}

/// A figure of the document that does not stand.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Correction {
    /// The rule.
    pub rule: String,
    /// What the document says.
    pub document: String,
    /// The right number.
    pub right: String,
    /// Why.
    pub because: String,
}

impl Value {
    /// What is printed.
    pub fn shown(&self) -> &str {
        match self {
            Self::Quantity { shown, .. } => shown,
            Self::Text(text) => text,
        }
    }
}

impl Answer {
    pub(crate) fn new(calculator: &str, rules: &[&str]) -> Self {
        Self {
            calculator: calculator.to_owned(),
            lines: Vec::new(),
            binds: None,
            assumptions: Vec::new(),
            corrections: Vec::new(),
            notes: Vec::new(),
            rules: rules.iter().map(|&rule| rule.to_owned()).collect(),
            curves: Vec::new(),
        }
    }

    /// Adds a quantity. Refuses one that was too large to compute.
    pub(crate) fn line(
        &mut self,
        name: &str,
        unit: Unit,
        value: impl Into<Range>,
        because: &str,
    ) -> Result<(), InputError> {
        let range = value.into();
        let number = |value: Exact| {
            number(value).ok_or_else(|| InputError::TooLarge {
                line: name.to_owned(),
            })
        };
        let value = Value::Quantity {
            unit,
            low: number(range.low())?,
            mid: number(range.mid())?,
            high: number(range.high())?,
            shown: shown(unit, range),
        };
        self.lines.push(Line {
            name: name.to_owned(),
            value,
            because: because.to_owned(),
        });
        Ok(())
    }

    /// Adds a line of words.
    pub(crate) fn text(&mut self, name: &str, text: impl Into<String>, because: &str) {
        self.lines.push(Line {
            name: name.to_owned(),
            value: Value::Text(text.into()),
            because: because.to_owned(),
        });
    }

    pub(crate) fn assume<T: Display>(&mut self, name: &str, parameter: &Parameter<T>) {
        self.assumptions.push(Assumption {
            name: name.to_owned(),
            value: parameter.value.to_string(),
            provenance: parameter.provenance.clone(),
        });
    }

    pub(crate) fn correct(&mut self, rule: &str, document: &str, right: &str, because: &str) {
        self.corrections.push(Correction {
            rule: rule.to_owned(),
            document: document.to_owned(),
            right: right.to_owned(),
            because: because.to_owned(),
        });
    }

    pub(crate) fn curve(&mut self, curve: Curve) {
        self.curves.push(curve);
    }

    pub(crate) fn note(&mut self, note: impl Into<String>) {
        self.notes.push(note.into());
    }

    pub(crate) fn bind(&mut self, term: &str, because: impl Into<String>) {
        self.binds = Some(Binding {
            term: term.to_owned(),
            because: because.into(),
        });
    }

    /// Names the largest of `terms`, by their middle values, as the one that
    /// binds.
    pub(crate) fn bind_largest(&mut self, terms: &[(&str, Range)], unit: Unit) {
        let largest = terms.iter().rev().max_by_key(|(_, range)| range.mid());
        if let Some((term, range)) = largest {
            self.bind(
                term,
                format!("it asks for the most: {}", shown(unit, *range)),
            );
        }
    }

    /// The line called `name`.
    pub fn get(&self, name: &str) -> Option<&Line> {
        self.lines.iter().find(|line| line.name == name)
    }
}

/// A whole number where the value is one that JSON readers take, else the
/// nearest floating-point number; none when infinite.
fn number(value: Exact) -> Option<serde_json::Number> {
    if !value.is_finite() {
        return None;
    }
    let whole = value.as_whole().and_then(|whole| u64::try_from(whole).ok());
    match whole {
        Some(whole) => Some(whole.into()),
        None => serde_json::Number::from_f64(value.to_f64()),
    }
}

fn shown(unit: Unit, range: Range) -> String {
    if range.is_exact() {
        return unit.show(range.mid());
    }
    let [low, high] = [range.low(), range.high()].map(|value| unit.brief(value));
    format!("{} [{low} to {high}]", unit.show(range.mid()))
}
