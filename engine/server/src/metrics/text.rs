//! Families of samples as text.

use plimsoll_broker::metrics::{Family, Kind, Value};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;
use std::fmt;

/// The families in the text format, to its last line.
pub fn render(families: Vec<Family>) -> Result<String, fmt::Error> {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Report(families)));
    let mut out = String::new();
    text::encode(&mut out, &registry)?;
    Ok(out)
}

#[derive(Debug)]
struct Report(Vec<Family>);

impl Collector for Report {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        for family in self.0.iter().filter(|family| !family.samples.is_empty()) {
            let kind = match family.kind {
                Kind::Counter => MetricType::Counter,
                Kind::Gauge => MetricType::Gauge,
                Kind::Histogram => MetricType::Histogram,
            };
            let mut metric = encoder.encode_descriptor(family.name, family.help, None, kind)?;
            for sample in &family.samples {
                if sample.labels.is_empty() {
                    one(&mut metric, &sample.value)?;
                } else {
                    one(&mut metric.encode_family(&sample.labels)?, &sample.value)?;
                }
            }
        }
        Ok(())
    }
}

fn one(metric: &mut MetricEncoder<'_>, value: &Value) -> fmt::Result {
    match value {
        Value::Count(count) => metric.encode_counter::<NoLabelSet, _, u64>(count, None),
        Value::Level(level) => metric.encode_gauge(level),
        Value::Spread(spread) => {
            metric.encode_histogram::<NoLabelSet>(spread.sum, spread.count, &spread.buckets, None)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use plimsoll_broker::metrics::Histogram;
    use std::time::Duration;

    #[test]
    fn every_kind_is_written_as_prometheus_reads_it() {
        let mut bytes = Family::new(
            "kafka_BytesInPerSec",
            Kind::Counter,
            "kafka:name=BytesInPerSec",
        );
        bytes.push(vec![("topic", "a\"b".into())], Value::Count(7));
        let times = Histogram::default();
        times.record(Duration::from_micros(300));
        times.record(Duration::from_secs(20));
        let mut total = Family::new("TotalTimeMs", Kind::Histogram, "Time");
        total.push(
            vec![("request", "Fetch".into())],
            Value::Spread(times.spread()),
        );
        let level = Family::level("OfflinePartitionsCount", "Offline", 2.0);
        let empty = Family::new("nothing", Kind::Gauge, "Without a sample");
        let text = render(vec![bytes, level, total, empty]).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        for line in [
            "# HELP kafka_BytesInPerSec kafka:name=BytesInPerSec",
            "# TYPE kafka_BytesInPerSec counter",
            r#"kafka_BytesInPerSec_total{topic="a\"b"} 7"#,
            "OfflinePartitionsCount 2.0",
            r#"TotalTimeMs_bucket{le="0.25",request="Fetch"} 0"#,
            r#"TotalTimeMs_bucket{le="0.5",request="Fetch"} 1"#,
            r#"TotalTimeMs_bucket{le="10000.0",request="Fetch"} 1"#,
            r#"TotalTimeMs_bucket{le="+Inf",request="Fetch"} 2"#,
            r#"TotalTimeMs_count{request="Fetch"} 2"#,
            r#"TotalTimeMs_sum{request="Fetch"} 20000.3"#,
            "# EOF",
        ] {
            assert!(lines.contains(&line), "no {line} in\n{text}");
        }
        assert!(!text.contains("nothing"));
    }
}
