//! Histogram logs (`.hlog`) in the standard HdrHistogram interval format:
//! one line per interval, V2 deflate, base64, tagged with the distribution's
//! name, values in nanoseconds and the readable maximum in milliseconds, as
//! the Java tools write and expect it.

use crate::{Histogram, LatencyKind, ResultError};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hdrhistogram::serialization::interval_log::{
    IntervalLogIterator, IntervalLogWriterBuilder, LogEntry,
};
use hdrhistogram::serialization::{Deserializer, Serializer as _, V2DeflateSerializer};
use std::fmt::Display;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// The readable maximum of each line is in milliseconds.
const MAX_VALUE_DIVISOR: f64 = 1e6;

/// Writes one cell's log.
pub struct HlogWriter {
    path: PathBuf,
    out: BufWriter<File>,
    serializer: V2DeflateSerializer,
}

/// One line of a log.
#[derive(Debug)]
pub struct HlogInterval {
    /// The distribution's name.
    pub tag: String,
    /// Start of the interval, from the log's base time.
    pub start: Duration,
    /// Length of the interval.
    pub length: Duration,
    /// Its values.
    pub histogram: Histogram,
}

impl HlogWriter {
    /// Creates the file and writes its head. `base` is the instant that the
    /// intervals' starts count from.
    pub fn create(path: &Path, base: SystemTime, comment: &str) -> Result<Self, ResultError> {
        let file = File::create(path).map_err(|source| ResultError::Io {
            action: "create",
            path: path.to_path_buf(),
            source,
        })?;
        let mut writer = Self {
            path: path.to_path_buf(),
            out: BufWriter::new(file),
            serializer: V2DeflateSerializer::new(),
        };
        let head = IntervalLogWriterBuilder::new()
            .add_comment(comment)
            .add_comment("[Histogram log format version 1.3]")
            .with_start_time(base)
            .with_base_time(base)
            .with_max_value_divisor(MAX_VALUE_DIVISOR)
            .begin_log_with(&mut writer.out, &mut writer.serializer)
            .map(|_| ());
        head.map_err(|e| writer.failed(e))?;
        Ok(writer)
    }

    /// Appends one interval of one distribution.
    pub fn write(
        &mut self,
        kind: LatencyKind,
        histogram: &Histogram,
        start: Duration,
        length: Duration,
    ) -> Result<(), ResultError> {
        let mut packed = Vec::new();
        self.serializer
            .serialize(histogram.hdr(), &mut packed)
            .map_err(|e| self.failed(e))?;
        writeln!(
            self.out,
            "Tag={},{:.3},{:.3},{:.3},{}",
            kind.name(),
            start.as_secs_f64(),
            length.as_secs_f64(),
            histogram.hdr().max() as f64 / MAX_VALUE_DIVISOR,
            BASE64.encode(packed)
        )
        .map_err(|e| self.failed(e))
    }

    /// Flushes the file.
    pub fn finish(mut self) -> Result<(), ResultError> {
        self.out.flush().map_err(|e| self.failed(e))
    }

    fn failed(&self, error: impl Display) -> ResultError {
        ResultError::Histogram {
            path: self.path.clone(),
            reason: error.to_string(),
        }
    }
}

/// Reads a whole log.
pub fn read_hlog(path: &Path) -> Result<Vec<HlogInterval>, ResultError> {
    let bytes = std::fs::read(path).map_err(|source| ResultError::Io {
        action: "read",
        path: path.to_path_buf(),
        source,
    })?;
    let failed = |reason: String| ResultError::Histogram {
        path: path.to_path_buf(),
        reason,
    };
    let mut deserializer = Deserializer::new();
    let mut intervals = Vec::new();
    for entry in IntervalLogIterator::new(&bytes) {
        let LogEntry::Interval(line) =
            entry.map_err(|e| failed(format!("not an interval log: {e:?}")))?
        else {
            continue;
        };
        let packed = BASE64
            .decode(line.encoded_histogram())
            .map_err(|e| failed(format!("histogram is not base64: {e}")))?;
        let hdr = deserializer
            .deserialize(&mut packed.as_slice())
            .map_err(|e| failed(format!("histogram does not decode: {e}")))?;
        intervals.push(HlogInterval {
            tag: line.tag().map_or_else(String::new, |tag| tag.to_string()),
            start: line.start_timestamp(),
            length: line.duration(),
            histogram: Histogram::from_hdr(&hdr),
        });
    }
    Ok(intervals)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_reads_back() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let path = dir.path().join("cell.hlog");
        let mut histogram = Histogram::new();
        for i in 1..=10_000 {
            histogram.record_ns(i * 1_700);
        }
        let mut log =
            HlogWriter::create(&path, SystemTime::UNIX_EPOCH, "cell c0ffee").expect("creates");
        for second in 0..3 {
            let start = Duration::from_secs(second);
            for kind in [LatencyKind::Response, LatencyKind::EndToEnd] {
                log.write(kind, &histogram, start, Duration::from_secs(1))
                    .expect("writes");
            }
        }
        log.finish().expect("flushes");

        let text = std::fs::read_to_string(&path).expect("utf-8");
        assert_eq!(text.matches("#[MaxValueDivisor").count(), 1);
        assert_eq!(text.matches("#[BaseTime").count(), 1);
        let intervals = read_hlog(&path).expect("reads");
        assert_eq!(intervals.len(), 6);
        assert_eq!(intervals[1].tag, "end_to_end");
        assert_eq!(intervals[5].start, Duration::from_secs(2));
        let back = &intervals[0].histogram;
        assert_eq!(back.count(), histogram.count());
        for percentile in [0.0, 50.0, 99.0, 99.9, 100.0] {
            let (a, b) = (
                back.percentile_us(percentile),
                histogram.percentile_us(percentile),
            );
            assert!((a - b).abs() <= b * 1e-3, "p{percentile}: {a} against {b}");
        }
    }

    #[track_caller]
    fn check_refused(text: &str, reason: &str) {
        let dir = tempfile::tempdir().expect("temporary directory");
        let path = dir.path().join("broken.hlog");
        std::fs::write(&path, text).expect("writes");
        let error = read_hlog(&path).expect_err("refused").to_string();
        assert!(error.contains(reason), "{error}");
    }

    #[test]
    fn a_broken_log_is_refused_with_a_reason() {
        check_refused("garbage\n", "not an interval log");
        check_refused("Tag=a,0.000,1.000,1.000,%%%\n", "not base64");
        check_refused("Tag=a,0.000,1.000,1.000,AAAA\n", "does not decode");
        assert!(read_hlog(Path::new("/nonexistent.hlog")).is_err());
    }
}
