//! Several workloads' results in one.
//!
//! Counts and rates add up, and percentiles come from the merged histograms; what
//! the processes used is that of all, and known once.

use super::faults;
use super::outcome;
use super::run::Finished;
use crate::record::Collected;
use crate::shared_group::GroupEvents;
use plimsoll_results::{
    CellResult, Poison, Second, Throughput, Transactions, Verified, WorkloadResult,
};
use plimsoll_workloads::{Cell, Run};

/// The cell's result: all workloads together, and each by itself.
pub(crate) fn merge(
    cell: &Cell,
    run: &Run,
    carried: Vec<(String, Finished)>,
    collected: &Collected,
) -> CellResult {
    let bytes: u64 = carried.iter().map(|(_, one)| one.observed_bytes).sum();
    let moves = carried.iter().filter_map(|(_, one)| one.moves.clone());
    let moves = moves.reduce(|mut sum, one| {
        sum.absorb(&one);
        sum
    });
    let results = || carried.iter().map(|(_, one)| &one.result);
    let mut merged = CellResult {
        id: cell.id.to_string(),
        params: cell.params.clone(),
        repeat: run.repeat,
        block: run.repeat,
        latency: collected.histograms.summary(),
        timeline: timeline(collected, results()),
        rebalances: moves.as_ref().map(GroupEvents::rebalances),
        valid: true,
        ..CellResult::default()
    };
    if let Some(first) = results().next() {
        // All workloads were watched at the same time, in the same processes.
        merged.started_at.clone_from(&first.started_at);
        merged.resources = first.resources.clone();
        merged.latency.clock_bound_us = first.latency.clock_bound_us;
        let sides = [&mut merged.resources.broker, &mut merged.resources.client];
        for side in sides.into_iter().flatten() {
            *side = side.clone().per_bytes(bytes);
        }
    }
    if merged.latency.schedule_lag.is_none() {
        merged.latency.schedule_lag = merged.latency.service.as_ref().map(outcome::never_late);
    }
    let disk = results().map(|one| one.resources.topic_disk_bytes);
    merged.resources.topic_disk_bytes = disk.sum();
    merged.throughput = throughput(results().map(|one| &one.throughput));
    let faults = results().flat_map(|one| &one.faults).cloned().collect();
    merged.faults = faults::with_dips(faults, &merged.timeline);
    merged.verified.within_promise = results().all(|one| one.verified.within_promise);
    for (name, one) in carried {
        add_up(&mut merged, &name, &one.result);
        merged.workloads.push(WorkloadResult::of(&name, one.result));
    }
    merged.valid = merged.invalid_reasons.is_empty();
    merged
}

/// Adds what can be added of one workload's result.
fn add_up(merged: &mut CellResult, name: &str, one: &CellResult) {
    add_verified(&mut merged.verified, &one.verified);
    if let Some(its) = &one.transactions {
        let sum = merged.transactions.get_or_insert_default();
        add_transactions(sum, its);
    }
    if let Some(its) = &one.poison {
        add_poison(merged.poison.get_or_insert_default(), its);
    }
    let groups = u32::try_from(merged.backlog.len()).unwrap_or(u32::MAX);
    let numbered = one.backlog.iter().cloned().map(|mut backlog| {
        backlog.group = backlog.group.saturating_add(groups);
        backlog
    });
    merged.backlog.extend(numbered);
    let reasons = one.invalid_reasons.iter();
    merged
        .invalid_reasons
        .extend(reasons.map(|reason| format!("{name}: {reason}")));
}

fn add_verified(sum: &mut Verified, its: &Verified) {
    sum.sent += its.sent;
    sum.acknowledged += its.acknowledged;
    sum.consumed += its.consumed;
    sum.lost += its.lost;
    sum.duplicated += its.duplicated;
    sum.reordered += its.reordered;
    sum.corrupt += its.corrupt;
    sum.aborted_read += its.aborted_read;
    sum.errors += its.errors;
    sum.consumer_ran |= its.consumer_ran;
}

fn add_transactions(sum: &mut Transactions, its: &Transactions) {
    sum.committed += its.committed;
    sum.aborted += its.aborted;
    sum.commits_per_s += its.commits_per_s;
    sum.records_aborted += its.records_aborted;
}

fn add_poison(sum: &mut Poison, its: &Poison) {
    sum.met += its.met;
    sum.retries += its.retries;
    sum.dead_lettered += its.dead_lettered;
    sum.skipped += its.skipped;
    if let Some(found) = its.in_dead_letters {
        *sum.in_dead_letters.get_or_insert(0) += found;
    }
}

/// Rates add up; there is a target when every workload has one.
fn throughput<'a>(all: impl Iterator<Item = &'a Throughput> + Clone) -> Throughput {
    let sum = |of: fn(&Throughput) -> Option<f64>| {
        let known = all.clone().filter_map(of);
        known.reduce(|sum, one| sum + one)
    };
    let total = |of: fn(&Throughput) -> f64| all.clone().map(of).sum();
    Throughput {
        records_per_s: total(|one| one.records_per_s),
        bytes_per_s: total(|one| one.bytes_per_s),
        target_records_per_s: all.clone().map(|one| one.target_records_per_s).sum(),
        consumed_records_per_s: sum(|one| one.consumed_records_per_s),
        consumed_bytes_per_s: sum(|one| one.consumed_bytes_per_s),
        window_s: all.clone().map(|one| one.window_s).fold(0.0, f64::max),
        ..Throughput::default()
    }
}

/// The merged timeline, with what each workload knows besides.
fn timeline<'a>(
    collected: &Collected,
    results: impl Iterator<Item = &'a CellResult> + Clone,
) -> Vec<Second> {
    let seconds = results.clone().flat_map(|one| &one.timeline);
    let last = seconds.map(|entry| entry.second).max().unwrap_or(0);
    let within = collected.timeline.iter().filter(|its| its.second <= last);
    let mut timeline: Vec<Second> = within.cloned().collect();
    for entry in &mut timeline {
        let of_each = results.clone().filter_map(|one| {
            let mut its = one.timeline.iter();
            its.find(|its| its.second == entry.second)
        });
        for its in of_each {
            entry.lag_records = entry.lag_records.max(its.lag_records);
            add(&mut entry.disk_bytes, its.disk_bytes);
            add(&mut entry.rebalances, its.rebalances);
            entry.broker_cpu_cores = entry.broker_cpu_cores.or(its.broker_cpu_cores);
            entry.client_cpu_cores = entry.client_cpu_cores.or(its.client_cpu_cores);
        }
    }
    timeline
}

fn add(sum: &mut Option<u64>, its: Option<u64>) {
    if let Some(its) = its {
        *sum.get_or_insert(0) += its;
    }
}
