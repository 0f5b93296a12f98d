//! Who may do what: the rules of Kafka's `StandardAuthorizer`, as a pure decision
//! over the access control entries.
//!
//! An entry that denies is stronger than all that allow. Without an entry that
//! fits, nothing is allowed, unless no entry at all bears on the thing and
//! `allow.everyone.if.no.acl.found` says otherwise. Super users may do
//! everything. Whoever may read, write, delete or alter a thing may describe it,
//! and whoever may alter its settings may describe those; a denial implies
//! nothing.

use crate::config::{ConfigError, Layers};
use plimsoll_cluster::{
    AclBinding, AclOperation, AclPattern, AclPermission, AclResource, Acls, WILDCARD,
};
use std::collections::BTreeSet;

/// The only authorizer, by the name of Kafka's.
pub(crate) const STANDARD: &str = "org.apache.kafka.metadata.authorizer.StandardAuthorizer";
/// The name of the one cluster.
pub(crate) const CLUSTER_NAME: &str = "kafka-cluster";
/// A client that did not say who it is.
pub(crate) const ANONYMOUS: &str = "User:ANONYMOUS";
/// Everyone, in an entry.
const EVERYONE: &str = "User:*";
/// A name that no entry is expected to have.
const SOME_NAME: &str = "hardcode";

/// Who asks, and from where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Who {
    /// As `User:NAME`.
    pub(crate) principal: String,
    /// The address.
    pub(crate) host: String,
}

/// The rules that stand in the broker's settings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Authorizer {
    super_users: BTreeSet<String>,
    /// What is said of a thing that no entry bears on.
    otherwise: bool,
}

impl Authorizer {
    /// The authorizer that the settings ask for; none when they ask for none.
    pub(crate) fn of(layers: &Layers) -> Result<Option<Self>, ConfigError> {
        let Some(class) = layers.broker("authorizer.class.name") else {
            return Ok(None);
        };
        if class.is_empty() {
            return Ok(None);
        }
        if class != STANDARD {
            return Err(ConfigError::OutOfRange {
                name: "authorizer.class.name".into(),
                value: class.to_owned(),
                accepted: STANDARD.into(),
            });
        }
        let mut super_users = BTreeSet::new();
        let listed = layers.broker("super.users").unwrap_or_default();
        for user in listed.split(';').map(str::trim).filter(|u| !u.is_empty()) {
            if !is_principal(user) {
                return Err(ConfigError::OutOfRange {
                    name: "super.users".into(),
                    value: user.to_owned(),
                    accepted: "User:NAME, several of them parted by ;".into(),
                });
            }
            super_users.insert(user.to_owned());
        }
        Ok(Some(Self {
            super_users,
            otherwise: layers.flag("allow.everyone.if.no.acl.found"),
        }))
    }

    /// Whether this principal may do everything.
    pub(crate) fn is_super(&self, principal: &str) -> bool {
        self.super_users.contains(principal)
    }

    /// Whether someone may do something to one thing.
    pub(crate) fn allows(
        &self,
        acls: &Acls,
        who: &Who,
        operation: AclOperation,
        (resource, name): (AclResource, &str),
    ) -> bool {
        if self.is_super(&who.principal) {
            return true;
        }
        let (mut bears, mut opens) = (false, false);
        for entry in acls.matching(resource, name) {
            bears = true;
            if !is_of(entry, who) {
                continue;
            }
            match entry.permission {
                AclPermission::Deny if is_about(entry.operation, operation) => return false,
                AclPermission::Deny => {}
                AclPermission::Allow => opens |= implies(entry.operation, operation),
            }
        }
        opens || (!bears && self.otherwise)
    }

    /// Whether someone may do something to any thing of a kind.
    pub(crate) fn allows_any(
        &self,
        acls: &Acls,
        who: &Who,
        operation: AclOperation,
        resource: AclResource,
    ) -> bool {
        if self.allows(acls, who, operation, (resource, SOME_NAME)) {
            return true;
        }
        let fits = |entry: &&AclBinding| is_of(entry, who) && is_about(entry.operation, operation);
        let (denied, allowed): (Vec<_>, Vec<_>) = acls
            .of_kind(resource)
            .filter(fits)
            .partition(|entry| entry.permission == AclPermission::Deny);
        let shuts = |denial: &AclBinding, opened: &AclBinding| match denial.pattern {
            AclPattern::Prefixed if opened.name == WILDCARD => false,
            AclPattern::Prefixed => opened.name.starts_with(&denial.name),
            AclPattern::Literal if denial.name == WILDCARD => true,
            AclPattern::Literal => {
                opened.pattern == AclPattern::Literal && opened.name == denial.name
            }
        };
        let is_open = |opened: &&AclBinding| !denied.iter().any(|denial| shuts(denial, opened));
        allowed.iter().any(is_open)
    }
}

/// Whether this can be who someone is: a type, a colon and a name.
pub(crate) fn is_principal(text: &str) -> bool {
    text.split_once(':')
        .is_some_and(|(kind, name)| !kind.is_empty() && !name.is_empty())
}

/// Whether an entry speaks of this one.
fn is_of(entry: &AclBinding, who: &Who) -> bool {
    (entry.principal == EVERYONE || entry.principal == who.principal)
        && (entry.host == WILDCARD || entry.host == who.host)
}

/// Whether an entry names this operation.
fn is_about(entry: AclOperation, operation: AclOperation) -> bool {
    entry == AclOperation::All || entry == operation
}

/// Whether being allowed one operation allows another.
fn implies(entry: AclOperation, operation: AclOperation) -> bool {
    use AclOperation::{Alter, AlterConfigs, Delete, Describe, DescribeConfigs, Read, Write};
    is_about(entry, operation)
        || match operation {
            Describe => matches!(entry, Read | Write | Delete | Alter),
            DescribeConfigs => entry == AlterConfigs,
            _ => false,
        }
}

#[cfg(test)]
mod tests {
    use super::*;
    use AclOperation::{Alter, AlterConfigs, Create, Describe, DescribeConfigs, Read, Write};
    use AclPattern::{Literal, Prefixed};
    use AclPermission::{Allow, Deny};
    use plimsoll_cluster::{AccessControlEntry, Image, MetadataRecord};
    use uuid::Uuid;

    type Entry<'a> = (
        AclPermission,
        &'a str,
        AclOperation,
        (AclPattern, &'a str),
        &'a str,
    );

    fn image(entries: &[Entry<'_>]) -> Image {
        let mut image = Image::default();
        for (id, (permission, principal, operation, (pattern, name), host)) in (1..).zip(entries) {
            let binding = AclBinding {
                resource: AclResource::Topic,
                name: (*name).into(),
                pattern: *pattern,
                principal: (*principal).into(),
                host: (*host).into(),
                operation: *operation,
                permission: *permission,
            };
            let id = Uuid::from_u128(id);
            let record = MetadataRecord::AccessControlEntry(AccessControlEntry { id, binding });
            image.replay(&record).expect("it fits");
        }
        image
    }

    fn alice() -> Who {
        Who {
            principal: "User:alice".into(),
            host: "10.0.0.1".into(),
        }
    }

    fn check(entries: &[Entry<'_>], asked: AclOperation, topic: &str, expected: bool) {
        let image = image(entries);
        let place = (AclResource::Topic, topic);
        let allowed = Authorizer::default().allows(image.acls(), &alice(), asked, place);
        assert_eq!(allowed, expected, "{asked:?} {topic} by {entries:?}");
    }

    #[test]
    fn an_entry_fits_by_principal_host_and_name() {
        let entry = |principal, pattern, host| [(Allow, principal, Read, pattern, host)];
        let orders = (Literal, "orders");
        check(&[], Read, "orders", false);
        check(&entry("User:alice", orders, "*"), Read, "orders", true);
        check(&entry("User:*", orders, "*"), Read, "orders", true);
        check(&entry("User:bob", orders, "*"), Read, "orders", false);
        check(
            &entry("User:alice", orders, "10.0.0.1"),
            Read,
            "orders",
            true,
        );
        check(
            &entry("User:alice", orders, "10.0.0.2"),
            Read,
            "orders",
            false,
        );
        check(&entry("User:alice", orders, "*"), Read, "orders2", false);
        let prefix = (Prefixed, "ord");
        check(&entry("User:alice", prefix, "*"), Read, "orders", true);
        check(&entry("User:alice", prefix, "*"), Read, "or", false);
        let all = (Literal, "*");
        check(&entry("User:alice", all, "*"), Read, "orders", true);
    }

    #[test]
    fn a_denial_is_stronger_than_all_that_allow() {
        let allow = (Allow, "User:*", AclOperation::All, (Literal, "*"), "*");
        let deny = |operation| (Deny, "User:alice", operation, (Prefixed, "ord"), "*");
        check(&[allow, deny(Read)], Read, "orders", false);
        check(&[allow, deny(Read)], Write, "orders", true);
        check(&[allow, deny(Read)], Read, "payments", true);
        check(&[allow, deny(AclOperation::All)], Write, "orders", false);
        // What is denied implies nothing.
        check(&[allow, deny(Read)], Describe, "orders", true);
    }

    #[test]
    fn some_operations_imply_others() {
        let allow = |operation| [(Allow, "User:alice", operation, (Literal, "orders"), "*")];
        for operation in [Read, Write, AclOperation::Delete, Alter, AclOperation::All] {
            check(&allow(operation), Describe, "orders", true);
        }
        for operation in [Create, AlterConfigs, DescribeConfigs] {
            check(&allow(operation), Describe, "orders", false);
        }
        check(&allow(AlterConfigs), DescribeConfigs, "orders", true);
        check(&allow(Describe), Read, "orders", false);
    }

    fn authorizer(settings: &[(&str, &str)]) -> Result<Option<Authorizer>, ConfigError> {
        let start = settings.iter();
        let start = start.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Authorizer::of(&Layers {
            start: std::sync::Arc::new(start.collect()),
            ..Layers::default()
        })
    }

    #[test]
    fn super_users_may_do_everything_and_others_what_no_entry_guards() {
        let made = authorizer(&[
            ("authorizer.class.name", STANDARD),
            ("super.users", "User:root; User:CN=a,O=b"),
            ("allow.everyone.if.no.acl.found", "true"),
        ]);
        let made = made.expect("it is accepted").expect("there is one");
        let image = image(&[(Deny, "User:*", Read, (Literal, "orders"), "*")]);
        let may = |principal: &str, topic| {
            let who = Who {
                principal: principal.into(),
                ..alice()
            };
            made.allows(image.acls(), &who, Read, (AclResource::Topic, topic))
        };
        assert!(may("User:root", "orders"));
        assert!(may("User:CN=a,O=b", "orders"));
        assert!(!may("User:alice", "orders"));
        assert!(may("User:alice", "payments"));
    }

    #[test]
    fn bad_settings_are_refused_by_name() {
        let refused = |settings| authorizer(settings).expect_err("refused").to_string();
        assert_eq!(
            refused(&[("authorizer.class.name", "com.example.Mine")]),
            "authorizer.class.name: com.example.Mine is not accepted, give \
             org.apache.kafka.metadata.authorizer.StandardAuthorizer"
        );
        let listed = [("authorizer.class.name", STANDARD), ("super.users", "root")];
        assert_eq!(
            refused(&listed),
            "super.users: root is not accepted, give User:NAME, several of them parted by ;"
        );
        assert_eq!(authorizer(&[]), Ok(None));
    }

    #[test]
    fn something_of_a_kind_is_open_unless_denials_cover_it_all() {
        let check = |entries: &[Entry<'_>], expected: bool| {
            let image = image(entries);
            let any =
                Authorizer::default().allows_any(image.acls(), &alice(), Write, AclResource::Topic);
            assert_eq!(any, expected, "{entries:?}");
        };
        let allow = |pattern| (Allow, "User:alice", Write, pattern, "*");
        let deny = |pattern| (Deny, "User:*", Write, pattern, "*");
        check(&[], false);
        check(&[allow((Literal, "a"))], true);
        check(&[allow((Literal, "a")), deny((Literal, "a"))], false);
        check(&[allow((Literal, "a")), deny((Literal, "b"))], true);
        check(&[allow((Prefixed, "ab")), deny((Prefixed, "a"))], false);
        check(&[allow((Prefixed, "a")), deny((Prefixed, "ab"))], true);
        check(&[allow((Prefixed, "a")), deny((Literal, "*"))], false);
        check(&[allow((Literal, "*")), deny((Prefixed, "a"))], true);
    }
}
