//! What one client may do, asked by the handlers for each thing they touch.
//!
//! Without an authorizer, and for super users, everything is allowed and
//! nothing is looked up. Otherwise the entries are those of the image as it was
//! when the request came.

use crate::authorizer::{ANONYMOUS, Authorizer, CLUSTER_NAME, Who};
use crate::broker::Broker;
use crate::connection::Connection;
use crate::refusal::Refusal;
use plimsoll_cluster::{AclOperation, AclResource, Image};
use plimsoll_wire::error_code::ErrorCode;
use std::sync::Arc;

/// A thing that is guarded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Guarded<'a> {
    /// A topic.
    Topic(&'a str),
    /// A group.
    Group(&'a str),
    /// A transactional id.
    Transaction(&'a str),
    /// The cluster.
    Cluster,
}

impl Guarded<'_> {
    /// Its kind and its name, as entries have them.
    const fn place(&self) -> (AclResource, &str) {
        match self {
            Self::Topic(name) => (AclResource::Topic, name),
            Self::Group(id) => (AclResource::Group, id),
            Self::Transaction(id) => (AclResource::TransactionalId, id),
            Self::Cluster => (AclResource::Cluster, CLUSTER_NAME),
        }
    }

    /// What a client hears that may not.
    pub(crate) const fn refusal(&self) -> ErrorCode {
        match self {
            Self::Topic(_) => ErrorCode::TopicAuthorizationFailed,
            Self::Group(_) => ErrorCode::GroupAuthorizationFailed,
            Self::Transaction(_) => ErrorCode::TransactionalIdAuthorizationFailed,
            Self::Cluster => ErrorCode::ClusterAuthorizationFailed,
        }
    }

    /// The operations that mean something for it.
    const fn operations(&self) -> &'static [AclOperation] {
        use AclOperation::{
            Alter, AlterConfigs, ClusterAction, Create, Delete, Describe, DescribeConfigs,
            IdempotentWrite, Read, Write,
        };
        match self {
            Self::Topic(_) => &[
                Read,
                Write,
                Create,
                Describe,
                Delete,
                Alter,
                DescribeConfigs,
                AlterConfigs,
            ],
            Self::Group(_) => &[Read, Describe, Delete, DescribeConfigs, AlterConfigs],
            Self::Transaction(_) => &[Describe, Write],
            Self::Cluster => &[
                Create,
                ClusterAction,
                DescribeConfigs,
                AlterConfigs,
                IdempotentWrite,
                Alter,
                Describe,
            ],
        }
    }
}

/// What one client may do.
#[derive(Clone)]
pub(crate) struct Access(Option<Rules>);

/// By which rules a client is judged.
#[derive(Clone)]
struct Rules {
    authorizer: Arc<Authorizer>,
    image: Arc<Image>,
    who: Arc<Who>,
}

impl Access {
    /// What the client of a connection may do.
    pub(crate) fn of(broker: &Broker, connection: &Connection) -> Self {
        let Some(authorizer) = &broker.authorizer else {
            return Self(None);
        };
        let principal = connection.principal();
        if authorizer.is_super(&principal) {
            return Self(None);
        }
        let host = connection.ip().map(|ip| ip.to_canonical().to_string());
        let who = Who {
            principal,
            host: host.unwrap_or_default(),
        };
        Self(Some(Rules {
            authorizer: Arc::clone(authorizer),
            image: broker.image(),
            who: Arc::new(who),
        }))
    }

    /// Whether the client may do something to a thing.
    pub(crate) fn allows(&self, operation: AclOperation, to: Guarded<'_>) -> bool {
        self.check(operation, to).is_ok()
    }

    /// Whether the client may do something to a thing, and what it is told if
    /// it may not.
    pub(crate) fn check(&self, operation: AclOperation, to: Guarded<'_>) -> Result<(), ErrorCode> {
        let Some(rules) = &self.0 else {
            return Ok(());
        };
        if rules.allows(operation, to) {
            return Ok(());
        }
        let (principal, host) = (&*rules.who.principal, &*rules.who.host);
        tracing::debug!(principal, host, ?operation, ?to, "denied");
        Err(to.refusal())
    }

    /// Whether the client may do something to any topic.
    pub(crate) fn allows_some_topic(&self, operation: AclOperation) -> bool {
        self.0.as_ref().is_none_or(|rules| {
            let acls = rules.image.acls();
            let topic = AclResource::Topic;
            rules
                .authorizer
                .allows_any(acls, &rules.who, operation, topic)
        })
    }

    /// What the client may do to a thing, as bits numbered by Kafka's codes of
    /// operations.
    pub(crate) fn operations(&self, to: Guarded<'_>) -> i32 {
        let may = |operation: &&AclOperation| {
            let rules = self.0.as_ref();
            rules.is_none_or(|rules| rules.allows(**operation, to))
        };
        let allowed = to.operations().iter().filter(may);
        allowed.fold(0, |bits, operation| bits | (1 << operation.code()))
    }

    /// The bits of [`Access::operations`] when the client asked for them, else
    /// Kafka's mark for "not asked".
    pub(crate) fn operations_if(&self, asked: bool, to: Guarded<'_>) -> i32 {
        if asked { self.operations(to) } else { i32::MIN }
    }

    /// The same of the cluster: a client that may not describe it is told of
    /// nothing.
    pub(crate) fn cluster_operations_if(&self, asked: bool) -> i32 {
        match asked {
            false => i32::MIN,
            true if self.allows(AclOperation::Describe, Guarded::Cluster) => {
                self.operations(Guarded::Cluster)
            }
            true => 0,
        }
    }
}

impl Broker {
    /// Whether a client may do something to the access control entries, and
    /// there is an authorizer that heeds them.
    pub(crate) fn check_acls(
        &self,
        access: &Access,
        operation: AclOperation,
    ) -> Result<(), Refusal> {
        access.check(operation, Guarded::Cluster)?;
        if self.authorizer.is_some() {
            return Ok(());
        }
        let words = "no authorizer is configured: start the broker with authorizer.class.name";
        Err(Refusal::new(ErrorCode::SecurityDisabled, words))
    }
}

impl Rules {
    fn allows(&self, operation: AclOperation, to: Guarded<'_>) -> bool {
        let acls = self.image.acls();
        self.authorizer
            .allows(acls, &self.who, operation, to.place())
    }
}

impl Connection {
    /// Who the client is, as entries name it.
    pub(crate) fn principal(&self) -> String {
        match self.user() {
            Some(user) => format!("User:{user}"),
            None => ANONYMOUS.to_owned(),
        }
    }
}
