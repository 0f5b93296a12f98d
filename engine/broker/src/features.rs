//! The features of the engine, in Kafka's names and levels (KIP-584).
//!
//! A feature in force tells clients which way to go: Java 4.x takes the newer
//! transaction flow and the newer group protocol from here.

/// A feature and the levels that are served.
pub(crate) struct Feature {
    pub(crate) name: &'static str,
    pub(crate) min: i16,
    pub(crate) max: i16,
    /// The level that a new cluster starts with; 0 is off.
    pub(crate) initial: i16,
}

/// Every feature, by name.
pub(crate) const FEATURES: &[Feature] = &[
    Feature {
        name: "group.version",
        min: 0,
        max: 1,
        initial: 1,
    },
    Feature {
        name: "metadata.version",
        min: 7,
        max: 27,
        initial: 27,
    },
    Feature {
        name: "transaction.version",
        min: 0,
        max: 2,
        initial: 2,
    },
];
