//! Bytes in and out of every broker.

use crate::answer::Answer;
use crate::error::{InputError, above_zero, within};
use crate::exact::Exact;
use crate::parameter::Parameter;
use crate::unit::Unit;
use plimsoll_units::{ByteRate, Rate, Share, Size};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Who writes, copies and reads how much.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// Records a second.
    pub rate: Rate,
    /// Bytes of a record on the wire.
    pub size: Size,
    /// Copies of every partition.
    pub replication: u32,
    /// Groups that read everything.
    pub groups: u32,
    /// Brokers.
    pub brokers: u32,
    /// What one broker's network carries in one direction.
    pub link: Option<ByteRate>,
    /// Share of the link to plan with.
    pub utilisation: Parameter<Share>,
    /// Bytes that one broker holds, to say how long copying them takes.
    pub held: Option<Size>,
    /// The throttle of that copying.
    pub throttle: Option<ByteRate>,
}

impl Input {
    /// `rate` records of `size` on three brokers, read once.
    pub fn new(rate: Rate, size: Size) -> Self {
        Self {
            rate,
            size,
            replication: 3,
            groups: 1,
            brokers: 3,
            link: None,
            utilisation: Parameter::quoted("B4", "80%"),
            held: None,
            throttle: None,
        }
    }
}

/// The network traffic of `input`.
///
/// In = W × RF, out = W × (RF − 1 + G); each broker carries 1/N, and N/(N − 1)
/// of that with one lost. Copying a lost broker takes its bytes ÷ the throttle.
pub fn network(input: &Input) -> Result<Answer, InputError> {
    let brokers = within("brokers", input.brokers, 1, 1_000_000)?;
    let replication = within("replication", input.replication, 1, 1000)?;
    let groups = within("groups", input.groups, 0, 1_000_000)?;
    if replication > brokers {
        let accepted = format!("at most the brokers, {}", input.brokers);
        return Err(InputError::refused(
            "replication",
            input.replication,
            accepted,
        ));
    }
    let written = Exact::from(input.rate) * above_zero("size", input.size)?;
    let copied = written * replication.minus(Exact::ONE);
    let into = written * replication;
    let out = copied + written * groups;

    let mut answer = Answer::new("network", &["B1", "B4", "B5"]);
    let unit = Unit::BytesPerSecond;
    answer.line("from producers", unit, written, "rate × size")?;
    answer.line("between brokers", unit, copied, "× (replication − 1)")?;
    answer.line("to consumers", unit, written * groups, "× groups")?;
    answer.line("into brokers", unit, into, "× replication")?;
    answer.line("out of brokers", unit, out, "× (replication − 1 + groups)")?;
    answer.line("into each", unit, into / brokers, "÷ brokers")?;
    answer.line("out of each", unit, out / brokers, "÷ brokers")?;
    let busier = into.max(out);
    let direction = if out > into {
        "out of brokers"
    } else {
        "into brokers"
    };
    answer.bind(
        direction,
        "it is the busier direction of a full-duplex link",
    );
    let left = brokers.minus(Exact::ONE);
    if !left.is_zero() {
        answer.line(
            "busier direction, one lost",
            unit,
            busier / left,
            "÷ (brokers − 1)",
        )?;
    }
    if let Some(link) = input.link {
        let utilisation = above_zero("utilisation", input.utilisation.value)?;
        let enough = (busier / (Exact::from(link) * utilisation)).ceil() + Exact::ONE;
        answer.line(
            "brokers for the link",
            Unit::Count,
            enough,
            "busier direction ÷ (link × utilisation), and one to lose",
        )?;
        answer.assume("utilisation", &input.utilisation);
    }
    match (input.held, input.throttle) {
        (Some(held), Some(throttle)) => {
            let time = Exact::from(held) / throttle.into();
            answer.line(
                "copying a lost broker",
                Unit::Seconds,
                time,
                "bytes it held ÷ throttle",
            )?;
        }
        (None, Some(throttle)) => {
            let accepted = "no throttle, or also the bytes that a broker holds";
            return Err(InputError::refused("throttle", throttle, accepted));
        }
        _ => {}
    }
    Ok(answer)
}
