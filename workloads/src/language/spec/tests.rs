use super::*;
use crate::language::{Codec, PayloadSpec, Source};
use proptest::{collection::vec, prelude::*, sample::select};

/// Compares a text with the stored one.
macro_rules! check_told {
    ($text:expr) => {
        insta::with_settings!({ omit_expression => true }, { insta::assert_snapshot!($text) })
    };
}

fn read(text: &str, sets: &[&str]) -> Result<Spec, SpecError> {
    let sets: Vec<_> = sets.iter().map(|&set| set.to_owned()).collect();
    Spec::parse(text, "w.toml", Path::new("dir"), &sets)
}

fn refused(text: &str, sets: &[&str]) -> String {
    read(text, sets).expect_err(text).to_string()
}

/// Each case, the workload and its overrides, with what is said to it.
fn refusals(cases: &[(&str, &[&str])]) -> String {
    let told = cases.iter().map(|(text, sets)| {
        let shown = sets.iter().map(|set| format!(" --set {set}"));
        let case = text.replace('\n', " | ") + &shown.collect::<String>();
        let error = refused(text, sets);
        format!("{}\n    {}\n", case.trim(), error.replace('\n', "\n    "))
    });
    told.collect()
}

#[test]
fn a_workload_reads_into_typed_settings() {
    let text = r#"
        question = "which?"
        driver = "librdkafka"
        [topic]
        partitions = 6
        configs.segment.bytes = "1MiB"
        configs."retention.ms" = "1h"
        configs.cleanup.policy = "compact"
        [producer]
        compression = ["lz4", "zstd:9"]
        linger = "0ms"
        [load]
        rate = "50K/s"
        [broker]
        num.io.threads = 4
    "#;
    let spec = read(text, &[]).expect("a good workload");
    assert_eq!(
        (spec.run.name.as_str(), spec.run.question.as_str()),
        ("w", "which?")
    );
    assert_eq!(spec.base.topic.partitions, 6);
    let configs: Vec<_> = spec.base.topic.configs.iter().collect();
    let expected = [
        ("cleanup.policy", "compact"),
        ("retention.ms", "3600000"),
        ("segment.bytes", "1048576"),
    ];
    assert_eq!(configs, expected);
    assert_eq!(spec.base.broker.get("num.io.threads"), Some("4"));
    assert_eq!(spec.base.load.rate, "50K/s".parse().expect("a rate"));
    let [axis] = spec.axes() else {
        panic!("one list: {:?}", spec.axes());
    };
    assert_eq!(axis.path(), "producer.compression");
    assert_eq!(axis.values(), ["lz4", "zstd:9"]);
    let mut cell = spec.base.clone();
    axis.apply(1, &mut cell);
    assert_eq!(cell.producer.compression.codec(), Codec::Zstd);
    assert_eq!(cell.producer.compression.level(), Some(9));
}

#[test]
fn set_overrides_the_file_and_its_lists_are_sweeps() {
    let text = "topic.partitions = [1, 2]\nproducer.acks = 1";
    let sets = [
        "topic.partitions=12",
        "producer.acks=[0, 1, all]",
        "records.size=2KB",
    ];
    let spec = read(text, &sets).expect("good overrides");
    assert_eq!(spec.base.topic.partitions, 12);
    let axes: Vec<_> = spec
        .axes()
        .iter()
        .map(|axis| (axis.path(), axis.values().len()))
        .collect();
    assert_eq!(axes, [("producer.acks", 3)]);
    let PayloadSpec::Synthetic { size, .. } = spec.base.records.payload() else {
        panic!("no sample was set");
    };
    assert_eq!(size.to_string(), "2KB");
}

#[test]
fn relative_files_start_where_they_were_written() {
    let check = |text: &str, sets: &[&str], expected: &str| {
        let spec = read(text, sets).expect(text);
        let expected = Source::File(expected.into());
        assert_eq!(spec.base.records.sample, Some(expected), "{text} {sets:?}");
    };
    check("records.sample = 'a.jsonl'", &[], "dir/a.jsonl");
    check("records.sample = '/a.jsonl'", &[], "/a.jsonl");
    check("", &["records.sample=a.jsonl"], "a.jsonl");
    let traced = read("load.arrivals = 'trace(t.txt)'", &[]).expect("a trace");
    assert_eq!(traced.base.load.arrivals.to_string(), "trace(dir/t.txt)");
}

#[test]
fn unknown_settings_are_refused_with_the_nearest() {
    check_told!(refusals(&[
        ("topic.partitons = 3", &[]),
        ("[producer]\n\nack = 1", &[]),
        ("[producr]\nacks = 1", &[]),
        ("repeat = 3", &[]),
        ("[producer]\npartitions = 3", &[]),
        ("[producer]\nlinger.ms = 3", &[]),
        (
            "[producer]\n'max.in.flight.requests.per.connection' = 3",
            &[]
        ),
        ("[producer]\ncompression_level = 3", &[]),
        ("[load]\ncolour = 'blue'", &[]),
        ("zzzzzzzz = 1", &[]),
        ("[weather]\nwind = 1", &[]),
        ("topic = 1", &[]),
        ("topic.partitons = [3, 4]", &[]),
        ("", &["topic.partition=3"]),
        ("", &["partitions=3"]),
        ("", &["load.rate"]),
    ]));
}

#[test]
fn values_out_of_range_are_refused_with_what_is_accepted() {
    check_told!(refusals(&[
        ("producer.acks = 2", &[]),
        ("topic.partitions = 0", &[]),
        ("topic.partitions = -1", &[]),
        ("topic.partitions = 1.5", &[]),
        ("producer.batch_bytes = '64K'", &[]),
        ("producer.linger = 5", &[]),
        ("producer.idempotence = 'yes'", &[]),
        ("producer.compression = 'lz4:99'", &[]),
        ("load.rate = 50000", &[]),
        ("load.duration = '1ms'", &[]),
        ("load.arrivals = 'random'", &[]),
        ("records.keys = 'zipf(10)'", &[]),
        ("records.compressibility = 2", &[]),
        ("driver = 'java'", &[]),
        ("fraction = '2/3'", &[]),
        ("name = 'a/b'", &[]),
        ("", &["producer.acks=[0, two, 3]"]),
    ]));
}

#[test]
fn lists_and_texts_that_mean_nothing_are_refused() {
    check_told!(refusals(&[
        ("producer.acks = []", &[]),
        ("producer.acks = ['all', -1]", &[]),
        ("producer.acks = [[1]]", &[]),
        ("repeats = [1, 2]", &[]),
        ("[[producer]]\nacks = 1", &[]),
        ("load.duration = 2020-01-01", &[]),
        ("topic.partitions = 1\ntopic.partitions = 2", &[]),
        ("a = \nb = 1", &[]),
    ]));
}

#[test]
fn contradictions_are_refused() {
    check_told!(refusals(&[
        ("producer.acks = 1\nproducer.idempotence = true", &[]),
        ("producer.in_flight = 6\nproducer.idempotence = true", &[]),
        ("producer.acks = 1\ntransactions.records = 10", &[]),
        (
            "producer.idempotence = false\ntransactions.records = 10",
            &[]
        ),
        ("transactions.records = 0", &[]),
        ("transactions.abort_rate = '5%'", &[]),
        ("topic.configs.min.insync.replicas = 2", &[]),
        ("records.sample = 'a'\nrecords.size = 9", &[]),
        ("records.sample = 'a'\nrecords.compressibility = 0", &[]),
        ("records.split = 'lines'", &[]),
        ("records.keys = 'field(id)'", &[]),
        ("records.size = '2MiB'", &[]),
        ("load.arrivals = 'poisson'", &[]),
        ("load.arrivals = 'trace(t)'\nload.rate = '1/s'", &[]),
    ]));
}

#[test]
fn every_problem_is_told_at_once() {
    let text = "topic.partitons = 3\nproducer.acks = 7\nload.rate = 'fast'";
    check_told!(refusals(&[(text, &["driver=java"]),]));
}

#[test]
fn a_workload_that_is_not_there_is_told_apart_from_one_that_cannot_be_read() {
    let check = |name: &str| Spec::find(name, &[]).expect_err(name).to_string();
    let names = ["quikstart", "workloads/quickstart.tml", "nothing-like-it"];
    check_told!(names.map(check).join(
        "
"
    ));
    let directory = tempfile::tempdir().expect("a temporary directory");
    let error = check(&directory.path().display().to_string());
    assert!(error.starts_with("cannot read "), "{error}");
}

/// A setting's path and a value that may or may not fit it.
fn lines() -> impl Strategy<Value = String> {
    let paths: Vec<_> = suggest::settings()
        .map(|(section, field)| suggest::dotted(section, field.name))
        .collect();
    let values = prop_oneof![
        any::<i64>().prop_map(|n| n.to_string()),
        any::<f64>().prop_map(|n| n.to_string()),
        "[a-z0-9(),.=:%/ -]{0,20}".prop_map(|text| format!("'{text}'")),
        "(zipf|hot|mix|uniform|steps|ramp|burst|at)\\([0-9KMBs%/,:. ]{0,20}\\)"
            .prop_map(|text| format!("'{text}'")),
        "\\[('[a-z0-9]{0,4}',?){0,4}\\]",
        Just("true".to_owned()),
    ];
    let path = prop_oneof![select(paths), "[a-z_.]{1,20}"];
    (path, values).prop_map(|(path, value)| format!("{path} = {value}"))
}

proptest! {
    #[test]
    fn no_text_panics(text in "\\PC{0,200}", set in "\\PC{0,40}") {
        let _ = read(&text, &[&set]);
    }

    /// What is refused says why; what is read shows its settings, and reads
    /// back from its stored form.
    #[test]
    fn every_setting_is_read_or_refused_with_a_reason(lines in vec(lines(), 1..5)) {
        match read(&lines.join("\n"), &[]) {
            Err(error) => prop_assert!(error.to_string().len() > 10, "{error}"),
            Ok(spec) => {
                let stored = serde_json::to_string(&spec.base).expect("a cell is JSON");
                let base: CellSpec = serde_json::from_str(&stored).expect("it reads back");
                prop_assert_eq!(base.params(), spec.base.params());
                prop_assert_eq!(base, spec.base);
            }
        }
    }
}

const SEVERAL: &str = r#"
    [[workload]]
    name = "orders"
    load.rate = "1K/s"
    consumer.groups = 2
    [[workload]]
    topic.partitions = [1, 12]
    load.rate = "20MB/s"
    [producer]
    acks = [1, "all"]
    [load]
    duration = "3s"
"#;

#[test]
fn several_workloads_follow_the_top_in_what_they_do_not_set() {
    let sets = ["workload.orders.producer.acks=0"];
    let spec = read(SEVERAL, &sets).expect("a good workload");
    let names: Vec<_> = spec.base.workloads.iter().map(|w| &w.name).collect();
    assert_eq!(names, ["orders", "2"]);
    let plan = spec.plan().expect("a good plan");
    let paths: Vec<_> = plan.axes.iter().map(|axis| axis.path.as_str()).collect();
    assert_eq!(paths, ["workload.2.topic.partitions", "producer.acks"]);
    assert_eq!(plan.cells.len(), 4);
    for cell in &plan.cells {
        let [orders, bulk] = &cell.spec.workloads[..] else {
            panic!("two workloads: {:?}", cell.spec.workloads);
        };
        assert_eq!(orders.cell.producer.acks.to_string(), "0");
        assert_eq!(orders.cell.consumer.groups, 2);
        assert_eq!(orders.cell.topic.partitions, 1);
        assert_eq!(bulk.cell.producer.acks, cell.spec.producer.acks);
        assert_eq!(bulk.cell.load.duration, cell.spec.load.duration);
        let partitions = bulk.cell.topic.partitions;
        assert_eq!(cell.params["workload.2.topic.partitions"], partitions);
        assert_eq!(cell.params["workload"], "orders, 2");
        assert_eq!(cell.params["workload.orders.load.rate"], "1K/s");
        assert!(!cell.params.contains_key("workload.2.producer.acks"));
    }
    let mut ids: Vec<_> = plan.cells.iter().map(|cell| cell.id.as_str()).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 4, "each cell has an id of its own");
}

#[test]
fn several_workloads_that_cannot_be_are_refused() {
    let with = |line: &str| SEVERAL.replace("load.rate = \"1K/s\"", line);
    let cases: Vec<(String, Vec<&str>)> = vec![
        (with("name = \"x\""), vec![]),
        (with("load.duration = \"1s\""), vec![]),
        (with("cluster.nodes = 3"), vec![]),
        (with("producer.akcs = 1"), vec![]),
        (with("load.rate = \"search\""), vec![]),
        (with("consumer.late_groups = 3"), vec![]),
        (SEVERAL.replace("\"orders\"", "\"2\""), vec![]),
        (SEVERAL.replace("\"orders\"", "\"a.b\""), vec![]),
        (SEVERAL.replace("\"orders\"", "\"together\""), vec![]),
        (SEVERAL.to_owned(), vec!["workload.payments.load.rate=1K/s"]),
        (String::new(), vec!["workload.payments.load.rate=1K/s"]),
    ];
    let told = cases.iter().map(|(text, sets)| {
        let changed = text.lines().filter(|line| !SEVERAL.contains(line));
        let changed = changed.collect::<Vec<_>>().join(" | ");
        let planned = read(text, sets).and_then(|spec| spec.plan());
        let error = planned.expect_err(text).to_string();
        let error = error.replace('\n', "\n    ");
        format!("{}{}\n    {error}\n", changed.trim(), sets.join(" "))
    });
    check_told!(told.collect::<String>());
}
