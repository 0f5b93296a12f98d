//! What a disk in memory can be told to fail at.

/// Something that goes wrong from now on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The next write fails, having written nothing or a part.
    Write,
    /// The next sync of a file fails and what it should have kept is lost.
    Sync,
    /// The next read fails.
    Read,
    /// Every write that makes a file longer fails: the volume is full.
    Full,
    /// Every operation fails: the volume is gone.
    Everything,
}
