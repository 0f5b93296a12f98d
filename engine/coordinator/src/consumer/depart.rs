//! Members who go, by their own wish or because they fell silent.

use super::topics::Membership;
use super::{ConsumerGroup, downgraded};
use crate::names::MemberId;
use crate::schema::{EpochValue, GroupRecord, MemberState};
use crate::turn::{TimerKey, Turn};

impl ConsumerGroup {
    /// Takes members out. When those who stay all speak the classic protocol,
    /// the group becomes a classic one.
    pub(crate) fn expel(&self, gone: &[MemberId], turn: &mut Turn<'_>) {
        for member in gone {
            self.end_timers(member, turn);
        }
        if self.leaves_classic_alone(gone) {
            let mut after = self.clone();
            for record in gone.iter().flat_map(|m| self.member_tombstones(m)) {
                after.apply(record);
            }
            if let Some(classic) = downgraded(&after, turn) {
                turn.out.records.extend(self.tombstones());
                turn.record(GroupRecord::Classic(self.id.clone(), Some(classic)));
                turn.out.downgraded = Some((self.id.clone(), true));
                return;
            }
        }
        let without: Vec<&MemberId> = gone.iter().collect();
        let membership = Membership {
            group: self,
            without: &without,
            with: None,
        };
        let topics = turn.world.topics;
        // Expressions of members were valid when they joined.
        let matched = membership.matched(topics).unwrap_or_default();
        let metadata_hash = membership.hash(&matched, topics);
        for record in gone.iter().flat_map(|m| self.member_tombstones(m)) {
            turn.record(record);
        }
        membership.record_regexes(&matched, turn);
        let epoch = EpochValue {
            epoch: self.epoch.epoch + 1,
            metadata_hash,
        };
        turn.record(GroupRecord::Epoch(self.id.clone(), Some(epoch)));
    }

    /// Whether the last that spoke the new protocol are among those who go,
    /// and somebody stays.
    fn leaves_classic_alone(&self, gone: &[MemberId]) -> bool {
        let (mut went, mut stay) = (false, false);
        for (id, member) in &self.members {
            match (gone.contains(id), member.is_classic()) {
                (false, false) => return false,
                (false, true) => stay = true,
                (true, is_classic) => went |= !is_classic,
            }
        }
        went && stay
    }

    /// A member has been silent too long.
    pub(crate) fn session_expired(&self, member: &MemberId, turn: &mut Turn<'_>) {
        if self.members.contains_key(member) {
            self.expel(std::slice::from_ref(member), turn);
        }
    }

    /// A member has held on to revoked partitions too long.
    pub(crate) fn revocation_expired(&self, member: &MemberId, turn: &mut Turn<'_>) {
        let state = self.members.get(member).map(|m| m.current.state);
        if state == Some(MemberState::UnrevokedPartitions) {
            self.expel(std::slice::from_ref(member), turn);
        }
    }

    pub(super) fn end_timers(&self, member: &MemberId, turn: &mut Turn<'_>) {
        let (group, member) = (&self.id, member);
        for key in [
            TimerKey::Session(group.clone(), member.clone()),
            TimerKey::Revocation(group.clone(), member.clone()),
            TimerKey::MemberJoin(group.clone(), member.clone()),
            TimerKey::MemberSync(group.clone(), member.clone()),
        ] {
            turn.timers.cancel(&key);
        }
    }

    /// Gives every member that has none a session: after loading, and when
    /// the end of one could not be stored.
    pub(crate) fn resume_sessions(&self, turn: &mut Turn<'_>) {
        for (id, member) in &self.members {
            let classic = member.value.classic.as_ref();
            let session = classic.map(|c| c.session_timeout);
            let session = session.unwrap_or(turn.config.consumer_session_timeout);
            let end = turn.after(session);
            let key = TimerKey::Session(self.id.clone(), id.clone());
            turn.timers.set_if_absent(key, end);
            if member.current.state == MemberState::UnrevokedPartitions {
                let key = TimerKey::Revocation(self.id.clone(), id.clone());
                let end = turn.after(member.value.rebalance_timeout);
                turn.timers.set_if_absent(key, end);
            }
        }
    }
}
