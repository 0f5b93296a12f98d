//! Who may import whom. The rooms of the house stay apart because a crate can
//! only use what its manifest names; this test reads every manifest and refuses
//! an arrow that the design does not draw.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Each room, and the rooms it may import.
const ALLOWED: &[(&str, &[&str])] = &[
    ("wire", &[]),
    ("log", &["wire"]),
    ("coordinator", &["wire"]),
    ("cluster", &["wire"]),
    ("broker", &["wire", "log", "coordinator", "cluster"]),
    (
        "server",
        &["wire", "log", "coordinator", "cluster", "broker"],
    ),
    ("sim", &["wire", "log", "coordinator", "cluster", "broker"]),
    ("units", &[]),
    ("workloads", &["units"]),
    ("results", &[]),
    ("drive", &["wire", "workloads", "results"]),
    ("gate", &["results"]),
    // A gate's verdicts and a history's change points are results to draw, too.
    ("plots", &["results", "gate"]),
    ("calculators", &["results", "units"]),
    (
        // The null sink of `doctor` and `run` is a server of the command's own,
        // which speaks the wire and nothing above it.
        "cli",
        &[
            "wire",
            "server",
            "broker",
            "units",
            "workloads",
            "results",
            "drive",
            "gate",
            "plots",
            "calculators",
        ],
    ),
];

/// What keeps the pure rooms pure: crates that bring threads, sockets, clocks
/// or unseeded randomness.
const IMPURE: &[&str] = &[
    "tokio",
    "socket2",
    "sysinfo",
    "rdkafka",
    "tracing-subscriber",
];
const PURE: &[&str] = &[
    "wire",
    "log",
    "coordinator",
    "cluster",
    "broker",
    "sim",
    "units",
    "workloads",
    "calculators",
    "gate",
];

#[test]
fn every_import_follows_an_arrow_of_the_design() {
    let allowed: BTreeMap<_, _> = ALLOWED.iter().copied().collect();
    for (room, dependencies) in manifests() {
        let arrows = allowed
            .get(room.as_str())
            .unwrap_or_else(|| panic!("room {room} is not in the table of arrows"));
        for dependency in &dependencies {
            if let Some(target) = room_of(dependency) {
                assert!(
                    arrows.contains(&target),
                    "{room} imports {target}; it may import {arrows:?}"
                );
            }
            assert!(
                !(PURE.contains(&room.as_str()) && IMPURE.contains(&dependency.as_str())),
                "{room} is a pure room and must not depend on {dependency}"
            );
        }
    }
}

/// The room behind a crate's name, when it is one of ours.
fn room_of(dependency: &str) -> Option<&str> {
    dependency.strip_prefix("plimsoll-")
}

/// Every member's room name with its ordinary dependencies.
fn manifests() -> Vec<(String, BTreeSet<String>)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let workspace = read(&root.join("Cargo.toml"));
    let members = workspace["workspace"]["members"]
        .as_array()
        .expect("members is a list");
    members
        .iter()
        .map(|member| {
            let path = member.as_str().expect("a member is a path");
            let manifest = read(&root.join(path).join("Cargo.toml"));
            let room = path
                .rsplit('/')
                .next()
                .expect("a path has a last part")
                .to_owned();
            let dependencies = manifest
                .get("dependencies")
                .and_then(|table| table.as_table())
                .map(|table| table.keys().cloned().collect())
                .unwrap_or_default();
            (room, dependencies)
        })
        .collect()
}

fn read(path: &Path) -> toml::Table {
    let text =
        std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    text.parse()
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
