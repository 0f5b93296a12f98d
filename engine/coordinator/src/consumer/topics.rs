//! Which topics a group reads, and whether that has changed.

use super::ConsumerGroup;
use crate::names::{MemberId, TopicName};
use crate::refusal::Refusal;
use crate::schema::{GroupRecord, MemberValue, RegexValue};
use crate::turn::{Topics, Turn};
use regex::{Regex, RegexBuilder};
use std::collections::{BTreeMap, BTreeSet};

/// The compiled size an expression may have: 1 MiB.
const REGEX_BYTES_MAX: usize = 1 << 20;

/// The topics that each expression in use matches.
pub(super) type Matched = BTreeMap<String, BTreeSet<String>>;

/// Compiles an expression as RE2 does, to match whole names.
pub(super) fn compile(expression: &str) -> Result<Regex, Refusal> {
    RegexBuilder::new(&format!("^(?:{expression})$"))
        .size_limit(REGEX_BYTES_MAX)
        .build()
        .map_err(|_| Refusal::InvalidRegularExpression)
}

/// The members as they will be: those of the group but for some, and one more.
pub(super) struct Membership<'a> {
    pub(super) group: &'a ConsumerGroup,
    pub(super) without: &'a [&'a MemberId],
    pub(super) with: Option<(&'a MemberId, &'a MemberValue)>,
}

impl<'a> Membership<'a> {
    pub(super) fn values(&self) -> impl Iterator<Item = (&'a MemberId, &'a MemberValue)> + '_ {
        let with = self.with.map(|(id, _)| id);
        let stay = self.group.members.iter();
        let stay = stay.filter(move |(id, _)| Some(*id) != with && !self.without.contains(id));
        stay.map(|(id, m)| (id, &m.value)).chain(self.with)
    }

    /// What the expressions in use match. Those known are asked anew only when
    /// the topics have changed.
    pub(super) fn matched(&self, topics: &dyn Topics) -> Result<Matched, Refusal> {
        let fresh = self.group.checked == Some(topics.version());
        let mut matched = Matched::new();
        for (_, value) in self.values() {
            let Some(expression) = &value.regex else {
                continue;
            };
            if matched.contains_key(expression) {
                continue;
            }
            let names = match self.group.regexes.get(expression) {
                Some(known) if fresh => known.topics.clone(),
                _ => matching(expression, topics)?,
            };
            matched.insert(expression.clone(), names);
        }
        Ok(matched)
    }

    /// A number that stands for the subscribed topics as they are now.
    pub(super) fn hash(&self, matched: &Matched, topics: &dyn Topics) -> i64 {
        let mut names: BTreeSet<&str> = BTreeSet::new();
        for (_, value) in self.values() {
            names.extend(value.topics.iter().map(String::as_str));
        }
        names.extend(matched.values().flatten().map(String::as_str));
        let mut hash = Fnv::new();
        for name in names {
            if let Some(info) = topics.by_name(name) {
                hash.write(name.as_bytes());
                hash.write(info.id.as_bytes());
                hash.write(&info.partitions.to_be_bytes());
            }
        }
        hash.finish()
    }

    /// Records what has changed of the expressions and what they match.
    pub(super) fn record_regexes(&self, matched: &Matched, turn: &mut Turn<'_>) {
        let group = &self.group.id;
        for (expression, topics) in matched {
            let known = self.group.regexes.get(expression);
            if known.is_none_or(|k| k.topics != *topics) {
                let value = RegexValue {
                    topics: topics.clone(),
                    version: turn.world.topics.version(),
                    resolved_at: turn.world.now.wall,
                };
                let record = GroupRecord::Regex(group.clone(), expression.clone(), Some(value));
                turn.record(record);
            }
        }
        for expression in self.group.regexes.keys() {
            if !matched.contains_key(expression) {
                turn.record(GroupRecord::Regex(group.clone(), expression.clone(), None));
            }
        }
    }
}

fn matching(expression: &str, topics: &dyn Topics) -> Result<BTreeSet<String>, Refusal> {
    let regex = compile(expression)?;
    let mut names = BTreeSet::new();
    topics.each(&mut |name: &TopicName, _| {
        if regex.is_match(name.as_str()) {
            names.insert(name.as_str().to_owned());
        }
    });
    Ok(names)
}

/// FNV-1a, 64 bits: stable over processes, which the standard hasher is not.
struct Fnv(u64);

impl Fnv {
    const fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    const fn finish(self) -> i64 {
        self.0.cast_signed()
    }
}
