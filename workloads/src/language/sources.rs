//! Where a workload's own records come from, and how a file is split.

use crate::shipped;
use plimsoll_units::{TextError, text_form};
use std::{
    fmt,
    path::{Path, PathBuf},
    str::FromStr,
};

/// A file of records: one that ships with the program, or the user's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A shipped sample, by its name, such as `order-events`.
    Shipped(&'static str),
    /// A file; once read from a workload, relative to the working directory.
    File(PathBuf),
}

impl Source {
    /// Makes a relative file relative to `base`, where the workload lies.
    pub(super) fn rebase(&mut self, base: &Path) {
        if let Self::File(path) = self {
            *path = base.join(&path);
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shipped(name) => f.write_str(name),
            Self::File(path) => path.display().fmt(f),
        }
    }
}

impl FromStr for Source {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        let trimmed = text.trim();
        if trimmed.is_empty() {
            return Err(TextError::new(text, "the path of a file of records"));
        }
        let shipped = shipped::samples().find(|sample| sample.name == trimmed);
        Ok(match shipped {
            Some(sample) => Self::Shipped(sample.name),
            None => Self::File(PathBuf::from(trimmed)),
        })
    }
}

text_form!(
    Source: "a file of records, relative to the workload file, or the name of a shipped sample",
    as ["string"],
    such as ["order-events", "events.jsonl"]
);

/// How a file of records is split into records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Split {
    /// `lines`: at each newline, which is not part of the record; empty lines
    /// are skipped. JSON lines are this.
    Lines,
    /// `whole`: the file is one record.
    Whole,
    /// `at(||)`: at each occurrence of the text; `\n`, `\t`, `\0` and `\\` are
    /// escapes. Empty records are skipped.
    At(String),
}

impl fmt::Display for Split {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lines => f.write_str("lines"),
            Self::Whole => f.write_str("whole"),
            Self::At(delimiter) => {
                f.write_str("at(")?;
                for letter in delimiter.chars() {
                    match letter {
                        '\n' => f.write_str("\\n")?,
                        '\t' => f.write_str("\\t")?,
                        '\0' => f.write_str("\\0")?,
                        '\\' => f.write_str("\\\\")?,
                        other => write!(f, "{other}")?,
                    }
                }
                f.write_str(")")
            }
        }
    }
}

impl FromStr for Split {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        match text {
            "lines" => return Ok(Self::Lines),
            "whole" => return Ok(Self::Whole),
            _ => {}
        }
        let inside = text
            .strip_prefix("at(")
            .and_then(|rest| rest.strip_suffix(')'));
        let delimiter = inside.and_then(unescape).filter(|text| !text.is_empty());
        let refuse = || TextError::new(text, "lines, whole or at(TEXT), such as at(\\0)");
        delimiter.map(Self::At).ok_or_else(refuse)
    }
}

fn unescape(text: &str) -> Option<String> {
    let mut plain = String::with_capacity(text.len());
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        plain.push(match letter {
            '\\' => match letters.next()? {
                'n' => '\n',
                't' => '\t',
                '0' => '\0',
                '\\' => '\\',
                _ => return None,
            },
            other => other,
        });
    }
    Some(plain)
}

text_form!(
    Split: "how the sample is split into records",
    as ["string"],
    such as ["lines", "whole", "at(\\0)"]
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_ships_is_the_shipped_sample_and_all_else_is_a_file() {
        let check = |text: &str, expected: Source| {
            let mut source: Source = text.parse().expect(text);
            source.rebase(Path::new("here"));
            assert_eq!(source, expected);
        };
        check("order-events", Source::Shipped("order-events"));
        check("events.jsonl", Source::File("here/events.jsonl".into()));
        check("/tmp/events", Source::File("/tmp/events".into()));
    }

    #[test]
    fn splits_read_back() {
        let check = |text: &str, expected: Option<Split>| {
            let read = text.parse::<Split>().ok();
            assert_eq!(read, expected, "{text}");
            if let Some(split) = read {
                assert_eq!(split.to_string(), text);
            }
        };
        check("lines", Some(Split::Lines));
        check("whole", Some(Split::Whole));
        check("at(\\0)", Some(Split::At("\0".to_owned())));
        check("at())", Some(Split::At(")".to_owned())));
        check("at(\\x)", None);
        check("at()", None);
        check("words", None);
    }
}
