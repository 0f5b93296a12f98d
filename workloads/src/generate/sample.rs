//! The user's own records, read from a file and split.

use super::InputError;
use crate::{
    language::{KeySpec, PayloadSpec, RecordSpec, Source, Split},
    shipped,
};
use std::{borrow::Cow, fs, ops::Range, path::Path};

/// Largest sample taken into memory.
const SAMPLE_BYTES_MAX: u64 = 1 << 30;

/// Largest record of a sample.
const RECORD_BYTES_MAX: usize = 100 * 1024 * 1024;

/// The records of a file, in the file's order, and the keys found in them.
#[derive(Clone, Debug)]
pub struct Sample {
    bytes: Cow<'static, [u8]>,
    records: Vec<Range<usize>>,
    keys: Option<SampleKeys>,
}

/// The key of each record, one after the other.
#[derive(Clone, Debug, Default)]
struct SampleKeys {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Sample {
    /// Reads and splits the sample that `records` names, and finds the key of
    /// each record if the keys are a field. A workload without a sample gives
    /// [`InputError::Empty`].
    pub fn load(records: &RecordSpec) -> Result<Self, InputError> {
        let PayloadSpec::Sample { source, split } = records.payload() else {
            return Err(InputError::Empty {
                source_name: "the workload".to_owned(),
            });
        };
        let bytes: Cow<'static, [u8]> = match source {
            Source::Shipped(name) => shipped::sample(name).map_or(&[][..], |s| s.bytes).into(),
            Source::File(path) => read_file(path, SAMPLE_BYTES_MAX)?.into(),
        };
        let mut sample = Self {
            records: split_records(&bytes, split),
            bytes,
            keys: None,
        };
        sample.check(source)?;
        if let KeySpec::Field(field) = &records.keys {
            sample.keys = Some(sample.find_keys(source, field)?);
        }
        Ok(sample)
    }

    /// How many records there are; at least one.
    pub fn count(&self) -> usize {
        self.records.len()
    }

    /// The record number `index`, counted from 0 and round the end.
    pub fn record(&self, index: usize) -> &[u8] {
        let range = self.records.get(index % self.count().max(1));
        range
            .and_then(|range| self.bytes.get(range.clone()))
            .unwrap_or_default()
    }

    /// The key of record number `index`, if keys are a field of the records.
    pub fn key(&self, index: usize) -> Option<&[u8]> {
        let keys = self.keys.as_ref()?;
        let index = index % self.count().max(1);
        let start = match index.checked_sub(1) {
            Some(before) => *keys.ends.get(before)?,
            None => 0,
        };
        keys.bytes.get(start..*keys.ends.get(index)?)
    }

    /// The mean length of a record in bytes.
    pub fn mean_bytes(&self) -> f64 {
        let total: usize = self.records.iter().map(ExactSizeIterator::len).sum();
        total as f64 / self.count().max(1) as f64
    }

    /// The length of the longest record in bytes.
    pub fn max_bytes(&self) -> usize {
        let lengths = self.records.iter().map(ExactSizeIterator::len);
        lengths.max().unwrap_or(0)
    }

    /// The file's content.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    fn check(&self, source: &Source) -> Result<(), InputError> {
        if self.records.is_empty() {
            return Err(InputError::Empty {
                source_name: source.to_string(),
            });
        }
        let large = |range: &Range<usize>| range.len() > RECORD_BYTES_MAX;
        match self.records.iter().position(large) {
            None => Ok(()),
            Some(at) => Err(InputError::RecordTooLarge {
                source_name: source.to_string(),
                record: at + 1,
                bytes: self.records[at].len(),
                max: RECORD_BYTES_MAX,
            }),
        }
    }

    fn find_keys(&self, source: &Source, field: &str) -> Result<SampleKeys, InputError> {
        let mut keys = SampleKeys::default();
        for (at, range) in self.records.iter().enumerate() {
            let key = json_field(&self.bytes[range.clone()], field);
            let key = key.map_err(|reason| InputError::Key {
                source_name: source.to_string(),
                record: at + 1,
                field: field.to_owned(),
                reason,
            })?;
            keys.bytes.extend_from_slice(key.as_bytes());
            keys.ends.push(keys.bytes.len());
        }
        Ok(keys)
    }
}

/// The text of a field of a JSON object by its dotted path: a string without
/// its quotes, a number or a truth value as written.
fn json_field(record: &[u8], field: &str) -> Result<String, String> {
    let value: serde_json::Value =
        serde_json::from_slice(record).map_err(|error| format!("it is not JSON: {error}"))?;
    let mut found = &value;
    for name in field.split('.') {
        found = found
            .get(name)
            .ok_or_else(|| format!("there is no `{name}`"))?;
    }
    match found {
        serde_json::Value::String(text) => Ok(text.clone()),
        serde_json::Value::Number(_) | serde_json::Value::Bool(_) => Ok(found.to_string()),
        other => Err(format!(
            "`{other}` is not a text, a number or a truth value"
        )),
    }
}

fn split_records(bytes: &[u8], split: &Split) -> Vec<Range<usize>> {
    let whole = 0..bytes.len();
    let mut records = match split {
        Split::Whole => vec![whole],
        Split::Lines => split_at(bytes, b"\n"),
        Split::At(delimiter) => split_at(bytes, delimiter.as_bytes()),
    };
    if *split == Split::Lines {
        for range in &mut records {
            if bytes[range.clone()].ends_with(b"\r") {
                range.end -= 1;
            }
        }
    }
    records.retain(|range| !range.is_empty());
    records
}

/// The ranges between the occurrences of a delimiter, which is not empty.
fn split_at(bytes: &[u8], delimiter: &[u8]) -> Vec<Range<usize>> {
    let mut ranges = Vec::new();
    let (mut start, mut at) = (0, 0);
    while at + delimiter.len() <= bytes.len() {
        if bytes[at..].starts_with(delimiter) {
            ranges.push(start..at);
            at += delimiter.len();
            start = at;
        } else {
            at += 1;
        }
    }
    ranges.push(start..bytes.len());
    ranges
}

/// Reads a whole file that is not larger than `max` bytes.
pub(super) fn read_file(path: &Path, max: u64) -> Result<Vec<u8>, InputError> {
    let unreadable = |source| InputError::Read {
        path: path.to_owned(),
        source,
    };
    let bytes = fs::metadata(path).map_err(unreadable)?.len();
    if bytes > max {
        return Err(InputError::TooLarge {
            path: path.to_owned(),
            bytes,
            max,
        });
    }
    fs::read(path).map_err(unreadable)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn load(content: &[u8], split: Split, keys: &str) -> Result<Sample, InputError> {
        let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
        file.write_all(content).expect("written");
        Sample::load(&RecordSpec {
            sample: Some(Source::File(file.path().to_owned())),
            split: Some(split),
            keys: keys.parse().expect(keys),
            ..RecordSpec::default()
        })
    }

    #[test]
    fn files_are_split_and_their_bytes_left_as_they_are() {
        let check = |content: &[u8], split: Split, expected: &[&[u8]]| {
            let sample = load(content, split, "none").expect("a good sample");
            let records: Vec<_> = (0..sample.count()).map(|at| sample.record(at)).collect();
            assert_eq!(records, expected);
        };
        check(b"a\nbc\n", Split::Lines, &[b"a", b"bc"]);
        check(b"a\r\n\r\n\nb\xff", Split::Lines, &[b"a", b"b\xff"]);
        check(b"a\nb", Split::Whole, &[b"a\nb"]);
        check(b"a||b|c||", Split::At("||".to_owned()), &[b"a", b"b|c"]);
        check(b"\0\0a\0b", Split::At("\0".to_owned()), &[b"a", b"b"]);
    }

    #[test]
    fn keys_come_from_a_field_of_each_record() {
        let lines = br#"{"a":{"b":"x"},"n":7}
{"a":{"b":"yy"},"n":true}"#;
        let check = |keys: &str, expected: &[&[u8]]| {
            let sample = load(lines, Split::Lines, keys).expect("a good sample");
            let found: Vec<_> = (0..2).filter_map(|at| sample.key(at)).collect();
            assert_eq!(found, expected, "{keys}");
        };
        check("field(a.b)", &[b"x", b"yy"]);
        check("field(n)", &[b"7", b"true"]);
        check("none", &[]);
    }

    #[test]
    fn a_sample_that_cannot_be_used_says_why() {
        let check = |content: &[u8], keys: &str, expected: &str| {
            let error = load(content, Split::Lines, keys)
                .expect_err(expected)
                .to_string();
            assert!(error.contains(expected), "{error}");
        };
        check(b"", "none", " has no records");
        check(b"\n\n", "none", " has no records");
        check(b"{}\n", "field(id)", "has no key at `id`: there is no `id`");
        check(
            b"{\"id\":1}\n{\"id\":null}\n",
            "field(id)",
            "has no key at `id`: `null` is not a text, a number or a truth value",
        );
        let missing = Sample::load(&RecordSpec {
            sample: Some(Source::File("no/such/file".into())),
            ..RecordSpec::default()
        });
        let error = missing.expect_err("there is no such file").to_string();
        assert!(error.starts_with("cannot read no/such/file: "), "{error}");
    }
}
