//! Bugs that can be planted, to see that the simulated world catches them.
//!
//! Without the feature `mutations` nothing can be planted: [`is`] is a constant
//! `false`, and the code behind it is gone from the build. The server refuses
//! to compile with the feature on, so what is shipped cannot have it.
//!
//! A bug is planted for one thread, since a simulated world runs on one.

use std::fmt;

/// Whether bugs can be planted in this build.
pub const CAN_MUTATE: bool = cfg!(feature = "mutations");

macro_rules! mutations {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// A bug that can be planted.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Mutation {
            $($(#[$doc])* $name,)*
        }

        impl Mutation {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// Its name on the command line.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }
        }
    };
}

mutations! {
    /// A restarted log does not read the producers' snapshot nor its batches.
    ForgetSequences = "forget-sequences",
    /// A batch is acknowledged before it is synced, whatever `flush.messages`
    /// says.
    AcknowledgeBeforeSync = "acknowledge-before-sync",
    /// Readers of committed records see up to the high watermark.
    IgnoreLastStable = "ignore-last-stable",
    /// Aborted transactions are left out of a fetch's answer.
    HideAborted = "hide-aborted",
    /// A transaction's end writes no marker to the last of its partitions.
    SkipMarker = "skip-marker",
    /// A commit of offsets is answered and not written.
    ForgetCommit = "forget-commit",
    /// Compaction takes the latest record of a key for an older one.
    DropLatest = "drop-latest",
    /// A follower cuts its log at its high watermark (KIP-101 tells why not).
    TruncateByHighWatermark = "truncate-by-high-watermark",
    /// acks=all is answered when the leader alone has the batch.
    AcknowledgeBeforeReplication = "acknowledge-before-replication",
    /// A leader does not look where a follower's log parted from its own.
    SkipEpochCheck = "skip-epoch-check",
    /// Followers do not note producers, so that a new leader knows none.
    ForgetSequencesOnFailover = "forget-sequences-on-failover",
    /// A leader's high watermark is the end of its own log.
    CommitAlone = "commit-alone",
    /// Any replica may lead, in sync or not.
    ElectAnyone = "elect-anyone",
    /// A node that was started anew follows leaders before it has caught up, and
    /// they count it for the run that they knew.
    FollowUnregistered = "follow-unregistered",
    /// A node that was started anew leads before it is let in.
    LeadUnregistered = "lead-unregistered",
    /// Whoever comes back is taken for one that stopped cleanly.
    TrustUncleanStop = "trust-unclean-stop",
    /// A coordinator answers before its records are replicated.
    AnswerUnreplicated = "answer-unreplicated",
    /// A coordinator that leads its partition no more goes on with what it knows
    /// once it leads it again.
    KeepCoordinator = "keep-coordinator",
    /// A transaction's marker counts as written when the leader alone has it.
    CountMarkersUnreplicated = "count-markers-unreplicated",
    /// A transaction's end writes no markers where another node leads.
    SkipRemoteMarkers = "skip-remote-markers",
    /// A group forgets a member's partitions before the member gave them up.
    AssignTwice = "assign-twice",
}

impl Mutation {
    /// How many nodes a world needs to show the bug.
    pub const fn nodes(self) -> usize {
        match self {
            Self::TruncateByHighWatermark
            | Self::AcknowledgeBeforeReplication
            | Self::SkipEpochCheck
            | Self::ForgetSequencesOnFailover
            | Self::CommitAlone
            | Self::AnswerUnreplicated
            | Self::KeepCoordinator
            | Self::FollowUnregistered
            | Self::LeadUnregistered
            | Self::TrustUncleanStop
            | Self::CountMarkersUnreplicated
            | Self::SkipRemoteMarkers
            | Self::ElectAnyone => 3,
            _ => 1,
        }
    }
}

impl fmt::Display for Mutation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl std::str::FromStr for Mutation {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.iter().find(|mutation| mutation.name() == text);
        found.copied().ok_or_else(|| {
            let names: Vec<_> = Self::ALL.iter().map(|mutation| mutation.name()).collect();
            format!("one of {} is accepted", names.join(", "))
        })
    }
}

#[cfg(feature = "mutations")]
std::thread_local! {
    static PLANTED: std::cell::Cell<Option<Mutation>> = const { std::cell::Cell::new(None) };
}

/// Plants a bug in this thread, instead of the one planted before.
#[cfg(feature = "mutations")]
pub fn plant(mutation: Option<Mutation>) {
    PLANTED.set(mutation);
}

/// Whether this bug is planted.
#[cfg(feature = "mutations")]
#[inline]
pub fn is(mutation: Mutation) -> bool {
    PLANTED.get() == Some(mutation)
}

/// Whether this bug is planted: never.
#[cfg(not(feature = "mutations"))]
#[inline]
pub const fn is(_: Mutation) -> bool {
    false
}
