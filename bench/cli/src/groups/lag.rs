//! How far a group is behind, partition by partition, in records and in time.
//!
//! Lag in records is the log's end less the committed offset, as in Kafka's
//! own tool; the end is the high watermark, or the last stable offset for
//! readers of committed records. Lag in time is the age of the next record that
//! the group has not read: it needs no rate, and grows by a second a second
//! while a group stands still.

use plimsoll_drive::DriveError;
use plimsoll_drive::admin::{
    Admin, At, DescribedGroup, GroupMember, Isolation, Offset, TopicPartition,
};
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A partition as a group sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The partition; none for a member that has nothing to read.
    pub partition: Option<TopicPartition>,
    /// The next offset the group will read, once it has committed one.
    pub current: Option<i64>,
    /// The end of the log.
    pub end: Option<i64>,
    /// Records not read yet.
    pub lag: Option<i64>,
    /// How old the next record is that has not been read; zero when there is none.
    pub age: Option<Duration>,
    /// Who reads it.
    pub member: Option<GroupMember>,
}

/// Every partition that the group reads or has committed, and every member
/// that reads none.
pub fn rows(
    admin: &mut Admin,
    group: &DescribedGroup,
    isolation: Isolation,
) -> Result<Vec<Row>, DriveError> {
    let committed = admin.committed(&group.group)?;
    let mut readers: BTreeMap<&TopicPartition, &GroupMember> = BTreeMap::new();
    for member in &group.members {
        readers.extend(member.assigned.iter().map(|place| (place, member)));
    }
    let read = readers.keys().map(|place| (*place).clone());
    let places: BTreeSet<TopicPartition> = committed.keys().cloned().chain(read).collect();
    let places: Vec<TopicPartition> = places.into_iter().collect();
    let ends = admin.offsets(&places, At::Latest, isolation)?;
    let begins = admin.offsets(&places, At::Earliest, isolation)?;
    let mut rows = Vec::with_capacity(places.len());
    for place in places {
        let current = committed.get(&place).copied();
        let (begin, end) = (begins.get(&place).copied(), ends.get(&place).copied());
        let lag = lag(current, end);
        let age = match (current, lag) {
            (Some(_), Some(0)) => Some(Duration::ZERO),
            (Some(current), Some(_)) => {
                let from = begin.map_or(current, |begin| begin.max(current));
                let written = admin.written_at(&place, from, isolation)?;
                written.map(|at| age(at.get(), now_ms()))
            }
            _ => None,
        };
        rows.push(Row {
            current: current.map(|o| o.get()),
            end: end.map(|o| o.get()),
            lag,
            age,
            member: readers.get(&place).map(|member| (*member).clone()),
            partition: Some(place),
        });
    }
    let idle = group
        .members
        .iter()
        .filter(|member| member.assigned.is_empty());
    rows.extend(idle.map(|member| Row {
        partition: None,
        current: None,
        end: None,
        lag: None,
        age: None,
        member: Some(member.clone()),
    }));
    Ok(rows)
}

/// A log that was cut below the committed offset leaves nothing unread.
fn lag(current: Option<Offset>, end: Option<Offset>) -> Option<i64> {
    Some(end?.get().saturating_sub(current?.get()).max(0))
}

/// A clock that is behind the record's writer makes no negative age.
fn age(written_ms: i64, now_ms: i64) -> Duration {
    let ms = now_ms.saturating_sub(written_ms);
    Duration::from_millis(u64::try_from(ms).unwrap_or(0))
}

fn now_ms() -> i64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lag_is_the_end_less_the_position_and_never_negative() {
        let check = |current: Option<i64>, end: Option<i64>, expected: Option<i64>| {
            assert_eq!(lag(current.map(Offset), end.map(Offset)), expected);
        };
        check(Some(3), Some(10), Some(7));
        check(Some(10), Some(10), Some(0));
        check(Some(12), Some(10), Some(0));
        check(None, Some(10), None);
        check(Some(3), None, None);
    }

    #[test]
    fn an_age_is_the_time_since_and_never_negative() {
        assert_eq!(age(1_000, 3_500), Duration::from_millis(2_500));
        assert_eq!(age(9_000, 3_500), Duration::ZERO);
    }
}
