//! Quantities with their units: sizes, rates, durations and counts.
//!
//! Each quantity is a type of its own that reads what a person writes (`1KiB`,
//! `50K/s`, `1m30s`), shows itself in the shortest form that reads back to the
//! same value, and is stored in JSON in that form. Parsing is exact: a text
//! whose value is not a whole number of the base unit is refused rather than
//! rounded, and decimal (`KB`) and binary (`KiB`) multiples are never mixed up.

mod count;
mod decimal;
mod rate;
mod share;
mod size;
mod span;
mod text_form;

pub use count::Count;
pub use rate::{ByteRate, Rate};
pub use share::Share;
pub use size::Size;
pub use span::Span;
pub use text_form::TextError;

#[cfg(test)]
mod tests;
