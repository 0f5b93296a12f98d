use super::*;
use crate::{generate::Sample, language::RecordSpec, shipped};
use serde_json::Value;
use std::collections::HashMap;

#[test]
fn the_shipped_sample_is_what_the_generator_writes() {
    let shipped = shipped::sample("order-events").expect("it ships").bytes;
    let made = order_events(SHIPPED_SEED, SHIPPED_BYTES_MAX);
    assert!(
        shipped == made,
        "write it again with the order-events example"
    );
}

#[test]
fn orders_go_through_their_states_in_the_order_of_time() {
    let lines = order_events(7, 300_000);
    let lines = std::str::from_utf8(&lines).expect("JSON is UTF-8");
    let mut last_at = String::new();
    let mut seen: HashMap<String, Vec<String>> = HashMap::new();
    for line in lines.lines() {
        let event: Value = serde_json::from_str(line).expect(line);
        let text = |name: &str| event[name].as_str().expect(name).to_owned();
        assert!(text("occurred_at") >= last_at, "{line}");
        last_at = text("occurred_at");
        seen.entry(text("order_id"))
            .or_default()
            .push(text("status"));
    }
    let whole = ["created", "paid", "shipped", "delivered"];
    let cancelled = ["created", "cancelled"];
    for (order, states) in &seen {
        let states: Vec<_> = states.iter().map(String::as_str).collect();
        // Orders may have begun before the first line and end after the last.
        let part = |whole: &[&str]| whole.windows(states.len()).any(|part| part == states);
        assert!(part(&whole) || part(&cancelled), "{order}: {states:?}");
    }
    for status in whole.iter().chain(&cancelled) {
        let count = seen
            .values()
            .flatten()
            .filter(|seen| seen == status)
            .count();
        assert!(count > 3, "{status}: {count}");
    }
}

#[test]
fn a_few_customers_place_many_orders() {
    let records = RecordSpec {
        sample: Some("order-events".parse().expect("it ships")),
        keys: "field(customer.id)".parse().expect("a field"),
        ..RecordSpec::default()
    };
    let sample = Sample::load(&records).expect("it ships");
    let mut orders: HashMap<&[u8], usize> = HashMap::new();
    for at in 0..sample.count() {
        *orders.entry(sample.key(at).expect("a key")).or_default() += 1;
    }
    let most = orders.values().max().copied().unwrap_or_default();
    assert!(sample.count() > 900, "{}", sample.count());
    assert!(orders.len() > 200, "{} customers", orders.len());
    assert!(most * 20 > sample.count(), "{most} of {}", sample.count());
}
