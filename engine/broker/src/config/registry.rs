//! Looking properties up by name, and judging settings before they are taken.

use super::broker_table::{REFUSED_FAMILIES, broker_properties};
use super::error::ConfigError;
use super::property::{Property, Support, Update};
use super::topic_table::{TOPIC_PROPERTIES, TopicProperty};

/// How far a name may be from a known one to be taken for a slip: 1 is equal.
const SIMILAR_ENOUGH: f64 = 0.6;

/// The broker property of this name.
///
/// # Errors
/// When there is none; the error says which name is nearest.
pub fn broker_property(name: &str) -> Result<&'static Property, ConfigError> {
    if let Some(property) = broker_properties().find(|property| property.name == name) {
        return Ok(property);
    }
    let family = REFUSED_FAMILIES
        .iter()
        .find(|(prefix, _)| name.starts_with(prefix));
    if let Some((_, reason)) = family {
        return Err(ConfigError::NotOffered {
            name: name.to_owned(),
            reason,
        });
    }
    Err(unknown(
        name,
        broker_properties().map(|property| property.name),
    ))
}

/// The topic property of this name.
///
/// # Errors
/// When there is none; the error says which name is nearest.
pub fn topic_property(name: &str) -> Result<&'static TopicProperty, ConfigError> {
    TOPIC_PROPERTIES
        .iter()
        .find(|topic| topic.property.name == name)
        .ok_or_else(|| {
            unknown(
                name,
                TOPIC_PROPERTIES.iter().map(|topic| topic.property.name),
            )
        })
}

fn unknown(name: &str, known: impl Iterator<Item = &'static str>) -> ConfigError {
    let nearest = known
        .map(|candidate| (strsim::jaro_winkler(name, candidate), candidate))
        .filter(|(likeness, _)| *likeness >= SIMILAR_ENOUGH)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate);
    ConfigError::Unknown {
        name: name.to_owned(),
        nearest,
    }
}

/// Whether a topic may have this setting.
///
/// # Errors
/// When the property is unknown or the value is not accepted.
pub fn check_topic(name: &str, value: &str) -> Result<(), ConfigError> {
    topic_property(name)?.property.check(value)
}

/// Whether a broker may start with this setting. Answers with a warning when
/// the setting is accepted but has no effect.
///
/// # Errors
/// When the property is unknown or the value is not accepted.
pub fn check_broker_start(name: &str, value: &str) -> Result<Option<String>, ConfigError> {
    let property = broker_property(name)?;
    property.check(value)?;
    Ok(match property.support {
        Support::NoEffect(reason) => Some(format!("{name}: has no effect here: {reason}")),
        _ => None,
    })
}

/// Whether a running broker may take this setting.
///
/// # Errors
/// When the property is unknown, the value is not accepted or a restart is needed.
pub fn check_broker_live(name: &str, value: &str) -> Result<(), ConfigError> {
    let property = broker_property(name)?;
    if property.update == Update::Restart {
        return Err(ConfigError::RestartOnly {
            name: name.to_owned(),
        });
    }
    property.check(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn an_unknown_name_is_refused_with_the_nearest_known_one() {
        let check = |error: ConfigError, expected: &str| assert_eq!(error.to_string(), expected);
        check(
            topic_property("retention.msec").expect_err("unknown"),
            "retention.msec: no such property, did you mean retention.ms?",
        );
        check(
            broker_property("num.partition").expect_err("unknown"),
            "num.partition: no such property, did you mean num.partitions?",
        );
        check(
            broker_property("qqq").expect_err("unknown"),
            "qqq: no such property",
        );
        check(
            broker_property("ssl.keystore.location").expect_err("not offered"),
            "ssl.keystore.location: known to Kafka but not supported here: listeners are plain text",
        );
    }

    #[test]
    fn a_setting_without_effect_is_warned_of_and_an_unsupported_one_refused() {
        assert_eq!(
            check_broker_start("num.io.threads", "16"),
            Ok(Some(
                "num.io.threads: has no effect here: one thread per core does this work".into()
            ))
        );
        assert_eq!(check_broker_start("num.partitions", "16"), Ok(None));
        assert!(check_broker_start("process.roles", "broker").is_err());
        assert!(check_topic("remote.storage.enable", "true").is_err());
        assert_eq!(check_topic("remote.storage.enable", "false"), Ok(()));
    }

    #[test]
    fn only_live_properties_change_while_the_broker_runs() {
        assert_eq!(check_broker_live("log.retention.ms", "1000"), Ok(()));
        assert_eq!(
            check_broker_live("node.id", "2"),
            Err(ConfigError::RestartOnly {
                name: "node.id".into()
            })
        );
    }

    #[test]
    fn names_are_unique_defaults_are_accepted_and_synonyms_exist() {
        let mut names = BTreeSet::new();
        for property in broker_properties() {
            assert!(
                names.insert(property.name),
                "{} is listed twice",
                property.name
            );
            if let Some(default) = property.default {
                assert!(
                    property.kind.accepts(default),
                    "{} default {default}",
                    property.name
                );
            }
        }
        for topic in TOPIC_PROPERTIES {
            let name = topic.property.name;
            for synonym in topic.synonyms {
                assert!(names.contains(synonym.name), "{name}: {}", synonym.name);
            }
            let last = topic
                .synonyms
                .iter()
                .find_map(|s| broker_property(s.name).ok()?.default);
            assert!(
                last.is_some() || topic.property.default.is_some(),
                "{name} has no default"
            );
        }
    }
}
