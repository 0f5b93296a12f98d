//! What a partition, a broker and a consumer carry, and how it scales.

use super::cells::{Cells, Setting, most};
use super::{Calibration, Scaling};
use plimsoll_results::scaling::{Fit, REPEATS_MIN, Sample};
use plimsoll_results::{Metric, Params};
use std::collections::BTreeMap;

/// Settings that throughput may scale with.
const SCALED: [&str; 3] = ["topic.partitions", "producer.count", "consumer.count"];

/// A limit is what the fastest setting carried when driven as fast as possible.
pub(super) fn fit(cells: &Cells<'_>, into: &mut Calibration) {
    let alone = || {
        cells
            .saturating()
            .filter(|s| s.count("topic.partitions") <= 1.0)
    };
    into.partition_bytes = most(alone().filter_map(|s| s.measured(Metric::BytesPerSecond, 1.0)));
    into.partition_records =
        most(alone().filter_map(|s| s.measured(Metric::RecordsPerSecond, 1.0)));
    if into.partition_bytes.is_none() {
        into.left_out.push(
            "what one partition takes: no valid cell has topic.partitions = 1 and load.rate = \"max\""
                .to_owned(),
        );
    }
    let all = || cells.saturating();
    into.broker_writes = most(all().filter_map(|s| {
        s.measured(
            Metric::BytesPerSecond,
            s.count("topic.replication_factor") / s.nodes(),
        )
    }));
    into.broker_records =
        most(all().filter_map(|s| s.measured(Metric::RecordsPerSecond, 1.0 / s.nodes())));
    into.broker_reads = most(all().filter_map(|s| {
        let read = s
            .group
            .valid()
            .filter_map(|c| c.throughput.consumed_bytes_per_s);
        s.over(&read.collect::<Vec<_>>(), 1.0 / s.nodes())
    }));
    into.consumer_records = most(all().filter_map(|s| {
        let consumers = s.count("consumer.count") * s.count("consumer.groups");
        let read = s
            .group
            .valid()
            .filter_map(|c| c.throughput.consumed_records_per_s);
        s.over(&read.collect::<Vec<_>>(), 1.0 / consumers.max(1.0))
    }));
    if into.broker_writes.is_none() {
        into.left_out
            .push("what one broker takes: no valid cell has load.rate = \"max\"".to_owned());
    }
    for setting in SCALED {
        scaling(cells, setting, into);
    }
}

/// One law for each set of other settings that has runs enough; what was swept
/// and has too few is said.
fn scaling(cells: &Cells<'_>, setting: &str, into: &mut Calibration) {
    let mut series: BTreeMap<String, Vec<&Setting<'_>>> = BTreeMap::new();
    for found in cells.saturating().filter(|s| s.number(setting).is_some()) {
        let key = format!(
            "{} {}",
            found.run.plan_hash,
            key_of(&found.without(setting))
        );
        series.entry(key).or_default().push(found);
    }
    for sweep in series.into_values().filter(|sweep| sweep.len() > 1) {
        let Some(first) = sweep.first() else { continue };
        let mut usable = Vec::new();
        let mut short = Vec::new();
        for samples in sweep.iter().map(|s| samples(s, setting)) {
            match samples.first() {
                Some(one) if samples.len() < REPEATS_MIN => {
                    short.push(format!("{} ({} valid)", one.n, samples.len()));
                }
                _ => usable.extend(samples),
            }
        }
        if !short.is_empty() {
            into.left_out.push(format!(
                "scaling with {setting} in {} at {}: left out, with fewer than {REPEATS_MIN} valid runs: {}",
                first.run.name,
                fixed(first, setting),
                short.join(", ")
            ));
        }
        let samples = usable;
        match Fit::of(&samples) {
            Ok(fit) => into.scaling.push(Scaling {
                setting: setting.to_owned(),
                at: fixed(first, setting),
                run: first.run.name.clone(),
                law: fit.law,
                samples,
            }),
            Err(error) => into.left_out.push(format!(
                "scaling with {setting} in {} at {}: {error}",
                first.run.name,
                fixed(first, setting)
            )),
        }
    }
}

fn samples(setting: &Setting<'_>, path: &str) -> Vec<Sample> {
    let n = setting.number(path).unwrap_or(0.0);
    let values = setting.group.values(Metric::RecordsPerSecond);
    values
        .into_iter()
        .map(|value| Sample { n, value })
        .collect()
}

fn key_of(params: &Params) -> String {
    params
        .iter()
        .map(|(name, value)| format!("{name}={value} "))
        .collect()
}

/// What else the run varied.
fn fixed(setting: &Setting<'_>, path: &str) -> String {
    let mut varied = plimsoll_results::varied_params(&setting.run.cells);
    varied.retain(|name| name != path);
    let label = plimsoll_results::params_label(setting.group.params, &varied);
    match label.is_empty() {
        true => "the run's other settings".to_owned(),
        false => label,
    }
}
