//! Whether Kafka is the right thing, and what is otherwise: rules F1, F2 and
//! D6. A decision tree that says the reason at each branch.

use crate::answer::Answer;
use crate::error::{InputError, above_zero};
use crate::exact::Exact;
use crate::unit::Unit;
use plimsoll_units::{Rate, Span};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;

/// F1: below this many messages a second Kafka is overkill.
const FEW: u128 = 100;
/// F1: from here on it is worth it.
const WORTH_IT: u128 = 1000;
/// F1: the end of its sweet spot.
const SWEET_UNTIL: u128 = 1_000_000;
/// F2: what the others take, messages a second.
const QUEUE_MAX: u128 = 3000;
const RABBIT_MAX: u128 = 50_000;
const REDIS_MAX: u128 = 100_000;
/// $1: messages a day up to which a service that bills use may be cheaper.
const PUBSUB_DAY_MAX: u128 = 500_000_000;

/// What is needed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// Messages a second.
    pub rate: Rate,
    /// Independent readers of everything.
    pub readers: u32,
    /// Whether messages are read again later.
    pub replay: bool,
    /// How long messages are kept.
    pub keep: Option<Span>,
    /// Whether the sender waits for the answer.
    pub reply: bool,
    /// Whether messages are routed by their content.
    pub routing: bool,
    /// Whether there is a database that both sides use already.
    pub database: bool,
    /// Whether nobody is there to run a cluster.
    pub serverless: bool,
}

impl Input {
    /// `rate` messages for `readers`, nothing else needed.
    pub const fn new(rate: Rate, readers: u32) -> Self {
        Self {
            rate,
            readers,
            replay: false,
            keep: None,
            reply: false,
            routing: false,
            database: false,
            serverless: false,
        }
    }
}

/// What to use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Choice {
    /// A call that waits for its answer.
    Http,
    /// A table that is polled.
    DatabasePolling,
    /// A queue as a service (SQS).
    Queue,
    /// A broker that routes.
    RabbitMq,
    /// A list in memory, for one reader.
    RedisList,
    /// A log in memory.
    RedisStreams,
    /// A log as a service.
    PubSub,
    /// A log on disk.
    Kafka,
}

impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Http => "HTTP",
            Self::DatabasePolling => "database polling",
            Self::Queue => "a queue service such as SQS",
            Self::RabbitMq => "RabbitMQ",
            Self::RedisList => "a Redis list",
            Self::RedisStreams => "Redis Streams",
            Self::PubSub => "Pub/Sub",
            Self::Kafka => "Kafka",
        })
    }
}

/// The tree: each question with its answer, until one decides.
struct Walk<'a> {
    answer: &'a mut Answer,
}

impl Walk<'_> {
    /// Notes the question; whether it is answered with yes.
    fn asks(&mut self, question: &str, yes: bool, because: &str) -> bool {
        self.answer
            .text(question, if yes { "yes" } else { "no" }, because);
        yes
    }
}

/// What to use for `input`, with the way there.
pub fn choose(input: &Input) -> Result<Answer, InputError> {
    let readers = above_zero("readers", input.readers)?;
    if let Some(keep) = input.keep {
        above_zero("keep", keep)?;
    }
    let rules = ["F1", "F2", "D6", "$1"];
    let mut answer = Answer::new("choose", &rules);
    let (choice, because) = decide(
        input,
        readers,
        &mut Walk {
            answer: &mut answer,
        },
    );
    answer.text("use", choice.to_string(), because);
    answer.bind(&choice.to_string(), because);
    if choice == Choice::Kafka {
        kafka_remarks(&mut answer, input);
    }
    answer.note("F2's limits are what the document says: SQS 3K, RabbitMQ 10K to 50K, Redis Streams and Kafka 100K and more a second.");
    Ok(answer)
}

fn decide(input: &Input, readers: Exact, walk: &mut Walk<'_>) -> (Choice, &'static str) {
    let rate = Exact::from(input.rate);
    let below = |limit| rate < Exact::whole(limit);
    let a_log = input.replay || readers > Exact::ONE;
    if walk.asks(
        "does the sender wait for an answer?",
        input.reply,
        "a log has no replies",
    ) {
        return (Choice::Http, "a caller that waits needs a call, not a log");
    }
    let kept = input
        .keep
        .is_some_and(|keep| keep >= Span::from_secs(86_400));
    if walk.asks(
        "replay, several readers, or a day and more to keep?",
        a_log || kept,
        "F1, D6: what queues do not do",
    ) {
        return decide_log(input, kept, walk);
    }
    if walk.asks(
        "fewer than 100 a second?",
        below(FEW),
        "F1: overkill below, with one reader and no replay",
    ) {
        return match walk.asks(
            "a database on both sides?",
            input.database,
            "the least to run is what runs already",
        ) {
            true => (
                Choice::DatabasePolling,
                "few messages, one reader, and the table is there",
            ),
            false => (Choice::Queue, "few messages and one reader: nothing to run"),
        };
    }
    if walk.asks(
        "routing by content?",
        input.routing,
        "exchanges and bindings",
    ) && below(RABBIT_MAX)
    {
        return (Choice::RabbitMq, "it routes, and takes up to 50K a second");
    }
    if walk.asks(
        "at most 3K a second?",
        rate <= Exact::whole(QUEUE_MAX),
        "F2: a queue service's limit",
    ) {
        return (
            Choice::Queue,
            "one reader, no replay, within a queue's limit",
        );
    }
    if walk.asks(
        "fewer than 50K a second?",
        below(RABBIT_MAX),
        "F2: RabbitMQ's limit",
    ) {
        return (Choice::RabbitMq, "one reader, no replay, within its limit");
    }
    match walk.asks(
        "fewer than 100K a second?",
        below(REDIS_MAX),
        "F2: what one memory takes",
    ) {
        true => (
            Choice::RedisList,
            "one reader and no replay: memory is enough",
        ),
        false => (Choice::Kafka, "beyond what the others take"),
    }
}

fn decide_log(input: &Input, kept: bool, walk: &mut Walk<'_>) -> (Choice, &'static str) {
    let rate = Exact::from(input.rate);
    let daily = rate * Exact::whole(86_400);
    let small = daily <= Exact::whole(PUBSUB_DAY_MAX);
    if walk.asks(
        "nobody to run a cluster?",
        input.serverless,
        "a cluster wants people",
    ) {
        return match walk.asks(
            "at most 500M a day?",
            small,
            "$1: the document's crossover, 100M to 500M a day",
        ) {
            true => (Choice::PubSub, "a log that bills use, below the crossover"),
            false => (Choice::Kafka, "above the crossover, as a managed service"),
        };
    }
    if walk.asks(
        "a day and more to keep?",
        kept || input.replay,
        "D6: below a day a log in memory will do",
    ) {
        return (Choice::Kafka, "readers come back to what is kept on disk");
    }
    let many = rate >= Exact::whole(WORTH_IT);
    if walk.asks(
        "1K a second and more?",
        many,
        "F1: from here Kafka is worth it",
    ) {
        return (
            Choice::Kafka,
            "several readers at a rate that pays for a cluster",
        );
    }
    (
        Choice::RedisStreams,
        "several readers, few messages, nothing kept for long",
    )
}

fn kafka_remarks(answer: &mut Answer, input: &Input) {
    let rate = Exact::from(input.rate);
    if rate < Exact::whole(WORTH_IT) || rate > Exact::whole(SWEET_UNTIL) {
        let rate = Unit::PerSecond.show(rate);
        answer.note(format!(
            "{rate} is outside of F1's sweet spot of 1K to 1M a second."
        ));
    }
    let days = |count: u64| Span::from_secs(count * 86_400);
    match input.keep {
        Some(keep) if keep > days(30) => {
            answer.note("more than 30 days: put old segments into tiered storage (D6).");
        }
        Some(keep) if keep < days(1) => {
            answer.note("less than a day: a queue in memory may do (D6).");
        }
        _ => {}
    }
}
