//! From what was measured to the cell's result.

use super::faults;
use crate::audit::{Evidence, audit};
use crate::clock_bound::ClockBound;
use crate::driver::{Consumed, Produced};
use crate::labour::PoisonCounts;
use crate::observe::{Cores, DiskUse, Observed};
use crate::record::Collected;
use crate::shared_group::GroupEvents;
use crate::verify::{Counts, Lanes, Ledger, Verifier};
use plimsoll_results::{
    Backlog, CellResult, Fault, LatencySummary, Poison, Resources, Throughput, Transactions,
    Verified,
};
use plimsoll_wire::types::Offset;
use plimsoll_workloads::units::Span;
use plimsoll_workloads::{Cell, Run};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::time::Duration;

/// Cores in use during one second.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct CoresInSecond {
    /// Which second of the window.
    pub second: u32,
    /// How many cores.
    pub cores: Cores,
}

/// Everything that a cell brought to light.
pub struct Measured {
    /// When the window began, RFC 3339.
    pub started_at: String,
    /// The measured time.
    pub window: Duration,
    /// There were no producers besides those that filled the topic.
    pub reads_only: bool,
    /// Dead letters found in their topic.
    pub dead_letters: Option<u64>,
    /// Records a second that were asked for.
    pub target_rate: Option<f64>,
    /// Producers and partitions.
    pub lanes: Lanes,
    /// The producers' reports.
    pub produced: Vec<Produced>,
    /// The reports of processors that wrote the load again.
    pub processed: Vec<Produced>,
    /// The consumers' reports, by group.
    pub consumed: Vec<Vec<Consumed>>,
    /// Where the partitions' logs end.
    pub ends: Vec<Offset>,
    /// Latencies and rates.
    pub collected: Collected,
    /// What the processes used.
    pub observed: Observed,
    /// Records acknowledged while they were watched. On a busy machine this is
    /// not quite the window: whoever should look at its ends may come late.
    pub observed_records: u64,
    /// The same by second.
    pub cores: Vec<CoresInSecond>,
    /// How far each group was behind.
    pub backlog: Vec<Backlog>,
    /// The furthest that a group was behind, by second.
    pub lags: Vec<u64>,
    /// Bytes of the topic's files.
    pub disk: DiskUse,
    /// How partitions moved in groups, where the cluster may move them.
    pub moves: Option<GroupEvents>,
    /// The faults that were caused.
    pub faults: Vec<Fault>,
    /// The histogram log's name.
    pub histogram_file: Option<String>,
}

/// The result of a cell, judged.
pub fn judge(cell: &Cell, run: &Run, mut measured: Measured) -> CellResult {
    let poison = poison(cell, &measured);
    let mut counts = verify(&mut measured);
    if !super::settings::waits_for_commits(&cell.spec) {
        counts.aborted_read = 0;
    }
    let within_promise = faults::within_promise(&cell.spec, &counts);
    let tally = measured.collected.tally;
    let mut latency = measured.collected.histograms.summary();
    // Where the schedule is irregular, what was handed off is what was due.
    let due = latency.schedule_lag.as_ref().map(|lag| lag.count as f64);
    measured.target_rate = measured
        .target_rate
        .or(due.map(|due| due / measured.window.as_secs_f64().max(1e-3)));
    let throughput = throughput(&measured);
    let invalid_reasons = audit(&Evidence {
        window: measured.window,
        target: measured.target_rate,
        achieved: throughput.records_per_s,
        objective: cell.spec.load.objective.map(Span::duration),
        lag_p99_us: latency.schedule_lag.as_ref().map(|lag| lag.p99_us),
        observed: &measured.observed,
        counts: &counts,
        errors: tally.errors,
        throttled: Duration::from_millis(tally.throttled_ms),
        reads_only: measured.reads_only,
        dead_letters_lost: poison.as_ref().map_or(0, |poison| {
            let found = poison.in_dead_letters.unwrap_or(0);
            poison.dead_lettered.saturating_sub(found)
        }),
        idempotent: cell.spec.producer.is_idempotent(),
        faulted: !cell.spec.faults.is_empty(),
        within_promise,
    });
    // All workers of this process read one monotonic clock.
    latency.clock_bound_us = latency
        .end_to_end
        .is_some()
        .then_some(ClockBound::SAME.bound as f64 / 1e3);
    if latency.schedule_lag.is_none() {
        latency.schedule_lag = latency.service.as_ref().map(never_late);
    }
    let bytes = observed_bytes(&measured);
    let timeline = timeline(&measured);
    let observed = &measured.observed;
    CellResult {
        client_capacity: None,
        workers: Vec::new(),
        id: cell.id.to_string(),
        params: cell.params.clone(),
        repeat: run.repeat,
        block: run.repeat,
        started_at: measured.started_at.clone(),
        throughput,
        latency,
        resources: Resources {
            broker: observed
                .broker
                .as_ref()
                .map(|side| side.usage.clone().per_bytes(bytes)),
            client: Some(observed.client.usage.clone().per_bytes(bytes)),
            steal_seconds: observed.steal_seconds,
            topic_disk_bytes: measured.disk.at_end,
        },
        verified: Verified {
            sent: counts.sent,
            acknowledged: counts.acknowledged,
            consumed: counts.consumed,
            lost: counts.lost,
            duplicated: counts.duplicated,
            reordered: counts.reordered,
            corrupt: counts.corrupt,
            aborted_read: counts.aborted_read,
            errors: tally.errors,
            consumer_ran: !measured.consumed.is_empty(),
            within_promise,
        },
        transactions: cell
            .spec
            .transactions
            .records
            .map(|_| transactions(&measured)),
        valid: invalid_reasons.is_empty(),
        invalid_reasons: with_trouble(invalid_reasons, &measured.produced),
        faults: faults::with_dips(std::mem::take(&mut measured.faults), &timeline),
        timeline,
        poison,
        partition_records: partition_records(&measured.ends),
        backlog: std::mem::take(&mut measured.backlog),
        search: None,
        rebalances: measured.moves.as_ref().map(GroupEvents::rebalances),
        workloads: Vec::new(),
        histogram_file: measured.histogram_file,
    }
}

/// Bytes acknowledged while the processes were watched.
pub(crate) fn observed_bytes(measured: &Measured) -> u64 {
    let tally = &measured.collected.tally;
    let per_record = tally.acknowledged_bytes as f64 / tally.acknowledged.max(1) as f64;
    (measured.observed_records as f64 * per_record) as u64
}

/// The schedule lag of a load as fast as possible: each record is due when it is
/// handed off, so all of them are on time by definition.
pub(super) fn never_late(service: &LatencySummary) -> LatencySummary {
    LatencySummary {
        count: service.count,
        not_positive: service.count,
        ..LatencySummary::default()
    }
}

fn poison(cell: &Cell, measured: &Measured) -> Option<Poison> {
    if cell.spec.poison.rate.get() <= 0.0 {
        return None;
    }
    let mut counts = PoisonCounts::default();
    for consumed in measured.consumed.iter().flatten() {
        counts += consumed.poison;
    }
    Some(Poison {
        met: counts.met,
        retries: counts.retries,
        dead_lettered: counts.dead_lettered,
        skipped: counts.skipped,
        in_dead_letters: measured.dead_letters,
    })
}

fn transactions(measured: &Measured) -> Transactions {
    let tally = &measured.collected.tally;
    Transactions {
        committed: tally.committed,
        aborted: tally.aborted,
        commits_per_s: tally.committed as f64 / measured.window.as_secs_f64().max(1e-3),
        records_aborted: (measured.produced.iter().chain(&measured.processed))
            .map(|produced| produced.aborted)
            .sum(),
    }
}

fn throughput(measured: &Measured) -> Throughput {
    let seconds = measured.window.as_secs_f64();
    let tally = &measured.collected.tally;
    let consumed = Throughput::over_window(tally.consumed, tally.consumed_bytes, seconds);
    let ran = !measured.consumed.is_empty();
    let sum = |of: fn(&Produced) -> u64| measured.produced.iter().map(of).sum::<u64>() as f64;
    let (batches, records) = (sum(|p| p.batches), sum(|p| p.records));
    let acknowledged = match measured.reads_only {
        true => consumed.clone(),
        false => Throughput::over_window(tally.acknowledged, tally.acknowledged_bytes, seconds),
    };
    let (sent_bytes, plain_bytes) = (sum(|p| p.sent_bytes), sum(|p| p.plain_bytes));
    Throughput {
        target_records_per_s: measured.target_rate,
        consumed_records_per_s: ran.then_some(consumed.records_per_s),
        consumed_bytes_per_s: ran.then_some(consumed.bytes_per_s),
        compression_ratio: (sent_bytes > 0.0).then(|| plain_bytes / sent_bytes),
        records_per_batch: (batches > 0.0).then(|| records / batches),
        ..acknowledged
    }
}

/// Settles what was read with what was written: every group must have read
/// everything. Without consumers the logs' ends must account for all that was
/// acknowledged.
fn verify(measured: &mut Measured) -> Counts {
    let mut ledger = Ledger::new(measured.lanes);
    for (producer, produced) in (0u32..).zip(&mut measured.produced) {
        ledger.enter(producer, std::mem::take(&mut produced.written));
    }
    let mut counts = ledger.counts();
    if measured.consumed.is_empty() {
        let appended: u64 = measured
            .ends
            .iter()
            .map(|end| end.get().unsigned_abs())
            .sum();
        counts.lost = counts.acknowledged.saturating_sub(appended);
        return counts;
    }
    for group in std::mem::take(&mut measured.consumed) {
        let unfinished = unfinished(&group);
        let mut whole = Verifier::new(measured.lanes);
        for consumed in &group {
            whole.absorb(&consumed.verifier);
        }
        let group = whole.settle(&ledger, |partition| !unfinished.contains(&partition));
        counts += Counts {
            sent: 0,
            acknowledged: 0,
            ..group
        };
        measured.consumed.push(Vec::new());
    }
    counts
}

/// The partitions that nobody of a group read to the end. One that a consumer says
/// it left although it is not its own was read further than it was judged.
fn unfinished(group: &[Consumed]) -> BTreeSet<u32> {
    let (mut open, mut finished) = (BTreeSet::new(), BTreeSet::new());
    let mut cut_short = BTreeSet::new();
    for consumed in group {
        let own: BTreeSet<u32> = consumed.partitions.iter().copied().collect();
        let left: BTreeSet<u32> = consumed.unfinished.iter().copied().collect();
        finished.extend(own.difference(&left));
        cut_short.extend(left.difference(&own));
        open.extend(left);
    }
    let finished = finished.difference(&cut_short).copied().collect();
    &open - &finished
}

/// An invalid result says what the client last complained of, too.
fn with_trouble(mut reasons: Vec<String>, produced: &[Produced]) -> Vec<String> {
    let trouble = produced
        .iter()
        .find_map(|produced| produced.trouble.as_ref());
    if let Some(trouble) = trouble.filter(|_| !reasons.is_empty()) {
        reasons.push(format!("the client last met: {trouble}"));
    }
    reasons
}

/// More partitions than this are not kept one by one.
const PARTITIONS_KEPT_MAX: usize = 1024;

fn partition_records(ends: &[Offset]) -> Vec<u64> {
    if ends.len() > PARTITIONS_KEPT_MAX {
        return Vec::new();
    }
    ends.iter().map(|end| end.get().unsigned_abs()).collect()
}

/// One entry for each second of the window.
fn timeline(measured: &Measured) -> Vec<plimsoll_results::Second> {
    let seconds = measured.window.as_secs_f64().ceil() as u32;
    let in_window = |second: &&plimsoll_results::Second| second.second < seconds;
    let mut timeline: Vec<_> = measured
        .collected
        .timeline
        .iter()
        .filter(in_window)
        .cloned()
        .collect();
    if !measured.backlog.is_empty() {
        for entry in &mut timeline {
            entry.lag_records = measured.lags.get(entry.second as usize).copied();
        }
    }
    for (second, bytes) in &measured.disk.by_second {
        if let Some(entry) = timeline.iter_mut().find(|entry| entry.second == *second) {
            entry.disk_bytes = Some(*bytes);
        }
    }
    if let Some(moves) = &measured.moves {
        for entry in &mut timeline {
            let moved = moves.by_second.get(&entry.second).copied();
            entry.rebalances = Some(moved.unwrap_or(0));
        }
    }
    for at in &measured.cores {
        if let Some(second) = timeline.iter_mut().find(|entry| entry.second == at.second) {
            second.broker_cpu_cores = at.cores.broker;
            second.client_cpu_cores = Some(at.cores.client);
        }
    }
    timeline
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partition_is_finished_when_one_of_its_readers_read_it_to_the_end() {
        let consumed = |partitions: &[u32], unfinished: &[u32]| Consumed {
            partitions: partitions.to_vec(),
            unfinished: unfinished.to_vec(),
            verifier: Verifier::new(Lanes::NONE),
            poison: PoisonCounts::default(),
        };
        let check = |group: &[Consumed], expected: &[u32]| {
            let found: Vec<u32> = unfinished(group).into_iter().collect();
            assert_eq!(found, expected, "{group:?}");
        };
        // Fixed partitions, each of one consumer.
        check(&[consumed(&[0, 2], &[2]), consumed(&[1], &[])], &[2]);
        // A group that is read in two processes, of which one knew too early.
        check(&[consumed(&[0, 1], &[0, 1]), consumed(&[0, 1], &[1])], &[1]);
        // A consumer of the group left something fetched and not judged.
        check(&[consumed(&[], &[0]), consumed(&[0, 1], &[])], &[0]);
    }
}
