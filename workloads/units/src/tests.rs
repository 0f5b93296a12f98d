use super::*;
use crate::TextError;
use proptest::prelude::*;
use std::{fmt::Display, str::FromStr};

fn check<T>(text: &str, expected: Result<&str, &str>)
where
    T: FromStr<Err = TextError> + Display,
{
    let read = text.parse::<T>().map(|value| value.to_string());
    let read = read.map_err(|error| error.to_string());
    match expected {
        Ok(shown) => assert_eq!(read.as_deref(), Ok(shown), "{text}"),
        Err(part) => {
            let error = read.expect_err(text);
            assert!(error.contains(part), "{text}: {error}");
        }
    }
}

#[test]
fn sizes_keep_decimal_and_binary_apart() {
    let check = check::<Size>;
    check("1KiB", Ok("1KiB"));
    check("1024", Ok("1KiB"));
    check("1KB", Ok("1KB"));
    check("1 kB", Ok("1KB"));
    check("1.5KiB", Ok("1536B"));
    check("30TB", Ok("30TB"));
    check("0B", Ok("0B"));
    check("1K", Err("KB counts in 1000, KiB in 1024"));
    check(
        "10Mb",
        Err("a size in bytes: write MB (1000) or MiB (1024)"),
    );
    check("0.1KiB", Err("a whole number of bytes"));
    check("-1B", Err("a size such as"));
    check("1KIB", Err("a size such as"));
    check("", Err("a size such as"));
    check("99999999TB", Err("below 2^64"));
}

#[test]
fn rates_need_a_period_and_take_decimal_multiples() {
    let check = check::<Rate>;
    check("100/s", Ok("100/s"));
    check("50K/s", Ok("50K/s"));
    check("50k/s", Ok("50K/s"));
    check("50000/s", Ok("50K/s"));
    check("1.5M/s", Ok("1.5M/s"));
    check("0.5/s", Ok("0.5/s"));
    check("60/m", Ok("1/s"));
    check("86.4K/day", Ok("1/s"));
    check("0/s", Err("above zero"));
    check("50K", Err("a rate such as"));
    check("50KB/s", Err("a rate such as"));
    check("50K/fortnight", Err("a rate such as"));
}

#[test]
fn byte_rates_need_a_unit() {
    let check = check::<ByteRate>;
    check("20MB/s", Ok("20MB/s"));
    check("1GiB/s", Ok("1GiB/s"));
    check("100/s", Err("a rate in bytes"));
    check("0MB/s", Err("a rate in bytes"));
}

#[test]
fn durations_need_a_unit_and_may_be_compound() {
    let check = check::<Span>;
    check("500us", Ok("500us"));
    check("500µs", Ok("500us"));
    check("1.5s", Ok("1500ms"));
    check("1m30s", Ok("90s"));
    check("1h 30m", Ok("90m"));
    check("7d", Ok("7d"));
    check("0s", Ok("0s"));
    check("0ms", Ok("0s"));
    check("30", Err("a duration such as"));
    check("30s1m", Err("a duration such as"));
    check("1s1s", Err("a duration such as"));
    check("5 parsecs", Err("a duration such as"));
    check("", Err("a duration such as"));
}

#[test]
fn counts_and_shares_read_what_people_write() {
    check::<Count>("10K", Ok("10K"));
    check::<Count>("1.5M", Ok("1500K"));
    check::<Count>("7", Ok("7"));
    check::<Count>("1.5", Err("a whole number"));
    check::<Share>("25%", Ok("0.25"));
    check::<Share>("0", Ok("0"));
    check::<Share>("1", Ok("1"));
    check::<Share>("1.01", Err("a share from 0 to 1"));
    check::<Share>("NaN", Err("a share from 0 to 1"));
}

/// What is shown, and what is stored, reads back as the same value.
fn round_trips<T>(value: T) -> Result<(), TestCaseError>
where
    T: FromStr<Err = TextError> + Display + PartialEq + std::fmt::Debug,
    T: serde::Serialize + serde::de::DeserializeOwned,
{
    let shown = value.to_string();
    let read = shown.parse::<T>();
    prop_assert_eq!(read.as_ref(), Ok(&value), "{}", shown);
    let stored = serde_json::to_string(&value).expect("a quantity is a string");
    let read = serde_json::from_str::<T>(&stored).expect("what was stored reads back");
    prop_assert_eq!(read, value, "{}", stored);
    Ok(())
}

/// Numbers of every magnitude, many of them multiples of the units.
fn magnitudes() -> impl Strategy<Value = u64> {
    prop_oneof![
        any::<u64>(),
        0..10_000_u64,
        (0..10_000_u64, 0..5_u32).prop_map(|(n, power)| n * 1000_u64.pow(power)),
        (0..10_000_u64, 0..5_u32).prop_map(|(n, power)| n * 1024_u64.pow(power)),
        (0..1000_u64).prop_map(|n| n * 86_400_000_000_000),
    ]
}

proptest! {
    #[test]
    fn a_size_shown_reads_back(bytes in magnitudes()) {
        round_trips(Size::from_bytes(bytes))?;
    }

    #[test]
    fn a_span_shown_reads_back(nanos in magnitudes()) {
        round_trips(Span::from_nanos(nanos))?;
    }

    #[test]
    fn a_count_shown_reads_back(count in magnitudes()) {
        round_trips(Count::new(count))?;
    }

    #[test]
    fn a_byte_rate_shown_reads_back(bytes in magnitudes()) {
        if let Some(rate) = ByteRate::from_bytes_per_second(bytes) {
            round_trips(rate)?;
        }
    }

    #[test]
    fn a_rate_shown_reads_back(whole in 1..1_000_000_000_000_u64, micros in 1_u64..1_000_000_000) {
        for per_second in [whole as f64, micros as f64 / 1e6, 1e12 / whole as f64] {
            round_trips(Rate::from_per_second(per_second).expect("in range"))?;
        }
    }

    #[test]
    fn a_share_shown_reads_back(of_one in 0.0..=1.0) {
        round_trips(Share::new(of_one).expect("in range"))?;
    }

    #[test]
    fn no_text_panics(text in "\\PC{0,20}|[0-9._]{0,30}[a-zA-Z/µ]{0,4}") {
        let _ = (text.parse::<Size>(), text.parse::<Rate>(), text.parse::<ByteRate>());
        let _ = (text.parse::<Span>(), text.parse::<Count>(), text.parse::<Share>());
    }
}
