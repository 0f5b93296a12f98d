//! How lag grows, when it is caught up, and when it loses records: rules C2
//! and C4.

use crate::answer::Answer;
use crate::curve::{Axis, Curve};
use crate::error::{InputError, above_zero};
use crate::exact::Exact;
use crate::parameter::Parameter;
use crate::unit::Unit;
use plimsoll_units::{Count, Rate, Span};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A group that is, or falls, behind. For skewed partitions, the numbers of the
/// slowest one: the group has caught up when its last partition has.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// Records written a second.
    pub produced: Rate,
    /// Records that the group can read a second.
    pub consumed: Rate,
    /// Records behind now.
    pub lag: Count,
    /// How long the group stands still first.
    pub outage: Span,
    /// How long records are kept.
    pub retention: Option<Span>,
    /// Recover within this many times the outage.
    pub recover_within: Option<Count>,
    /// Records behind that set off the alert.
    pub alert_records: Parameter<Count>,
    /// Age of the oldest unread record that sets off the alert.
    pub alert_age: Parameter<Span>,
}

impl Input {
    /// A group without lag.
    pub fn new(produced: Rate, consumed: Rate) -> Self {
        Self {
            produced,
            consumed,
            lag: Count::new(0),
            outage: Span::ZERO,
            retention: None,
            recover_within: None,
            alert_records: Parameter::quoted("C2", "10K"),
            alert_age: Parameter::quoted("C2", "5m"),
        }
    }
}

/// The course of `input`'s lag.
///
/// L = lag + λd after an outage d; T = L ÷ (μ − λ), never when μ ≤ λ. To
/// recover within r outages, μ ≥ λ(1 + 1/r). Records are lost once the oldest
/// unread one is older than the retention.
pub fn lag(input: &Input) -> Result<Answer, InputError> {
    let (produced, consumed) = (Exact::from(input.produced), Exact::from(input.consumed));
    let alert_records = above_zero("alert records", input.alert_records.value)?;
    let alert_age = above_zero("alert age", input.alert_age.value)?;
    let start = Exact::from(input.lag) + produced * input.outage.into();

    let mut answer = Answer::new("lag", &["C2", "C4"]);
    answer.line(
        "utilisation",
        Unit::Share,
        produced / consumed,
        "produced ÷ consumed",
    )?;
    answer.line(
        "lag to catch up",
        Unit::Count,
        start,
        "lag now + produced × outage",
    )?;
    answer.line(
        "oldest unread record",
        Unit::Seconds,
        start / produced,
        "lag ÷ produced",
    )?;
    if consumed > produced {
        let spare = consumed.minus(produced);
        answer.line(
            "catches up in",
            Unit::Seconds,
            start / spare,
            "lag ÷ (consumed − produced)",
        )?;
        answer.bind(
            "spare capacity",
            format!("{} are left to catch up with", Unit::PerSecond.show(spare)),
        );
    } else {
        grows(&mut answer, produced.minus(consumed), start, alert_records)?;
    }
    if let Some(times) = input.recover_within {
        let times = above_zero("recover within", times)?;
        let needed = produced * (Exact::ONE + Exact::ONE / times);
        answer.line(
            "capacity to recover in time",
            Unit::PerSecond,
            needed,
            "produced × (1 + 1 ÷ times the outage)",
        )?;
    }
    if let Some(retention) = input.retention {
        let retention = above_zero("retention", retention)?;
        loss(&mut answer, input, start, retention)?;
    }
    answer.curve(course(input, start));
    let same = alert_records / alert_age;
    answer.line(
        "alerts agree at",
        Unit::PerSecond,
        same,
        "C2: alert records ÷ alert age",
    )?;
    answer.line(
        "alert records last",
        Unit::Seconds,
        alert_records / produced,
        "alert records ÷ produced",
    )?;
    answer.assume("alert records", &input.alert_records);
    answer.assume("alert age", &input.alert_age);
    answer.correct(
        "C2",
        "alert above 10K messages or 5 min",
        &format!(
            "they are one threshold only at {}; 10K messages are 0.1 s at 100K/s",
            Unit::PerSecond.show(same)
        ),
        "a count says nothing without the rate: alert on age",
    );
    answer.correct(
        "C2",
        "lag = log end − position",
        "high watermark − committed offset; last stable offset under read_committed",
        "that is what can be read, and where a restart resumes; a committed offset is the next one to read",
    );
    Ok(answer)
}

/// Lag over time: it grows through the outage, then falls, or goes on growing.
fn course(input: &Input, start: Exact) -> Curve {
    let (produced, consumed) = (input.produced.per_second(), input.consumed.per_second());
    let (lag, outage) = (Exact::from(input.lag).to_f64(), input.outage.secs_f64());
    let start = start.to_f64();
    let after = match consumed > produced {
        true => start / (consumed - produced) * 1.1,
        false => 1800.0,
    };
    let mut curve = Curve::new(
        "How lag runs its course",
        Axis::new("time", Unit::Seconds),
        Axis::new("records behind", Unit::Count),
    );
    const STEPS: u32 = 60;
    let step = |of: f64| (0..=STEPS).map(move |at| of * f64::from(at) / f64::from(STEPS));
    let rising = step(outage).map(|time| (time, lag + produced * time));
    let falling = step(after).map(|time| {
        let left = start + (produced - consumed) * time;
        (outage + time, left.max(0.0))
    });
    let all: Vec<_> = rising.filter(|_| outage > 0.0).chain(falling).collect();
    let end = outage + after;
    curve.line("lag", all);
    let alert = Exact::from(input.alert_records.value).to_f64();
    curve.line("alert", [(0.0, alert), (end, alert)]);
    if let Some(retention) = input.retention {
        let most = produced * retention.secs_f64();
        if most <= 3.0 * (lag + produced * outage).max(start) {
            curve.line("lost beyond retention", [(0.0, most), (end, most)]);
        }
    }
    curve
}

fn grows(
    answer: &mut Answer,
    deficit: Exact,
    start: Exact,
    alert_records: Exact,
) -> Result<(), InputError> {
    answer.text(
        "catches up in",
        "never",
        "consumed does not exceed produced",
    );
    answer.line("deficit", Unit::PerSecond, deficit, "produced − consumed")?;
    answer.line(
        "lag after 30 min",
        Unit::Count,
        start + deficit * Exact::whole(1800),
        "C4: lag + deficit × 30 min",
    )?;
    if !deficit.is_zero() {
        let until = alert_records.minus(start) / deficit;
        answer.line(
            "alert after",
            Unit::Seconds,
            until,
            "(alert records − lag) ÷ deficit",
        )?;
    }
    answer.bind(
        "processing",
        "the group reads no faster than records arrive",
    );
    Ok(())
}

/// With a deficit the age of the oldest unread record grows by 1 − μ/λ a
/// second; otherwise it is oldest at the end of the outage.
fn loss(
    answer: &mut Answer,
    input: &Input,
    start: Exact,
    retention: Exact,
) -> Result<(), InputError> {
    let (produced, consumed) = (Exact::from(input.produced), Exact::from(input.consumed));
    let age = start / produced;
    let left = retention.minus(age);
    if left.is_zero() {
        answer.text(
            "records lost",
            "yes",
            "the oldest unread record is older than the retention",
        );
    } else if consumed < produced {
        let growth = produced.minus(consumed) / produced;
        answer.line(
            "records lost after",
            Unit::Seconds,
            left / growth,
            "(retention − age) ÷ (1 − consumed ÷ produced)",
        )?;
    } else {
        answer.text(
            "records lost",
            "no",
            "the oldest unread record stays younger than the retention",
        );
        answer.line(
            "longest outage without loss",
            Unit::Seconds,
            retention.minus(Exact::from(input.lag) / produced),
            "retention − lag now ÷ produced",
        )?;
    }
    Ok(())
}
