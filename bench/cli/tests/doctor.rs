//! What the machine and the client can do at all: `plimsoll doctor`, and a run
//! that asks a null sink.

use plimsoll_results::load;
use std::path::Path;
use std::process::{Command, Output};

fn plimsoll(home: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_plimsoll"))
        .current_dir(home)
        .env("XDG_CACHE_HOME", home.join("cache"))
        .args(args)
        .output()
        .expect("it runs")
}

#[test]
fn the_doctor_says_what_the_machine_can_do_and_what_is_in_the_way() {
    let home = tempfile::tempdir().expect("a directory");
    let output = plimsoll(home.path(), &["doctor", "--json", "--data", "."]);
    let report: serde_json::Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)));
    let floors = report["floors"].as_array().expect("floors");
    assert!(
        floors
            .iter()
            .all(|floor| floor["value"].as_f64() > Some(0.0))
    );
    assert!(report["client"]["records_per_s"].as_f64() > Some(0.0));
    assert_eq!(report["data"], ".");
    let obstacles = report["obstacles"].as_array().expect("obstacles");
    assert_eq!(output.status.code(), Some(i32::from(!obstacles.is_empty())));
    if cfg!(debug_assertions) {
        assert_eq!(obstacles[0]["what"], "this plimsoll is a debug build");
    }
    let output = plimsoll(home.path(), &["doctor", "--data", "/no/such"]);
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(words.starts_with("error: --data /no/such: "), "{words}");
}

#[test]
fn a_run_knows_what_its_client_could_have_sent() {
    let home = tempfile::tempdir().expect("a directory");
    let run = |name: &str, rate: &str| {
        let rate = format!("load.rate={rate}");
        let mut args = vec!["run", "quickstart", "--quiet", "--out", name];
        for set in [
            "repeats=1",
            "topic.partitions=1",
            "producer.acks=1",
            "producer.compression=none",
            "load.warmup=50ms",
            "load.duration=200ms",
            &rate,
        ] {
            args.extend(["--set", set]);
        }
        let output = plimsoll(home.path(), &args);
        let words = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{words}");
        let mut run = load(&home.path().join(name)).expect("a result").run;
        run.cells.remove(0).client_capacity
    };
    let first = run("first", "max").expect("it was in question");
    assert!(first.records_per_s > 0.0 && first.cpu_nanos_per_record > 0.0);
    assert_eq!(run("second", "max"), Some(first), "it is measured once");
    let slow = run("slow", "100/s");
    assert_eq!(slow, None, "a load that was carried raises no question");
}
