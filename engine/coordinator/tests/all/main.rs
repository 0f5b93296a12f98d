//! The coordinators as their driver sees them: commands in, replies out, with
//! a journal that can hold back commits, refuse appends and be replayed.

mod classic;
mod errors;
mod offsets;
mod stage;
