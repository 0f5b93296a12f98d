//! The fit against laws that are known.

use super::*;
use proptest::prelude::*;

const PARTITIONS: [f64; 8] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0];

/// `repeats` runs of `law` at each of `ns`, each off by up to `noise`.
fn runs(law: Law, ns: &[f64], repeats: usize, noise: f64, seed: u64) -> Vec<Sample> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut samples = Vec::new();
    for &n in ns {
        for _ in 0..repeats {
            let off = if noise > 0.0 {
                rng.random_range(-noise..noise)
            } else {
                0.0
            };
            let value = law.at(n) * (1.0 + off);
            samples.push(Sample { n, value });
        }
    }
    samples
}

fn law(gamma: f64, sigma: f64, kappa: f64) -> Law {
    Law {
        gamma,
        sigma,
        kappa,
    }
}

#[test]
fn the_peak_is_where_the_formula_says() {
    let law = law(1000.0, 0.02, 0.0005);
    let peak = law.peak().expect("it falls in the end");
    assert!((peak - (0.98_f64 / 0.0005).sqrt()).abs() < 1e-9);
    assert!(law.at(peak) > law.at(peak - 1.0) && law.at(peak) > law.at(peak + 1.0));
    assert_eq!(Law { kappa: 0.0, ..law }.peak(), None);
    assert_eq!(law.at(1.0), 1000.0);
}

#[test]
fn too_few_runs_are_refused_with_what_is_needed() {
    let check = |values: usize, repeats: usize| {
        let samples = runs(law(1.0, 0.1, 0.0), &PARTITIONS[..values], repeats, 0.0, 1);
        let refused = Fit::of(&samples).expect_err("too few");
        assert_eq!(refused, ScalingError::TooFew { values, repeats });
    };
    check(5, 3);
    check(8, 2);
    let mut samples = runs(law(1.0, 0.1, 0.0), &PARTITIONS, 3, 0.0, 1);
    samples[0].value = f64::NAN;
    let refused = Fit::of(&samples).expect_err("no number").to_string();
    assert!(
        refused.starts_with("a run with N = 1 and throughput NaN"),
        "{refused}"
    );
}

#[test]
fn a_peak_is_reported_only_when_kappa_is_told_from_zero() {
    let falls = law(10_000.0, 0.05, 0.002);
    let fit = Fit::of(&runs(falls, &PARTITIONS, 3, 0.05, 7)).expect("enough runs");
    let peak = fit.peak().expect("kappa is well above zero");
    let truth = falls.peak().expect("it falls");
    assert!(peak.bounds.hold(truth), "{peak:?} for {truth}");
    let rises = law(10_000.0, 0.05, 0.0);
    let fit = Fit::of(&runs(rises, &PARTITIONS, 3, 0.05, 7)).expect("enough runs");
    assert_eq!(fit.kappa.low, 0.0);
    assert_eq!(fit.peak(), None);
}

#[test]
fn predictions_beyond_twice_the_largest_are_marked() {
    let fit = Fit::of(&runs(law(1e4, 0.1, 1e-4), &PARTITIONS, 3, 0.02, 3)).expect("enough");
    assert!(!fit.predict(256.0).too_far);
    assert!(fit.predict(257.0).too_far);
}

/// Half of the values of N predict the other half: within 15 %, and 90 %
/// intervals hold at least 80 % of the held-back runs.
#[test]
fn half_of_a_sweep_predicts_the_other_half() {
    let ns = [
        1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 16.0, 24.0, 32.0, 48.0, 64.0,
    ];
    let shapes = [
        law(120_000.0, 0.3, 0.0),
        law(90_000.0, 0.08, 0.001),
        law(400_000.0, 0.9, 0.002),
        law(50_000.0, 0.0, 0.0),
    ];
    let (mut held, mut worst, mut all) = (0, 0.0_f64, 0);
    for (seed, shape) in (0..8).zip(shapes.iter().cycle()) {
        let sweep = runs(*shape, &ns, 3, 0.08, 100 + seed);
        let is_kept = |s: &&Sample| {
            ns.iter()
                .position(|n| *n == s.n)
                .is_some_and(|at| at % 2 == 0)
        };
        let kept: Vec<Sample> = sweep.iter().filter(is_kept).copied().collect();
        let fit = Fit::of(&kept).expect("six values, three runs each");
        for cell in sweep.iter().filter(|s| !is_kept(s)) {
            let told = fit.predict(cell.n);
            worst = worst.max((told.likely / shape.at(cell.n) - 1.0).abs());
            held += usize::from(told.bounds.hold(cell.value));
            all += 1;
        }
    }
    assert!(worst < 0.15, "off by {worst}");
    assert!(held * 10 >= all * 8, "{held} of {all}");
    assert!(held < all, "intervals that hold everything say nothing");
}

/// One run in twelve stalled to a twentieth: the law is that of the others.
#[test]
fn stalled_runs_do_not_decide() {
    let truth = law(120_000.0, 0.2, 1e-4);
    let mut samples = runs(truth, &PARTITIONS, 3, 0.03, 5);
    for at in [4, 16] {
        samples[at].value /= 20.0;
    }
    let found = Fit::of(&samples).expect("enough runs").law;
    for n in PARTITIONS {
        let off = (found.at(n) / truth.at(n) - 1.0).abs();
        assert!(off < 0.08, "{off} at {n}: {found:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_law_without_noise_is_found_again(gamma in 1.0..1e7_f64, sigma in 0.0..0.9_f64,
                                          kappa in 0.0..0.01_f64) {
        let truth = law(gamma, sigma, kappa);
        let found = best(&runs(truth, &PARTITIONS, 3, 0.0, 1));
        for n in PARTITIONS {
            prop_assert!((found.at(n) / truth.at(n) - 1.0).abs() < 1e-6, "{:?} for {:?}", found, truth);
        }
    }

    #[test]
    fn parameters_are_never_negative(seed in 0..10_000_u64, noise in 0.0..0.9_f64) {
        let found = best(&runs(law(1000.0, 0.01, 0.0), &PARTITIONS, 3, noise, seed));
        prop_assert!(found.gamma > 0.0 && found.sigma >= 0.0 && found.kappa >= 0.0);
    }
}
