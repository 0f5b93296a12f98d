use super::*;
use proptest::prelude::*;
use std::io::Write;

const ALONE: Worker = Worker { index: 0, of: 1 };

fn load(rate: &str, arrivals: &str, warmup: &str, duration: &str) -> LoadSpec {
    LoadSpec {
        rate: rate.parse().expect(rate),
        arrivals: arrivals.parse().expect(arrivals),
        warmup: warmup.parse().expect(warmup),
        duration: duration.parse().expect(duration),
        ..LoadSpec::default()
    }
}

fn times(load: &LoadSpec, worker: Worker) -> Vec<u64> {
    let schedule = Schedule::prepare(load, 1000.0, 5).expect("a good load");
    schedule.worker(worker).expect("a scheduled load").collect()
}

#[test]
fn records_are_due_exactly_when_the_rate_says() {
    let check = |load: LoadSpec, expected_ms: &[u64]| {
        let found: Vec<_> = times(&load, ALONE)
            .iter()
            .map(|ns| ns / 1_000_000)
            .collect();
        assert_eq!(found, expected_ms, "{load:?}");
    };
    check(
        load("10/s", "constant", "0s", "500ms"),
        &[0, 100, 200, 300, 400],
    );
    check(load("10KB/s", "constant", "0s", "300ms"), &[0, 100, 200]);
    check(
        load("10/s", "burst(3)", "0s", "500ms"),
        &[0, 0, 0, 300, 300, 300],
    );
    check(
        load("steps(10/s, 20/s)", "constant", "100ms", "400ms"),
        &[0, 100, 200, 300, 350, 400, 450],
    );
    // The n-th record of a ramp from 2/s that gains 2/s each second is due
    // when t² + 2t = n.
    let ramp = load("ramp(2/s, 6/s)", "constant", "0s", "2s");
    let due = |n: f64| (((1.0 + n).sqrt() - 1.0) * 1000.0) as u64;
    let expected: Vec<_> = (0..8).map(|n| due(f64::from(n))).collect();
    check(ramp, &expected);
}

#[test]
fn nothing_is_scheduled_at_maximum_speed() {
    let load = load("max", "constant", "1s", "1s");
    let schedule = Schedule::prepare(&load, 1000.0, 5).expect("a good load");
    assert!(schedule.worker(ALONE).is_none());
    assert_eq!(schedule.records(), None);
}

#[test]
fn a_day_of_odd_gaps_ends_where_it_should() {
    let load = load("777/s", "constant", "0s", "24h");
    let schedule = Schedule::prepare(&load, 1000.0, 5).expect("a good load");
    let last_worker = Worker {
        index: 9999,
        of: 10_000,
    };
    let arrivals = schedule.worker(last_worker).expect("a scheduled load");
    let (count, last) = arrivals.enumerate().last().expect("it has arrivals");
    // The worker has every ten-thousandth record, from number 9999.
    let number = 9999 + 10_000 * count as u64;
    assert!(number + 10_000 >= 777 * 86_400, "{number}");
    let exact = u128::from(number) * 1_000_000_000 / 777;
    assert!(u128::from(last).abs_diff(exact) <= 16, "{last} for {exact}");
}

#[test]
fn poisson_gaps_have_the_mean_and_variance_of_an_exponential() {
    let check = |of: u32| {
        let load = load("100K/s", "poisson", "0s", "10s");
        let times = times(&load, Worker { index: 0, of });
        let gaps: Vec<_> = times
            .windows(2)
            .map(|pair| (pair[1] - pair[0]) as f64)
            .collect();
        let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
        let squares = gaps.iter().map(|gap| (gap - mean).powi(2)).sum::<f64>();
        let deviation = (squares / gaps.len() as f64).sqrt();
        let expected = 10_000.0 * f64::from(of);
        assert!((mean / expected - 1.0).abs() < 0.01, "{of}: {mean}");
        assert!(
            (deviation / expected - 1.0).abs() < 0.01,
            "{of}: {deviation}"
        );
        // Counts in windows of the same length have variance equal to mean.
        let window = 100_000 * u64::from(of) * 10;
        let mut counts = vec![0.0; (10_000_000_000 / window) as usize];
        for time in &times {
            if let Some(count) = counts.get_mut((time / window) as usize) {
                *count += 1.0;
            }
        }
        let mean = counts.iter().sum::<f64>() / counts.len() as f64;
        let squares = counts
            .iter()
            .map(|count| (count - mean).powi(2))
            .sum::<f64>();
        let spread = squares / counts.len() as f64 / mean;
        assert!((spread - 1.0).abs() < 0.1, "{of}: variance/mean {spread}");
    };
    check(1);
    check(4);
}

#[test]
fn a_trace_is_played_from_its_first_time() {
    let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
    let text =
        "# seen on a Monday\n1740960000.25\n1740960000.5\n\n1740960000500ms\n1740960002.25\n";
    file.write_all(text.as_bytes()).expect("written");
    let mut load = load("max", "constant", "1s", "500ms");
    load.arrivals = ArrivalSpec::Trace(file.path().to_owned());
    assert_eq!(times(&load, ALONE), [0, 250_000_000, 250_000_000]);
    assert_eq!(times(&load, Worker { index: 1, of: 2 }), [250_000_000]);
    let schedule = Schedule::prepare(&load, 1000.0, 5).expect("a good trace");
    assert_eq!(schedule.records(), Some(3.0));
}

#[test]
fn a_trace_that_cannot_be_played_says_why() {
    let check = |text: &str, expected: &str| {
        let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
        file.write_all(text.as_bytes()).expect("written");
        let needed = "10s".parse().expect("a span");
        let error = Trace::load(file.path(), needed)
            .expect_err(text)
            .to_string();
        let (_, error) = error
            .split_once(&file.path().display().to_string())
            .expect(&error);
        assert_eq!(error, expected);
    };
    check(
        "0\nsoon\n",
        ":2: `soon` is not a time, in seconds or with a unit such as 12500ms",
    );
    check(
        "5\n20\n19\n",
        ":3: `19` is not at or after the time above it",
    );
    check("5\n4\n", ":2: `4` is not at or after the time above it");
    check(
        "0\n9.5\n",
        " has 2 times over 9500ms; warm-up and duration ask for 10s",
    );
    check("", " has 0 times over 0s; warm-up and duration ask for 10s");
}

proptest! {
    /// Whatever the profile, the workers' times rise, stay within the run, and
    /// together are the times of one worker alone.
    #[test]
    fn workers_split_one_schedule_between_them(
        from in 1_u32..2000, to in 1_u32..2000, at_once in 1_u64..50, of in 1_u32..9,
        warmup_ms in 0_u64..500, steps: bool,
    ) {
        let rate = match steps {
            true => format!("steps({from}/s, {to}/s, {from}/s)"),
            false => format!("ramp({from}/s, {to}/s)"),
        };
        let load = load(&rate, &format!("burst({at_once})"), &format!("{warmup_ms}ms"), "2s");
        let alone = times(&load, ALONE);
        let mut together: Vec<u64> = Vec::new();
        for index in 0..of {
            let part = times(&load, Worker { index, of });
            prop_assert!(part.is_sorted());
            together.extend(part);
        }
        together.sort_unstable();
        prop_assert_eq!(&together, &alone);
        prop_assert!(alone.iter().all(|&due| due < (2000 + warmup_ms) * 1_000_000));
        let schedule = Schedule::prepare(&load, 1000.0, 5).expect("a good load");
        let expected = schedule.records().expect("scheduled");
        let missing = expected - alone.len() as f64;
        prop_assert!(missing.abs() <= at_once as f64, "{} of {expected}", alone.len());
    }

    /// How slowly the times are taken, as by a driver that was held up, makes
    /// no difference to them: the schedule is never re-based.
    #[test]
    fn a_schedule_does_not_notice_who_reads_it_when(held_up_after in 0_usize..500) {
        let load = load("1K/s", "poisson", "100ms", "400ms");
        let whole = times(&load, ALONE);
        let schedule = Schedule::prepare(&load, 1000.0, 5).expect("a good load");
        let mut read = schedule.worker(ALONE).expect("a scheduled load");
        let before: Vec<_> = read.by_ref().take(held_up_after).collect();
        let resumed = read.clone();
        let after: Vec<_> = resumed.collect();
        prop_assert_eq!([before, after].concat(), whole);
    }
}
