//! From the metrics of a workload's `[gate]` section to values in results.

use anyhow::Context as _;
use plimsoll_gate::{Direction, MetricRule, Rules, Unit};
use plimsoll_results::{CellResult, LatencyKind, Metric};
use plimsoll_workloads::language::{GateMetric, GateSpec, Watched};

/// A metric of one cell.
#[derive(Clone, Debug)]
pub struct Gauge {
    /// The cell's place in the plan.
    pub cell: usize,
    /// How it is judged.
    pub rule: MetricRule,
    metric: Metric,
}

/// Every metric of every cell; `labels` name the cells, where there are several.
pub fn gauges(gate: &GateSpec, labels: &[String]) -> Vec<Gauge> {
    let each = labels.iter().enumerate();
    each.flat_map(|(cell, label)| {
        gate.metrics
            .iter()
            .map(move |watched| gauge(gate, watched, cell, label))
    })
    .collect()
}

fn gauge(gate: &GateSpec, watched: &Watched, cell: usize, label: &str) -> Gauge {
    let kind = watched.metric;
    let (metric, unit) = measured(kind);
    let name = match label {
        "" => kind.to_string(),
        label => format!("{kind} at {label}"),
    };
    let limit = watched.limit(gate).get();
    Gauge {
        cell,
        metric,
        rule: MetricRule {
            name,
            unit,
            direction: match kind {
                GateMetric::Throughput => Direction::LowerIsWorse,
                _ => Direction::HigherIsWorse,
            },
            rules: Rules {
                margin: watched.margin(gate).get(),
                limit,
            },
            gated_below_effect: kind.is_tail().then_some(limit),
        },
    }
}

const fn measured(metric: GateMetric) -> (Metric, Unit) {
    match metric {
        GateMetric::Throughput => (Metric::RecordsPerSecond, Unit::RecordsPerSecond),
        GateMetric::P50 => (Metric::P50(LatencyKind::Response), Unit::Micros),
        GateMetric::P99 => (Metric::P99(LatencyKind::Response), Unit::Micros),
        GateMetric::P999 => (Metric::P999(LatencyKind::Response), Unit::Micros),
        GateMetric::EndToEndP50 => (Metric::P50(LatencyKind::EndToEnd), Unit::Micros),
        GateMetric::EndToEndP99 => (Metric::P99(LatencyKind::EndToEnd), Unit::Micros),
        GateMetric::BrokerCpu => (Metric::BrokerCpuPerGb, Unit::CpuSecondsPerGb),
        GateMetric::ClientCpu => (Metric::ClientCpuPerGb, Unit::CpuSecondsPerGb),
        GateMetric::BrokerMemory => (Metric::BrokerMemory, Unit::Bytes),
    }
}

impl Gauge {
    /// The value in a cell's result; `None` for nothing, which has no ratio.
    pub fn read(&self, cell: &CellResult) -> anyhow::Result<Option<f64>> {
        let name = &self.rule.name;
        let missing = || {
            format!(
                "{name}: not measured here, as the brokers' processes are not on this machine or \
                 nothing was consumed; accepted: other metrics, such as \
                 --set 'gate.metrics=[throughput, p50]'"
            )
        };
        let value = self.metric.of(cell).with_context(missing)?;
        Ok((value > 0.0).then_some(value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_of_every_cell_is_read_with_its_own_rules() {
        let gate = match "throughput, p99(limit=25%)".parse() {
            Ok(metrics) => GateSpec {
                metrics,
                ..GateSpec::default()
            },
            Err(error) => panic!("{error}"),
        };
        let gauges = gauges(&gate, &["acks=1".to_owned(), "acks=all".to_owned()]);
        let names: Vec<&str> = gauges.iter().map(|g| g.rule.name.as_str()).collect();
        assert_eq!(
            names,
            [
                "throughput at acks=1",
                "p99 at acks=1",
                "throughput at acks=all",
                "p99 at acks=all"
            ]
        );
        assert_eq!(gauges[0].rule.gated_below_effect, None);
        assert_eq!(gauges[1].rule.gated_below_effect, Some(0.25));
        assert_eq!(gauges[3].cell, 1);
        let mut cell = CellResult::default();
        cell.throughput.records_per_s = 5.0;
        assert_eq!(gauges[0].read(&cell).ok(), Some(Some(5.0)));
        cell.throughput.records_per_s = 0.0;
        assert_eq!(gauges[0].read(&cell).ok(), Some(None));
        let refused = gauges[1].read(&cell).map_err(|error| error.to_string());
        assert!(refused.is_err_and(|text| text.starts_with("p99 at acks=1: not measured")));
    }
}
