//! Which value a property has: the layers of settings, and where a value comes from.
//!
//! A topic's own setting wins over the broker's; of the broker's, one set at
//! run time for this node wins over one set at run time for all, that over one
//! given at start, and that over the default.

use super::property::{Kind, Property};
use super::registry::{broker_property, topic_property};
use super::topic_table::Synonym;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Settings by property name.
pub type Properties = BTreeMap<String, String>;

/// Where a value comes from, in Kafka's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// Set on the topic.
    Topic = 1,
    /// Set at run time for this node.
    Node = 2,
    /// Set at run time for all nodes.
    Cluster = 3,
    /// Given when the broker started.
    Start = 4,
    /// Nobody set it.
    Default = 5,
}

/// A value, the property it was set under, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// The property under which it was set.
    pub name: &'static str,
    /// The value.
    pub value: String,
    /// The layer.
    pub source: Source,
}

/// The broker's layers of settings.
#[derive(Clone, Debug, Default)]
pub struct Layers {
    /// Given at start.
    pub start: Arc<Properties>,
    /// Set at run time for all nodes.
    pub cluster: Properties,
    /// Set at run time for this node.
    pub node: Properties,
}

impl Layers {
    /// Every value that is set for one broker property, the winner first.
    pub fn of_property(&self, property: &'static Property) -> Vec<Setting> {
        let name = property.name;
        let layers = [
            (Source::Node, self.node.get(name).map(String::as_str)),
            (Source::Cluster, self.cluster.get(name).map(String::as_str)),
            (Source::Start, self.start.get(name).map(String::as_str)),
            (Source::Default, property.default),
        ];
        layers
            .into_iter()
            .filter_map(|(source, value)| {
                value.map(|value| Setting {
                    name,
                    value: value.to_owned(),
                    source,
                })
            })
            .collect()
    }

    /// The value of a broker property; none when it is unset and has no default.
    pub fn broker(&self, name: &str) -> Option<&str> {
        self.node
            .get(name)
            .or_else(|| self.cluster.get(name))
            .or_else(|| self.start.get(name))
            .map(String::as_str)
            .or_else(|| broker_property(name).ok()?.default)
            .map(str::trim)
    }

    /// Every value that bears on a topic property, the winner first. Values of
    /// broker properties are as they were set, in their own unit.
    pub fn of_topic(&self, own: &Properties, name: &str) -> Vec<Setting> {
        let Ok(topic) = topic_property(name) else {
            return Vec::new();
        };
        let mut found = Vec::new();
        if let Some(value) = own.get(name) {
            let (name, source) = (topic.property.name, Source::Topic);
            found.push(Setting {
                name,
                value: value.clone(),
                source,
            });
        }
        for synonym in topic.synonyms {
            if let Ok(property) = broker_property(synonym.name) {
                found.extend(self.of_property(property));
            }
        }
        if let (true, Some(default)) = (topic.synonyms.is_empty(), topic.property.default) {
            let (name, value) = (topic.property.name, default.to_owned());
            found.push(Setting {
                name,
                value,
                source: Source::Default,
            });
        }
        found
    }

    /// The value of a topic property, in the property's own unit, and its source.
    pub fn topic(&self, own: &Properties, name: &str) -> Option<(String, Source)> {
        if let Some(value) = own.get(name) {
            return Some((value.trim().to_owned(), Source::Topic));
        }
        let topic = topic_property(name).ok()?;
        // A value that someone set under any synonym wins over a default under another.
        let found = self.of_topic(own, name);
        let winner = found
            .iter()
            .find(|setting| setting.source != Source::Default)
            .or_else(|| found.first())?;
        let factor = topic
            .synonyms
            .iter()
            .find(|s| s.name == winner.name)
            .map_or(1, |s| s.factor);
        Some((
            in_unit(&winner.value, factor, topic.property.kind),
            winner.source,
        ))
    }

    /// The value of a topic property as a number.
    pub fn topic_number(&self, own: &Properties, name: &str) -> Option<i64> {
        self.topic(own, name)?.0.parse().ok()
    }

    /// The value of a broker property as a number.
    pub fn number(&self, name: &str) -> Option<i64> {
        self.broker(name)?.parse().ok()
    }

    /// Whether a broker property is true.
    pub fn flag(&self, name: &str) -> bool {
        self.broker(name)
            .is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }

    /// A duration with synonyms of coarser units, in milliseconds.
    pub fn duration_ms(&self, synonyms: &[Synonym]) -> Option<i64> {
        synonyms
            .iter()
            .find_map(|s| Some(scaled(self.number(s.name)?, s.factor)))
    }
}

/// A number in a coarser unit; −1 keeps its meaning of no limit.
const fn scaled(number: i64, factor: i64) -> i64 {
    if number < 0 {
        number
    } else {
        number.saturating_mul(factor)
    }
}

fn in_unit(value: &str, factor: i64, kind: Kind) -> String {
    let value = value.trim();
    match (kind, value.parse::<i64>()) {
        (Kind::Long(..) | Kind::Int(..), Ok(number)) if factor != 1 => {
            scaled(number, factor).to_string()
        }
        _ => value.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn properties(pairs: &[(&str, &str)]) -> Properties {
        pairs
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect()
    }

    #[test]
    fn the_nearest_layer_wins_and_units_are_converted() {
        let check = |start: &[(&str, &str)],
                     cluster: &[(&str, &str)],
                     node: &[(&str, &str)],
                     own: &[(&str, &str)],
                     expected: (&str, Source)| {
            let layers = Layers {
                start: Arc::new(properties(start)),
                cluster: properties(cluster),
                node: properties(node),
            };
            let found = layers.topic(&properties(own), "retention.ms");
            assert_eq!(found, Some((expected.0.to_owned(), expected.1)));
        };
        let hours = ("log.retention.hours", "2");
        let ms = |value| ("log.retention.ms", value);
        check(&[], &[], &[], &[], ("604800000", Source::Default));
        check(&[hours], &[], &[], &[], ("7200000", Source::Start));
        check(&[hours, ms("5")], &[], &[], &[], ("5", Source::Start));
        check(&[hours], &[ms("6")], &[], &[], ("6", Source::Cluster));
        check(&[hours], &[ms("6")], &[ms("7")], &[], ("7", Source::Node));
        check(
            &[hours],
            &[],
            &[ms("7")],
            &[("retention.ms", "8")],
            ("8", Source::Topic),
        );
        check(
            &[("log.retention.hours", "-1")],
            &[],
            &[],
            &[],
            ("-1", Source::Start),
        );
    }

    #[test]
    fn synonyms_are_listed_with_their_own_names_and_units() {
        let layers = Layers::default();
        let found = layers.of_topic(&properties(&[("retention.ms", "8")]), "retention.ms");
        let shown: Vec<_> = found
            .iter()
            .map(|s| (s.name, s.value.as_str(), s.source))
            .collect();
        assert_eq!(
            shown,
            [
                ("retention.ms", "8", Source::Topic),
                ("log.retention.hours", "168", Source::Default)
            ]
        );
    }
}
