//! Orders, their events, and the JSON of an event.

use super::{
    DAY, HOUR, MINUTE,
    catalogue::{self, Article},
    people::{self, Address, Customer},
};
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use serde::Serialize;
use std::cmp::Ordering;

/// What has become of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Status {
    Created,
    Paid,
    Shipped,
    Delivered,
    Cancelled,
}

#[derive(Clone, PartialEq, Eq, Serialize)]
struct Item {
    sku: String,
    name: String,
    quantity: u32,
    unit_price_cents: u32,
}

#[derive(Clone, PartialEq, Eq, Serialize)]
struct Totals {
    items_cents: u32,
    shipping_cents: u32,
    tax_cents: u32,
    total_cents: u32,
    currency: &'static str,
}

/// An order, which stays the same from event to event.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Order {
    number: u64,
    customer: Customer,
    items: Vec<Item>,
    totals: Totals,
    ship_to: Address,
    method: &'static str,
    carrier: &'static str,
}

/// One event of an order.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Event {
    at: u64,
    id: u128,
    trace: u64,
    status: Status,
    order: Order,
}

const METHODS: [&str; 4] = ["card", "paypal", "invoice", "ideal"];
const CARRIERS: [&str; 4] = ["DHL", "DPD", "PostNL", "GLS"];

/// Below this an order pays for its shipping.
const FREE_SHIPPING_CENTS: u32 = 5000;

impl Order {
    /// An order of one to five articles, mostly few.
    pub(super) fn place(
        number: u64,
        customer: u32,
        rng: &mut ChaCha8Rng,
        mut article: impl FnMut(&mut ChaCha8Rng) -> u32,
    ) -> Self {
        let (customer, ship_to, currency) = people::customer(customer);
        let lines = rng.random_range(1..=5_u32).min(rng.random_range(1..=5));
        let items: Vec<_> = (0..lines)
            .map(|_| {
                let Article {
                    sku,
                    name,
                    price_cents,
                } = catalogue::article(article(rng));
                Item {
                    sku,
                    name,
                    quantity: rng.random_range(1..=4_u32).min(rng.random_range(1..=4)),
                    unit_price_cents: price_cents,
                }
            })
            .collect();
        let items_cents = items
            .iter()
            .map(|item| item.quantity * item.unit_price_cents)
            .sum();
        let shipping_cents = if items_cents < FREE_SHIPPING_CENTS {
            495
        } else {
            0
        };
        // Prices include 21 % of tax.
        let total_cents = items_cents + shipping_cents;
        Self {
            number,
            customer,
            items,
            totals: Totals {
                items_cents,
                shipping_cents,
                tax_cents: total_cents * 21 / 121,
                total_cents,
                currency,
            },
            ship_to,
            method: METHODS[rng.random_range(0..METHODS.len())],
            carrier: CARRIERS[rng.random_range(0..CARRIERS.len())],
        }
    }
}

impl Event {
    pub(super) fn first(order: Order, at: u64, rng: &mut ChaCha8Rng) -> Self {
        Self {
            at,
            id: rng.random(),
            trace: rng.random(),
            status: Status::Created,
            order,
        }
    }

    /// What follows, and when; `None` when the order is done.
    pub(super) fn next(&self, rng: &mut ChaCha8Rng) -> Option<Self> {
        let gives_up = rng.random_range(0..100) < 6;
        let (status, wait) = match self.status {
            Status::Created if gives_up => (Status::Cancelled, rng.random_range(MINUTE..DAY)),
            Status::Created => (Status::Paid, rng.random_range(MINUTE / 4..20 * MINUTE)),
            Status::Paid => (Status::Shipped, rng.random_range(3 * HOUR..30 * HOUR)),
            Status::Shipped => (Status::Delivered, rng.random_range(18 * HOUR..4 * DAY)),
            Status::Delivered | Status::Cancelled => return None,
        };
        Some(Self {
            at: self.at + wait,
            id: rng.random(),
            trace: rng.random(),
            status,
            order: self.order.clone(),
        })
    }

    /// Milliseconds since the Unix epoch.
    pub(super) fn at(&self) -> u64 {
        self.at
    }

    pub(super) fn status(&self) -> Status {
        self.status
    }

    /// Puts the event's JSON and a newline at the end of `lines`.
    pub(super) fn write(&self, lines: &mut Vec<u8>) {
        let order = &self.order;
        let number = order.number;
        let paid = matches!(
            self.status,
            Status::Paid | Status::Shipped | Status::Delivered
        );
        let sent = matches!(self.status, Status::Shipped | Status::Delivered);
        let json = Json {
            event_id: uuid(self.id),
            event: format!("order.{}", self.status.name()),
            version: 3,
            occurred_at: timestamp(self.at),
            order_id: format!("ord_{:08}", 40_000_000 + number * 13),
            status: self.status,
            customer: &order.customer,
            items: &order.items,
            totals: &order.totals,
            payment: paid.then(|| Payment {
                method: order.method,
                reference: format!("pay_{:016x}", number.wrapping_mul(0x9E37_79B9_7F4A_7C15)),
            }),
            shipment: sent.then(|| Shipment {
                carrier: order.carrier,
                tracking: format!(
                    "{}{:012}",
                    order.carrier,
                    number.wrapping_mul(7_368_787) % 10_u64.pow(12)
                ),
            }),
            ship_to: &order.ship_to,
            source: Source {
                service: self.status.service(),
                region: "eu-central-1",
                trace_id: format!("{:016x}", self.trace),
            },
        };
        let text = serde_json::to_vec(&json);
        lines.extend(text.unwrap_or_default());
        lines.push(b'\n');
    }
}

impl Ord for Event {
    fn cmp(&self, other: &Self) -> Ordering {
        let place = |event: &Self| (event.at, event.order.number, event.id);
        place(self).cmp(&place(other))
    }
}

impl PartialOrd for Event {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Status {
    fn name(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Paid => "paid",
            Self::Shipped => "shipped",
            Self::Delivered => "delivered",
            Self::Cancelled => "cancelled",
        }
    }

    /// The service that reports it.
    fn service(self) -> &'static str {
        match self {
            Self::Created | Self::Cancelled => "checkout",
            Self::Paid => "payments",
            Self::Shipped | Self::Delivered => "fulfilment",
        }
    }
}

#[derive(Serialize)]
struct Json<'o> {
    event_id: String,
    event: String,
    version: u32,
    occurred_at: String,
    order_id: String,
    status: Status,
    customer: &'o Customer,
    items: &'o [Item],
    totals: &'o Totals,
    #[serde(skip_serializing_if = "Option::is_none")]
    payment: Option<Payment>,
    #[serde(skip_serializing_if = "Option::is_none")]
    shipment: Option<Shipment>,
    ship_to: &'o Address,
    source: Source,
}

#[derive(Serialize)]
struct Payment {
    method: &'static str,
    reference: String,
}

#[derive(Serialize)]
struct Shipment {
    carrier: &'static str,
    tracking: String,
}

#[derive(Serialize)]
struct Source {
    service: &'static str,
    region: &'static str,
    trace_id: String,
}

/// A version 4 UUID of these random bits (RFC 9562).
fn uuid(bits: u128) -> String {
    let bits = bits & !(0xF << 76) & !(0x3 << 62) | 0x4 << 76 | 0x2 << 62;
    let hex = format!("{bits:032x}");
    let (a, b, c, d, e) = (
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..],
    );
    format!("{a}-{b}-{c}-{d}-{e}")
}

/// RFC 3339 in UTC. The date is found by counting in years that begin in
/// March, so that the leap day comes last.
fn timestamp(ms: u64) -> String {
    let days = ms / DAY + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 {
        from_march + 3
    } else {
        from_march - 9
    };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    let (hour, minute) = (ms / HOUR % 24, ms / MINUTE % 60);
    let (second, ms) = (ms / 1000 % 60, ms % 1000);
    format!("{year}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{ms:03}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_show_as_dates() {
        let check = |ms: u64, expected: &str| assert_eq!(timestamp(ms), expected);
        check(0, "1970-01-01T00:00:00.000Z");
        check(951_826_154_321, "2000-02-29T12:09:14.321Z");
        check(1_740_960_000_000, "2025-03-03T00:00:00.000Z");
        check(1_735_689_599_999, "2024-12-31T23:59:59.999Z");
    }

    #[test]
    fn a_uuid_says_that_it_is_random() {
        assert_eq!(uuid(0), "00000000-0000-4000-8000-000000000000");
        assert_eq!(uuid(u128::MAX), "ffffffff-ffff-4fff-bfff-ffffffffffff");
    }
}
