//! A property: its name, its type, what values it takes, when it may change.

use super::error::ConfigError;
use crate::replica::throttle;

/// The type of a property's values and the range that is accepted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// `true` or `false`.
    Bool,
    /// A 16-bit integer within bounds, both included.
    Short(i64, i64),
    /// A 32-bit integer within bounds, both included.
    Int(i64, i64),
    /// A 64-bit integer within bounds, both included.
    Long(i64, i64),
    /// A number within bounds, both included.
    Double(f64, f64),
    /// Any text.
    Text,
    /// Text that is never shown.
    Password,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// A comma-separated list, of these words when any are given.
    List(&'static [&'static str]),
    /// A list of replicas, each as `PARTITION:BROKER`, or `*` for all.
    Replicas,
}

impl Kind {
    /// Kafka's number for the type, as DescribeConfigs answers it.
    pub const fn code(self) -> i8 {
        match self {
            Self::Bool => 1,
            Self::Text | Self::Choice(_) => 2,
            Self::Int(..) => 3,
            Self::Short(..) => 4,
            Self::Long(..) => 5,
            Self::Double(..) => 6,
            Self::List(_) | Self::Replicas => 7,
            Self::Password => 9,
        }
    }

    /// What would be accepted, in words.
    pub fn accepted(self) -> String {
        let bounds = |unit: &str, min: i64, max: i64, widest: i64| {
            if max == widest {
                format!("{unit} of at least {min}")
            } else {
                format!("{unit} from {min} to {max}")
            }
        };
        match self {
            Self::Bool => "true or false".into(),
            Self::Short(min, max) => bounds("an integer", min, max, i16::MAX.into()),
            Self::Int(min, max) => bounds("an integer", min, max, i32::MAX.into()),
            Self::Long(min, max) => bounds("an integer", min, max, i64::MAX),
            Self::Double(min, max) => format!("a number from {min} to {max}"),
            Self::Text | Self::Password | Self::List([]) => "text".into(),
            Self::Choice(words) => format!("one of {}", words.join(", ")),
            Self::List(words) => format!("a list of {}", words.join(", ")),
            Self::Replicas => "*, or a list of PARTITION:BROKER".into(),
        }
    }

    /// Whether `value` is accepted.
    pub fn accepts(self, value: &str) -> bool {
        let value = value.trim();
        let integer = |min: i64, max: i64| {
            value
                .parse::<i64>()
                .is_ok_and(|number| (min..=max).contains(&number))
        };
        match self {
            Self::Bool => value.eq_ignore_ascii_case("true") || value.eq_ignore_ascii_case("false"),
            Self::Short(min, max) | Self::Int(min, max) | Self::Long(min, max) => integer(min, max),
            Self::Double(min, max) => value
                .parse::<f64>()
                .is_ok_and(|number| number >= min && number <= max),
            Self::Text | Self::Password | Self::List([]) => true,
            Self::Choice(words) => words.contains(&value),
            Self::List(words) => elements(value).all(|word| words.contains(&word)),
            Self::Replicas => throttle::accepts(value),
        }
    }
}

/// The elements of a comma-separated list.
pub fn elements(list: &str) -> impl Iterator<Item = &str> {
    list.split(',')
        .map(str::trim)
        .filter(|element| !element.is_empty())
}

/// When a broker property may change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Update {
    /// Only at a restart.
    Restart,
    /// At run time, for one broker or all.
    Live,
}

/// What the engine does with a property.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Support {
    /// It has Kafka's effect.
    Honoured,
    /// It is accepted with a warning and has no effect, for this reason.
    NoEffect(&'static str),
    /// It is refused unless it has its default value, for this reason.
    Refused(&'static str),
}

/// One property of a broker or a topic.
#[derive(Clone, Copy, Debug)]
pub struct Property {
    /// Kafka's name.
    pub name: &'static str,
    /// The type of its values.
    pub kind: Kind,
    /// The value when none is set; none means null.
    pub default: Option<&'static str>,
    /// When it may change.
    pub update: Update,
    /// What the engine does with it.
    pub support: Support,
    /// What it means, in one sentence.
    pub doc: &'static str,
}

impl Property {
    /// A property that has its effect and needs a restart to change.
    pub const fn new(name: &'static str, kind: Kind, doc: &'static str) -> Self {
        let (update, support) = (Update::Restart, Support::Honoured);
        Self {
            name,
            kind,
            default: None,
            update,
            support,
            doc,
        }
    }

    /// With this default.
    #[must_use]
    pub const fn default(mut self, value: &'static str) -> Self {
        self.default = Some(value);
        self
    }

    /// Changeable at run time.
    #[must_use]
    pub const fn live(mut self) -> Self {
        self.update = Update::Live;
        self
    }

    /// Accepted with a warning.
    #[must_use]
    pub const fn no_effect(mut self, reason: &'static str) -> Self {
        self.support = Support::NoEffect(reason);
        self
    }

    /// Refused unless at its default.
    #[must_use]
    pub const fn refused(mut self, reason: &'static str) -> Self {
        self.support = Support::Refused(reason);
        self
    }

    /// Whether `value` may be set.
    ///
    /// # Errors
    /// When it is outside the accepted range, or the engine does not support it.
    pub fn check(&self, value: &str) -> Result<(), ConfigError> {
        let name = self.name.to_owned();
        if !self.kind.accepts(value) {
            let accepted = self.kind.accepted();
            return Err(ConfigError::OutOfRange {
                name,
                value: value.to_owned(),
                accepted,
            });
        }
        match self.support {
            Support::Refused(reason) if self.default != Some(value.trim()) => {
                let default = self.default.unwrap_or("unset").to_owned();
                Err(ConfigError::Unsupported {
                    name,
                    value: value.to_owned(),
                    default,
                    reason,
                })
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_accepted_by_kind_and_range() {
        let check = |kind: Kind, value: &str, expected: bool| {
            assert_eq!(kind.accepts(value), expected, "{kind:?} {value}");
        };
        check(Kind::Bool, "true", true);
        check(Kind::Bool, "yes", false);
        check(Kind::Int(1, 5), "5", true);
        check(Kind::Int(1, 5), "6", false);
        check(Kind::Int(1, 5), "1.5", false);
        check(Kind::Long(-1, i64::MAX), " -1 ", true);
        check(Kind::Double(0.0, 1.0), "0.5", true);
        check(Kind::Double(0.0, 1.0), "NaN", false);
        check(Kind::Choice(&["a", "b"]), "b", true);
        check(Kind::Choice(&["a", "b"]), "c", false);
        check(Kind::List(&["compact", "delete"]), "compact, delete", true);
        check(Kind::List(&["compact", "delete"]), "compress", false);
        check(Kind::Replicas, "0:1,2:3", true);
        check(Kind::Replicas, "0-1", false);
    }

    #[test]
    fn an_error_names_the_property_the_value_and_the_range() {
        let property = Property::new("num.partitions", Kind::Int(1, i32::MAX as i64), "");
        let error = property.check("0").expect_err("0 is out of range");
        assert_eq!(
            error.to_string(),
            "num.partitions: 0 is not accepted, give an integer of at least 1"
        );
    }
}
