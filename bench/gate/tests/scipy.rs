//! The statistics against SciPy's, on series of `fixtures/scipy.json`, which
//! `fixtures/make.py` wrote.

use plimsoll_gate::change_points::student_p_value;
use plimsoll_gate::{rank_sum, signed_rank};
use plimsoll_results::stats::{Shift, paired_shift, unpaired_shift};
use serde::Deserialize;

#[derive(Deserialize)]
struct Fixtures {
    paired: Vec<Paired>,
    paired_tied: Vec<Tied>,
    unpaired: Vec<Unpaired>,
    unpaired_tied: Vec<UnpairedTied>,
}

#[derive(Deserialize)]
struct Expected {
    p_greater: f64,
    estimate: f64,
    low: f64,
    high: f64,
    confidence: f64,
}

#[derive(Deserialize)]
struct Paired {
    differences: Vec<f64>,
    #[serde(flatten)]
    expected: Expected,
}

#[derive(Deserialize)]
struct Tied {
    differences: Vec<f64>,
    p_greater: f64,
}

#[derive(Deserialize)]
struct Unpaired {
    a: Vec<f64>,
    b: Vec<f64>,
    student: f64,
    #[serde(flatten)]
    expected: Expected,
}

#[derive(Deserialize)]
struct UnpairedTied {
    a: Vec<f64>,
    b: Vec<f64>,
    p_greater: f64,
}

fn fixtures() -> Fixtures {
    serde_json::from_str(include_str!("../fixtures/scipy.json")).expect("the script's own JSON")
}

#[track_caller]
fn check(what: &str, got: f64, expected: f64) {
    let near = (got - expected).abs() <= 1e-9 * expected.abs().max(1e-3);
    assert!(near, "{what}: {got}, SciPy has {expected}");
}

#[track_caller]
fn check_shift(shift: Option<Shift>, expected: &Expected) {
    let shift = shift.expect("values");
    let interval = shift.interval.expect("more than one value");
    check("estimate", shift.estimate, expected.estimate);
    check("low", interval.low, expected.low);
    check("high", interval.high, expected.high);
    check("confidence", interval.confidence, expected.confidence);
}

#[test]
fn signed_rank_hodges_lehmann_and_walsh_intervals() {
    for case in fixtures().paired {
        let p = signed_rank::p_greater(&case.differences);
        check("p", p, case.expected.p_greater);
        check_shift(paired_shift(&case.differences), &case.expected);
    }
}

#[test]
fn rank_sum_its_shift_and_its_interval() {
    for case in fixtures().unpaired {
        let p = rank_sum::p_greater(&case.a, &case.b);
        check("p", p, case.expected.p_greater);
        check_shift(unpaired_shift(&case.a, &case.b), &case.expected);
        let student = student_p_value(&case.a, &case.b).expect("two values a side");
        check("Student's p", student, case.student);
    }
}

/// SciPy's exact tests know no ties; these are its exhaustive permutations.
#[test]
fn ties_and_zeros() {
    let fixtures = fixtures();
    for case in fixtures.paired_tied {
        check(
            "p",
            signed_rank::p_greater(&case.differences),
            case.p_greater,
        );
    }
    for case in fixtures.unpaired_tied {
        check("p", rank_sum::p_greater(&case.a, &case.b), case.p_greater);
    }
}
