//! What a shard hands back for every command, expiry and outcome: records to
//! append and replies to send. The driver of a shard
//!
//! 1. calls [`crate::GroupShard::handle`] (or `expire`, `committed`, …),
//! 2. sends the step's replies, each to whoever waits under its token,
//! 3. appends the step's records, all or none, and reports the outcome with
//!    `appended` or `refused`, which give the next step, and so on until a
//!    step has nothing to append.
//!
//! [`drive`] is that loop for a driver whose appends are synchronous.

use crate::names::GroupId;
use crate::refusal::Refusal;
use crate::reply::{JoinRefused, Reply};
use crate::schema::GroupRecord;
use bytes::Bytes;
use plimsoll_wire::types::{Offset, ProducerEpoch, ProducerId};

/// The driver's name for a request whose reply may come later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Token(pub u64);

/// The producer in whose name records are appended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Producer {
    /// Its id.
    pub id: ProducerId,
    /// Its epoch.
    pub epoch: ProducerEpoch,
}

/// Records to append as one batch, all or none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Append {
    /// Keys with values; a tombstone has none.
    pub records: Vec<(Bytes, Option<Bytes>)>,
    /// When present, the batch is transactional and in this producer's name.
    pub producer: Option<Producer>,
}

/// What is to be done next.
#[derive(Clone, Debug)]
#[must_use]
pub struct Step<R> {
    /// To be appended; its outcome must be reported before anything else is
    /// asked of the shard.
    pub append: Option<Append>,
    /// To be sent.
    pub replies: Vec<(Token, R)>,
}

impl<R> Default for Step<R> {
    fn default() -> Self {
        Self {
            append: None,
            replies: Vec::new(),
        }
    }
}

/// Where a batch came to lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Appended {
    /// The offset of its first record.
    pub base: Offset,
    /// The partition's high watermark after the append.
    pub high_watermark: Offset,
}

/// Why a batch was not appended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AppendRefused {
    /// Too few replicas, or a time-out: the client may try again.
    Unavailable,
    /// This broker no longer leads the partition.
    NotLeader,
    /// A record is larger than the topic allows.
    TooLarge,
}

impl AppendRefused {
    /// What the client is told.
    pub const fn refusal(self) -> Refusal {
        match self {
            Self::Unavailable => Refusal::CoordinatorNotAvailable,
            Self::NotLeader => Refusal::NotCoordinator,
            Self::TooLarge => Refusal::UnknownServerError,
        }
    }
}

/// Carries a step through to its end and collects the replies.
pub fn drive<R>(
    first: Step<R>,
    mut append: impl FnMut(&Append) -> Result<Appended, AppendRefused>,
    mut outcome: impl FnMut(Result<Appended, AppendRefused>) -> Step<R>,
) -> Vec<(Token, R)> {
    let mut replies = first.replies;
    let mut pending = first.append;
    while let Some(batch) = pending {
        let next = outcome(append(&batch));
        replies.extend(next.replies);
        pending = next.append;
    }
    replies
}

/// What waits for records to be committed.
#[derive(Clone, Debug)]
pub(crate) enum Then {
    /// Nothing.
    Nothing,
    /// A classic join, once the empty consumer group in its way is gone.
    Join(Token, Box<crate::command::JoinGroup>),
    /// A group that has just become classic goes on as one, and rebalances
    /// unless a returning member has taken the place of the last.
    Downgraded {
        group: GroupId,
        rebalance: bool,
        then: Box<Then>,
    },
    /// A reply, or the same with a refusal.
    Answer {
        token: Token,
        reply: Reply,
        refused: fn(Refusal) -> Reply,
    },
    /// A new group's first member is told when its group cannot be stored.
    NewGroup(GroupId),
    /// The leader's assignment goes to the members.
    Assign(Box<crate::classic::Assign>),
    /// A returning static member is answered.
    Returned(Box<crate::classic::Returned>),
}

impl Then {
    /// The refusal of whoever waits for this alone.
    pub(crate) fn refused(self, why: Refusal) -> Option<(Token, Reply)> {
        match self {
            Self::Answer { token, refused, .. } => Some((token, refused(why))),
            Self::Join(token, request) => {
                let member = request.member;
                Some((token, Reply::Join(Err(JoinRefused { member, why }))))
            }
            Self::Downgraded { then, .. } => then.refused(why),
            Self::Nothing | Self::NewGroup(_) | Self::Assign(_) | Self::Returned(_) => None,
        }
    }
}

/// What a handler has decided.
#[derive(Debug)]
pub(crate) struct Effects {
    pub(crate) records: Vec<GroupRecord>,
    pub(crate) producer: Option<Producer>,
    pub(crate) replies: Vec<(Token, Reply)>,
    pub(crate) then: Then,
    /// The records make this group a classic one; whether it rebalances.
    pub(crate) downgraded: Option<(GroupId, bool)>,
}

impl Default for Effects {
    fn default() -> Self {
        Self {
            records: Vec::new(),
            producer: None,
            replies: Vec::new(),
            then: Then::Nothing,
            downgraded: None,
        }
    }
}
