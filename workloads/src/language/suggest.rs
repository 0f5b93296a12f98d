//! What an unknown setting was probably meant to be.

use super::{
    cell::CellSpec,
    faults::{FAULTS_MAX, FaultSpec},
    fields::Field,
    gate::GateSpec,
    run::RunSpec,
};

/// Similarity, from 0 to 1, below which a guess helps nobody.
const SIMILARITY_MIN: f64 = 0.55;

/// Every setting of the language with its section.
pub(super) fn settings() -> impl Iterator<Item = (&'static str, &'static Field)> {
    let run = std::iter::once((RunSpec::SECTION, RunSpec::FIELDS));
    let gate = std::iter::once((GateSpec::SECTION, GateSpec::FIELDS));
    let sections = run.chain(CellSpec::sections()).chain(gate);
    sections.flat_map(|(section, fields)| fields.iter().map(move |field| (section, field)))
}

/// The message for a path that is not a setting.
pub(super) fn unknown(path: &str) -> String {
    if let Some(advice) = special(path) {
        return advice;
    }
    if let Some(meant) = by_kafka_name(path).or_else(|| nearest(path)) {
        return format!("there is no such setting; did you mean `{meant}`?");
    }
    let section = path.split_once('.').map_or("", |(section, _)| section);
    let names: Vec<_> = settings()
        .filter(|(of, _)| *of == section)
        .map(|(_, field)| field.name)
        .collect();
    if names.is_empty() {
        return format!("there is no such setting; the sections are {}", sections());
    }
    match section {
        "" => format!(
            "there is no such setting; at the top there are {}, and the sections {}",
            names.join(", "),
            sections()
        ),
        _ => format!(
            "there is no such setting; [{section}] has {}",
            names.join(", ")
        ),
    }
}

fn sections() -> String {
    let names = CellSpec::sections().map(|(section, _)| section);
    let names: Vec<_> = names.into_iter().filter(|name| !name.is_empty()).collect();
    format!("{}, broker, faults, gate", names.join(", "))
}

/// Paths that have their own answer.
fn special(path: &str) -> Option<String> {
    if path.ends_with("compression_level") || path.ends_with("compression.level") {
        return Some("a level stands with its codec: producer.compression = \"zstd:9\"".to_owned());
    }
    if let Some(rest) = path.strip_prefix("faults") {
        return Some(of_faults(rest));
    }
    let is_section = CellSpec::sections().iter().any(|(name, _)| *name == path);
    if is_section || matches!(path, "broker" | GateSpec::SECTION) {
        return Some(format!(
            "this is a section: write [{path}] and its settings below"
        ));
    }
    (path == "topic.configs").then(|| {
        "this is a section: write [topic.configs] and Kafka's topic settings below".to_owned()
    })
}

/// The message for what is no setting of a fault: `rest` is `.N.NAME` when it is
/// well formed.
fn of_faults(rest: &str) -> String {
    let numbered = rest
        .strip_prefix('.')
        .and_then(|rest| rest.split_once('.'))
        .filter(|(number, _)| number.parse::<usize>().is_ok());
    let names: Vec<_> = FaultSpec::FIELDS.iter().map(|field| field.name).collect();
    let names = names.join(", ");
    match numbered {
        Some(_) => {
            format!(
                "there is no such setting; a fault has {names}, and faults are numbered from 1 \
             to {FAULTS_MAX}"
            )
        }
        None => format!("write [[faults]] and below it {names}; with --set, faults.1.kind"),
    }
}

/// The setting that stands for a Kafka property of that name, as in
/// `producer.linger.ms`.
fn by_kafka_name(path: &str) -> Option<String> {
    let (section, rest) = path.split_once('.').unwrap_or(("", path));
    let same = |(_, field): &(&str, &Field)| {
        !field.kafka.is_empty() && (field.kafka == rest || field.kafka == path)
    };
    let mut found: Vec<_> = settings().filter(same).collect();
    found.sort_by_key(|(of, _)| *of != section);
    found.first().map(|(of, field)| dotted(of, field.name))
}

fn nearest(path: &str) -> Option<String> {
    let (section, name) = path.split_once('.').unwrap_or(("", path));
    let elsewhere = settings().find(|(_, field)| field.name == name);
    let alike = |(of, field): (&str, &Field)| {
        let known = dotted(of, field.name);
        let whole = strsim::normalized_damerau_levenshtein(&known, path);
        let within = match of == section {
            true => strsim::normalized_damerau_levenshtein(field.name, name),
            false => 0.0,
        };
        (whole.min(1.0).max(within), known)
    };
    let known_section = settings().any(|(of, _)| of == section);
    if let Some((of, field)) = elsewhere.filter(|_| known_section) {
        return Some(dotted(of, field.name));
    }
    let best = settings()
        .map(alike)
        .max_by(|(a, _), (b, _)| a.total_cmp(b));
    let best = best.filter(|(_, known)| {
        let name_of = |path: &str| path.rsplit('.').next().unwrap_or_default().to_owned();
        let (meant, given) = (name_of(known), name_of(path));
        strsim::normalized_damerau_levenshtein(&meant, &given) >= SIMILARITY_MIN
            || meant.contains(&given)
            || given.contains(&meant)
    });
    best.map(|(_, known)| known)
}

pub(super) fn dotted(section: &str, name: &str) -> String {
    match section {
        "" => name.to_owned(),
        _ => format!("{section}.{name}"),
    }
}
