//! What codecs, acks, transactions and requests cost.

use super::cells::{Cells, Setting, most};
use super::{AcksCost, Calibration, CpuCost, Measured};
use plimsoll_results::stats::{paired_shift, unpaired_shift};
use plimsoll_results::{CellResult, LatencyKind, Metric};
use std::collections::BTreeMap;

/// Batches must differ by so much for a cost of the batch to be told from one
/// of the byte.
const BATCH_SPREAD: f64 = 2.0;

pub(super) fn fit(cells: &Cells<'_>, into: &mut Calibration) {
    codecs(cells, into);
    into.acks = acks(cells);
    if into.acks.is_none() {
        into.left_out.push(
            "what acks=all costs: no two valid settings differ in producer.acks = 1 and \"all\" alone"
                .to_owned(),
        );
    }
    into.commit_seconds = commit(cells);
    if into.commit_seconds.is_none() {
        into.left_out.push(
            "what a commit costs: no two valid settings differ in transactions.records alone"
                .to_owned(),
        );
    }
    match cpu(cells) {
        Ok(cost) => into.broker_cpu = Some(cost),
        Err(reason) => into
            .left_out
            .push(format!("what a request costs the broker's CPU: {reason}")),
    }
}

/// The ratio of each codec over all valid cells that used it.
fn codecs(cells: &Cells<'_>, into: &mut Calibration) {
    let mut ratios: BTreeMap<String, Vec<(&Setting<'_>, f64)>> = BTreeMap::new();
    for setting in &cells.groups {
        let codec = setting.text("producer.compression");
        let codec = codec.split(':').next().unwrap_or_default().to_owned();
        if codec.is_empty() || codec == "none" {
            continue;
        }
        let values = setting.group.values(Metric::CompressionRatio);
        let found = ratios.entry(codec).or_default();
        found.extend(values.into_iter().map(|ratio| (setting, ratio)));
    }
    for (codec, found) in ratios {
        let values: Vec<f64> = found.iter().map(|(_, ratio)| *ratio).collect();
        let measured = found
            .first()
            .and_then(|(setting, _)| setting.over(&values, 1.0));
        if let Some(measured) = measured {
            let at = format!("compression={codec}");
            into.codecs.insert(codec, Measured { at, ..measured });
        }
    }
    if into.codecs.is_empty() {
        into.left_out
            .push("compression: no valid cell used a codec".to_owned());
    }
}

/// The largest cost among the settings that were measured with both.
fn acks(cells: &Cells<'_>) -> Option<AcksCost> {
    let pairs = pairs(
        cells,
        "producer.acks",
        |acks| acks == "1",
        |acks| acks == "all",
    );
    let cost = |metric: Metric| {
        let found = pairs
            .iter()
            .filter_map(|(one, all)| difference(one, all, metric));
        found.max_by(|a, b| a.mid.total_cmp(&b.mid))
    };
    Some(AcksCost {
        p50_us: cost(Metric::P50(LatencyKind::Response))?,
        p99_us: cost(Metric::P99(LatencyKind::Response))?,
    })
}

/// From the rates with and without: n records of one producer take n/r₀ and the
/// commit, so t = n × producers × (1/r − 1/r₀).
fn commit(cells: &Cells<'_>) -> Option<Measured> {
    let pairs = pairs(cells, "transactions.records", str::is_empty, |n| {
        n.parse::<u64>().is_ok()
    });
    most(pairs.iter().filter_map(|(plain, transactional)| {
        let records = transactional.number("transactions.records")?;
        let producers = transactional.count("producer.count");
        let plain = plain.measured(Metric::RecordsPerSecond, 1.0)?.mid;
        let rates = transactional.group.values(Metric::RecordsPerSecond);
        let took = |rate: &f64| (records * producers * (1.0 / rate - 1.0 / plain)).max(0.0);
        transactional.over(&rates.iter().map(took).collect::<Vec<_>>(), 1.0)
    }))
}

/// Settings of one run that differ in `path` alone.
fn pairs<'c, 'a>(
    cells: &'c Cells<'a>,
    path: &str,
    from: impl Fn(&str) -> bool,
    to: impl Fn(&str) -> bool,
) -> Vec<(&'c Setting<'a>, &'c Setting<'a>)> {
    let mut found = Vec::new();
    for base in cells.groups.iter().filter(|s| from(&s.text(path))) {
        let rest = base.without(path);
        let same = |s: &&Setting<'_>| std::ptr::eq(s.run, base.run) && s.without(path) == rest;
        let others = cells
            .groups
            .iter()
            .filter(same)
            .filter(|s| to(&s.text(path)));
        found.extend(others.map(|other| (base, other)));
    }
    found
}

/// By block where both ran in the same ones.
fn difference(from: &Setting<'_>, to: &Setting<'_>, metric: Metric) -> Option<Measured> {
    let (a, b) = (from.group.by_block(metric), to.group.by_block(metric));
    let paired: Vec<f64> = a
        .iter()
        .filter_map(|(block, a)| Some(b.get(block)? - a))
        .collect();
    let shift = match paired.len() {
        0 | 1 => unpaired_shift(&from.group.values(metric), &to.group.values(metric)),
        _ => paired_shift(&paired),
    }?;
    let (low, high) = shift
        .interval
        .map_or((shift.estimate, shift.estimate), |i| (i.low, i.high));
    Some(Measured {
        low,
        mid: shift.estimate,
        high,
        run: to.run.name.clone(),
        at: to.at(),
        n: u32::try_from(shift.n).unwrap_or(u32::MAX),
    })
}

/// A line through the CPU of a batch over its bytes, not below zero at either
/// parameter.
fn cpu(cells: &Cells<'_>) -> Result<CpuCost, String> {
    let batches: Vec<(f64, f64)> = cells
        .groups
        .iter()
        .flat_map(|s| s.group.valid())
        .filter_map(batch)
        .collect();
    let smallest = batches.iter().map(|b| b.0).fold(f64::INFINITY, f64::min);
    let largest = batches.iter().map(|b| b.0).fold(0.0, f64::max);
    if largest < BATCH_SPREAD * smallest {
        return Err(format!(
            "{} cells say what a batch cost; batches of sizes {BATCH_SPREAD} times apart are needed",
            batches.len()
        ));
    }
    let (seconds_per_batch, seconds_per_byte) = line(&batches);
    let requests: Vec<f64> = cells.groups.iter().map(requests).collect();
    let run = cells
        .groups
        .first()
        .map_or_else(String::new, |s| s.run.name.clone());
    Ok(CpuCost {
        seconds_per_batch,
        requests_per_batch: requests.iter().sum::<f64>() / requests.len().max(1) as f64,
        seconds_per_byte,
        smallest_batch: smallest,
        largest_batch: largest,
        run,
        n: u32::try_from(batches.len()).unwrap_or(u32::MAX),
    })
}

/// Requests that a batch makes: its producer's, and a fetch by each group.
fn requests(setting: &Setting<'_>) -> f64 {
    match setting.count("consumer.count") > 0.0 {
        true => 1.0 + setting.count("consumer.groups"),
        false => 1.0,
    }
}

/// Bytes of a cell's batches, and the broker's CPU seconds for one.
fn batch(cell: &CellResult) -> Option<(f64, f64)> {
    let throughput = &cell.throughput;
    let per_gb = cell.resources.broker.as_ref()?.cpu_seconds_per_gb?;
    let bytes = throughput.records_per_batch? * throughput.bytes_per_s / throughput.records_per_s;
    (bytes > 0.0 && per_gb > 0.0).then_some((bytes, per_gb * bytes / 1e9))
}

/// Least squares of relative errors for y = a + b·x with neither below zero.
fn line(points: &[(f64, f64)]) -> (f64, f64) {
    let weight = |y: f64| 1.0 / (y * y);
    let sum = |of: fn(f64, f64) -> f64| {
        points
            .iter()
            .map(|&(x, y)| weight(y) * of(x, y))
            .sum::<f64>()
    };
    let (s, sx, sy) = (sum(|_, _| 1.0), sum(|x, _| x), sum(|_, y| y));
    let (sxx, sxy) = (sum(|x, _| x * x), sum(|x, y| x * y));
    let slope = (s * sxy - sx * sy) / (s * sxx - sx * sx);
    let start = (sy - slope * sx) / s;
    match (start >= 0.0, slope >= 0.0) {
        (true, true) => (start, slope),
        (false, _) => (0.0, sxy / sxx),
        (true, false) => (sy / s, 0.0),
    }
}
