//! What ships beside the crate is what the code says it is.

use plimsoll_workloads::{
    Plan, Spec,
    language::{PayloadSpec, reference},
    shipped,
    units::Span,
};
use serde_json::Value;
use std::{fs, path::Path};

/// Reads a file of the crate's directory.
fn file(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    fs::read_to_string(path).expect(name)
}

fn plan(name: &str) -> Plan {
    let spec = Spec::find(name, &[]).expect(name);
    spec.plan().expect(name)
}

#[test]
fn every_workload_in_the_directory_ships_and_can_be_planned_from_anywhere() {
    let directory = fs::read_dir(env!("CARGO_MANIFEST_DIR")).expect("the crate's directory");
    let names = directory.filter_map(|entry| {
        let name = entry.ok()?.file_name().into_string().ok()?;
        Some(name.strip_suffix(".toml")?.to_owned())
    });
    let mut names: Vec<_> = names.filter(|name| name != "Cargo").collect();
    names.sort();
    let mut shipped: Vec<_> = shipped::workloads().map(|workload| workload.name).collect();
    shipped.sort_unstable();
    assert_eq!(names, shipped);
    for workload in shipped::workloads() {
        let plan = plan(workload.name);
        assert_eq!(plan.name, workload.name);
        assert!(!plan.question.is_empty(), "{}", workload.name);
        assert!(
            plan.warnings.is_empty(),
            "{}: {:?}",
            workload.name,
            plan.warnings
        );
        assert!(
            workload.describe().ends_with('?'),
            "{}",
            workload.describe()
        );
    }
}

#[test]
fn a_workload_means_the_same_by_its_name_and_by_its_path() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("quickstart.toml");
    let by_path = Spec::load(&path, &[]).expect("a good workload").plan();
    assert_eq!(by_path.expect("a good plan"), plan("quickstart"));
}

#[test]
fn the_quickstart_takes_less_than_a_minute_and_a_half() {
    let plan = plan("quickstart");
    assert!(plan.expected() < Span::from_secs(80), "{}", plan.expected());
    let axes: Vec<_> = plan.axes.iter().map(|axis| axis.path.as_str()).collect();
    assert_eq!(
        axes,
        ["topic.partitions", "producer.acks", "producer.compression"]
    );
    let payload = plan.cells[0].spec.records.payload();
    assert!(
        matches!(payload, PayloadSpec::Sample { .. }),
        "the order events"
    );
}

#[test]
fn the_schema_and_the_reference_are_those_of_the_code() {
    let written: Value = serde_json::from_str(&file("schema.json")).expect("a schema is JSON");
    assert!(
        written == Spec::schema().to_value(),
        "write it with the language example"
    );
    let readme = file("README.md");
    let (_, written) = readme
        .split_once("kept by a test -->\n")
        .expect("the marker");
    assert!(written == reference(), "write it with the language example");
}

#[test]
fn the_readme_lists_what_ships() {
    let readme = file("README.md");
    let rows = shipped::workloads()
        .map(|workload| format!("| `{}` | {} |\n", workload.name, workload.describe()));
    assert!(readme.contains(&rows.collect::<String>()));
}

#[test]
fn the_example_of_the_readme_is_a_good_workload() {
    let readme = file("README.md");
    let example = readme.split("```").nth(1).expect("an example");
    let text = example.trim_start_matches("toml");
    let spec = Spec::parse(text, "README.md", Path::new(""), &[]).expect("it reads");
    assert_eq!(spec.axes().len(), 2);
}
