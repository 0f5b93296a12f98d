//! Every API in every version, in frames as clients send them.

mod access;
mod access_table;
mod cleaner;
mod client;
mod durable;
mod fetch;
mod group_errors;
mod groups;
mod guarded;
mod hostile;
mod lookup;
mod metadata;
mod metrics;
mod produce;
mod quotas;
mod security;
mod settings;
mod storage;
mod support;
mod topics;
mod transactions;
mod upkeep;
