//! Metrics as they are reported: families of samples.

/// One metric with all its labels.
#[derive(Clone, Debug, PartialEq)]
pub struct Family {
    /// `domain_type_name` of Kafka's MBean, without a suffix.
    pub name: &'static str,
    /// The MBean that Kafka has it under, or what it is when Kafka has none.
    pub help: &'static str,
    /// How its samples behave.
    pub kind: Kind,
    /// Its values.
    pub samples: Vec<Sample>,
}

/// How a family's samples behave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// They only grow.
    Counter,
    /// They go up and down.
    Gauge,
    /// They are distributions.
    Histogram,
}

/// One value and what tells it from the others of its family.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// Label and value.
    pub labels: Vec<(&'static str, String)>,
    /// The value.
    pub value: Value,
}

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Of a counter.
    Count(u64),
    /// Of a gauge.
    Level(f64),
    /// Of a histogram.
    Spread(Spread),
}

/// A distribution.
#[derive(Clone, Debug, PartialEq)]
pub struct Spread {
    /// The upper bound of each bucket, and how many fell into it alone.
    pub buckets: Vec<(f64, u64)>,
    /// How many there are.
    pub count: u64,
    /// Their sum.
    pub sum: f64,
}

impl Family {
    /// A family without samples.
    pub const fn new(name: &'static str, kind: Kind, help: &'static str) -> Self {
        Self {
            name,
            help,
            kind,
            samples: Vec::new(),
        }
    }

    /// A gauge of one value.
    pub fn level(name: &'static str, help: &'static str, level: f64) -> Self {
        let mut family = Self::new(name, Kind::Gauge, help);
        family.push(Vec::new(), Value::Level(level));
        family
    }

    /// A counter of one value.
    pub fn count(name: &'static str, help: &'static str, count: u64) -> Self {
        let mut family = Self::new(name, Kind::Counter, help);
        family.push(Vec::new(), Value::Count(count));
        family
    }

    /// Adds a sample.
    pub fn push(&mut self, labels: Vec<(&'static str, String)>, value: Value) {
        self.samples.push(Sample { labels, value });
    }
}
