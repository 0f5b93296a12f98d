use super::*;
use crate::language::{Spec, SpecError};
use proptest::prelude::*;
use std::{collections::BTreeSet, fs, path::Path};

/// Compares a text with the stored one.
macro_rules! check_told {
    ($text:expr) => {
        insta::with_settings!({ omit_expression => true }, { insta::assert_snapshot!($text) })
    };
}

fn spec(text: &str) -> Spec {
    Spec::parse(text, "w.toml", Path::new(""), &[]).expect(text)
}

fn plan(text: &str) -> Plan {
    spec(text).plan().expect(text)
}

fn refusal(text: &str) -> String {
    let planned = Spec::parse(text, "w.toml", Path::new(""), &[]).and_then(|spec| spec.plan());
    planned.expect_err(text).to_string()
}

const THREE_AXES: &str = r#"
    topic.partitions = [1, 6]
    producer.acks = [0, 1, "all"]
    producer.compression = ["none", "zstd:9"]
"#;

#[test]
fn every_combination_comes_once_in_every_block() {
    let plan = plan(&format!("repeats = 4\n{THREE_AXES}"));
    assert_eq!((plan.cells.len(), plan.runs.len()), (12, 48));
    let ids: BTreeSet<_> = plan.cells.iter().map(|cell| &cell.id).collect();
    assert_eq!(ids.len(), 12);
    let mut orders = BTreeSet::new();
    for (repeat, block) in plan.runs.chunks(12).enumerate() {
        assert!(block.iter().all(|run| run.repeat as usize == repeat));
        assert!(
            block.iter().all(|run| run.seed == block[0].seed),
            "one seed a block"
        );
        let mut cells: Vec<_> = block.iter().map(|run| run.cell).collect();
        orders.insert(cells.clone());
        cells.sort_unstable();
        assert_eq!(cells, (0..12).collect::<Vec<_>>());
    }
    assert_eq!(orders.len(), 4, "each block has an order of its own");
}

#[test]
fn a_cell_shows_what_it_is() {
    let plan = plan(THREE_AXES);
    let cell = plan.cells.last().expect("there are cells");
    assert_eq!(plan.label(cell), "partitions=6 acks=all compression=zstd:9");
    check_told!(serde_json::to_string_pretty(cell).expect("a cell is JSON"));
    check_told!(serde_json::to_string(&plan.axes).expect("axes are JSON"));
}

#[test]
fn a_plan_reads_back_from_its_json() {
    let plan = plan(THREE_AXES);
    let json = serde_json::to_string(&plan).expect("a plan is JSON");
    assert_eq!(
        serde_json::from_str::<Plan>(&json).expect("it reads back"),
        plan
    );
}

#[test]
fn ids_and_order_depend_on_what_is_run_and_on_the_seed_alone() {
    let first = plan(THREE_AXES);
    assert_eq!(
        plan(THREE_AXES),
        first,
        "the same workload makes the same plan"
    );
    let seeded = plan(&format!("seed = 2\n{THREE_AXES}"));
    assert_ne!(seeded.hash, first.hash);
    assert_ne!(seeded.runs, first.runs);
    let ids = |plan: &Plan| {
        plan.cells
            .iter()
            .map(|cell| cell.id.clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        ids(&seeded),
        ids(&first),
        "a seed is not part of what a cell is"
    );
}

#[test]
fn cells_that_do_the_same_have_the_same_id() {
    let id = |text: &str| plan(text).cells[0].id.clone();
    let check = |a: &str, b: &str, same: bool| assert_eq!(id(a) == id(b), same, "{a} and {b}");
    check("", "records.size = '1KiB'", true);
    check("records.size = 1000", "records.size = '1KB'", true);
    check("", "producer.idempotence = true", true);
    check("", "producer.idempotence = false", false);
    check("", "name = 'other'", true);
    check("", "load.warmup = '6s'", false);
    check("", "broker.num.io.threads = 4", false);
    check(
        "topic.configs.segment.bytes = '1MiB'",
        "[topic.configs]\n'segment.bytes' = 1048576",
        true,
    );
    // Pinned: a changed id would run again what a run had finished.
    assert_eq!(id("").as_str(), "adcdf67d2a9f04c5");
}

#[test]
fn a_file_is_known_by_its_content() {
    let id = |content: &str, name: &str| {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let base = dir.path();
        fs::write(base.join(name), content).expect("written");
        let text = format!("records.sample = '{name}'");
        let spec = Spec::parse(&text, "w.toml", base, &[]).expect("a good spec");
        spec.plan().expect("a good plan").cells[0].id.clone()
    };
    assert_eq!(id("a\nb\n", "one.txt"), id("a\nb\n", "two.txt"));
    assert_ne!(id("a\nb\n", "one.txt"), id("a\nc\n", "one.txt"));
}

#[test]
fn a_setting_may_be_swept_with_and_without() {
    let plan = plan("transactions.records = ['none', 100]");
    let labels: Vec<_> = plan.cells.iter().map(|cell| plan.label(cell)).collect();
    assert_eq!(labels, ["records=none", "records=100"]);
    assert_eq!(plan.axes[0].values, ["none".into(), Value::from(100)]);
    let without = self::plan("").cells[0].id.clone();
    assert_eq!(plan.cells[0].id, without, "none is as if left out");
}

#[test]
fn a_short_sample_is_warned_of() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    fs::write(dir.path().join("few"), "a\nb\n").expect("written");
    let spec = Spec::parse("records.sample = 'few'", "w.toml", dir.path(), &[]);
    let plan = spec.expect("a good spec").plan().expect("a good plan");
    assert!(
        plan.warnings[0].contains("only 4 bytes"),
        "{:?}",
        plan.warnings
    );
    assert_eq!(plan.inputs.len(), 1);
}

#[test]
fn the_expected_time_counts_every_run() {
    let text = "repeats = 2\nload.warmup = '1s'\nload.duration = '8.5s'\nload.drain = '5s'\n";
    let plan = plan(&format!("{text}{THREE_AXES}"));
    assert_eq!(plan.expected(), Span::from_secs(24 * 10));
    assert_eq!(plan.at_most(), Span::from_secs(24 * 15));
}

#[test]
fn a_time_budget_drops_the_blocks_that_do_not_fit() {
    let text = "repeats = 5\nload.warmup = '1s'\nload.duration = '8.5s'\n";
    let with = |budget: &str| format!("time_budget = '{budget}'\n{text}{THREE_AXES}");
    let check = |budget: &str, repeats: u32| {
        let plan = plan(&with(budget));
        assert_eq!(
            (plan.repeats, plan.repeats_dropped),
            (repeats, 5 - repeats),
            "{budget}"
        );
        assert_eq!(plan.runs.len(), 12 * repeats as usize);
    };
    check("1h", 5);
    check("6m", 3);
    check("2m", 1);
    check_told!(refusal(&with("1m59s")));
}

#[test]
fn a_fraction_is_run_or_refused() {
    let with = |fraction: &str| format!("repeats = 1\nfraction = '{fraction}'\n{THREE_AXES}");
    assert_eq!(plan(&with("1/2")).cells.len(), 6);
    check_told!(refusal(&with("1/3")));
}

#[test]
fn a_plan_that_cannot_be_run_says_why() {
    let list: Vec<_> = (1..=400).map(|n| n.to_string()).collect();
    let list = list.join(",");
    let axes = ["topic.partitions", "producer.in_flight", "producer.count"];
    let large = axes.map(|path| format!("{path} = [{list}]\n")).concat();
    let cases = [
        "producer.acks = [1, 'all']\nproducer.idempotence = [true, false]",
        "records.sample = 'nowhere.jsonl'",
        "load.arrivals = 'trace(nowhere.txt)'",
        "records.sample = 'order-events'\nrecords.keys = 'field(customer.name)'",
        &large,
    ];
    check_told!(cases.map(refusal).join("\n"));
}

proptest! {
    #[test]
    fn the_number_of_runs_is_the_product_of_the_lists(
        partitions in 1_usize..6, producers in 1_usize..6, lingers in 1_usize..6,
        repeats in 1_usize..5, seed: u64,
    ) {
        let list = |count: usize| (1..=count).map(|n| n.to_string()).collect::<Vec<_>>();
        let lingers_list: Vec<_> = list(lingers).iter().map(|n| format!("'{n}ms'")).collect();
        let text = format!(
            "seed = {}\nrepeats = {repeats}\ntopic.partitions = [{}]\nproducer.count = [{}]\n\
             producer.linger = [{}]",
            seed >> 1, list(partitions).join(","), list(producers).join(","),
            lingers_list.join(","),
        );
        let plan = plan(&text);
        let cells = partitions * producers * lingers;
        prop_assert_eq!(plan.cells.len(), cells);
        prop_assert_eq!(plan.runs.len(), cells * repeats);
        let mut pairs = BTreeSet::new();
        for (run, cell) in plan.iter() {
            pairs.insert((cell.id.clone(), run.repeat));
        }
        prop_assert_eq!(pairs.len(), cells * repeats, "no run twice, none lost");
    }
}

#[test]
fn errors_of_planning_are_refusals() {
    let refused = spec("records.sample = 'nowhere'").plan();
    assert!(
        matches!(refused, Err(SpecError::Refused(problems)) if problems[0].path() == "records.sample")
    );
}
