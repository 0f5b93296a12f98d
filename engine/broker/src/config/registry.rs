//! Looking properties up by name, and judging settings before they are taken.

use super::broker_table::{REFUSED_FAMILIES, broker_properties};
use super::error::ConfigError;
use super::property::{Property, Support, Update};
use super::security_table::{JAAS, SECURITY_PROPERTIES};
use super::topic_table::{TOPIC_PROPERTIES, TopicProperty};

/// What properties of one listener begin with, before its name in lower case.
pub const LISTENER_PREFIX: &str = "listener.name.";

/// How far a name may be from a known one to be taken for a slip: 1 is equal.
const SIMILAR_ENOUGH: f64 = 0.6;

/// The broker property of this name.
///
/// # Errors
/// When there is none; the error says which name is nearest.
pub fn broker_property(name: &str) -> Result<&'static Property, ConfigError> {
    if let Some(property) = broker_properties().find(|property| property.name == name) {
        return only_for_a_listener(property, name);
    }
    if let Some(base) = of_a_listener(name) {
        return base;
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

/// The property that `listener.name.NAME.PROPERTY`, or for the users of a
/// mechanism `listener.name.NAME.MECHANISM.sasl.jaas.config`, sets for one
/// listener; nothing when the name is not of that form.
fn of_a_listener(name: &str) -> Option<Result<&'static Property, ConfigError>> {
    let (_listener, rest) = name.strip_prefix(LISTENER_PREFIX)?.split_once('.')?;
    let found = SECURITY_PROPERTIES.iter().skip(1).find(|property| {
        let scope = match property.name {
            JAAS => rest.split_once('.').map_or(rest, |(_mechanism, rest)| rest),
            _ => rest,
        };
        scope == property.name
    });
    // The map of all listeners comes first and is of no one's own.
    let known = || SECURITY_PROPERTIES.iter().map(|property| property.name);
    Some(found.ok_or_else(|| unknown(rest, known())))
}

fn only_for_a_listener(
    property: &'static Property,
    name: &str,
) -> Result<&'static Property, ConfigError> {
    if name != JAAS {
        return Ok(property);
    }
    Err(ConfigError::NotOffered {
        name: name.to_owned(),
        reason: "users belong to a listener and a mechanism: give \
                 listener.name.NAME.plain.sasl.jaas.config",
    })
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
            broker_property("ssl.keystore.password").expect_err("not offered"),
            "ssl.keystore.password: known to Kafka but not supported here: certificates and keys \
             are read as PEM, without a password",
        );
        check(
            broker_property("listener.name.out.ssl.keystore.locatoin").expect_err("unknown"),
            "ssl.keystore.locatoin: no such property, did you mean ssl.keystore.location?",
        );
        check(
            broker_property("sasl.jaas.config").expect_err("not alone"),
            "sasl.jaas.config: known to Kafka but not supported here: users belong to a listener \
             and a mechanism: give listener.name.NAME.plain.sasl.jaas.config",
        );
    }

    #[test]
    fn a_property_may_be_set_for_one_listener() {
        let check = |name: &str, expected: &str| {
            let found = broker_property(name).map(|property| property.name);
            assert_eq!(found, Ok(expected), "{name}");
        };
        check("listener.name.out.ssl.client.auth", "ssl.client.auth");
        check(
            "listener.name.out.plain.sasl.jaas.config",
            "sasl.jaas.config",
        );
        check("ssl.client.auth", "ssl.client.auth");
        assert!(broker_property("listener.name.out.num.partitions").is_err());
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
        assert!(check_broker_start("offsets.topic.compression.codec", "1").is_err());
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
