//! Every calculator by its name: the JSON Schema of what goes in and comes out,
//! and the answer to an input in JSON.

use crate::answer::Answer;
use crate::error::InputError;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

macro_rules! calculators {
    ($($name:ident),+ $(,)?) => {
        /// The names, in the order in which one thinks of them.
        pub const NAMES: &[&str] = &[$(stringify!($name)),+];

        /// The schemas of `name`'s input and output, of `plan` and `simulate`
        /// too; none for a name that no
        /// calculator has.
        pub fn schema(name: &str) -> Option<Value> {
            let input = match name {
                $(stringify!($name) => schemars::schema_for!(crate::$name::Input),)+
                "plan" => return Some(json!({
                    "input": schemars::schema_for!(crate::plan::Input),
                    "output": schemars::schema_for!(crate::plan::Plan),
                })),
                "simulate" => schemars::schema_for!(crate::simulate::Input),
                _ => return None,
            };
            let output = schemars::schema_for!(Answer);
            Some(json!({ "input": input, "output": output }))
        }

        /// The answer of `name` to an input in JSON.
        pub fn answer(name: &str, input: &str) -> Result<Answer, InputError> {
            match name {
                $(stringify!($name) => crate::$name::$name(&read(name, input)?),)+
                "simulate" => crate::simulate::simulate(&read(name, input)?),
                _ => {
                    let accepted = format!("{}, simulate", NAMES.join(", "));
                    Err(InputError::refused("calculator", name, accepted))
                }
            }
        }
    };
}

calculators!(
    disk,
    retention,
    partitions,
    consumers,
    brokers,
    network,
    memory,
    lag,
    rebalance,
    compaction,
    transactions,
    offsets,
    cost,
    choose,
);

/// Reads an input; a refusal names the field.
fn read<T: DeserializeOwned>(calculator: &str, input: &str) -> Result<T, InputError> {
    let mut reader = serde_json::Deserializer::from_str(input);
    let refuse = |reason: String| InputError::Json {
        reason,
        calculator: calculator.to_owned(),
    };
    let read = serde_path_to_error::deserialize(&mut reader);
    let read = read.map_err(|error: serde_path_to_error::Error<serde_json::Error>| {
        refuse(error.to_string())
    })?;
    reader.end().map_err(|error| refuse(error.to_string()))?;
    Ok(read)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_calculator_has_a_schema_with_its_fields() {
        for name in NAMES {
            let schema = schema(name).unwrap_or_else(|| panic!("{name}"));
            let fields = schema
                .pointer("/input/properties")
                .and_then(Value::as_object);
            assert!(fields.is_some_and(|fields| !fields.is_empty()), "{name}");
            assert!(
                schema.pointer("/output/properties/lines").is_some(),
                "{name}"
            );
        }
        for name in ["plan", "simulate"] {
            let schema = schema(name).unwrap_or_else(|| panic!("{name}"));
            assert!(
                schema.pointer("/input/properties/replication").is_some(),
                "{name}"
            );
        }
        assert_eq!(schema("weather"), None);
    }

    #[test]
    fn an_input_in_json_gives_the_calculators_answer() {
        let input = crate::offsets::Input::new(100, 50);
        let json = serde_json::to_string(&input).expect("an input is JSON");
        assert_eq!(answer("offsets", &json), crate::offsets::offsets(&input));
    }

    #[test]
    fn what_is_absent_or_unknown_is_named() {
        let check = |name: &str, json: &str, expected: &str| {
            let error = answer(name, json).expect_err(expected).to_string();
            assert!(error.contains(expected), "{error}");
        };
        check(
            "weather",
            "{}",
            "calculator is weather; accepted: disk, retention",
        );
        check("choose", "{}", "missing field `rate`");
        check(
            "choose",
            r#"{"rate": -1}"#,
            "rate: invalid type: integer `-1`",
        );
        check("lag", r#"{"prodused": "1/s"}"#, "unknown field `prodused`");
    }
}
