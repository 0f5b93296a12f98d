//! Settings that are one of a few words.

use plimsoll_units::{TextError, text_form};
use std::{fmt, str::FromStr};

/// A type with one word for each value; the first of a value's words is the
/// one it is shown as.
macro_rules! words {
    ($name:ident, $expected:expr, $($value:ident = $word:literal $(| $also:literal)*),+) => {
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self {
                    $(Self::$value => $word,)+
                })
            }
        }

        impl FromStr for $name {
            type Err = TextError;

            fn from_str(text: &str) -> Result<Self, TextError> {
                match text.trim() {
                    $($word $(| $also)* => Ok(Self::$value),)+
                    _ => Err(TextError::new(text, $expected)),
                }
            }
        }
    };
}
pub(super) use words;

/// How many replicas must have a record before it is acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Acks {
    /// The broker sends no answer; a record may be lost unnoticed.
    None,
    /// The leader has written it.
    Leader,
    /// Every in-sync replica has it.
    All,
}

impl Acks {
    /// The number that stands in a produce request.
    pub const fn wire(self) -> i16 {
        match self {
            Self::None => 0,
            Self::Leader => 1,
            Self::All => -1,
        }
    }
}

words!(
    Acks,
    "0, 1 or all",
    None = "0",
    Leader = "1",
    All = "all" | "-1"
);
text_form!(Acks: "acknowledgements a producer waits for", one of [0, 1, "0", "1", "all"]);

/// The Kafka client that carries the load.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DriverKind {
    /// Our own client, lean enough to stay out of the way of the measurement.
    Native,
    /// librdkafka, which many applications use.
    Librdkafka,
}

words!(
    DriverKind,
    "native or librdkafka",
    Native = "native",
    Librdkafka = "librdkafka"
);
text_form!(DriverKind: "the client that carries the load", one of ["native", "librdkafka"]);

/// What a transaction consists of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TransactionMode {
    /// Records that a producer sends.
    Produce,
    /// Records read from another topic and written again, with the offsets up
    /// to which they were read.
    ReadProcessWrite,
}

words!(
    TransactionMode,
    "produce or read-process-write",
    Produce = "produce",
    ReadProcessWrite = "read-process-write"
);
text_form!(
    TransactionMode: "what a transaction consists of",
    one of ["produce", "read-process-write"]
);

/// What is done with a record that could not be processed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PoisonEnd {
    /// It is sent to a topic of its own.
    DeadLetter,
    /// It is passed over.
    Skip,
}

words!(PoisonEnd, "dlq or skip", DeadLetter = "dlq", Skip = "skip");
text_form!(
    PoisonEnd: "what is done with a record that could not be processed",
    one of ["dlq", "skip"]
);

/// Which records of transactions a consumer sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Isolation {
    /// All of them, also of open and aborted transactions.
    ReadUncommitted,
    /// Only those of committed transactions.
    ReadCommitted,
}

words!(
    Isolation,
    "read_uncommitted or read_committed",
    ReadUncommitted = "read_uncommitted",
    ReadCommitted = "read_committed"
);
text_form!(
    Isolation: "which transactional records are seen",
    one of ["read_uncommitted", "read_committed"]
);

/// How a group shares its partitions out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum GroupProtocol {
    /// One of its members does, after all have joined.
    Classic,
    /// The cluster does, and tells each member by itself (KIP-848).
    Consumer,
}

words!(
    GroupProtocol,
    "classic or consumer",
    Classic = "classic",
    Consumer = "consumer"
);
text_form!(
    GroupProtocol: "how a group shares its partitions out",
    one of ["classic", "consumer"]
);

/// Who of a group gets which partitions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Assignor {
    /// Neighbouring partitions.
    Range,
    /// One after the other, in turn.
    RoundRobin,
    /// Those it has, as far as that is fair; only what moves is given up.
    CooperativeSticky,
    /// The cluster's own even shares.
    Uniform,
}

words!(
    Assignor,
    "range, roundrobin, cooperative-sticky or uniform",
    Range = "range",
    RoundRobin = "roundrobin",
    CooperativeSticky = "cooperative-sticky",
    Uniform = "uniform"
);
text_form!(
    Assignor: "who of a group gets which partitions",
    one of ["range", "roundrobin", "cooperative-sticky", "uniform"]
);
/// What happens to a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FaultKind {
    /// Its process ends at once, and is started again.
    Kill,
    /// Its process stands still.
    Pause,
    /// It does not reach other nodes, or is not reached by them.
    Cut,
    /// Its disk takes longer.
    SlowDisk,
}

words!(
    FaultKind,
    "kill, pause, cut or slow-disk",
    Kill = "kill",
    Pause = "pause",
    Cut = "cut",
    SlowDisk = "slow-disk"
);
text_form!(
    FaultKind: "what happens to a node",
    one of ["kill", "pause", "cut", "slow-disk"]
);

/// Which requests a cut keeps back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CutDirection {
    /// Those of both sides.
    Both,
    /// Those that come to the node.
    In,
    /// Those that the node sends.
    Out,
}

words!(
    CutDirection,
    "both, in or out",
    Both = "both",
    In = "in",
    Out = "out"
);
text_form!(CutDirection: "which requests a cut keeps back", one of ["both", "in", "out"]);
