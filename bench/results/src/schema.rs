//! The JSON Schema of `result.json`, also kept as `schema.json` beside this
//! crate for tools that do not run Rust.

use crate::RunResult;

/// The schema, for tools that read results without this crate.
pub fn schema() -> serde_json::Value {
    schemars::schema_for!(RunResult).to_value()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        CellResult, Finding, Histograms, Latency, LatencyKind, Second, Severity, Usage, Verified,
    };
    use serde_json::{Value, json};

    /// The part of JSON Schema that derived schemas use.
    fn violations(root: &Value, schema: &Value, value: &Value, at: &str, out: &mut Vec<String>) {
        if let Some(pointer) = schema["$ref"].as_str() {
            let target = root.pointer(pointer.trim_start_matches('#'));
            return match target {
                Some(target) => violations(root, target, value, at, out),
                None => out.push(format!("{at}: dangling reference {pointer}")),
            };
        }
        if let Some(options) = schema["anyOf"].as_array().or(schema["oneOf"].as_array()) {
            let fits = |option: &Value| {
                let mut found = Vec::new();
                violations(root, option, value, at, &mut found);
                found.is_empty()
            };
            if !options.iter().any(fits) {
                out.push(format!("{at}: fits no alternative"));
            }
            return;
        }
        let types: Vec<&str> = match &schema["type"] {
            Value::String(name) => vec![name],
            Value::Array(names) => names.iter().filter_map(Value::as_str).collect(),
            _ => vec![],
        };
        if !types.is_empty() && !types.iter().any(|name| has_type(value, name)) {
            out.push(format!("{at}: {value} is not {types:?}"));
        }
        if schema["minimum"].as_f64() > value.as_f64() && value.is_number() {
            out.push(format!("{at}: {value} is below the minimum"));
        }
        if let Some(required) = schema["required"].as_array() {
            for name in required.iter().filter_map(Value::as_str) {
                if value.get(name).is_none() {
                    out.push(format!("{at}: {name} is missing"));
                }
            }
        }
        if let (Some(properties), Some(fields)) =
            (schema["properties"].as_object(), value.as_object())
        {
            for (name, field) in fields {
                match properties.get(name) {
                    Some(inner) => violations(root, inner, field, &format!("{at}.{name}"), out),
                    None => out.push(format!("{at}: {name} is not in the schema")),
                }
            }
        }
        if let (Some(items), Some(elements)) = (schema.get("items"), value.as_array()) {
            for (i, element) in elements.iter().enumerate() {
                violations(root, items, element, &format!("{at}[{i}]"), out);
            }
        }
    }

    fn has_type(value: &Value, name: &str) -> bool {
        match name {
            "object" => value.is_object(),
            "array" => value.is_array(),
            "string" => value.is_string(),
            "boolean" => value.is_boolean(),
            "null" => value.is_null(),
            "integer" => value.is_i64() || value.is_u64(),
            "number" => value.is_number(),
            _ => false,
        }
    }

    fn sample() -> RunResult {
        let mut histograms = Histograms::new();
        for ns in [0_i64, 1_000, 2_000_000, -5] {
            for kind in LatencyKind::ALL {
                histograms.get_mut(kind).record_ns(ns);
            }
        }
        let second = Second {
            p50_us: Some(1.5),
            ..Second::default()
        };
        let mut run = RunResult {
            name: "quickstart".into(),
            command: vec!["plimsoll".into(), "run".into()],
            findings: vec![Finding {
                severity: Severity::Warning,
                code: "steal_time".into(),
                message: "the hypervisor took 3 % of the CPU".into(),
            }],
            cells: vec![CellResult {
                id: "c0ffee".into(),
                params: [("producer.acks".to_string(), json!("all"))].into(),
                latency: histograms.summary(),
                verified: Verified::default(),
                timeline: vec![second],
                valid: true,
                ..CellResult::default()
            }],
            ..RunResult::default()
        };
        run.cells[0].resources.broker = Some(Usage::default().per_bytes(7));
        run
    }

    #[test]
    fn the_written_schema_is_this_one() {
        let written: Value =
            serde_json::from_str(include_str!("../schema.json")).expect("a schema is JSON");
        assert_eq!(
            written,
            schema(),
            "write it again: cargo run -p plimsoll-results --example schema > \
             bench/results/schema.json"
        );
    }

    #[track_caller]
    fn check(value: &Value, complaint: Option<&str>) {
        let schema = schema();
        let mut found = Vec::new();
        violations(&schema, &schema, value, "$", &mut found);
        match complaint {
            None => assert_eq!(found, Vec::<String>::new()),
            Some(expected) => assert!(
                found.iter().any(|f| f.contains(expected)),
                "expected a complaint about {expected}, got {found:?}"
            ),
        }
    }

    #[test]
    fn a_sample_fits_the_schema() {
        check(&serde_json::to_value(sample()).expect("serialises"), None);
        let empty = RunResult {
            cells: vec![CellResult {
                latency: Latency::default(),
                ..CellResult::default()
            }],
            ..RunResult::default()
        };
        check(&serde_json::to_value(empty).expect("serialises"), None);
    }

    #[test]
    fn the_schema_refuses_what_is_not_a_result() {
        let good = serde_json::to_value(sample()).expect("serialises");
        let mut without_name = good.clone();
        without_name.as_object_mut().expect("object").remove("name");
        check(&without_name, Some("name is missing"));
        let mut wrong_type = good.clone();
        wrong_type["cells"][0]["valid"] = json!("yes");
        check(&wrong_type, Some("$.cells[0].valid"));
        let mut no_percentile = good;
        no_percentile["cells"][0]["latency"]["response"]["p99_us"] = json!(null);
        check(&no_percentile, Some("$.cells[0].latency.response"));
    }
}
