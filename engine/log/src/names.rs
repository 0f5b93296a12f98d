//! What files and directories are called.
//!
//! A segment's files carry its base offset in twenty digits; a partition's
//! directory is `TOPIC-INDEX`. Names that end in `-delete` are directories on
//! their way out.

use crate::checkpoint::TopicPartition;
use plimsoll_wire::types::{Offset, PartitionIndex};
use std::path::{Path, PathBuf};

/// Which of a segment's files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Log,
    Index,
    TimeIndex,
    TxnIndex,
    Snapshot,
}

impl Kind {
    pub(crate) const ALL: [Self; 5] = [
        Self::Log,
        Self::Index,
        Self::TimeIndex,
        Self::TxnIndex,
        Self::Snapshot,
    ];

    const fn suffix(self) -> &'static str {
        match self {
            Self::Log => ".log",
            Self::Index => ".index",
            Self::TimeIndex => ".timeindex",
            Self::TxnIndex => ".txnindex",
            Self::Snapshot => ".snapshot",
        }
    }
}

/// Where a file is on its way, appended to its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    /// In use.
    Live,
    /// Written by compaction, not yet whole.
    Cleaned,
    /// Whole, about to replace what it was cleaned from.
    Swap,
    /// Out of use, removed after a delay.
    Deleted,
}

impl Stage {
    const ALL: [Self; 4] = [Self::Cleaned, Self::Swap, Self::Deleted, Self::Live];

    const fn suffix(self) -> &'static str {
        match self {
            Self::Live => "",
            Self::Cleaned => ".cleaned",
            Self::Swap => ".swap",
            Self::Deleted => ".deleted",
        }
    }
}

/// The name of a segment's file.
pub(crate) fn segment_file(base: Offset, kind: Kind, stage: Stage) -> String {
    format!("{:020}{}{}", base.get(), kind.suffix(), stage.suffix())
}

/// The path of a segment's file.
pub(crate) fn segment_path(dir: &Path, base: Offset, kind: Kind, stage: Stage) -> PathBuf {
    dir.join(segment_file(base, kind, stage))
}

/// What a name in a partition's directory stands for, when it is a segment's.
pub(crate) fn parse_segment_file(name: &str) -> Option<(Offset, Kind, Stage)> {
    let (stem, stage) = Stage::ALL
        .into_iter()
        .find_map(|stage| Some((name.strip_suffix(stage.suffix())?, stage)))?;
    let (digits, kind) = Kind::ALL
        .into_iter()
        .find_map(|kind| Some((stem.strip_suffix(kind.suffix())?, kind)))?;
    if digits.len() != 20 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    Some((Offset(digits.parse().ok()?), kind, stage))
}

/// The name of a partition's directory.
pub fn partition_dir(partition: &TopicPartition) -> String {
    format!("{}-{}", partition.topic, partition.partition)
}

/// The partition that a directory's name stands for.
pub fn parse_partition_dir(name: &str) -> Option<TopicPartition> {
    let (topic, index) = name.rsplit_once('-')?;
    if topic.is_empty() || !index.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    Some(TopicPartition {
        topic: topic.to_owned(),
        partition: PartitionIndex(index.parse().ok()?),
    })
}

/// The longest directory name that file systems take.
const DIR_NAME_BYTES_MAX: usize = 255;

/// What a partition's directory is renamed to before it is removed; `unique`
/// tells apart a topic's successive lives.
pub(crate) fn retired_dir(partition: &TopicPartition, unique: u128) -> String {
    let ending = format!("-{}.{unique:032x}{RETIRED}", partition.partition);
    let room = DIR_NAME_BYTES_MAX.saturating_sub(ending.len());
    let topic: String = partition.topic.chars().take(room).collect();
    topic + &ending
}

/// How the name of a directory ends that is to be removed.
pub(crate) const RETIRED: &str = "-delete";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segment_files_are_told_from_everything_else() {
        let check = |name: &str, expected: Option<(i64, Kind, Stage)>| {
            let expected = expected.map(|(base, kind, stage)| (Offset(base), kind, stage));
            assert_eq!(parse_segment_file(name), expected, "{name}");
            if let Some((base, kind, stage)) = expected {
                assert_eq!(segment_file(base, kind, stage), name);
            }
        };
        check(
            "00000000000000000000.log",
            Some((0, Kind::Log, Stage::Live)),
        );
        check(
            "00000000000000000042.timeindex",
            Some((42, Kind::TimeIndex, Stage::Live)),
        );
        check(
            "00000000000000000042.index.swap",
            Some((42, Kind::Index, Stage::Swap)),
        );
        check(
            "00000000000000000042.log.cleaned",
            Some((42, Kind::Log, Stage::Cleaned)),
        );
        check(
            "09223372036854775807.snapshot.deleted",
            Some((i64::MAX, Kind::Snapshot, Stage::Deleted)),
        );
        check("99999999999999999999.log", None);
        check("42.log", None);
        check("0000000000000000000x.log", None);
        check("leader-epoch-checkpoint", None);
        check("partition.metadata", None);
    }

    #[test]
    fn a_directory_name_splits_at_its_last_dash() {
        let check = |name: &str, expected: Option<(&str, i32)>| {
            let expected = expected.map(|(topic, partition)| TopicPartition {
                topic: topic.to_owned(),
                partition: PartitionIndex(partition),
            });
            assert_eq!(parse_partition_dir(name), expected, "{name}");
        };
        check("orders-0", Some(("orders", 0)));
        check("a-b-c-12", Some(("a-b-c", 12)));
        check("orders-0.0123456789abcdef-delete", None);
        check("orders-", None);
        check("-3", None);
        check("orders-99999999999", None);
    }
}
