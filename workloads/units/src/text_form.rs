//! One text form for each value that a person writes.
//!
//! A type that displays what it parses is stored in JSON as that text and
//! described to the JSON Schema by examples, so that the workload file, the
//! command line, the plan and the result all spell a value the same way.

/// Why a text is not the value it should be. Shows the text and what would be
/// accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not {expected}")]
pub struct TextError {
    text: String,
    expected: String,
}

impl TextError {
    /// `text` is not `expected`.
    pub fn new(text: &str, expected: impl Into<String>) -> Self {
        Self {
            text: text.to_owned(),
            expected: expected.into(),
        }
    }

    /// What would have been accepted.
    pub fn expected(&self) -> &str {
        &self.expected
    }
}

/// Serialises a type as the text it displays, deserialises what it parses, and
/// describes it to the JSON Schema. The calling crate needs `serde` and
/// `schemars`.
#[macro_export]
macro_rules! text_form {
    ($name:ident: $what:literal, as [$($kind:literal),+], such as [$($example:literal),+]) => {
        $crate::text_form!(@serde $name);

        impl schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({
                    "type": [$($kind),+],
                    "description": $what,
                    "examples": [$($example),+],
                })
            }
        }
    };
    ($name:ident: $what:literal, one of [$($choice:literal),+]) => {
        $crate::text_form!(@serde $name);

        impl schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({ "description": $what, "enum": [$($choice),+] })
            }
        }
    };
    (@serde $name:ident) => {
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}
