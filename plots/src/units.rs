//! Numbers as people read them, and quantities as people write them.

/// Three significant digits with a thousands suffix: `812K`, `1.24M`.
pub fn si(value: f64) -> String {
    scaled(
        value,
        &[(1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "K")],
        "",
    )
}

/// Bytes per second, decimal.
pub fn bytes_rate(value: f64) -> String {
    format!("{}/s", bytes(value))
}

/// Bytes, decimal.
pub fn bytes(value: f64) -> String {
    let steps = [(1e12, " TB"), (1e9, " GB"), (1e6, " MB"), (1e3, " kB")];
    scaled(value, &steps, " B")
}

/// Bytes, binary, as memory is counted.
pub fn memory(value: f64) -> String {
    let steps = [
        (1024f64.powi(3), " GiB"),
        (1024f64.powi(2), " MiB"),
        (1024.0, " KiB"),
    ];
    scaled(value, &steps, " B")
}

/// A time given in microseconds.
pub fn micros(value: f64) -> String {
    scaled(value, &[(60e6, " min"), (1e6, " s"), (1e3, " ms")], " µs")
}

/// A share as a percentage with a sign: `+3.1 %`, `−12 %`.
pub fn signed_percent(share: f64) -> String {
    let text = percent(share.abs());
    match share {
        _ if text == "0 %" => text,
        s if s < 0.0 => format!("−{text}"),
        _ => format!("+{text}"),
    }
}

/// A share as a percentage in two digits.
pub fn percent(share: f64) -> String {
    let percent = share * 100.0;
    match percent.abs() {
        p if p >= 9.95 => format!("{percent:.0} %"),
        p if p >= 0.095 => format!("{percent:.1} %"),
        _ => format!("{} %", digits(percent)),
    }
}

/// A signed time given in microseconds.
pub fn signed_micros(value: f64) -> String {
    let sign = if value < 0.0 { '−' } else { '+' };
    format!("{sign}{}", micros(value.abs()))
}

/// Two texts of one unit as a range: `2.1–2.4 ms`, `990 µs–1.1 ms`.
pub fn range(low: &str, high: &str) -> String {
    let unit = |text: &str| {
        let from = text.find(|c: char| !(c.is_ascii_digit() || c == '.'));
        from.map_or("", |at| &text[at..]).to_string()
    };
    let shared = unit(high);
    if unit(low) == shared {
        return format!("{}–{high}", low.strip_suffix(&shared).unwrap_or(low));
    }
    format!("{low}–{high}")
}

/// A whole number with thin spaces between thousands.
pub fn count(value: u64) -> String {
    let plain = value.to_string();
    let mut out = String::with_capacity(plain.len() * 2);
    for (i, digit) in plain.chars().enumerate() {
        if i > 0 && (plain.len() - i).is_multiple_of(3) {
            out.push('\u{202f}');
        }
        out.push(digit);
    }
    out
}

fn scaled(value: f64, steps: &[(f64, &str)], plain: &str) -> String {
    if !value.is_finite() {
        return "–".to_string();
    }
    // 999.6 would print as "1000" of the smaller unit: round before choosing.
    let size = value.abs() * 1.000_5;
    match steps.iter().find(|(step, _)| size >= *step) {
        Some((step, unit)) => format!("{}{unit}", digits(value / step)),
        None => format!("{}{plain}", digits(value)),
    }
}

/// Three significant digits without trailing zeros after the point.
pub fn digits(value: f64) -> String {
    let size = value.abs();
    let text = match size {
        s if s >= 99.95 => format!("{value:.0}"),
        s if s >= 9.995 => format!("{value:.1}"),
        s if s >= 0.995 => format!("{value:.2}"),
        s if s >= 0.0995 => format!("{value:.3}"),
        _ => format!("{value:.4}"),
    };
    if !text.contains('.') {
        return text;
    }
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0" } else { text }.to_string()
}

/// The number in a quantity such as `16KiB`, `50K/s`, `5ms`, `1_000`; times in
/// seconds, sizes in bytes.
pub fn quantity(text: &str) -> Option<f64> {
    let text = text.trim();
    let text = text.strip_suffix("/s").unwrap_or(text).trim();
    let end = text
        .find(|c: char| !(c.is_ascii_digit() || matches!(c, '.' | '_')))
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let number: f64 = number.replace('_', "").parse().ok()?;
    let factor = match unit.trim() {
        "" | "B" | "s" => 1.0,
        "K" | "k" | "KB" | "kB" => 1e3,
        "M" | "MB" => 1e6,
        "G" | "GB" => 1e9,
        "T" | "TB" => 1e12,
        "KiB" | "Ki" => 1024.0,
        "MiB" | "Mi" => 1024.0 * 1024.0,
        "GiB" | "Gi" => 1024.0 * 1024.0 * 1024.0,
        "us" | "µs" => 1e-6,
        "ms" => 1e-3,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        "d" => 86400.0,
        _ => return None,
    };
    Some(number * factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(got: String, expected: &str) {
        assert_eq!(got, expected);
    }

    #[test]
    fn numbers_read_in_three_digits() {
        check(si(0.0), "0");
        check(si(812_345.0), "812K");
        check(si(999_700.0), "1M");
        check(si(1_240_000.0), "1.24M");
        check(micros(0.8), "0.8 µs");
        check(micros(1_340.0), "1.34 ms");
        check(micros(90e6), "1.5 min");
        check(bytes_rate(831e6), "831 MB/s");
        check(memory(21.0 * 1024.0 * 1024.0), "21 MiB");
        check(signed_percent(-0.123), "−12 %");
        check(signed_percent(-1e-9), "0 %");
        check(signed_percent(0.0123), "+1.2 %");
        check(signed_micros(250.0), "+250 µs");
        check(count(1_234_567), "1\u{202f}234\u{202f}567");
        check(si(f64::NAN), "–");
        check(range("304K", "310K"), "304–310K");
        check(range("990 µs", "1.1 ms"), "990 µs–1.1 ms");
        check(range("3", "4"), "3–4");
    }

    #[test]
    fn quantities_parse_with_their_units() {
        for (text, value) in [
            ("16KiB", Some(16384.0)),
            ("50K/s", Some(50_000.0)),
            ("5ms", Some(0.005)),
            ("1_000", Some(1000.0)),
            ("2.5 MB", Some(2.5e6)),
            ("lz4", None),
            ("max", None),
            ("", None),
        ] {
            assert_eq!(quantity(text), value, "{text}");
        }
    }
}
