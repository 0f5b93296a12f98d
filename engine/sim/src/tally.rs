//! How often what happened, summed over runs.

use std::ops::AddAssign;

macro_rules! tally {
    ($($(#[$doc:meta])* $field:ident: $name:literal,)*) => {
        /// Counts of what happened.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct Tally {
            $($(#[$doc])* pub $field: u64,)*
        }

        impl AddAssign for Tally {
            fn add_assign(&mut self, other: Self) {
                $(self.$field += other.$field;)*
            }
        }

        impl Tally {
            /// Every count with its name.
            pub fn named(&self) -> Vec<(&'static str, u64)> {
                vec![$(($name, self.$field),)*]
            }
        }
    };
}

tally! {
    /// Requests that nodes handled.
    requests: "requests",
    /// Messages handed to the network.
    messages: "messages",
    /// Messages that a cut held back.
    held: "messages held back by cuts",
    /// Connections that were reset.
    resets: "connections reset",
    /// Questions that clients gave up on.
    timeouts: "requests timed out",
    /// Starts of a process.
    starts: "process starts",
    /// Processes killed.
    kills: "processes killed",
    /// Machines that lost power.
    power_losses: "power losses with unsynced writes torn",
    /// Orderly shutdowns.
    stops: "orderly shutdowns",
    /// Processes paused.
    pauses: "pauses",
    /// Directions cut.
    cuts: "network cuts (one-way ones included)",
    /// Times of bad weather.
    storms: "storms (loss, resets, latency)",
    /// Jumps of a wall clock.
    jumps: "wall clock jumps",
    /// Disks that became full.
    full_disks: "full disks",
    /// Syncs, writes and reads that failed.
    disk_faults: "failing syncs, writes and reads",
    /// Disks that were slow for a while.
    slow_disks: "slow disks",
    /// Moves of partitions that were accepted.
    moves: "moves of partitions",
    /// Records that were acknowledged.
    acknowledged: "records acknowledged",
    /// Records that were read.
    polled: "records read",
    /// Transactions that were committed.
    committed: "transactions committed",
    /// Transactions that were aborted.
    aborted: "transactions aborted",
    /// Rebalances that members went through.
    rebalances: "group generations joined",
}

impl Tally {
    /// How many faults there were.
    pub const fn faults(&self) -> u64 {
        self.resets
            + self.kills
            + self.power_losses
            + self.stops
            + self.pauses
            + self.cuts
            + self.storms
            + self.jumps
            + self.full_disks
            + self.disk_faults
            + self.slow_disks
    }
}
