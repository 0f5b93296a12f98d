//! How `plimsoll gate` judges a workload: what it compares, and from where on a
//! change matters. These hold for the whole gate and are never swept.

use super::{call::Call, choices::words, document::split_list, fields::settings};
use crate::units::{Share, Span};
use plimsoll_units::{TextError, text_form};
use std::{fmt, str::FromStr};

settings! {
    /// How a gate judges this workload.
    pub struct GateSpec in "gate" {
        /// What is compared, with a margin and a limit of its own where one is given:
        /// `p50(margin=5%, limit=15%)`.
        metrics: GateMetrics = GateMetrics::default(), "";
        /// Pairs of runs at most; a clear failure ends the gate earlier.
        pairs: u32 = 40, "", PAIRS_MIN..=1000;
        /// Smallest estimated worsening that fails.
        margin: Share = percent(3), "", percent(0)..=percent(99);
        /// Worsening that a pass must rule out; above the margin.
        limit: Share = percent(10), "", percent(1)..=percent(100);
        /// Largest probability of a false alarm in the whole gate.
        alpha: Share = percent(1), "", Share::new(1e-6).unwrap_or_default()..=percent(20);
        /// Time that the gate may take; the pairs that it had time for are judged.
        time_budget: Option<Span> = None, "";
    }
}

/// With fewer pairs no difference could be sure enough at α = 1 %.
const PAIRS_MIN: u32 = 7;

/// Metrics that one gate may compare.
const METRICS_MAX: usize = 16;

fn percent(percent: u32) -> Share {
    Share::new(f64::from(percent) / 100.0).unwrap_or_default()
}

impl GateSpec {
    /// What contradicts itself: the setting, and why.
    pub(super) fn contradiction(&self) -> Option<(&'static str, String)> {
        if self.limit <= self.margin {
            let (limit, margin) = (self.limit, self.margin);
            let message = format!("`{limit}` must lie above the margin, which is {margin}");
            return Some(("gate.limit", message));
        }
        let metrics = &self.metrics.0;
        let wrong = metrics
            .iter()
            .find(|watched| watched.limit(self) <= watched.margin(self))?;
        let (limit, margin) = (wrong.limit(self), wrong.margin(self));
        let name = wrong.metric;
        let message =
            format!("{name}: the limit {limit} must lie above the margin, which is {margin}");
        Some(("gate.metrics", message))
    }
}

/// Something that a gate compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum GateMetric {
    /// Records acknowledged per second.
    Throughput,
    /// Median response time.
    P50,
    /// 99th percentile of response time.
    P99,
    /// 99.9th percentile of response time.
    P999,
    /// Median time from intended sending to consumption.
    EndToEndP50,
    /// 99th percentile of the same.
    EndToEndP99,
    /// Broker CPU seconds per 10⁹ bytes of records.
    BrokerCpu,
    /// Client CPU seconds per 10⁹ bytes of records.
    ClientCpu,
    /// The broker's peak resident memory.
    BrokerMemory,
}

const METRIC_NAMES: &str = "throughput, p50, p99, p999, end_to_end_p50, end_to_end_p99, \
     broker_cpu, client_cpu or broker_memory, with (margin=5%, limit=15%) where they differ";

words!(
    GateMetric,
    METRIC_NAMES,
    Throughput = "throughput",
    P50 = "p50",
    P99 = "p99",
    P999 = "p999",
    EndToEndP50 = "end_to_end_p50",
    EndToEndP99 = "end_to_end_p99",
    BrokerCpu = "broker_cpu",
    ClientCpu = "client_cpu",
    BrokerMemory = "broker_memory"
);

impl GateMetric {
    /// Tails scatter: they take part only where a change of the limit's size
    /// could be told at all.
    pub const fn is_tail(self) -> bool {
        matches!(self, Self::P99 | Self::P999 | Self::EndToEndP99)
    }
}

/// A metric with its own margin and limit, where it has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Watched {
    /// What is compared.
    pub metric: GateMetric,
    margin: Option<Share>,
    limit: Option<Share>,
}

impl Watched {
    const fn plain(metric: GateMetric) -> Self {
        Self {
            metric,
            margin: None,
            limit: None,
        }
    }

    /// Smallest worsening that fails: its own, or the gate's.
    pub fn margin(&self, gate: &GateSpec) -> Share {
        self.margin.unwrap_or(gate.margin)
    }

    /// Worsening that a pass rules out: its own, or the gate's.
    pub fn limit(&self, gate: &GateSpec) -> Share {
        self.limit.unwrap_or(gate.limit)
    }
}

impl fmt::Display for Watched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let own = [("margin", self.margin), ("limit", self.limit)];
        let own: Vec<String> = own
            .into_iter()
            .filter_map(|(name, share)| Some(format!("{name}={}", share?)))
            .collect();
        match own.is_empty() {
            true => write!(f, "{}", self.metric),
            false => write!(f, "{}({})", self.metric, own.join(", ")),
        }
    }
}

impl FromStr for Watched {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        let refuse = || TextError::new(text.trim(), METRIC_NAMES);
        let call = Call::parse(text).ok_or_else(refuse)?;
        if !call.args.is_empty() {
            return Err(refuse());
        }
        let mut watched = Self::plain(call.name.parse()?);
        for (name, value) in call.named {
            let share = Some(value.parse()?);
            match name {
                "margin" => watched.margin = share,
                "limit" => watched.limit = share,
                _ => return Err(refuse()),
            }
        }
        Ok(watched)
    }
}

/// What a gate compares, in the order written; each once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GateMetrics(Vec<Watched>);

impl GateMetrics {
    /// The metrics.
    pub fn iter(&self) -> impl Iterator<Item = &Watched> {
        self.0.iter()
    }
}

impl Default for GateMetrics {
    /// What a change of the broker shows in first: what it costs, what it
    /// carries, and how long it takes.
    fn default() -> Self {
        let metrics = [
            GateMetric::BrokerCpu,
            GateMetric::Throughput,
            GateMetric::P50,
        ];
        Self(metrics.map(Watched::plain).to_vec())
    }
}

impl fmt::Display for GateMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let texts: Vec<String> = self.0.iter().map(Watched::to_string).collect();
        f.write_str(&texts.join(", "))
    }
}

impl FromStr for GateMetrics {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        let watched: Vec<Watched> = split_list(text)
            .into_iter()
            .map(str::parse)
            .collect::<Result<_, _>>()?;
        let twice = watched
            .iter()
            .enumerate()
            .any(|(at, one)| watched[..at].iter().any(|other| other.metric == one.metric));
        if twice || !(1..=METRICS_MAX).contains(&watched.len()) {
            return Err(TextError::new(text, "1 to 16 metrics, each once"));
        }
        Ok(Self(watched))
    }
}

text_form!(
    GateMetrics: "metrics that a gate compares, as a list or separated by commas",
    as ["string", "array"],
    such as ["broker_cpu, throughput, p50(margin=5%, limit=15%)"]
);

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Result<&str, &str>) {
        let read = text.parse::<GateMetrics>();
        match (read, expected) {
            (Ok(metrics), Ok(shown)) => assert_eq!(metrics.to_string(), shown),
            (Err(error), Err(part)) => assert!(error.to_string().contains(part), "{error}"),
            (read, _) => panic!("{text}: {read:?}"),
        }
    }

    #[test]
    fn metrics_are_read_with_their_own_margins() {
        check("p50", Ok("p50"));
        check(
            "broker_cpu, p99( margin = 5%, limit=20% )",
            Ok("broker_cpu, p99(margin=0.05, limit=0.2)"),
        );
        check("speed", Err("`speed` is not throughput, p50"));
        check("p50, p50(margin=1%)", Err("each once"));
        check("", Err("1 to 16"));
        check("p50(5%)", Err("with (margin=5%"));
        check("p50(alpha=5%)", Err("with (margin=5%"));
        check("p50(margin=500%)", Err("a share from 0 to 1"));
    }

    #[test]
    fn a_limit_lies_above_its_margin() {
        let mut gate = GateSpec::default();
        assert_eq!(gate.contradiction(), None);
        gate.metrics = "p50(margin=10%)".parse().expect("reads");
        let (path, message) = gate.contradiction().expect("a contradiction");
        assert_eq!(path, "gate.metrics");
        assert_eq!(
            message,
            "p50: the limit 0.1 must lie above the margin, which is 0.1"
        );
        gate.limit = gate.margin;
        assert_eq!(
            gate.contradiction().map(|(path, _)| path),
            Some("gate.limit")
        );
    }
}
