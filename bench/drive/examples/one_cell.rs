//! Runs the first cell of a workload against a cluster and prints its result.
//!
//! `cargo run --release --example one_cell -- HOST:PORT WORKLOAD [KEY=VALUE]…`

use plimsoll_drive::cell::{Options, Target, run_cell};
use plimsoll_drive::observe::local_listeners;
use plimsoll_workloads::Spec;
use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let (Some(address), Some(workload)) = (args.next(), args.next()) else {
        return Err("usage: one_cell HOST:PORT WORKLOAD [KEY=VALUE]…".into());
    };
    let sets: Vec<String> = args.collect();
    let plan = Spec::find(&workload, &sets)?.plan()?;
    let Some((run, cell)) = plan.iter().next() else {
        return Err("the workload has no cells".into());
    };
    let bootstrap = vec![address];
    let broker_pids = local_listeners(&bootstrap);
    let target = Target {
        bootstrap: bootstrap.into(),
        broker_pids,
        rig: None,
    };
    let options = Options {
        dir: None,
        progress: &mut |_| {},
        interrupt: &|| None,
    };
    let mut result = run_cell(&target, cell, run, options)?;
    result.params.clear();
    for latency in [&mut result.latency.response, &mut result.latency.service] {
        latency
            .iter_mut()
            .for_each(|latency| latency.spectrum.clear());
    }
    for latency in [
        &mut result.latency.schedule_lag,
        &mut result.latency.end_to_end,
    ] {
        latency
            .iter_mut()
            .for_each(|latency| latency.spectrum.clear());
    }
    println!("{}", serde_json::to_string_pretty(&result)?);
    Ok(())
}
