//! What a month costs: Kafka, self-managed and managed, against services that
//! bill bytes or requests. Rule $1. Prices are inputs, never constants.

use crate::answer::{Answer, Assumption};
use crate::curve::{Axis, Curve};
use crate::error::{InputError, above_zero, within};
use crate::exact::Exact;
use crate::parameter::Provenance;
use crate::unit::Unit;
use plimsoll_units::{Rate, Size};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The prices that come with the calculator.
pub const SHIPPED_PRICES: &str = include_str!("../prices.toml");

const HOURS: u64 = 720;
const DAYS: u64 = 30;
const SECONDS: u64 = DAYS * 86_400;
const GB: u64 = 1_000_000_000;
const TIB: u64 = 1 << 40;

/// A dated list of prices in US dollars.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Prices {
    /// The day on which they held.
    pub as_of: String,
    /// Bills bytes published and delivered.
    pub pubsub: ByteService,
    /// Bills requests.
    pub queue: RequestService,
    /// Bills what is published to queues.
    pub fanout: Fanout,
    /// Kafka on rented machines.
    pub self_managed: Cluster,
    /// Kafka as a service.
    pub managed: Cluster,
}

/// A service that bills bytes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ByteService {
    /// For 2^40 bytes, in or out.
    pub per_tib: f64,
    /// What the smallest message counts for.
    pub least_bytes: u64,
    /// Where the prices were read, and when.
    #[serde(default)]
    pub source: String,
}

/// A service that bills requests.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RequestService {
    /// For a million requests.
    pub per_million_requests: f64,
    /// Bytes that count as one request.
    pub chunk_bytes: u64,
    /// Messages that share a request.
    pub messages_per_request: u64,
    /// Where the prices were read, and when.
    #[serde(default)]
    pub source: String,
}

/// A service that copies messages to queues.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Fanout {
    /// For a million messages published.
    pub per_million_publishes: f64,
    /// Where the prices were read, and when.
    #[serde(default)]
    pub source: String,
}

/// A Kafka cluster.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Cluster {
    /// For one broker and hour.
    pub broker_hour: f64,
    /// For 10^9 bytes of disk and month.
    pub disk_gb_month: f64,
    /// For 10^9 bytes sent from zone to zone by replication.
    pub between_zones_gb: f64,
    /// People, for a month.
    pub operations_month: f64,
    /// Where the prices were read, and when.
    #[serde(default)]
    pub source: String,
}

impl Prices {
    /// Reads a list of prices. Refuses unknown, absent and negative ones.
    pub fn from_toml(text: &str) -> Result<Self, InputError> {
        let refuse = |reason: String| InputError::Prices { reason };
        let prices: Self =
            toml::from_str(text).map_err(|error| refuse(error.message().to_owned()))?;
        let named = [
            ("pubsub.per_tib", prices.pubsub.per_tib),
            (
                "queue.per_million_requests",
                prices.queue.per_million_requests,
            ),
            (
                "fanout.per_million_publishes",
                prices.fanout.per_million_publishes,
            ),
            ("self_managed.broker_hour", prices.self_managed.broker_hour),
            (
                "self_managed.disk_gb_month",
                prices.self_managed.disk_gb_month,
            ),
            (
                "self_managed.between_zones_gb",
                prices.self_managed.between_zones_gb,
            ),
            (
                "self_managed.operations_month",
                prices.self_managed.operations_month,
            ),
            ("managed.broker_hour", prices.managed.broker_hour),
            ("managed.disk_gb_month", prices.managed.disk_gb_month),
            ("managed.between_zones_gb", prices.managed.between_zones_gb),
            ("managed.operations_month", prices.managed.operations_month),
        ];
        let wrong = named
            .iter()
            .find(|(_, price)| !(0.0..=1e12).contains(price));
        if let Some((name, price)) = wrong {
            return Err(refuse(format!("{name} is {price}, not 0 to 10^12 dollars")));
        }
        if prices.queue.chunk_bytes == 0 || prices.queue.messages_per_request == 0 {
            return Err(refuse(
                "queue.chunk_bytes or queue.messages_per_request is 0".to_owned(),
            ));
        }
        Ok(prices)
    }

    /// The prices that come with the calculator.
    pub fn shipped() -> Self {
        Self::from_toml(SHIPPED_PRICES).unwrap_or_else(|error| panic!("prices.toml: {error}"))
    }
}

/// What is sent, and the cluster that would carry it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// Messages a second, on average over the month.
    pub rate: Rate,
    /// Bytes of a message.
    pub size: Size,
    /// Groups that read everything.
    pub groups: u32,
    /// Copies of every partition.
    pub replication: u32,
    /// Brokers of the cluster.
    pub brokers: u32,
    /// Disk over all brokers.
    pub disk: Size,
    /// What everything costs.
    pub prices: Prices,
}

impl Input {
    /// `rate` messages of `size`, read once, against three brokers of 1 TB.
    pub fn new(rate: Rate, size: Size) -> Self {
        Self {
            rate,
            size,
            groups: 1,
            replication: 3,
            brokers: 3,
            disk: Size::from_bytes(3_000_000_000_000),
            prices: Prices::shipped(),
        }
    }
}

/// The month's bill of `input`, of 30 days.
///
/// Rule $1. Services: messages × what one costs. Kafka: brokers, disk and
/// replication between zones. The crossover is the number of messages a day at
/// which the fixed part of Kafka equals what a service takes for them.
pub fn cost(input: &Input) -> Result<Answer, InputError> {
    let size = above_zero("size", input.size)?;
    let brokers = within("brokers", input.brokers, 1, 1_000_000)?;
    let copies = within("replication", input.replication, 1, 1000)?.minus(Exact::ONE);
    let groups = within("groups", input.groups, 1, 1_000_000)?;
    let prices = &input.prices;
    let messages = Exact::from(input.rate) * Exact::from(SECONDS);
    let each = Messages::new(size, groups, prices);

    let mut answer = Answer::new("cost", &["$1"]);
    answer.line(
        "messages a day",
        Unit::Count,
        messages / Exact::from(DAYS),
        "rate × 86 400",
    )?;
    let services = each.services();
    for (bill, because) in &services {
        let million = bill.each * Exact::whole(1_000_000);
        let name = bill.name;
        answer.line(
            &format!("{name}, a million"),
            Unit::Dollars,
            million,
            because,
        )?;
        let month = bill.month(messages);
        let because = "messages × what one costs";
        answer.line(&format!("{name}, a month"), Unit::Dollars, month, because)?;
    }
    let kafkas = [
        ("Kafka, self-managed", &prices.self_managed),
        ("Kafka, managed", &prices.managed),
    ];
    let kafkas = kafkas.map(|(name, cluster)| Bill {
        name,
        fixed: cluster_month(cluster, brokers, input.disk.into()),
        each: Exact::from_f64(cluster.between_zones_gb) * size * copies / GB.into(),
    });
    let mut crossovers = Vec::new();
    for bill in &kafkas {
        crossovers.extend(kafka(&mut answer, bill, messages, each.pubsub)?);
    }
    let bills: Vec<Bill> = services
        .into_iter()
        .map(|(bill, _)| bill)
        .chain(kafkas)
        .collect();
    if let Some(bill) = bills.iter().min_by_key(|bill| bill.month(messages)) {
        let month = Unit::Dollars.show(bill.month(messages));
        answer.bind(bill.name, format!("the cheapest, at {month} a month"));
    }
    answer.note(format!(
        "prices as of {}; put your own into a copy of the file and pass it with --prices. People count only where operations_month says so.",
        prices.as_of
    ));
    assume_prices(&mut answer, prices);
    corrections(&mut answer, &each, messages);
    crossover_correction(&mut answer, &crossovers);
    answer.curve(months(&bills, messages));
    Ok(answer)
}

/// One way to pay: so much a month, and so much for each message.
struct Bill {
    name: &'static str,
    fixed: Exact,
    each: Exact,
}

impl Bill {
    fn month(&self, messages: Exact) -> Exact {
        self.fixed + self.each * messages
    }
}

/// A cluster's month, and the messages a day from which it is cheaper than
/// Pub/Sub.
fn kafka(
    answer: &mut Answer,
    bill: &Bill,
    messages: Exact,
    pubsub: Exact,
) -> Result<Option<(&'static str, Exact)>, InputError> {
    let name = bill.name;
    let because = "brokers, disk, people, replication between zones";
    answer.line(
        &format!("{name}, a month"),
        Unit::Dollars,
        bill.month(messages),
        because,
    )?;
    let saved = pubsub.minus(bill.each);
    let crossover = format!("{name}, crossover");
    if saved.is_zero() {
        answer.text(
            &crossover,
            "never",
            "its traffic alone costs more than Pub/Sub",
        );
        return Ok(None);
    }
    let day = bill.fixed / saved / DAYS.into();
    let because = "messages a day from which it beats Pub/Sub, on this cluster";
    answer.line(&crossover, Unit::Count, day, because)?;
    Ok(Some((name, day)))
}

/// Each bill over messages a day, a hundred times fewer to a hundred times more.
fn months(bills: &[Bill], messages: Exact) -> Curve {
    let mut curve = Curve::new(
        "What a month costs by messages a day",
        Axis::log("messages a day", Unit::Count),
        Axis::log("a month", Unit::Dollars),
    );
    let scales = (0..=40).map(|step| 10_f64.powf(f64::from(step - 20) / 10.0));
    let months: Vec<f64> = scales.map(|scale| messages.to_f64() * scale).collect();
    for bill in bills {
        let (fixed, each) = (bill.fixed.to_f64(), bill.each.to_f64());
        let cost = |&month: &f64| (month / DAYS as f64, fixed + each * month);
        curve.line(bill.name, months.iter().map(cost));
    }
    curve
}

/// The document's crossover against this cluster's.
fn crossover_correction(answer: &mut Answer, crossovers: &[(&str, Exact)]) {
    let shown: Vec<String> = crossovers
        .iter()
        .map(|(name, day)| format!("{} a day for {name}", Unit::Count.show(*day)))
        .collect();
    if shown.is_empty() {
        return;
    }
    answer.correct(
        "$1",
        "Kafka pays from 100-500M messages a day",
        &shown.join(", "),
        "the crossover moves with the size of a message, the groups and the cluster",
    );
}

/// Every price with where it came from.
fn assume_prices(answer: &mut Answer, prices: &Prices) {
    let shipped = *prices == Prices::shipped();
    let mut price = |name: &str, value: String, source: &str| {
        let provenance = match shipped {
            true => Provenance::Default(source.to_owned()),
            false => Provenance::User,
        };
        answer.assumptions.push(Assumption {
            name: name.to_owned(),
            value,
            provenance,
        });
    };
    let cluster = |cluster: &Cluster| {
        format!(
            "${} a broker and hour, ${} a GB and month, ${} a GB between zones",
            cluster.broker_hour, cluster.disk_gb_month, cluster.between_zones_gb
        )
    };
    let (pubsub, queue, fanout) = (&prices.pubsub, &prices.queue, &prices.fanout);
    price(
        "Pub/Sub",
        format!("${} a TiB", pubsub.per_tib),
        &pubsub.source,
    );
    let requests = format!("${} a million requests", queue.per_million_requests);
    price("queue", requests, &queue.source);
    let publishes = format!("${} a million publishes", fanout.per_million_publishes);
    price("fan-out", publishes, &fanout.source);
    let (own, service) = (&prices.self_managed, &prices.managed);
    price("Kafka, self-managed", cluster(own), &own.source);
    price("Kafka, managed", cluster(service), &service.source);
}

/// What one message costs.
struct Messages {
    pubsub: Exact,
    queue: Exact,
    fanout: Exact,
    per_request: Exact,
    /// The size at which Pub/Sub takes as much as one request.
    as_much: Exact,
}

impl Messages {
    fn new(size: Exact, groups: Exact, prices: &Prices) -> Self {
        let tib = Exact::from_f64(prices.pubsub.per_tib) / TIB.into();
        let directions = Exact::ONE + groups;
        let queue = &prices.queue;
        let per_request = Exact::from_f64(queue.per_million_requests) / Exact::whole(1_000_000);
        let chunks = (size / queue.chunk_bytes.into()).ceil();
        let request = per_request * chunks / queue.messages_per_request.into();
        let publish =
            Exact::from_f64(prices.fanout.per_million_publishes) / Exact::whole(1_000_000);
        Self {
            pubsub: tib * directions * size.max(prices.pubsub.least_bytes.into()),
            queue: request * (Exact::ONE + Exact::whole(2) * groups),
            fanout: publish * chunks + request * Exact::whole(2) * groups,
            per_request,
            as_much: per_request / tib / directions,
        }
    }
}

impl Messages {
    fn services(&self) -> [(Bill, &'static str); 3] {
        let bill = |name, each| Bill {
            name,
            fixed: Exact::ZERO,
            each,
        };
        [
            (
                bill("Pub/Sub", self.pubsub),
                "(1 + groups) × max(size, least) ÷ 2^40 × price of a TiB",
            ),
            (
                bill("queue", self.queue),
                "send, receive and delete, for every chunk",
            ),
            (
                bill("fan-out and queues", self.fanout),
                "publish, then receive and delete for every group",
            ),
        ]
    }
}

fn cluster_month(cluster: &Cluster, brokers: Exact, disk: Exact) -> Exact {
    let machines = Exact::from_f64(cluster.broker_hour) * brokers * HOURS.into();
    let disks = Exact::from_f64(cluster.disk_gb_month) * disk / GB.into();
    machines + disks + Exact::from_f64(cluster.operations_month)
}

fn corrections(answer: &mut Answer, each: &Messages, messages: Exact) {
    let show = |value| Unit::Dollars.show(value);
    let million = Exact::whole(1_000_000);
    answer.correct(
        "$1",
        &format!(
            "Pub/Sub about {} per million, {} a month here",
            show(each.per_request * million),
            show(each.per_request * messages)
        ),
        &format!(
            "{} per million, {} a month",
            show(each.pubsub * million),
            show(each.pubsub * messages)
        ),
        &format!(
            "that is a price for requests, as queues and early Pub/Sub had it; Pub/Sub bills bytes and takes as much only at {}",
            Unit::Bytes.show(each.as_much)
        ),
    );
}
