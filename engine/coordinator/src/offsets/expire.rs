//! Offsets that nobody has used for `offsets.retention.minutes`.

use super::commit::later;
use super::{OffsetStore, Stored, tombstone};
use crate::names::GroupId;
use crate::schema::GroupRecord;
use plimsoll_wire::types::TimestampMs;
use std::time::Duration;

/// From when a group's offsets are counted as unused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum UnusedSince {
    /// They are in use.
    Never,
    /// Since the group became empty, or each one's commit when that is unknown.
    Empty(TimestampMs),
    /// Each since its commit, unless its topic is subscribed to.
    Commit,
}

/// What to look for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Expiry {
    pub(crate) now: TimestampMs,
    pub(crate) retention: Duration,
    pub(crate) since: UnusedSince,
}

impl Expiry {
    fn is_due(self, stored: &Stored) -> bool {
        let committed_at = stored.value.committed_at;
        let since = match self.since {
            UnusedSince::Never => return false,
            UnusedSince::Empty(TimestampMs::NONE) | UnusedSince::Commit => committed_at,
            UnusedSince::Empty(at) => at,
        };
        let by_default = later(since, self.retention);
        self.now >= stored.value.expires_at.unwrap_or(by_default)
    }
}

impl OffsetStore {
    /// Tombstones for a group's expired offsets, and whether none is left.
    pub(crate) fn expired(
        &self,
        group: &GroupId,
        expiry: Expiry,
        is_subscribed: impl Fn(&str) -> bool,
    ) -> (Vec<GroupRecord>, bool) {
        let Some(offsets) = self.by_group.get(group) else {
            return (Vec::new(), true);
        };
        let mut records = Vec::new();
        for (place, stored) in &offsets.committed {
            let used = is_subscribed(place.0.as_str()) || self.has_pending(group, place);
            if !used && expiry.is_due(stored) {
                records.push(tombstone(group, place));
            }
        }
        let none_left = records.len() == offsets.committed.len() && offsets.pending.is_empty();
        (records, none_left)
    }
}
