//! Record keys: which there are, and how often each comes.

use super::call::Call;
use crate::units::{Count, Share};
use plimsoll_units::{TextError, text_form};
use std::{fmt, str::FromStr};

/// Keys that may be asked for: what fits in a key's ten digits.
const KEYS_MAX: u64 = 10_000_000_000;

/// Largest Zipf exponent taken; beyond it one key has all the records.
const EXPONENT_MAX: f64 = 10.0;

/// Parts that a hot key may be salted into.
const SALT_MAX: u32 = 1000;

/// How the keys of a workload's records are chosen.
#[derive(Clone, Debug, PartialEq)]
pub enum KeySpec {
    /// `none`: records have no key, and the client spreads them.
    None,
    /// `round-robin(1000)`: each key in its turn.
    RoundRobin(Count),
    /// `uniform(1000)`: each key is as likely.
    Uniform(Count),
    /// `zipf(10K, 1.1)`: the k-th most frequent key comes in proportion to
    /// k^−exponent.
    Zipf {
        /// How many keys.
        keys: Count,
        /// 0 is uniform; much real traffic lies between 0.8 and 1.2.
        exponent: f64,
    },
    /// `hot(1000, 50%, salt=8)`: one key (one tenant) has this share of the
    /// records, the others split the rest evenly.
    Hot {
        /// How many keys, with the hot one.
        keys: Count,
        /// The hot key's share.
        share: Share,
        /// Into how many keys the hot one is split; 1 leaves it whole.
        salt: u32,
    },
    /// `field(customer.id)`: the value of a field of the sample's JSON lines.
    Field(String),
}

impl fmt::Display for KeySpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("none"),
            Self::RoundRobin(keys) => write!(f, "round-robin({keys})"),
            Self::Uniform(keys) => write!(f, "uniform({keys})"),
            Self::Zipf { keys, exponent } => write!(f, "zipf({keys}, {exponent})"),
            Self::Hot {
                keys,
                share,
                salt: 1,
            } => write!(f, "hot({keys}, {share})"),
            Self::Hot { keys, share, salt } => write!(f, "hot({keys}, {share}, salt={salt})"),
            Self::Field(path) => write!(f, "field({path})"),
        }
    }
}

impl FromStr for KeySpec {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        read(text).ok_or_else(|| {
            TextError::new(
                text,
                "none, round-robin(1000), uniform(1000), zipf(10K, 1.1), \
                 hot(1000, 50%, salt=8) or field(customer.id)",
            )
        })
    }
}

fn read(text: &str) -> Option<KeySpec> {
    let call = Call::parse(text)?;
    Some(match call.name {
        "none" if text.trim() == "none" => KeySpec::None,
        "round-robin" => {
            let [keys] = call.exactly()?;
            KeySpec::RoundRobin(key_count(keys)?)
        }
        "uniform" => {
            let [keys] = call.exactly()?;
            KeySpec::Uniform(key_count(keys)?)
        }
        "zipf" => {
            let [keys, exponent] = call.exactly()?;
            let exponent = exponent.parse().ok();
            let exponent = exponent.filter(|e| (0.0..=EXPONENT_MAX).contains(e))?;
            let keys = key_count(keys)?;
            KeySpec::Zipf { keys, exponent }
        }
        "hot" => {
            let [keys, share] = *call.args.as_slice() else {
                return None;
            };
            let salt = match call.named.as_slice() {
                [] => 1,
                [("salt", salt)] => salt.parse().ok().filter(|s| (1..=SALT_MAX).contains(s))?,
                _ => return None,
            };
            let keys = key_count(keys)?;
            let share = share.parse().ok()?;
            KeySpec::Hot { keys, share, salt }
        }
        "field" => {
            let [path] = call.exactly()?;
            KeySpec::Field(path.to_owned())
        }
        _ => return None,
    })
}

fn key_count(text: &str) -> Option<Count> {
    let count: Count = text.parse().ok()?;
    (1..=KEYS_MAX).contains(&count.get()).then_some(count)
}

text_form!(
    KeySpec: "how keys are chosen",
    as ["string"],
    such as ["none", "round-robin(1000)", "uniform(1000)", "zipf(10K, 1.1)", "hot(1000, 0.5, salt=8)", "field(customer.id)"]
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_read_back_and_unknown_forms_are_refused() {
        let check = |text: &str, expected: Option<&str>| {
            let read = text.parse::<KeySpec>().ok();
            let shown = read.as_ref().map(KeySpec::to_string);
            assert_eq!(shown.as_deref(), expected, "{text}");
            assert_eq!(shown.and_then(|shown| shown.parse().ok()), read, "{text}");
        };
        check("none", Some("none"));
        check("uniform(1000)", Some("uniform(1K)"));
        check("round-robin( 7 )", Some("round-robin(7)"));
        check("zipf(10K, 1.1)", Some("zipf(10K, 1.1)"));
        check("hot(100, 50%)", Some("hot(100, 0.5)"));
        check("hot(100, 0.5, salt=8)", Some("hot(100, 0.5, salt=8)"));
        check("field(customer.id)", Some("field(customer.id)"));
        check("none(1)", None);
        check("uniform", None);
        check("uniform(0)", None);
        check("uniform(11G)", None);
        check("zipf(10K)", None);
        check("zipf(10K, NaN)", None);
        check("hot(100, 1.5)", None);
        check("hot(100, 0.5, salt=0)", None);
        check("hot(100, 0.5, pepper=1)", None);
        check("pareto(1)", None);
    }
}
