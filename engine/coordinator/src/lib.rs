//! Groups, offsets and transactions as replayed state machines.
//!
//! A [`GroupShard`] coordinates the groups of one partition of
//! `__consumer_offsets`, a [`TransactionShard`] the transactional ids of one
//! partition of `__transaction_state`. They take commands, deadlines and the outcomes of appends, and return steps: records
//! to append and replies to send. They know no log, socket or clock: time and
//! metadata are arguments ([`World`]), and what they must remember they emit as
//! records in Kafka's own schemas. A coordinator that takes over replays the partition from its start.
//!
//! Answers are in this crate's own words ([`Reply`], [`Refusal`]); the broker
//! maps them to versions and error codes.

mod classic;
pub mod command;
mod config;
mod consumer;
mod embedded;
mod group;
mod lookup;
mod names;
mod offsets;
mod refusal;
pub mod reply;
mod requests;
pub mod schema;
mod settle;
mod shard;
mod step;
mod timers;
pub mod transaction;
mod turn;

pub use command::Command;
pub use config::{GroupConfig, MigrationPolicy, TransactionConfig};
pub use consumer::{DescribedConsumer, DescribedConsumerGroup};
pub use names::{
    GroupId, IdSource, InstanceId, MemberId, TopicId, TopicName, TransactionalId, partition_for,
};
pub use refusal::Refusal;
pub use reply::Reply;
pub use shard::GroupShard;
pub use step::{Append, AppendRefused, Appended, Producer, Step, Token, drive};
pub use transaction::TransactionShard;
pub use turn::{NoTopics, TopicInfo, Topics, World};
