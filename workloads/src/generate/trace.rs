//! Arrival times taken from a file.
//!
//! One time a line, in seconds (`12.5`, which may be a Unix time) or with a
//! unit (`12500ms`); sorted; the first is the start. Empty lines and lines
//! that start with `#` are skipped.

use super::{InputError, sample::read_file};
use crate::units::Span;
use std::path::Path;

/// Largest trace taken into memory.
const TRACE_BYTES_MAX: u64 = 1 << 30;

/// The times of a trace and the file they were read from.
#[derive(Clone, Debug)]
pub struct Trace {
    bytes: Vec<u8>,
    times_ns: Vec<u64>,
}

impl Trace {
    /// Reads a trace that lasts at least `needed`.
    pub fn load(path: &Path, needed: Span) -> Result<Self, InputError> {
        let bytes = read_file(path, TRACE_BYTES_MAX)?;
        let mut times_ns: Vec<u64> = Vec::new();
        let mut first = None;
        for (at, line) in bytes.split(|&byte| byte == b'\n').enumerate() {
            let text = String::from_utf8_lossy(line);
            let text = text.trim();
            if text.is_empty() || text.starts_with('#') {
                continue;
            }
            let refuse = |expected| InputError::Trace {
                path: path.to_owned(),
                line: at + 1,
                text: text.to_owned(),
                expected,
            };
            let time = read_time(text)
                .ok_or_else(|| refuse("a time, in seconds or with a unit such as 12500ms"))?;
            let start = *first.get_or_insert(time);
            let time = time.checked_sub(start);
            let time = time.filter(|time| times_ns.last().is_none_or(|last| last <= time));
            times_ns.push(time.ok_or_else(|| refuse("at or after the time above it"))?);
        }
        let lasts = Span::from_nanos(times_ns.last().copied().unwrap_or(0));
        if times_ns.is_empty() || lasts < needed {
            return Err(InputError::TraceTooShort {
                path: path.to_owned(),
                times: times_ns.len(),
                lasts,
                needed,
            });
        }
        Ok(Self { bytes, times_ns })
    }

    /// The times in nanoseconds since the first, which never fall.
    pub fn times(&self) -> &[u64] {
        &self.times_ns
    }

    /// The file's content.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

fn read_time(text: &str) -> Option<u64> {
    let ends_in_digit = text.ends_with(|c: char| c.is_ascii_digit());
    let span: Span = match ends_in_digit {
        true => format!("{text}s").parse().ok()?,
        false => text.parse().ok()?,
    };
    Some(span.nanos())
}
