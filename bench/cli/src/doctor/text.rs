//! The report for a terminal.

use super::Report;
use plimsoll_plots::units::{bytes_rate, micros};
use plimsoll_results::{Fingerprint, Floor, FloorUnit as Unit};
use std::fmt::Write as _;

/// What a line begins with when it needs attention.
const ATTENTION: &str = "!";

/// Renders a report.
pub fn render(report: &Report) -> String {
    let mut out = String::new();
    machine(&mut out, report);
    heading(&mut out, "floors (nothing here can be faster)");
    for floor in &report.floors {
        let _ = writeln!(
            out,
            "  {:<28} {:>11}   {}",
            floor.name,
            shown(floor),
            floor.how
        );
    }
    let _ = writeln!(
        out,
        "  {:<28} {:>11}   1 KiB records in 64 KiB batches to a sink that answers at once, {:.0} ns of CPU each",
        "native client",
        format!("{:.2} M/s", report.client.records_per_s / 1e6),
        report.client.cpu_nanos_per_record
    );
    heading(&mut out, "limits");
    for limit in &report.limits {
        let mark = limit.advice.as_ref().map_or(" ", |_| ATTENTION);
        let _ = writeln!(out, "{mark} {:<28} {:>11}", limit.name, limit.value);
        if let Some(advice) = &limit.advice {
            indented(&mut out, advice);
        }
    }
    if report.obstacles.is_empty() {
        heading(&mut out, "nothing would spoil a measurement now");
        return out;
    }
    heading(&mut out, "would spoil a measurement now");
    for obstacle in &report.obstacles {
        let _ = writeln!(out, "{ATTENTION} {}", obstacle.what);
        indented(&mut out, &obstacle.mend);
    }
    out
}

fn heading(out: &mut String, words: &str) {
    let _ = writeln!(out, "\n{words}");
}

/// Advice, on lines of its own that fit a terminal.
fn indented(out: &mut String, words: &str) {
    const WIDTH: usize = 74;
    let mut line = String::new();
    for word in words.split_whitespace() {
        if !line.is_empty() && line.chars().count() + word.chars().count() >= WIDTH {
            let _ = writeln!(out, "    {line}");
            line.clear();
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    let _ = writeln!(out, "    {line}");
}

fn machine(out: &mut String, report: &Report) {
    let Fingerprint {
        cpu_model,
        logical_cores,
        memory_bytes,
        os,
        kernel,
        virtualisation,
        filesystem,
        device,
        plimsoll_version,
        build_profile,
        hash,
        ..
    } = &report.machine;
    let gibibytes = *memory_bytes as f64 / f64::from(1 << 30);
    let inside = virtualisation
        .as_ref()
        .map_or_else(String::new, |kind| format!(", {kind}"));
    let _ = writeln!(
        out,
        "machine   {cpu_model}, {logical_cores} cores, {gibibytes:.1} GiB{inside}\n\
         system    {os}, kernel {kernel}\n\
         data      {} on {filesystem} ({device})\n\
         plimsoll  {plimsoll_version}, {build_profile} build; machine {hash}",
        report.data.display()
    );
}

fn shown(floor: &Floor) -> String {
    match floor.unit {
        Unit::BytesPerSecond => bytes_rate(floor.value),
        Unit::Microseconds => micros(floor.value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::judge::{Limit, Obstacle};
    use plimsoll_results::ClientCapacity;

    #[test]
    fn a_report_reads_well() {
        let floor = |name: &str, value, unit| Floor {
            name: name.to_owned(),
            value,
            unit,
            how: "as it is done".to_owned(),
        };
        let report = Report {
            machine: Fingerprint {
                cpu_model: "Example CPU".into(),
                logical_cores: 2,
                memory_bytes: 8 << 30,
                os: "Linux 12".into(),
                kernel: "6.1".into(),
                virtualisation: Some("virtual machine".into()),
                filesystem: "ext4".into(),
                device: "/dev/vda1".into(),
                hash: "0123456789abcdef".into(),
                plimsoll_version: "0.1.0".into(),
                build_profile: "release".into(),
                ..Fingerprint::default()
            },
            data: "/data".into(),
            floors: vec![
                floor("disk append", 1.25e9, Unit::BytesPerSecond),
                floor("loopback", 9.4e8, Unit::BytesPerSecond),
                floor("fsync p50", 85.25, Unit::Microseconds),
                floor("fsync p99", 2510.0, Unit::Microseconds),
            ],
            client: ClientCapacity {
                records_per_s: 1.25e6,
                cpu_nanos_per_record: 640.4,
            },
            limits: vec![
                Limit {
                    name: "open files",
                    value: "1048576".into(),
                    advice: None,
                },
                Limit {
                    name: "vm.swappiness",
                    value: "60".into(),
                    advice: Some("a broker that is swapped out stalls".into()),
                },
            ],
            obstacles: vec![Obstacle {
                what: "it runs on a battery".into(),
                mend: "plug it in".into(),
            }],
        };
        insta::assert_snapshot!(render(&report));
        let clean = Report {
            obstacles: Vec::new(),
            ..report
        };
        assert!(render(&clean).ends_with("\nnothing would spoil a measurement now\n"));
    }
}
