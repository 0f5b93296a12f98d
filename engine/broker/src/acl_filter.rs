//! Which access control entries a request means: Kafka's filters, in its numbers.

use crate::authorizer::{CLUSTER_NAME, is_principal};
use crate::refusal::Refusal;
use plimsoll_cluster::{
    AclBinding, AclOperation, AclPattern, AclPermission, AclResource, WILDCARD,
};
use plimsoll_wire::error_code::ErrorCode;

/// "Whatever it is", of every enumeration.
const ANY: i8 = 1;
/// A pattern type: every entry that bears on the name.
const MATCH: i8 = 2;
/// The numbers of what Kafka guards and this engine does not have.
const TOKENS_AND_USERS: [i8; 2] = [6, 7];

/// A filter, its numbers checked.
pub(crate) struct AclFilter<'a> {
    resource: Wanted<AclResource>,
    name: Option<&'a str>,
    pattern: PatternFilter,
    principal: Option<&'a str>,
    host: Option<&'a str>,
    operation: Wanted<AclOperation>,
    permission: Wanted<AclPermission>,
}

/// What a request says, of a filter or of an entry.
pub(crate) struct Said<'a> {
    pub(crate) resource: i8,
    pub(crate) name: Option<&'a str>,
    pub(crate) pattern: i8,
    pub(crate) principal: Option<&'a str>,
    pub(crate) host: Option<&'a str>,
    pub(crate) operation: i8,
    pub(crate) permission: i8,
}

/// One of an enumeration that is wanted.
enum Wanted<T> {
    Any,
    One(T),
    /// It exists in Kafka, and never here.
    None,
}

impl<T: PartialEq + Copy> Wanted<T> {
    fn fits(&self, one: T) -> bool {
        match self {
            Self::Any => true,
            Self::One(wanted) => *wanted == one,
            Self::None => false,
        }
    }

    fn read(
        code: i8,
        from_code: impl Fn(i8) -> Option<T>,
        (field, accepted): (&str, &str),
    ) -> Result<Self, Refusal> {
        if code == ANY {
            return Ok(Self::Any);
        }
        from_code(code)
            .map(Self::One)
            .ok_or_else(|| invalid(format!("{field}: {code}, {accepted} is accepted")))
    }
}

enum PatternFilter {
    Any,
    Match,
    One(AclPattern),
}

fn invalid(words: String) -> Refusal {
    Refusal::new(ErrorCode::InvalidRequest, words)
}

impl<'a> AclFilter<'a> {
    /// Checks what a request says.
    pub(crate) fn read(said: &Said<'a>) -> Result<Self, Refusal> {
        let resource = if TOKENS_AND_USERS.contains(&said.resource) {
            Wanted::None
        } else {
            let words = ("resource type", "1 to 7");
            Wanted::read(said.resource, AclResource::from_code, words)?
        };
        let pattern = match said.pattern {
            ANY => PatternFilter::Any,
            MATCH => PatternFilter::Match,
            other => PatternFilter::One(
                AclPattern::from_code(other)
                    .ok_or_else(|| invalid(format!("pattern type: {other}, 1 to 4 is accepted")))?,
            ),
        };
        let operations = ("operation", "1 to 15");
        let permissions = ("permission type", "1 to 3");
        Ok(Self {
            resource,
            name: said.name,
            pattern,
            principal: said.principal,
            host: said.host,
            operation: Wanted::read(said.operation, AclOperation::from_code, operations)?,
            permission: Wanted::read(said.permission, AclPermission::from_code, permissions)?,
        })
    }

    /// Whether an entry is meant.
    pub(crate) fn fits(&self, entry: &AclBinding) -> bool {
        let same = |wanted: Option<&str>, is: &str| wanted.is_none_or(|wanted| wanted == is);
        self.resource.fits(entry.resource)
            && self.fits_name(entry)
            && same(self.principal, &entry.principal)
            && same(self.host, &entry.host)
            && self.operation.fits(entry.operation)
            && self.permission.fits(entry.permission)
    }

    fn fits_name(&self, entry: &AclBinding) -> bool {
        match (&self.pattern, self.name) {
            (PatternFilter::One(wanted), _) if *wanted != entry.pattern => false,
            (_, None) => true,
            (PatternFilter::Any | PatternFilter::One(_), Some(name)) => name == entry.name,
            (PatternFilter::Match, Some(name)) => match entry.pattern {
                AclPattern::Literal => name == entry.name || entry.name == WILDCARD,
                AclPattern::Prefixed => name.starts_with(&entry.name),
            },
        }
    }
}

/// The entry that a request asks for.
pub(crate) fn binding(said: &Said<'_>) -> Result<AclBinding, Refusal> {
    fn one<T>(found: Option<T>, field: &str, code: i8, accepted: &str) -> Result<T, Refusal> {
        found.ok_or_else(|| invalid(format!("{field}: {code}, {accepted} is accepted")))
    }
    if TOKENS_AND_USERS.contains(&said.resource) {
        let words = "resource type: delegation tokens are not offered, 2 to 5 is accepted";
        return Err(invalid(words.into()));
    }
    let resource = AclResource::from_code(said.resource);
    let resource = one(resource, "resource type", said.resource, "2 to 5")?;
    let pattern = AclPattern::from_code(said.pattern);
    let operation = AclOperation::from_code(said.operation);
    let permission = AclPermission::from_code(said.permission);
    let (name, principal) = (said.name.unwrap_or(""), said.principal.unwrap_or(""));
    if name.is_empty() {
        return Err(invalid("resource name: it may not be empty".into()));
    }
    if resource == AclResource::Cluster && name != CLUSTER_NAME {
        let words = format!("resource name: {name}, {CLUSTER_NAME} is the cluster's only name");
        return Err(invalid(words));
    }
    if !is_principal(principal) {
        let words = format!("principal: {principal:?}, User:NAME or User:* is accepted");
        return Err(invalid(words));
    }
    let host = said
        .host
        .filter(|host| !host.is_empty())
        .ok_or_else(|| invalid("host: it may not be empty, an address or * is accepted".into()))?;
    Ok(AclBinding {
        resource,
        name: name.to_owned(),
        pattern: one(pattern, "pattern type", said.pattern, "3 or 4")?,
        principal: principal.to_owned(),
        host: host.to_owned(),
        operation: one(operation, "operation", said.operation, "2 to 15")?,
        permission: one(permission, "permission type", said.permission, "2 or 3")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: Said<'_> = Said {
        resource: ANY,
        name: None,
        pattern: ANY,
        principal: None,
        host: None,
        operation: ANY,
        permission: ANY,
    };

    fn entry(pattern: AclPattern, name: &str) -> AclBinding {
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

    #[test]
    fn a_filter_means_what_kafkas_does() {
        let check = |said: Said<'_>, entry: &AclBinding, expected: bool| {
            let filter = AclFilter::read(&said).unwrap_or_else(|why| panic!("{why:?}"));
            let (pattern, name) = (said.pattern, said.name);
            assert_eq!(filter.fits(entry), expected, "{pattern} {name:?} {entry:?}");
        };
        let literal = entry(AclPattern::Literal, "orders");
        let prefixed = entry(AclPattern::Prefixed, "ord");
        let every = entry(AclPattern::Literal, WILDCARD);
        let named = |pattern| Said {
            pattern,
            name: Some("orders"),
            ..ALL
        };
        for (pattern, expected) in [
            (ANY, [true, false, false]),
            (MATCH, [true, true, true]),
            (3, [true, false, false]),
            (4, [false, false, false]),
        ] {
            for (entry, expected) in [&literal, &prefixed, &every].into_iter().zip(expected) {
                check(named(pattern), entry, expected);
            }
        }
        check(ALL, &prefixed, true);
        check(Said { pattern: 4, ..ALL }, &literal, false);
        check(Said { resource: 3, ..ALL }, &literal, false);
        check(Said { resource: 6, ..ALL }, &literal, false);
        let of = |principal| Said {
            principal: Some(principal),
            ..ALL
        };
        check(of("User:alice"), &literal, true);
        check(of("User:bob"), &literal, false);
        check(
            Said {
                operation: 4,
                ..ALL
            },
            &literal,
            false,
        );
        check(
            Said {
                permission: 2,
                ..ALL
            },
            &literal,
            false,
        );
    }

    #[test]
    fn what_is_no_entry_is_refused_by_name() {
        const GOOD: Said<'_> = Said {
            resource: 2,
            name: Some("orders"),
            pattern: 3,
            principal: Some("User:alice"),
            host: Some("*"),
            operation: 3,
            permission: 3,
        };
        let check = |said: Said<'_>, expected: &str| {
            let refused = binding(&said).map(drop).expect_err("refused");
            assert_eq!(refused.words, expected);
            assert_eq!(refused.code, ErrorCode::InvalidRequest);
        };
        assert_eq!(
            binding(&GOOD).map_err(|why| why.words),
            Ok(entry(AclPattern::Literal, "orders"))
        );
        check(
            Said {
                resource: 1,
                ..GOOD
            },
            "resource type: 1, 2 to 5 is accepted",
        );
        check(
            Said {
                resource: 6,
                ..GOOD
            },
            "resource type: delegation tokens are not offered, 2 to 5 is accepted",
        );
        check(
            Said {
                name: Some(""),
                ..GOOD
            },
            "resource name: it may not be empty",
        );
        check(
            Said {
                resource: 4,
                ..GOOD
            },
            "resource name: orders, kafka-cluster is the cluster's only name",
        );
        check(
            Said { pattern: 2, ..GOOD },
            "pattern type: 2, 3 or 4 is accepted",
        );
        check(
            Said {
                principal: Some("alice"),
                ..GOOD
            },
            "principal: \"alice\", User:NAME or User:* is accepted",
        );
        check(
            Said {
                host: Some(""),
                ..GOOD
            },
            "host: it may not be empty, an address or * is accepted",
        );
        check(
            Said {
                operation: 1,
                ..GOOD
            },
            "operation: 1, 2 to 15 is accepted",
        );
        check(
            Said {
                permission: 0,
                ..GOOD
            },
            "permission type: 0, 2 or 3 is accepted",
        );
    }
}
