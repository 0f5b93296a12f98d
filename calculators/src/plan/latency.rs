//! What a latency objective leaves for queueing, and so how busy a broker may
//! be.
//!
//! The objective pays for acks=all first, then for the linger; the rest is the
//! 99th percentile of a request's time at a broker. In an M/M/1 queue that is
//! s·ln 100 ÷ (1 − ρ) for a service time s, so ρ ≤ 1 − s·ln 100 ÷ rest. A real
//! broker serves side by side and does better; the plan errs on that side.

use super::Input;
use crate::answer::Answer;
use crate::error::{InputError, above_zero};
use crate::exact::Exact;
use crate::parameter::{Parameter, Provenance};
use crate::unit::Unit;
use plimsoll_units::{Share, Span};

/// ln 100: the 99th percentile of an exponential time, in its mean.
const LN_100: f64 = 4.605_170_185_988_092;
/// Kafka's `linger.ms` since 4.0.
const LINGER: Span = Span::from_millis(5);
/// The part of the objective that goes to filling batches.
const LINGER_PARTS: u64 = 4;
/// A cluster planned below this is a wrong answer to an objective.
const LEAST: f64 = 0.05;

/// How long a producer waits for its batch to fill.
pub(super) fn linger(input: &Input) -> Span {
    let part = input
        .latency
        .map(|whole| Span::from_nanos(whole.nanos() / LINGER_PARTS));
    let part = part.map_or(LINGER, |part| part.min(LINGER));
    Span::from_millis(part.millis())
}

/// How busy a broker may be: the lower of what the user plans with and what the
/// objective allows.
pub(super) fn utilisation(input: &Input) -> Result<Parameter<Share>, InputError> {
    above_zero("utilisation", input.utilisation.value)?;
    let service = input.service.value;
    above_zero("service", service)?;
    let Some(objective) = input.latency else {
        return Ok(input.utilisation.clone());
    };
    above_zero("latency", objective)?;
    let spent = input.acks.value.high.secs_f64() + linger(input).secs_f64();
    let rest = objective.secs_f64() - spent;
    let needed = service.secs_f64() * LN_100;
    let allowed = 1.0 - needed / rest;
    if rest <= 0.0 || allowed < LEAST {
        // The linger is the shorter of a part of the objective and its default.
        let others = input.acks.value.high.secs_f64() + needed / (1.0 - LEAST);
        let parts = LINGER_PARTS as f64;
        let least = (others * parts / (parts - 1.0)).min(others + LINGER.secs_f64());
        let accepted = format!(
            "at least {:.1} ms with acks=all at {} and a request at {service}",
            least * 1e3,
            input.acks.value.high
        );
        return Err(InputError::refused("latency", objective, accepted));
    }
    match Share::new(allowed) {
        Some(allowed) if allowed < input.utilisation.value => Ok(Parameter {
            value: allowed,
            provenance: Provenance::Default(format!("what a p99 of {objective} leaves")),
        }),
        _ => Ok(input.utilisation.clone()),
    }
}

/// Where the objective goes.
pub(super) fn explain(answer: &mut Answer, input: &Input) -> Result<(), InputError> {
    let used = utilisation(input)?;
    answer.line(
        "planned utilisation",
        Unit::Share,
        used.exact(),
        "B4, or what the latency objective leaves: 1 − ln 100 × request ÷ rest",
    )?;
    let Some(objective) = input.latency else {
        return Ok(());
    };
    let linger = Exact::from(linger(input));
    let acks = input.acks.value.range();
    answer.line(
        "latency for acks=all",
        Unit::Seconds,
        acks,
        "B2: or what was measured",
    )?;
    answer.line(
        "latency for filling batches",
        Unit::Seconds,
        linger,
        "linger.ms",
    )?;
    let rest = acks.map(|acks| Exact::from(objective).minus(acks + linger));
    answer.line(
        "latency for the brokers",
        Unit::Seconds,
        rest,
        "the objective less these",
    )
}
