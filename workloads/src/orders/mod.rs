//! A shop's stream of order events, the sample that ships.
//!
//! Orders of a few thousand customers go from created over paid and shipped to
//! delivered, or are cancelled. A few customers and a few articles have much
//! of the trade, by Zipf's law; events of many orders interleave in the order
//! of their times, as they would in a topic. Everything is made from whole
//! numbers and a seed, so that the same bytes come out on every machine.

mod catalogue;
mod event;
mod people;

use event::{Event, Status};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::{cmp::Reverse, collections::BinaryHeap};

/// The seed of the shipped sample.
pub const SHIPPED_SEED: u64 = 2025;

/// The size that the shipped sample stays below.
pub const SHIPPED_BYTES_MAX: usize = 1_000_000;

/// Customers of the shop.
const CUSTOMERS: u32 = 3000;

/// Milliseconds of a minute, an hour and a day.
const MINUTE: u64 = 60_000;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// The mean time between two orders.
const ORDER_GAP: u64 = 20 * MINUTE;

/// 2025-03-03T00:00:00Z, a Monday.
const START: u64 = 1_740_960_000_000;

/// Orders made before the first event that is written, so that every status
/// comes from the start.
const WARM_UP: u64 = 6 * DAY;

/// JSON lines of order events, as many as `bytes_max` has room for.
pub fn order_events(seed: u64, bytes_max: usize) -> Vec<u8> {
    let mut shop = Shop::new(seed);
    let mut lines = Vec::with_capacity(bytes_max);
    loop {
        let event = shop.next();
        if event.at() < START {
            continue;
        }
        let length = lines.len();
        event.write(&mut lines);
        if lines.len() > bytes_max {
            lines.truncate(length);
            return lines;
        }
    }
}

/// The shop and the events that lie ahead.
struct Shop {
    rng: ChaCha8Rng,
    customers: Popularity,
    articles: Popularity,
    /// Events by their time and, at the same time, by the order's number.
    ahead: BinaryHeap<Reverse<Event>>,
    orders: u64,
    next_order_at: u64,
}

impl Shop {
    fn new(seed: u64) -> Self {
        Self {
            rng: ChaCha8Rng::seed_from_u64(seed),
            customers: Popularity::new(CUSTOMERS),
            articles: Popularity::new(catalogue::ARTICLES),
            ahead: BinaryHeap::new(),
            orders: 0,
            next_order_at: START - WARM_UP,
        }
    }

    fn next(&mut self) -> Event {
        while self
            .ahead
            .peek()
            .is_none_or(|Reverse(event)| event.at() >= self.next_order_at)
        {
            self.place_order();
        }
        let Some(Reverse(event)) = self.ahead.pop() else {
            unreachable!("an order was just placed");
        };
        if let Some(next) = event.next(&mut self.rng) {
            self.ahead.push(Reverse(next));
        }
        event
    }

    fn place_order(&mut self) {
        self.orders += 1;
        let customer = self.customers.draw(&mut self.rng);
        let articles = &self.articles;
        let order = event::Order::place(self.orders, customer, &mut self.rng, |rng| {
            articles.draw(rng)
        });
        let created = Event::first(order, self.next_order_at, &mut self.rng);
        debug_assert_eq!(created.status(), Status::Created);
        self.ahead.push(Reverse(created));
        // Twice as busy from 8 to 20 as at night.
        let hour = self.next_order_at % DAY / HOUR;
        let slow = if (8..20).contains(&hour) { 2 } else { 4 };
        self.next_order_at += self.rng.random_range(1..=ORDER_GAP * 2 * slow / 3);
    }
}

/// Zipf's law with exponent 1 over numbers from 0, in whole numbers.
struct Popularity {
    up_to: Vec<u64>,
}

impl Popularity {
    fn new(count: u32) -> Self {
        let mut sum = 0;
        let up_to = (1..=u64::from(count)).map(|rank| {
            sum += 1_000_000_000 / rank;
            sum
        });
        Self {
            up_to: up_to.collect(),
        }
    }

    fn draw(&self, rng: &mut ChaCha8Rng) -> u32 {
        let total = self.up_to.last().copied().unwrap_or(1);
        let at = rng.random_range(0..total);
        let rank = self.up_to.partition_point(|&up_to| up_to <= at);
        u32::try_from(rank).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests;
