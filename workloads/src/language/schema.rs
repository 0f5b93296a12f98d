//! The JSON Schema of the workload language, for editors and other tools.

use super::{
    cell::CellSpec,
    faults::{FAULTS_MAX, FaultSpec},
    fields::Field,
    gate::GateSpec,
    run::RunSpec,
    several::{WORKLOAD, WORKLOADS_MAX, is_shared},
    spec::Spec,
    suggest::dotted,
};
use schemars::{Schema, SchemaGenerator, json_schema};
use serde_json::{Map, Value, json};

impl Spec {
    /// The JSON Schema of a workload file.
    pub fn schema() -> Schema {
        let mut generator = SchemaGenerator::default();
        let mut top = Map::new();
        for field in RunSpec::FIELDS {
            top.insert(
                field.name.to_owned(),
                describe(field, &mut generator, false),
            );
        }
        top.extend(sections(&mut generator, |_| true));
        top.insert(WORKLOAD.to_owned(), workloads(&mut generator));
        top.insert("broker".to_owned(), kafka_settings());
        let faults = FaultSpec::FIELDS.iter().map(|field| {
            let described = describe(field, &mut generator, true);
            (field.name.to_owned(), described)
        });
        let fault = table(faults.collect());
        top.insert(
            FaultSpec::SECTION.to_owned(),
            json!({ "type": "array", "items": fault, "maxItems": FAULTS_MAX }),
        );
        let mut gate = Map::new();
        for field in GateSpec::FIELDS {
            let described = describe(field, &mut generator, false);
            gate.insert(field.name.to_owned(), described);
        }
        top.insert(GateSpec::SECTION.to_owned(), table(gate));
        json_schema!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "title": "plimsoll workload",
            "type": "object",
            "properties": top,
            "additionalProperties": false,
            "$defs": generator.take_definitions(true),
        })
    }
}

/// The settings of cells, by section, of which `takes` takes the path.
fn sections(generator: &mut SchemaGenerator, takes: impl Fn(&str) -> bool) -> Map<String, Value> {
    let mut all = Map::new();
    for (section, fields) in CellSpec::sections() {
        let mut properties = Map::new();
        for field in fields {
            if takes(&dotted(section, field.name)) {
                let described = describe(field, generator, true);
                properties.insert(field.name.to_owned(), described);
            }
        }
        if section == "topic" {
            properties.insert("configs".to_owned(), kafka_settings());
        }
        match section {
            "" => all.extend(properties),
            _ if properties.is_empty() => {}
            _ => {
                all.insert(section.to_owned(), table(properties));
            }
        }
    }
    all
}

/// The tables of several workloads.
fn workloads(generator: &mut SchemaGenerator) -> Value {
    let mut properties = sections(generator, |path| !is_shared(path));
    let name = json!({
        "type": "string",
        "description": "the workload's name, which no other of the cell has; its number when unset",
    });
    properties.insert("name".to_owned(), name);
    json!({
        "type": "array",
        "items": table(properties),
        "maxItems": WORKLOADS_MAX,
        "description": "several workloads that run at once; what they leave out is set at the top",
    })
}

/// A section with these settings and no others.
fn table(properties: Map<String, Value>) -> Value {
    json!({ "type": "object", "properties": properties, "additionalProperties": false })
}

/// One setting; where it may be swept, also a list of its values.
fn describe(field: &Field, generator: &mut SchemaGenerator, swept: bool) -> Value {
    let one = (field.schema)(generator).to_value();
    let mut described = match swept {
        false => json!({ "allOf": [one] }),
        true => json!({
            "anyOf": [one, { "type": "array", "items": one, "minItems": 1, "uniqueItems": true }],
        }),
    };
    let mut doc = field.doc.trim().replace("\n ", "\n");
    if !field.kafka.is_empty() {
        doc = format!("{doc}\nKafka: {}.", field.kafka);
    }
    if let Some((from, to)) = (field.range)() {
        doc = format!("{doc}\nFrom {from} to {to}.");
    }
    if let Value::Object(members) = &mut described {
        members.insert("description".to_owned(), doc.into());
        let default = (field.default)();
        if !default.is_null() {
            members.insert("default".to_owned(), default);
        }
    }
    described
}

/// A table of settings under Kafka's own names.
fn kafka_settings() -> Value {
    json!({ "type": "object", "description": "settings under Kafka's own names" })
}
