//! The access control entries, arranged so that those which bear on one thing
//! are found without looking at the others.
//!
//! What they mean is not decided here: whoever guards asks for the entries of a
//! thing and judges.

use crate::records::{AccessControlEntry, AclBinding, AclPattern, AclResource};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use uuid::Uuid;

/// The name that stands for every thing of a kind.
pub const WILDCARD: &str = "*";

/// All entries of one kind of thing, by the name they give.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Kind {
    literal: BTreeMap<String, BTreeSet<AclBinding>>,
    prefixed: BTreeMap<String, BTreeSet<AclBinding>>,
}

/// The access control entries.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Acls {
    by_id: BTreeMap<Uuid, AclBinding>,
    kinds: BTreeMap<AclResource, Kind>,
}

impl Acls {
    /// Every entry, by id.
    pub fn iter(&self) -> impl Iterator<Item = (Uuid, &AclBinding)> {
        self.by_id.iter().map(|(id, binding)| (*id, binding))
    }

    /// Whether an entry says exactly this.
    pub fn contains(&self, binding: &AclBinding) -> bool {
        let kind = self.kinds.get(&binding.resource);
        let names = kind.map(|kind| kind.by(binding.pattern));
        names
            .and_then(|names| names.get(&binding.name))
            .is_some_and(|same| same.contains(binding))
    }

    /// The entries that bear on the thing of this name: those that name it,
    /// those for every name, and those whose prefix it has.
    pub fn matching<'a>(
        &'a self,
        resource: AclResource,
        name: &'a str,
    ) -> impl Iterator<Item = &'a AclBinding> {
        let kind = self.kinds.get(&resource);
        let everyone = (name != WILDCARD).then_some(WILDCARD);
        let literal = kind.into_iter().flat_map(move |kind| {
            let names = std::iter::once(name).chain(everyone);
            names.filter_map(|name| kind.literal.get(name)).flatten()
        });
        let prefixed = kind.into_iter().flat_map(move |kind| Prefixes {
            of: &kind.prefixed,
            name,
            upto: Some(name),
        });
        literal.chain(prefixed.flatten())
    }

    /// The entries of a kind, whatever their names.
    pub fn of_kind(&self, resource: AclResource) -> impl Iterator<Item = &AclBinding> {
        let kind = self.kinds.get(&resource).into_iter();
        kind.flat_map(|kind| kind.literal.values().chain(kind.prefixed.values()))
            .flatten()
    }

    pub(crate) fn insert(&mut self, entry: &AccessControlEntry) {
        self.remove(entry.id);
        let binding = entry.binding.clone();
        let kind = self.kinds.entry(binding.resource).or_default();
        kind.by_mut(binding.pattern)
            .entry(binding.name.clone())
            .or_default()
            .insert(binding.clone());
        self.by_id.insert(entry.id, binding);
    }

    /// Answers whether there was such an entry.
    pub(crate) fn remove(&mut self, id: Uuid) -> bool {
        let Some(binding) = self.by_id.remove(&id) else {
            return false;
        };
        let said_again = self.by_id.values().any(|other| *other == binding);
        if let Some(kind) = self.kinds.get_mut(&binding.resource)
            && !said_again
        {
            let names = kind.by_mut(binding.pattern);
            if let Some(same) = names.get_mut(&binding.name) {
                same.remove(&binding);
                if same.is_empty() {
                    names.remove(&binding.name);
                }
            }
            if *kind == Kind::default() {
                self.kinds.remove(&binding.resource);
            }
        }
        true
    }
}

impl Kind {
    const fn by(&self, pattern: AclPattern) -> &BTreeMap<String, BTreeSet<AclBinding>> {
        match pattern {
            AclPattern::Literal => &self.literal,
            AclPattern::Prefixed => &self.prefixed,
        }
    }

    const fn by_mut(&mut self, pattern: AclPattern) -> &mut BTreeMap<String, BTreeSet<AclBinding>> {
        match pattern {
            AclPattern::Literal => &mut self.literal,
            AclPattern::Prefixed => &mut self.prefixed,
        }
    }
}

/// The keys of a map that a name begins with, the longest first.
struct Prefixes<'a, V> {
    of: &'a BTreeMap<String, V>,
    name: &'a str,
    /// Every key that is still to be found is a prefix of this.
    upto: Option<&'a str>,
}

impl<'a, V> Iterator for Prefixes<'a, V> {
    type Item = &'a V;

    fn next(&mut self) -> Option<&'a V> {
        loop {
            let range = (Bound::Unbounded, Bound::Included(self.upto?));
            let (key, value) = self.of.range::<str, _>(range).next_back()?;
            let common = common_prefix(key, self.name);
            let found = common == key.len();
            // Keys between this one and the bound would have been found first,
            // so the next prefix is no longer than what both have in common.
            let next = if found {
                key.char_indices().next_back().map_or(0, |(at, _)| at)
            } else {
                common
            };
            self.upto = (next > 0).then(|| self.name.get(..next)).flatten();
            if found {
                return Some(value);
            }
        }
    }
}

/// How many bytes of whole characters two texts begin with alike.
fn common_prefix(a: &str, b: &str) -> usize {
    let alike = a.chars().zip(b.chars()).take_while(|(a, b)| a == b);
    alike.map(|(one, _)| one.len_utf8()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::{AclOperation, AclPermission};
    use proptest::prelude::*;

    fn binding(name: &str, pattern: AclPattern) -> AclBinding {
        AclBinding {
            resource: AclResource::Topic,
            name: name.into(),
            pattern,
            principal: "User:alice".into(),
            host: WILDCARD.into(),
            operation: AclOperation::Read,
            permission: AclPermission::Allow,
        }
    }

    fn acls(bindings: &[AclBinding]) -> Acls {
        let mut acls = Acls::default();
        for (id, binding) in (1..).zip(bindings) {
            acls.insert(&AccessControlEntry {
                id: Uuid::from_u128(id),
                binding: binding.clone(),
            });
        }
        acls
    }

    fn matches(acls: &Acls, name: &str) -> BTreeSet<String> {
        let found = acls.matching(AclResource::Topic, name);
        found
            .map(|one| format!("{:?} {}", one.pattern, one.name))
            .collect()
    }

    #[test]
    fn an_entry_that_is_removed_leaves_nothing() {
        let entry = binding("orders", AclPattern::Prefixed);
        let mut all = acls(&[entry.clone(), binding("orders", AclPattern::Literal)]);
        assert!(all.contains(&entry));
        assert!(all.remove(Uuid::from_u128(1)));
        assert!(!all.contains(&entry));
        assert!(!all.remove(Uuid::from_u128(1)));
        assert!(all.remove(Uuid::from_u128(2)));
        assert_eq!(all, Acls::default());
    }

    proptest! {
        /// The walk finds what comparing every entry finds.
        #[test]
        fn the_entries_of_a_thing_are_found(
            literal in proptest::collection::vec("[abé*]{1,4}", 0..6),
            prefixed in proptest::collection::vec("[abé]{1,4}", 0..12),
            name in "[abé]{1,6}",
        ) {
            let literal = literal.iter().map(|name| binding(name, AclPattern::Literal));
            let prefixed = prefixed.iter().map(|name| binding(name, AclPattern::Prefixed));
            let all: Vec<_> = literal.chain(prefixed).collect();
            let bears = |one: &&AclBinding| match one.pattern {
                AclPattern::Literal => one.name == name || one.name == WILDCARD,
                AclPattern::Prefixed => name.starts_with(&one.name),
            };
            let expected: BTreeSet<_> = all.iter().filter(bears)
                .map(|one| format!("{:?} {}", one.pattern, one.name)).collect();
            prop_assert_eq!(matches(&acls(&all), &name), expected);
        }
    }
}
