//! The coordinators as their driver sees them: commands in, replies out, with
//! a journal that can hold back commits, refuse appends and be replayed.

mod actors;
mod classic;
mod consumer;
mod crash_points;
mod errors;
mod ghosts;
mod kafka_bytes;
mod offsets;
mod owners;
mod random;
mod random_transactions;
mod stage;
mod transactions;
mod troupe;
