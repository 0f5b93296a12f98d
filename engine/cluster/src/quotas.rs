//! The client quotas, and which of several bounds a client.
//!
//! The most special one counts, in Kafka's order: of the user by this client, of
//! the user by any client, of the user; the same of the default user; of the
//! client; of the default client. A quota by client is each client's own; a
//! user's is shared by all that the user runs.

use crate::records::{ClientQuota, QuotaEntity, QuotaKey, QuotaName, QuotaValue};
use std::collections::BTreeMap;

/// The client quotas.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientQuotas {
    by_entity: BTreeMap<QuotaEntity, BTreeMap<QuotaKey, QuotaValue>>,
}

/// Who shares a quota's room: the user, the client, or the user's client.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QuotaShare {
    /// The user, when it matters.
    pub user: Option<String>,
    /// The client, when it matters.
    pub client: Option<String>,
}

impl ClientQuotas {
    /// Whether nobody is bounded.
    pub fn is_empty(&self) -> bool {
        self.by_entity.is_empty()
    }

    /// Every entity that has quotas.
    pub fn iter(&self) -> impl Iterator<Item = (&QuotaEntity, &BTreeMap<QuotaKey, QuotaValue>)> {
        self.by_entity.iter()
    }

    /// One quota.
    pub fn get(&self, entity: &QuotaEntity, key: QuotaKey) -> Option<QuotaValue> {
        self.by_entity.get(entity)?.get(&key).copied()
    }

    /// What bounds a user's client, and with whom it shares that.
    pub fn bound(
        &self,
        key: QuotaKey,
        user: &str,
        client: &str,
    ) -> Option<(QuotaValue, QuotaShare)> {
        if self.is_empty() {
            return None;
        }
        let of = |name: &str| Some(QuotaName::Of(name.to_owned()));
        let default = Some(QuotaName::Default);
        let order = [
            (of(user), of(client)),
            (of(user), default.clone()),
            (of(user), None),
            (default.clone(), of(client)),
            (default.clone(), default.clone()),
            (default.clone(), None),
            (None, of(client)),
            (None, default),
        ];
        order.into_iter().find_map(|(by_user, by_client)| {
            let share = QuotaShare {
                user: by_user.is_some().then(|| user.to_owned()),
                client: by_client.is_some().then(|| client.to_owned()),
            };
            let entity = QuotaEntity {
                user: by_user,
                client: by_client,
            };
            Some((self.get(&entity, key)?, share))
        })
    }

    pub(crate) fn set(&mut self, record: &ClientQuota) {
        if let Some(value) = record.value {
            let quotas = self.by_entity.entry(record.entity.clone()).or_default();
            quotas.insert(record.key, value);
        } else if let Some(quotas) = self.by_entity.get_mut(&record.entity) {
            quotas.remove(&record.key);
            if quotas.is_empty() {
                self.by_entity.remove(&record.entity);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: QuotaKey = QuotaKey::ProducerByteRate;

    fn entity(user: Option<&str>, client: Option<&str>) -> QuotaEntity {
        // "-" stands for the default.
        let name = |name: &str| match name {
            "-" => QuotaName::Default,
            name => QuotaName::Of(name.into()),
        };
        QuotaEntity {
            user: user.map(name),
            client: client.map(name),
        }
    }

    fn set(quotas: &mut ClientQuotas, entity: QuotaEntity, value: Option<f64>) {
        let value = value.map(|value| QuotaValue::new(value).expect("above 0"));
        let key = KEY;
        quotas.set(&ClientQuota { entity, key, value });
    }

    #[test]
    fn the_most_special_of_eight_counts_and_says_who_shares_it() {
        let levels = [
            (None, Some("-"), (None, Some("app"))),
            (None, Some("app"), (None, Some("app"))),
            (Some("-"), None, (Some("alice"), None)),
            (Some("-"), Some("-"), (Some("alice"), Some("app"))),
            (Some("-"), Some("app"), (Some("alice"), Some("app"))),
            (Some("alice"), None, (Some("alice"), None)),
            (Some("alice"), Some("-"), (Some("alice"), Some("app"))),
            (Some("alice"), Some("app"), (Some("alice"), Some("app"))),
        ];
        let mut quotas = ClientQuotas::default();
        assert_eq!(quotas.bound(KEY, "alice", "app"), None);
        for (value, (user, client, share)) in (1..).zip(levels) {
            set(&mut quotas, entity(user, client), Some(f64::from(value)));
            let (bound, shared) = quotas.bound(KEY, "alice", "app").expect("a quota");
            let shared = (shared.user.as_deref(), shared.client.as_deref());
            assert_eq!((bound.get(), shared), (f64::from(value), share));
        }
        let other = quotas
            .bound(KEY, "bob", "other")
            .map(|(bound, _)| bound.get());
        assert_eq!(other, Some(4.0));
        assert_eq!(
            quotas.bound(QuotaKey::ConsumerByteRate, "alice", "app"),
            None
        );
    }

    #[test]
    fn a_quota_that_is_removed_leaves_nothing() {
        let mut quotas = ClientQuotas::default();
        set(&mut quotas, entity(Some("alice"), None), Some(5.0));
        set(&mut quotas, entity(Some("alice"), None), Some(6.0));
        let kept = quotas.get(&entity(Some("alice"), None), KEY);
        assert_eq!(kept.map(QuotaValue::get), Some(6.0));
        set(&mut quotas, entity(Some("bob"), None), None);
        set(&mut quotas, entity(Some("alice"), None), None);
        assert_eq!(quotas, ClientQuotas::default());
    }
}
