//! Every API in every version, in frames as clients send them.

mod cleaner;
mod client;
mod durable;
mod fetch;
mod group_errors;
mod groups;
mod hostile;
mod lookup;
mod metadata;
mod metrics;
mod produce;
mod security;
mod settings;
mod storage;
mod support;
mod topics;
mod transactions;
mod upkeep;
