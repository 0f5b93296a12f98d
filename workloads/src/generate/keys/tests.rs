use super::*;
use std::collections::BTreeMap;

const ALONE: Worker = Worker { index: 0, of: 1 };

fn draw(spec: &str, worker: Worker, count: usize) -> Vec<Option<String>> {
    let mut keys = Keys::new(&spec.parse().expect(spec), worker, 11);
    let text = |key: &[u8]| String::from_utf8_lossy(key).into_owned();
    (0..count).map(|_| keys.next().map(text)).collect()
}

fn counts(spec: &str, count: usize) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for key in draw(spec, ALONE, count).into_iter().flatten() {
        *counts.entry(key).or_default() += 1;
    }
    counts
}

/// The sum of (seen − expected)² / expected over all keys, and what it may be:
/// its mean under the null hypothesis plus six standard deviations.
fn chi_square(seen: &BTreeMap<String, usize>, expected: &[f64]) -> (f64, f64) {
    assert_eq!(seen.len(), expected.len(), "each key comes");
    let terms = seen.values().zip(expected).map(|(&seen, expected)| {
        let off = seen as f64 - expected;
        off * off / expected
    });
    let freedom = expected.len() as f64 - 1.0;
    (terms.sum(), freedom + 6.0 * (2.0 * freedom).sqrt())
}

#[test]
fn zipf_keys_come_in_proportion_to_their_rank() {
    let check = |keys: usize, exponent: f64| {
        let draws = 400_000;
        let weights: Vec<_> = (1..=keys)
            .map(|rank| (rank as f64).powf(-exponent))
            .collect();
        let total: f64 = weights.iter().sum();
        let expected: Vec<_> = weights.iter().map(|w| w / total * draws as f64).collect();
        let seen = counts(&format!("zipf({keys}, {exponent})"), draws);
        let (found, most) = chi_square(&seen, &expected);
        assert!(found < most, "zipf({keys}, {exponent}): {found} of {most}");
    };
    check(50, 0.0);
    check(200, 0.8);
    check(200, 1.0);
    check(100, 1.3);
    check(20, 2.5);
}

#[test]
fn uniform_keys_are_equally_frequent() {
    let seen = counts("uniform(100)", 100_000);
    let (found, most) = chi_square(&seen, &[1000.0; 100]);
    assert!(found < most, "{found} of {most}");
}

#[test]
fn the_hot_key_has_its_share_and_salt_splits_it_evenly() {
    let check = |spec: &str, expected: &[f64]| {
        let seen = counts(spec, 100_000);
        let (found, most) = chi_square(&seen, expected);
        assert!(found < most, "{spec}: {found} of {most}");
    };
    let cold = |share: f64| vec![share * 100_000.0 / 9.0; 9];
    check("hot(10, 50%)", &[vec![50_000.0], cold(0.5)].concat());
    check(
        "hot(10, 0.2, salt=4)",
        &[vec![5000.0; 4], cold(0.8)].concat(),
    );
    assert_eq!(counts("hot(1, 0.5)", 10).len(), 1);
}

#[test]
fn keys_are_spelt_with_ten_digits_and_a_salt_with_three() {
    let check = |spec: &str, expected: &[Option<&str>]| {
        let keys = draw(spec, ALONE, expected.len());
        let keys: Vec<_> = keys.iter().map(Option::as_deref).collect();
        assert_eq!(keys, expected, "{spec}");
    };
    check("none", &[None, None]);
    check("field(id)", &[None]);
    check(
        "round-robin(2)",
        &[
            Some("k0000000000"),
            Some("k0000000001"),
            Some("k0000000000"),
        ],
    );
    let salted = counts("hot(2, 1, salt=1000)", 20_000);
    assert!(salted.contains_key("k0000000000-999"), "{}", salted.len());
}

#[test]
fn workers_take_turns_in_a_round_robin() {
    let first = draw("round-robin(4)", Worker { index: 0, of: 2 }, 3);
    let second = draw("round-robin(4)", Worker { index: 1, of: 2 }, 3);
    let keys = |keys: Vec<Option<String>>| keys.into_iter().flatten().collect::<Vec<_>>();
    assert_eq!(keys(first), ["k0000000000", "k0000000002", "k0000000000"]);
    assert_eq!(keys(second), ["k0000000001", "k0000000003", "k0000000001"]);
}

#[test]
fn the_same_seed_gives_the_same_keys_and_workers_differ() {
    let of = |index| draw("zipf(1000, 1)", Worker { index, of: 2 }, 100);
    assert_eq!(of(0), of(0));
    assert_ne!(of(0), of(1));
}
