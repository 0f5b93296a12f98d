//! What a rebalance costs a group: rules R1 to R3.

use crate::answer::Answer;
use crate::error::{InputError, above_zero, within};
use crate::exact::Exact;
use crate::parameter::{Between, Parameter};
use crate::range::Range;
use crate::unit::Unit;
use plimsoll_units::{Rate, Span};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How partitions move between members.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Protocol {
    /// Every member gives everything up first.
    Eager,
    /// Only what moves stops (KIP-429).
    Cooperative,
    /// The coordinator assigns, members never stop together (KIP-848).
    Consumer,
}

/// A group and what happens to it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// Records a second, over all partitions.
    pub rate: Rate,
    /// Partitions of the topic.
    pub partitions: u32,
    /// Members before one is lost.
    pub consumers: u32,
    /// How partitions move.
    pub protocol: Protocol,
    /// Time between rebalances.
    pub every: Option<Span>,
    /// `session.timeout.ms`: a crash is seen after it.
    pub session: Parameter<Span>,
    /// How long what stops stands still.
    pub pause: Parameter<Between<Span>>,
}

impl Input {
    /// A group of `consumers` on `partitions`, with Kafka's defaults.
    pub fn new(rate: Rate, partitions: u32, consumers: u32) -> Self {
        let pause = Between::new(Span::from_secs(3), Span::from_secs(30));
        Self {
            rate,
            partitions,
            consumers,
            protocol: Protocol::Eager,
            every: None,
            session: Parameter::default_of("session.timeout.ms", Span::from_secs(45)),
            pause: Parameter::document("R1", pause),
        }
    }
}

/// What losing one member of `input` costs.
///
/// L = λ × (detection + pause), detection = the session timeout for a crash and
/// about nothing for a leave. The busiest survivor then holds ⌈P ÷ (C − 1)⌉.
/// Under eager all partitions pause; otherwise those that move do, and the lost
/// member's alone wait for the detection.
pub fn rebalance(input: &Input) -> Result<Answer, InputError> {
    let partitions = within("partitions", input.partitions, 1, 10_000_000)?;
    let consumers = within("consumers", input.consumers, 2, 1_000_000)?;
    let session = above_zero("session", input.session.value)?;
    let rate = Exact::from(input.rate);
    let pause = input.pause.value.range();
    let held = (partitions / consumers).ceil();
    let lost = held / partitions;
    let paused = match input.protocol {
        Protocol::Eager => Exact::ONE,
        Protocol::Cooperative | Protocol::Consumer => lost,
    };
    let leave = pause.map(|pause| rate * paused * pause);
    let crash = pause.map(|pause| rate * (lost * session + paused * pause));
    let survivors = consumers.minus(Exact::ONE);

    let mut answer = Answer::new("rebalance", &["R1", "R2", "R3", "P11"]);
    answer.line(
        "partitions of the lost member",
        Unit::Count,
        held,
        "partitions ÷ consumers, whole",
    )?;
    answer.line(
        "partitions that pause",
        Unit::Share,
        paused,
        "all under eager, otherwise those that move",
    )?;
    answer.line(
        "lag after a leave",
        Unit::Count,
        leave,
        "R1: rate × share that pauses × pause",
    )?;
    answer.line(
        "lag after a crash",
        Unit::Count,
        crash,
        "R3: and the lost member's share × session timeout",
    )?;
    let stopped = Range::from(session) + pause;
    answer.line(
        "longest stop after a crash",
        Unit::Seconds,
        stopped,
        "session timeout + pause",
    )?;
    let busiest = (partitions / survivors).ceil();
    answer.line(
        "busiest survivor",
        Unit::Count,
        busiest,
        "partitions ÷ (consumers − 1), whole",
    )?;
    answer.line("its load", Unit::Times, busiest / held, "against before")?;
    if let Some(every) = input.every {
        churn(&mut answer, above_zero("every", every)?, pause, paused)?;
    }
    match session > pause.mid() {
        true => answer.bind(
            "detection",
            "the session timeout outlasts the rebalance itself",
        ),
        false => answer.bind("pause", "the rebalance outlasts the detection"),
    }
    answer.note("static membership: a member back within the session timeout causes no rebalance.");
    answer.assume("session", &input.session);
    answer.assume("pause", &input.pause);
    answer.correct(
        "R3",
        "session timeout 10 s",
        "45 s since Kafka 3.0",
        "KIP-735 raised the default",
    );
    answer.correct(
        "R1",
        "six partitions: A gets four, C two",
        "three each",
        "range and sticky assignors both balance six over two",
    );
    Ok(answer)
}

/// R2: what rebalances that keep coming leave of the group.
fn churn(answer: &mut Answer, every: Exact, pause: Range, paused: Exact) -> Result<(), InputError> {
    let stopped = pause.map(|pause| (pause / every).min(Exact::ONE) * paused);
    answer.line(
        "capacity lost to rebalances",
        Unit::Share,
        stopped,
        "R2: pause ÷ interval × share that pauses",
    )?;
    let alert = match every < Exact::whole(300) {
        true => "yes",
        false => "no",
    };
    answer.text("alert", alert, "R2: more than one in 5 min");
    Ok(())
}
