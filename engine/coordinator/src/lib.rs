//! Groups, offsets and transactions as replayed state machines.
//!
//! A [`GroupShard`] coordinates the groups of one partition of
//! `__consumer_offsets`. It takes commands, deadlines and the
//! outcomes of appends, and returns [`Step`]s: records to append and replies
//! to send. It knows no log, socket or clock: time and metadata are arguments
//! ([`World`]), and what it must remember it emits as records in Kafka's own
//! schemas. A coordinator that takes over replays the partition from its start.
//!
//! Answers are in this crate's own words ([`Reply`], [`Refusal`]); the broker
//! maps them to versions and error codes.

mod classic;
pub mod command;
mod config;
mod lookup;
mod names;
mod offsets;
mod refusal;
pub mod reply;
mod requests;
pub mod schema;
mod shard;
mod step;
mod timers;
mod turn;

pub use command::Command;
pub use config::{GroupConfig, MigrationPolicy, TransactionConfig};
pub use names::{
    GroupId, IdSource, InstanceId, MemberId, TopicId, TopicName, TransactionalId, partition_for,
};
pub use refusal::Refusal;
pub use reply::Reply;
pub use shard::GroupShard;
pub use step::{Append, AppendRefused, Appended, Producer, Step, Token, drive};
pub use turn::{NoTopics, TopicInfo, Topics, World};
