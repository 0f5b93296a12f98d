//! Several brokers driven by hand: virtual time, a network that tests cut.

mod access;
mod consumer;
mod disks;
mod groups;
mod membership;
mod nearness;
mod replication;
mod roles;
mod transactions;
mod world;
