//! Every API in every version, in frames as clients send them.

mod groups;
mod hostile;
mod metadata;
mod records;
mod support;
mod topics;
mod transactions;
mod upkeep;
