//! Kafka's checkpoint files: a version line, a count line, one line an entry.
//!
//! `recovery-point-offset-checkpoint`, `log-start-offset-checkpoint` and
//! `replication-offset-checkpoint` hold an offset for each partition of a data
//! directory; `leader-epoch-checkpoint` holds where each leader's epoch began
//! in one partition. They are replaced whole, so a crash leaves the old file
//! or the new one.

use crate::disk::{Disk, read_whole, replace_whole};
use crate::error::LogError;
use plimsoll_wire::types::{LeaderEpoch, Offset, PartitionIndex};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

/// A partition's name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicPartition {
    /// The topic.
    pub topic: String,
    /// Which of its partitions.
    pub partition: PartitionIndex,
}

/// An offset for each of many partitions.
pub type OffsetCheckpoint = BTreeMap<TopicPartition, Offset>;

/// Where a leader's epoch began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EpochEntry {
    /// The epoch.
    pub epoch: LeaderEpoch,
    /// The first offset that it wrote.
    pub start: Offset,
}

/// The only version of either file.
const VERSION: &str = "0";

pub(crate) fn load_offsets(disk: &dyn Disk, path: &Path) -> Result<OffsetCheckpoint, LogError> {
    let Some(text) = read_text(disk, path)? else {
        return Ok(OffsetCheckpoint::new());
    };
    let mut offsets = OffsetCheckpoint::new();
    for line in entries(path, &text)? {
        let (partition, offset) = parse_offset(line)
            .ok_or_else(|| bad_line(path, line, "a topic, a partition and an offset"))?;
        offsets.insert(partition, offset);
    }
    Ok(offsets)
}

pub(crate) fn store_offsets(
    disk: &dyn Disk,
    path: &Path,
    offsets: &OffsetCheckpoint,
) -> Result<(), LogError> {
    let mut text = format!("{VERSION}\n{}\n", offsets.len());
    for (at, offset) in offsets {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{} {} {offset}", at.topic, at.partition);
    }
    replace_whole(disk, path, text.as_bytes())
}

pub(crate) fn load_epochs(disk: &dyn Disk, path: &Path) -> Result<Vec<EpochEntry>, LogError> {
    let Some(text) = read_text(disk, path)? else {
        return Ok(Vec::new());
    };
    let mut epochs: Vec<EpochEntry> = Vec::new();
    for line in entries(path, &text)? {
        let entry =
            parse_epoch(line).ok_or_else(|| bad_line(path, line, "an epoch and an offset"))?;
        if epochs
            .last()
            .is_some_and(|last| last.epoch >= entry.epoch || last.start > entry.start)
        {
            return Err(bad_line(path, line, "epochs and offsets that rise"));
        }
        epochs.push(entry);
    }
    Ok(epochs)
}

pub(crate) fn encode_epochs(epochs: &[EpochEntry]) -> Vec<u8> {
    let mut text = format!("{VERSION}\n{}\n", epochs.len());
    for entry in epochs {
        let _ = writeln!(text, "{} {}", entry.epoch, entry.start);
    }
    text.into_bytes()
}

fn read_text(disk: &dyn Disk, path: &Path) -> Result<Option<String>, LogError> {
    let Some(bytes) = read_whole(disk, path)? else {
        return Ok(None);
    };
    match String::from_utf8(bytes) {
        Ok(text) => Ok(Some(text)),
        Err(_) => Err(LogError::corrupt(path, "not text, where a checkpoint is")),
    }
}

fn entries<'a>(path: &Path, text: &'a str) -> Result<Vec<&'a str>, LogError> {
    let mut lines = text.lines();
    let version = lines.next().unwrap_or_default();
    if version != VERSION {
        return Err(bad_line(path, version, "version 0"));
    }
    let count = lines.next().unwrap_or_default();
    let entries: Vec<&str> = lines.collect();
    if count.parse() != Ok(entries.len()) {
        return Err(LogError::corrupt(
            path,
            format!("count {count:?} before {} entries", entries.len()),
        ));
    }
    Ok(entries)
}

fn parse_offset(line: &str) -> Option<(TopicPartition, Offset)> {
    let mut words = line.split(' ');
    let topic = words.next()?.to_owned();
    let partition = PartitionIndex(words.next()?.parse().ok()?);
    let offset = Offset(words.next()?.parse().ok()?);
    words
        .next()
        .is_none()
        .then_some((TopicPartition { topic, partition }, offset))
}

fn parse_epoch(line: &str) -> Option<EpochEntry> {
    let (epoch, start) = line.split_once(' ')?;
    Some(EpochEntry {
        epoch: LeaderEpoch(epoch.parse().ok()?),
        start: Offset(start.parse().ok()?),
    })
}

fn bad_line(path: &Path, line: &str, expected: &str) -> LogError {
    LogError::corrupt(path, format!("line {line:?}, expected {expected}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MemDisk;
    use crate::disk::Open;

    fn disk_with(text: &str) -> MemDisk {
        let disk = MemDisk::new();
        disk.create_dir_all(Path::new("/d")).unwrap();
        disk.open(Path::new("/d/f"), Open::Create)
            .unwrap()
            .write_at(text.as_bytes(), 0)
            .unwrap();
        disk
    }

    #[test]
    fn offsets_come_back_as_they_were_stored() {
        let disk = disk_with("");
        let at = |topic: &str, partition| TopicPartition {
            topic: topic.to_owned(),
            partition: PartitionIndex(partition),
        };
        let offsets: OffsetCheckpoint =
            [(at("a", 1), Offset(5)), (at("b.c-d", 0), Offset(i64::MAX))].into();
        store_offsets(&disk, Path::new("/d/f"), &offsets).unwrap();
        let text = read_whole(&disk, Path::new("/d/f")).unwrap().unwrap();
        assert_eq!(text, b"0\n2\na 1 5\nb.c-d 0 9223372036854775807\n");
        assert_eq!(load_offsets(&disk, Path::new("/d/f")).unwrap(), offsets);
        assert!(
            load_offsets(&disk, Path::new("/d/none"))
                .unwrap()
                .is_empty()
        );
    }

    #[test]
    fn a_damaged_file_is_refused() {
        let check = |text: &str, expected: &str| {
            let error = load_epochs(&disk_with(text), Path::new("/d/f")).unwrap_err();
            assert_eq!(error.to_string(), format!("/d/f: {expected}"));
        };
        check("", "line \"\", expected version 0");
        check("1\n0\n", "line \"1\", expected version 0");
        check("0\n2\n0 0\n", "count \"2\" before 1 entries");
        check("0\n1\n0\n", "line \"0\", expected an epoch and an offset");
        check(
            "0\n2\n3 0\n3 9\n",
            "line \"3 9\", expected epochs and offsets that rise",
        );
    }
}
