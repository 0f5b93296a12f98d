//! Groups, offsets and transactions as replayed state machines.
