//! The charts of fixed results, as pictures and as text.

mod fixture;

use plimsoll_plots::charts;
use std::path::PathBuf;

/// Where the pictures stay for a look.
fn out(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name)
}

#[test]
fn the_quickstart_draws_every_chart_its_data_carries() {
    let dir = out("quickstart");
    plimsoll_results::save(&fixture::quickstart(), &dir).expect("saves");
    let run = plimsoll_results::load(&dir).expect("loads").run;
    let files = charts(&run, &dir.join("charts")).expect("draws");
    let names: Vec<&str> = files.iter().map(|f| f.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "throughput",
            "throughput-heat",
            "latency-heat",
            "latency-spectrum",
            "response-against-service",
            "latency-over-time",
            "throughput-over-time",
            "lag-over-time",
            "cpu-over-time",
            "compression-against-throughput",
            "broker-cpu-per-gb",
        ]
    );
}
