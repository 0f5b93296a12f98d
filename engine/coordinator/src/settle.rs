//! What follows once records are stored or refused, and when time runs out.

use crate::classic::ClassicGroup;
use crate::consumer::ConsumerGroup;
use crate::group::Group;
use crate::names::GroupId;
use crate::offsets::OffsetStore;
use crate::refusal::Refusal;
use crate::reply::{JoinRefused, Reply};
use crate::shard::Groups;
use crate::step::Then;
use crate::turn::{TimerKey, Turn};

/// What handlers work on.
pub(crate) struct Parts<'a> {
    pub(crate) groups: &'a mut Groups,
    pub(crate) offsets: &'a OffsetStore,
}

impl Parts<'_> {
    /// Does what was to be done once records are stored, or are not.
    pub(crate) fn settle(&mut self, then: Then, stored: Result<(), Refusal>, turn: &mut Turn<'_>) {
        match (then, stored) {
            (Then::Nothing, _) | (Then::NewGroup(_), Ok(())) => {}
            (Then::Answer { token, reply, .. }, Ok(())) => turn.reply(token, reply),
            (Then::Answer { token, refused, .. }, Err(why)) => turn.reply(token, refused(why)),
            (Then::Join(token, request), Ok(())) => self.join(token, *request, turn),
            (Then::Join(token, request), Err(why)) => {
                let member = request.member;
                turn.reply(token, Reply::Join(Err(JoinRefused { member, why })));
            }
            (Then::NewGroup(id), Err(why)) => {
                self.on(&id, |group| group.creation_is_refused(why, turn));
            }
            (Then::Assign(a), Ok(())) => self.on(&a.group.clone(), |g| {
                g.assignment_is_stored(a.generation, a.assignments, turn);
            }),
            (Then::Assign(a), Err(why)) => self.on(&a.group, |g| {
                g.assignment_is_refused(a.generation, why, turn);
            }),
            (Then::Returned(r), Ok(())) => {
                self.on(&r.group, |group| group.return_is_stored(&r, turn));
            }
            (Then::Returned(r), Err(why)) => {
                let id = r.group.clone();
                self.on(&id, |group| group.return_is_refused(*r, why, turn));
            }
            (Then::Downgraded { then, .. }, Err(why)) => self.settle(*then, Err(why), turn),
            (
                Then::Downgraded {
                    group,
                    rebalance,
                    then,
                },
                Ok(()),
            ) => {
                self.on(&group, |group| group.is_downgraded(rebalance, turn));
                self.settle(*then, Ok(()), turn);
            }
        }
    }

    /// Acts on a group of the classic protocol.
    fn on(&mut self, id: &GroupId, act: impl FnOnce(&mut ClassicGroup)) {
        if let Some(Group::Classic(group)) = self.groups.get_mut(id) {
            act(group);
        }
    }

    /// Acts on a group of the consumer protocol.
    pub(crate) fn on_consumers(&self, id: &GroupId, act: impl FnOnce(&ConsumerGroup)) {
        if let Some(Group::Consumer(group)) = self.groups.get(id) {
            act(group);
        }
    }

    pub(crate) fn deadline(&mut self, key: TimerKey, turn: &mut Turn<'_>) {
        match key {
            TimerKey::Join(id) => self.on(&id, |group| group.join_time_is_up(turn)),
            TimerKey::Sync(id) => self.on(&id, |group| group.sync_time_is_up(turn)),
            TimerKey::Heartbeat(id, member) => {
                self.on(&id, |group| group.session_expired(&member, turn));
            }
            TimerKey::Session(id, member)
            | TimerKey::MemberJoin(id, member)
            | TimerKey::MemberSync(id, member) => {
                self.on_consumers(&id, |group| group.session_expired(&member, turn));
            }
            TimerKey::Revocation(id, member) => {
                self.on_consumers(&id, |group| group.revocation_expired(&member, turn));
            }
            TimerKey::Expiry => self.expire_offsets(turn),
        }
    }
}
