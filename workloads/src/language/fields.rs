//! The table of settings: one declaration drives reading, checking, the
//! parameters of a result, suggestions and the JSON Schema.
//!
//! `settings!` declares a section of the language as a struct. Each field has
//! its documentation, its default, the Kafka property it stands for (or an
//! empty text) and, for what has a range, the range.

use super::{
    arrivals::ArrivalSpec,
    choices::{
        Acks, Assignor, CutDirection, DriverKind, FaultKind, GroupProtocol, Isolation, PoisonEnd,
        TransactionMode,
    },
    compression::Compression,
    gate::GateMetrics,
    keys::KeySpec,
    rates::RateSpec,
    run::Fraction,
    sizes::SizeSpec,
    sources::{Source, Split},
};
use crate::units::{Count, Rate, Share, Size, Span};
use plimsoll_units::TextError;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::{collections::BTreeMap, path::Path};

/// The flattened settings of a cell: dotted path to value.
pub(crate) type Params = BTreeMap<String, Value>;

/// What the language knows of one setting.
pub struct Field {
    /// The name within its section.
    pub name: &'static str,
    /// What it does.
    pub doc: &'static str,
    /// Kafka's own name for it, or empty.
    pub kafka: &'static str,
    /// Its default, as JSON; null when it is unset.
    pub default: fn() -> Value,
    /// The smallest and the largest value, where there is a range.
    pub range: fn() -> Option<(String, String)>,
    /// The JSON Schema of one value.
    pub schema: fn(&mut SchemaGenerator) -> Schema,
}

/// How a setting that may be left out is said to be.
pub(crate) const UNSET: &str = "none";

/// A type that a setting's text can be read as.
pub(super) trait Setting: Sized + Serialize + JsonSchema {
    fn read(text: &str) -> Result<Self, TextError>;

    /// Makes relative paths relative to `base`.
    fn rebase(&mut self, _base: &Path) {}
}

macro_rules! settings_read_by_parsing {
    ($($name:ty),+) => {
        $(impl Setting for $name {
            fn read(text: &str) -> Result<Self, TextError> {
                text.parse()
            }
        })+
    };
}

settings_read_by_parsing!(
    Acks,
    Assignor,
    CutDirection,
    DriverKind,
    FaultKind,
    GroupProtocol,
    Isolation,
    TransactionMode,
    PoisonEnd,
    Compression,
    GateMetrics,
    KeySpec,
    RateSpec,
    SizeSpec
);
settings_read_by_parsing!(Split, Fraction, Share, Size, Span, Rate, Count);

impl Setting for u32 {
    fn read(text: &str) -> Result<Self, TextError> {
        let refuse = |_| TextError::new(text, "a whole number");
        text.trim().replace('_', "").parse().map_err(refuse)
    }
}

impl Setting for u64 {
    fn read(text: &str) -> Result<Self, TextError> {
        let refuse = |_| TextError::new(text, "a whole number");
        text.trim().replace('_', "").parse().map_err(refuse)
    }
}

impl Setting for bool {
    fn read(text: &str) -> Result<Self, TextError> {
        let refuse = |_| TextError::new(text, "true or false");
        text.trim().parse().map_err(refuse)
    }
}

impl Setting for String {
    fn read(text: &str) -> Result<Self, TextError> {
        Ok(text.to_owned())
    }
}

impl Setting for Source {
    fn read(text: &str) -> Result<Self, TextError> {
        text.parse()
    }

    fn rebase(&mut self, base: &Path) {
        Self::rebase(self, base);
    }
}

impl Setting for ArrivalSpec {
    fn read(text: &str) -> Result<Self, TextError> {
        text.parse()
    }

    fn rebase(&mut self, base: &Path) {
        if let Self::Trace(path) = self {
            *path = base.join(&path);
        }
    }
}

/// A setting that may be left out; `none` is as if it were.
impl<T: Setting> Setting for Option<T> {
    fn read(text: &str) -> Result<Self, TextError> {
        match text.trim() {
            UNSET => Ok(None),
            text => T::read(text).map(Some),
        }
    }

    fn rebase(&mut self, base: &Path) {
        if let Some(value) = self {
            value.rebase(base);
        }
    }
}

/// Settings under Kafka's own names, which are passed on as they are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Configs(BTreeMap<String, String>);

impl Configs {
    /// The value of a property, if the workload sets it.
    pub fn get(&self, property: &str) -> Option<&str> {
        self.0.get(property).map(String::as_str)
    }

    /// Every property set, in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Whether none is set.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Sets a property. Sizes and durations with a unit become the plain
    /// numbers that Kafka's `….bytes` and `….ms` properties take.
    pub(super) fn set(&mut self, property: &str, text: &str) {
        let ends = |suffix: &str| property.ends_with(suffix);
        let plain = if ends(".bytes") {
            text.parse::<Size>().ok().map(|size| size.bytes())
        } else if ends(".ms") {
            text.parse::<Span>().ok().map(Span::millis)
        } else {
            None
        };
        let text = plain.map_or_else(|| text.to_owned(), |number| number.to_string());
        self.0.insert(property.to_owned(), text);
    }

    pub(super) fn params(&self, section: &str, out: &mut Params) {
        for (name, value) in &self.0 {
            out.insert(format!("{section}.{name}"), Value::from(value.as_str()));
        }
    }
}

/// Declares a section of the language; see the module's documentation.
macro_rules! settings {
    (@range) => {
        None
    };
    (@range $range:expr) => {
        Some(($range.start().to_string(), $range.end().to_string()))
    };
    (
        $(#[$meta:meta])*
        pub struct $name:ident in $section:literal {
            $(
                $(#[doc = $doc:literal])+
                $field:ident: $type:ty = $default:expr, $kafka:literal $(, $range:expr)?;
            )+
        }
        $($(#[$extra_meta:meta])* with $extra:ident: $extra_type:ty;)?
    ) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
        pub struct $name {
            $($(#[doc = $doc])+ pub $field: $type,)+
            $($(#[$extra_meta])* pub $extra: $extra_type,)?
        }

        impl Default for $name {
            fn default() -> Self {
                Self {
                    $($field: $default,)+
                    $($extra: Default::default(),)?
                }
            }
        }

        impl $name {
            /// The section's name in a workload file; empty at the top.
            pub const SECTION: &'static str = $section;

            /// The settings of the section.
            pub const FIELDS: &'static [$crate::language::Field] = &[
                $($crate::language::Field {
                    name: stringify!($field),
                    doc: concat!($($doc, "\n"),+),
                    kafka: $kafka,
                    default: || {
                        let default: $type = $default;
                        serde_json::to_value(default).unwrap_or_default()
                    },
                    range: || $crate::language::fields::settings!(@range $($range)?),
                    schema: |generator| generator.subschema_for::<$type>(),
                },)+
            ];

            /// Sets the field `name` from its text; `None` when there is no
            /// such field.
            pub(super) fn set(
                &mut self,
                name: &str,
                text: &str,
                base: &std::path::Path,
            ) -> Option<Result<(), $crate::TextError>> {
                use $crate::language::fields::Setting;
                match name {
                    $(stringify!($field) => Some(<$type>::read(text).and_then(|mut value| {
                        $(
                            let range = $range;
                            if !range.contains(&value) {
                                let (from, to) = (range.start(), range.end());
                                let accepted = format!("from {from} to {to}");
                                return Err($crate::TextError::new(text, accepted));
                            }
                        )?
                        value.rebase(base);
                        self.$field = value;
                        Ok(())
                    })),)+
                    _ => None,
                }
            }

            /// Adds every setting that has a value to `out`, by its dotted path.
            pub fn params(&self, out: &mut $crate::language::fields::Params) {
                $(
                    let value = serde_json::to_value(&self.$field).unwrap_or_default();
                    if !value.is_null() {
                        let path = concat!($section, ".", stringify!($field));
                        out.insert(path.trim_start_matches('.').to_owned(), value);
                    }
                )+
                $(
                    let path = concat!($section, ".", stringify!($extra));
                    self.$extra.params(path, out);
                )?
            }
        }
    };
}
pub(super) use settings;
