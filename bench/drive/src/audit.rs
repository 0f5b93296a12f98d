//! Whether a measurement may be used, and why not.
//!
//! A run judges itself before anyone else does: numbers that are the client's
//! rather than the broker's, or of less load than was asked for, or of data
//! that went missing, are marked as invalid with the reason.

use crate::observe::{Observed, Side};
use crate::verify::Counts;
use plimsoll_results::CellResult;
use std::time::Duration;

/// Schedule lag p99 may take this share of the latency objective.
const LAG_SHARE_MAX: f64 = 0.01;
/// Least share of the offered load that must have been carried.
pub const ACHIEVED_MIN: f64 = 0.995;
/// A thread this busy is saturated.
const SATURATED: f64 = 0.95;
/// Most errors, as a share of the records sent.
const ERRORS_MAX: f64 = 0.01;
/// A wall clock may gain or lose this share while it is disciplined.
const CLOCK_SLEW_MAX: f64 = 0.001;
/// What reading two clocks one after the other may take on a busy machine.
const CLOCK_READ_S: f64 = 0.005;
/// Most time given to other machines, as a share of the window of one core.
const STEAL_MAX: f64 = 0.05;

/// From this share of what the client can send at all, it is the client that is
/// measured.
const CLIENT_SHARE_MAX: f64 = 0.95;
/// A broker that uses this much of a core may still be the reason.
const BROKER_BUSY_CORES: f64 = 0.5;

/// What a cell is judged by.
#[derive(Clone, Debug)]
pub struct Evidence<'a> {
    /// The measured time.
    pub window: Duration,
    /// Records a second that were asked for, when a rate was.
    pub target: Option<f64>,
    /// Records a second that were acknowledged.
    pub achieved: f64,
    /// The latency that the workload wants to hold.
    pub objective: Option<Duration>,
    /// The 99th percentile of the schedule lag.
    pub lag_p99_us: Option<f64>,
    /// What the processes used.
    pub observed: &'a Observed,
    /// What became of the records.
    pub counts: &'a Counts,
    /// Failed deliveries and attempts.
    pub errors: u64,
    /// Whether the broker drops repeats.
    pub idempotent: bool,
    /// How long brokers held clients back by a quota.
    pub throttled: Duration,
    /// Nothing was sent in the measured time, on purpose.
    pub reads_only: bool,
    /// Dead letters that were acknowledged and are not there.
    pub dead_letters_lost: u64,
    /// Faults were caused on purpose: less throughput and failed deliveries are
    /// what was to be seen.
    pub faulted: bool,
    /// They did no more to the records than the settings allow.
    pub within_promise: bool,
}

/// Why the measurement is invalid; empty when it is valid.
pub fn audit(evidence: &Evidence<'_>) -> Vec<String> {
    let mut reasons = Vec::new();
    if evidence.achieved <= 0.0 {
        reasons.push(match evidence.reads_only {
            false => "nothing was acknowledged in the measured time".to_owned(),
            true => "nothing was read in the measured time: more load.prefill or a shorter \
                     load.warmup is needed"
                .to_owned(),
        });
    }
    audit_load(evidence, &mut reasons);
    audit_client(evidence, &mut reasons);
    audit_records(evidence, &mut reasons);
    reasons
}

/// Judges a cell by what its client can send at all, where that is known.
pub fn audit_capacity(result: &mut CellResult) {
    let Some(capacity) = &result.client_capacity else {
        return;
    };
    let (most, throughput) = (capacity.records_per_s, &result.throughput);
    let achieved = throughput.records_per_s;
    let broker = result.resources.broker.as_ref();
    let cores = broker.map(|usage| usage.cpu_seconds / throughput.window_s.max(1e-3));
    let reason = match throughput.target_records_per_s {
        Some(target) if achieved < target * ACHIEVED_MIN && most < target => format!(
            "the client can send no more than {most:.0} of these records/s, to a sink that \
             answers at once: {target:.0} is more than this machine can offer"
        ),
        _ if achieved >= most * CLIENT_SHARE_MAX
            && cores.is_none_or(|cores| cores < BROKER_BUSY_CORES) =>
        {
            let percent = 100.0 * achieved / most.max(1e-9);
            format!(
                "the client sent {percent:.0} % of what it can send to a sink that answers at \
                 once: this measures the client"
            )
        }
        _ => return,
    };
    result.valid = false;
    result.invalid_reasons.push(reason);
}

/// Judges a cell by how well its workers' clocks are known.
pub fn clock_doubt(result: &mut CellResult, objective: Option<Duration>) {
    let worst = result.workers.iter().map(|clock| clock.bound_us);
    let worst = worst.fold(0.0, f64::max);
    let Some(allowed) = objective.map(|objective| objective.as_secs_f64() * 1e6 * LAG_SHARE_MAX)
    else {
        return;
    };
    if worst > allowed && result.latency.end_to_end.is_some() {
        result.valid = false;
        result.invalid_reasons.push(format!(
            "the workers' clocks are known to {worst:.0} µs, more than 1 % of the objective \
             ({allowed:.0} µs): end-to-end latency is not"
        ));
    }
}

fn audit_load(evidence: &Evidence<'_>, reasons: &mut Vec<String>) {
    let achieved = evidence.achieved;
    if let Some(target) = evidence
        .target
        .filter(|target| !evidence.faulted && achieved < target * ACHIEVED_MIN)
    {
        let share = 100.0 * achieved / target;
        reasons.push(format!(
            "carried {achieved:.0} of {target:.0} records/s offered ({share:.1} %, at least \
             {:.1} % expected)",
            100.0 * ACHIEVED_MIN
        ));
    }
    if let Some((objective, lag_us)) = evidence.objective.zip(evidence.lag_p99_us) {
        let allowed_us = objective.as_secs_f64() * 1e6 * LAG_SHARE_MAX;
        if lag_us > allowed_us {
            reasons.push(format!(
                "schedule lag p99 is {lag_us:.0} µs, more than 1 % of the objective \
                 ({allowed_us:.0} µs)"
            ));
        }
    }
    let steal = evidence.observed.steal_seconds.unwrap_or(0.0);
    let stolen = steal / evidence.window.as_secs_f64().max(1e-3);
    if stolen > STEAL_MAX {
        let percent = 100.0 * stolen;
        reasons.push(format!("the hypervisor took {percent:.0} % of a core away"));
    }
    audit_machine(evidence, reasons);
}

/// What kept the load from being what it was meant to be.
fn audit_machine(evidence: &Evidence<'_>, reasons: &mut Vec<String>) {
    let window = evidence.window.as_secs_f64().max(1e-3);
    let held_back = evidence.observed.limited_seconds.unwrap_or(0.0) / window;
    if held_back > STEAL_MAX {
        let percent = 100.0 * held_back;
        reasons.push(format!(
            "this machine's CPU limit held the client back for {percent:.0} % of the time"
        ));
    }
    if !evidence.throttled.is_zero() {
        let millis = evidence.throttled.as_millis();
        reasons.push(format!(
            "a quota of the broker held clients back for {millis} ms"
        ));
    }
    let slip = evidence.observed.clock_slip_seconds.unwrap_or(0.0);
    if slip.abs() > window * CLOCK_SLEW_MAX + CLOCK_READ_S {
        let millis = slip * 1e3;
        reasons.push(format!(
            "the clock check failed: the wall clock moved by {millis:+.1} ms against the \
             monotonic clock"
        ));
    }
}

/// Whether a thread of this side had no time left.
fn is_saturated(side: &Side) -> bool {
    side.busiest_thread >= SATURATED
}

fn audit_client(evidence: &Evidence<'_>, reasons: &mut Vec<String>) {
    if !is_saturated(&evidence.observed.client) {
        return;
    }
    let percent = 100.0 * evidence.observed.client.busiest_thread;
    match &evidence.observed.broker {
        Some(broker) if is_saturated(broker) => {}
        Some(broker) => reasons.push(format!(
            "a client thread was saturated ({percent:.0} % of a core) and the broker was not \
             ({:.0} %): this measures the client",
            100.0 * broker.busiest_thread
        )),
        None => reasons.push(format!(
            "a client thread was saturated ({percent:.0} % of a core) and the broker's load is \
             unknown: this may measure the client"
        )),
    }
}

fn audit_records(evidence: &Evidence<'_>, reasons: &mut Vec<String>) {
    let counts = evidence.counts;
    let mut fault = |count: u64, what: &str| {
        if count > 0 {
            reasons.push(format!("{count} records {what}"));
        }
    };
    fault(counts.corrupt, "were corrupt when read");
    if !evidence.within_promise {
        fault(counts.lost, "were acknowledged and lost");
        fault(counts.reordered, "were read out of order");
    }
    fault(
        counts.aborted_read,
        "of aborted transactions were read as if committed",
    );
    if evidence.idempotent {
        fault(
            counts.duplicated,
            "were read twice, from idempotent producers",
        );
    }
    fault(counts.unread, "were not read before the drain ended");
    fault(
        evidence.dead_letters_lost,
        "were sent to the dead letters and are not there",
    );
    let errors_max = counts.sent as f64 * ERRORS_MAX;
    if evidence.errors as f64 > errors_max && !evidence.faulted {
        reasons.push(format!(
            "{} deliveries failed of {}",
            evidence.errors, counts.sent
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use plimsoll_results::{ClientCapacity, Usage};

    fn side(busiest_thread: f64) -> Side {
        Side {
            busiest_thread,
            ..Side::default()
        }
    }

    fn check(change: impl FnOnce(&mut Evidence<'_>, &mut Observed, &mut Counts), expected: &str) {
        let mut observed = Observed {
            broker: Some(side(0.5)),
            ..Observed::default()
        };
        let mut counts = Counts {
            sent: 1000,
            acknowledged: 1000,
            ..Counts::default()
        };
        let (observed_before, counts_before) = (observed.clone(), counts);
        let mut evidence = Evidence {
            window: Duration::from_secs(10),
            target: Some(100.0),
            achieved: 99.6,
            objective: Some(Duration::from_millis(10)),
            lag_p99_us: Some(99.0),
            observed: &observed_before,
            counts: &counts_before,
            errors: 0,
            idempotent: true,
            throttled: Duration::ZERO,
            reads_only: false,
            dead_letters_lost: 0,
            faulted: false,
            within_promise: false,
        };
        change(&mut evidence, &mut observed, &mut counts);
        let evidence = Evidence {
            observed: &observed,
            counts: &counts,
            ..evidence
        };
        let reasons = audit(&evidence).join("; ");
        assert!(reasons.starts_with(expected), "{reasons}");
        assert_eq!(reasons.is_empty(), expected.is_empty(), "{reasons}");
    }

    #[test]
    fn what_a_fault_may_do_is_no_reason() {
        check(
            |evidence, _, _| {
                evidence.faulted = true;
                (evidence.achieved, evidence.errors) = (50.0, 500);
            },
            "",
        );
        let lose = |within_promise: bool, expected: &str| {
            check(
                |evidence, _, counts| {
                    (evidence.faulted, evidence.within_promise) = (true, within_promise);
                    counts.lost = 3;
                },
                expected,
            );
        };
        lose(true, "");
        lose(false, "3 records were acknowledged and lost");
    }

    #[test]
    fn a_clean_measurement_is_valid() {
        check(|_, _, _| {}, "");
        check(|evidence, _, _| evidence.target = None, "");
        check(|_, _, counts| counts.duplicated = 0, "");
    }

    #[test]
    fn a_client_at_its_limit_is_told_from_a_broker_at_its_own() {
        let check = |achieved: f64, target: Option<f64>, cores: Option<f64>, expected: &str| {
            let mut result = CellResult {
                client_capacity: Some(ClientCapacity {
                    records_per_s: 1000.0,
                    cpu_nanos_per_record: 500.0,
                }),
                valid: true,
                ..CellResult::default()
            };
            result.throughput.records_per_s = achieved;
            result.throughput.target_records_per_s = target;
            result.throughput.window_s = 2.0;
            result.resources.broker = cores.map(|cores| Usage {
                cpu_seconds: 2.0 * cores,
                ..Usage::default()
            });
            audit_capacity(&mut result);
            let reasons = result.invalid_reasons.join("; ");
            assert!(reasons.contains(expected), "{reasons}");
            assert_eq!(result.valid, reasons.is_empty());
            assert_eq!(reasons.is_empty(), expected.is_empty(), "{reasons}");
        };
        check(700.0, None, Some(0.3), "");
        check(
            960.0,
            None,
            Some(0.3),
            "the client sent 96 % of what it can",
        );
        check(960.0, None, None, "this measures the client");
        check(960.0, None, Some(0.9), "");
        check(500.0, Some(500.0), Some(0.1), "");
        check(900.0, Some(2000.0), Some(0.9), "no more than 1000 of these");
        check(500.0, Some(800.0), Some(0.9), "");
    }

    #[test]
    fn each_fault_is_named() {
        check(
            |e, _, _| e.achieved = 99.4,
            "carried 99 of 100 records/s offered (99.4 %",
        );
        check(
            |e, _, _| e.lag_p99_us = Some(101.0),
            "schedule lag p99 is 101 µs",
        );
        check(
            |e, _, _| {
                e.achieved = 0.0;
                e.target = None;
            },
            "nothing was acknowledged",
        );
        check(
            |_, o, _| o.steal_seconds = Some(0.6),
            "the hypervisor took 6 %",
        );
        check(
            |_, o, _| o.limited_seconds = Some(1.0),
            "this machine's CPU limit held the client back for 10 %",
        );
        check(
            |e, _, _| e.throttled = Duration::from_millis(7),
            "a quota of the broker held clients back for 7 ms",
        );
        check(
            |_, o, _| o.clock_slip_seconds = Some(-0.05),
            "the clock check failed: the wall clock moved by -50.0 ms",
        );
        check(|_, o, _| o.clock_slip_seconds = Some(0.004), "");
        check(|_, _, c| c.lost = 3, "3 records were acknowledged and lost");
        check(|_, _, c| c.corrupt = 1, "1 records were corrupt");
        check(
            |_, _, c| c.reordered = 1,
            "1 records were read out of order",
        );
        check(|_, _, c| c.duplicated = 1, "1 records were read twice");
        check(|_, _, c| c.unread = 1, "1 records were not read");
        check(|e, _, _| e.errors = 11, "11 deliveries failed of 1000");
    }

    #[test]
    fn a_saturated_client_spoils_only_what_the_broker_did_not() {
        check(
            |_, o, _| o.client = side(0.99),
            "a client thread was saturated (99 % of a core) and the broker was not (50 %)",
        );
        check(
            |_, o, _| {
                o.client = side(0.99);
                o.broker = Some(side(0.97));
            },
            "",
        );
        check(
            |_, o, _| {
                o.client = side(0.99);
                o.broker = None;
            },
            "a client thread was saturated (99 % of a core) and the broker's load is unknown",
        );
    }
}
