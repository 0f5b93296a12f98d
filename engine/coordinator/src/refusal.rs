//! Why a coordinator says no, in Kafka's words: each variant is the error of
//! the same name, and the broker maps them one to one to codes.

use thiserror::Error;

macro_rules! refusals {
    ($($(#[$doc:meta])* $name:ident = $kafka:literal : $message:literal),+ $(,)?) => {
        /// A refusal, named as Kafka names the error.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Error)]
        pub enum Refusal {
            $($(#[$doc])* #[error($message)] $name,)+
        }

        impl Refusal {
            /// Every refusal there is.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// Kafka's name for the error.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => $kafka,)+
                }
            }
        }
    };
}

refusals! {
    /// The coordinator cannot write its records now.
    CoordinatorNotAvailable = "COORDINATOR_NOT_AVAILABLE": "the coordinator cannot store the change now",
    /// The coordinator still reads its partition.
    CoordinatorLoadInProgress = "COORDINATOR_LOAD_IN_PROGRESS": "the coordinator is still loading its partition",
    /// Another broker coordinates this group or transactional id.
    NotCoordinator = "NOT_COORDINATOR": "this broker is no longer the coordinator",
    /// The record is too large, or the state is one that should not be.
    UnknownServerError = "UNKNOWN_SERVER_ERROR": "the change cannot be stored",
    /// The member is not of the group.
    UnknownMemberId = "UNKNOWN_MEMBER_ID": "the member is not in the group",
    /// The generation is not the group's.
    IllegalGeneration = "ILLEGAL_GENERATION": "the generation is not the group's present one",
    /// Nothing in common with the other members.
    InconsistentGroupProtocol = "INCONSISTENT_GROUP_PROTOCOL": "the member shares no protocol with the group",
    /// The group id may not be empty.
    InvalidGroupId = "INVALID_GROUP_ID": "the group id is empty",
    /// The session timeout is out of bounds.
    InvalidSessionTimeout = "INVALID_SESSION_TIMEOUT": "the session timeout is outside group.min.session.timeout.ms and group.max.session.timeout.ms",
    /// The members are being arranged anew.
    RebalanceInProgress = "REBALANCE_IN_PROGRESS": "the group is rebalancing",
    /// The member must come again with the id it was given.
    MemberIdRequired = "MEMBER_ID_REQUIRED": "the member must join again with the id given to it",
    /// The group is full.
    GroupMaxSizeReached = "GROUP_MAX_SIZE_REACHED": "the group has as many members as group.max.size allows",
    /// Another member has taken over this static identity.
    FencedInstanceId = "FENCED_INSTANCE_ID": "a newer member has taken over this group.instance.id",
    /// No such group.
    GroupIdNotFound = "GROUP_ID_NOT_FOUND": "there is no such group",
    /// The group has members.
    NonEmptyGroup = "NON_EMPTY_GROUP": "the group is not empty",
    /// The group reads that topic.
    GroupSubscribedToTopic = "GROUP_SUBSCRIBED_TO_TOPIC": "the group is subscribed to the topic",
    /// The note on a committed offset is too long.
    OffsetMetadataTooLarge = "OFFSET_METADATA_TOO_LARGE": "the metadata is longer than offset.metadata.max.bytes",
    /// A transaction has yet to decide on this offset.
    UnstableOffsetCommit = "UNSTABLE_OFFSET_COMMIT": "a pending transaction decides on this offset",
    /// The member's epoch is behind or unknown; it must join anew.
    FencedMemberEpoch = "FENCED_MEMBER_EPOCH": "the member epoch is fenced: give up all partitions and join again",
    /// The epoch is of an earlier turn.
    StaleMemberEpoch = "STALE_MEMBER_EPOCH": "the member epoch is not the present one",
    /// The static identity is in use.
    UnreleasedInstanceId = "UNRELEASED_INSTANCE_ID": "the group.instance.id is used by another member",
    /// The assignor is not one this engine has.
    UnsupportedAssignor = "UNSUPPORTED_ASSIGNOR": "the assignor is not supported, uniform and range are accepted",
    /// The expression is not RE2.
    InvalidRegularExpression = "INVALID_REGULAR_EXPRESSION": "the regular expression is not valid",
    /// A field that must be there is not, or must not be there and is.
    InvalidRequest = "INVALID_REQUEST": "the request is not valid",
    /// The version does not have this.
    UnsupportedVersion = "UNSUPPORTED_VERSION": "the request's version does not support this",
    /// The epoch belongs to a fenced producer (older name, older clients).
    InvalidProducerEpoch = "INVALID_PRODUCER_EPOCH": "the producer epoch is not the present one",
    /// A newer producer has the same transactional id.
    ProducerFenced = "PRODUCER_FENCED": "a newer producer uses this transactional id",
    /// The transaction cannot go from its state to the wanted one.
    InvalidTxnState = "INVALID_TXN_STATE": "the transaction is not in a state that allows this",
    /// The producer id is not the one of the transactional id.
    InvalidProducerIdMapping = "INVALID_PRODUCER_ID_MAPPING": "the producer id is not the one of this transactional id",
    /// The timeout is out of bounds.
    InvalidTransactionTimeout = "INVALID_TRANSACTION_TIMEOUT": "the transaction timeout is not above 0 and at most transaction.max.timeout.ms",
    /// Another change to this transactional id is under way.
    ConcurrentTransactions = "CONCURRENT_TRANSACTIONS": "another operation on this transactional id is under way",
    /// No such transactional id.
    TransactionalIdNotFound = "TRANSACTIONAL_ID_NOT_FOUND": "there is no such transactional id",
    /// The transaction has not added that partition, and may not go on.
    TransactionAbortable = "TRANSACTION_ABORTABLE": "the partition is not part of the transaction, which must be aborted",
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_refusal_has_a_name_of_its_own() {
        let mut names: Vec<_> = Refusal::ALL.iter().map(|r| r.name()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Refusal::ALL.len());
    }
}
