//! The one table of what is served: it drives dispatch and ApiVersions alike.

use crate::api;
use crate::broker::Broker;
use crate::outcome::Outcome;
use crate::request::Request;
use plimsoll_wire::api::ApiKey;

/// An API and who answers it.
pub(crate) struct Route {
    /// The API. Its versions are those of the wire's table.
    pub(crate) api: ApiKey,
    /// Who answers.
    pub(crate) handle: fn(&Broker, Request<'_>) -> Outcome,
    /// Whether the guard walks the body first. The data path's own decoders
    /// check every length themselves.
    pub(crate) guarded: bool,
    /// Who may answer.
    pub(crate) at: Place,
    /// Whether clients are told of it. What only nodes ask each other is not.
    pub(crate) told: bool,
}

/// Where an API is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// By any node.
    Anywhere,
    /// By the active controller; another node passes the request on.
    Controller,
    /// By the active controller; another node says that it is not.
    ControllerOnly,
}

const fn route(api: ApiKey, handle: fn(&Broker, Request<'_>) -> Outcome) -> Route {
    Route {
        api,
        handle,
        guarded: true,
        at: Place::Anywhere,
        told: true,
    }
}

/// Answered by the active controller.
const fn admin(api: ApiKey, handle: fn(&Broker, Request<'_>) -> Outcome) -> Route {
    Route {
        at: Place::Controller,
        ..route(api, handle)
    }
}

/// Asked by nodes only.
const fn node(api: ApiKey, at: Place, handle: fn(&Broker, Request<'_>) -> Outcome) -> Route {
    Route {
        at,
        told: false,
        ..route(api, handle)
    }
}

const fn data(api: ApiKey, handle: fn(&Broker, Request<'_>) -> Outcome) -> Route {
    Route {
        api,
        handle,
        guarded: false,
        ..route(api, handle)
    }
}

/// Everything that is served, by key.
pub(crate) const ROUTES: &[Route] = &[
    data(ApiKey::Produce, api::produce::handle),
    data(ApiKey::Fetch, api::fetch::handle),
    route(ApiKey::ListOffsets, api::list_offsets::handle),
    route(ApiKey::Metadata, api::metadata::handle),
    route(ApiKey::OffsetCommit, api::offset_commit::handle),
    route(ApiKey::OffsetFetch, api::offset_fetch::handle),
    route(ApiKey::FindCoordinator, api::find_coordinator::handle),
    route(ApiKey::JoinGroup, api::join_group::handle),
    route(ApiKey::Heartbeat, api::heartbeat::handle),
    route(ApiKey::LeaveGroup, api::leave_group::handle),
    route(ApiKey::SyncGroup, api::sync_group::handle),
    route(ApiKey::DescribeGroups, api::describe_groups::handle),
    route(ApiKey::ListGroups, api::list_groups::handle),
    route(ApiKey::SaslHandshake, api::sasl_handshake::handle),
    route(ApiKey::ApiVersions, api::api_versions::handle),
    admin(ApiKey::CreateTopics, api::create_topics::handle),
    admin(ApiKey::DeleteTopics, api::delete_topics::handle),
    route(ApiKey::DeleteRecords, api::delete_records::handle),
    route(ApiKey::InitProducerId, api::init_producer_id::handle),
    route(
        ApiKey::OffsetForLeaderEpoch,
        api::offset_for_leader_epoch::handle,
    ),
    route(
        ApiKey::AddPartitionsToTxn,
        api::add_partitions_to_txn::handle,
    ),
    route(ApiKey::AddOffsetsToTxn, api::add_offsets_to_txn::handle),
    route(ApiKey::EndTxn, api::end_txn::handle),
    route(ApiKey::WriteTxnMarkers, api::write_txn_markers::handle),
    route(ApiKey::TxnOffsetCommit, api::txn_offset_commit::handle),
    admin(ApiKey::DescribeAcls, api::describe_acls::handle),
    admin(ApiKey::CreateAcls, api::create_acls::handle),
    admin(ApiKey::DeleteAcls, api::delete_acls::handle),
    route(ApiKey::DescribeConfigs, api::describe_configs::handle),
    admin(ApiKey::AlterConfigs, api::alter_configs::handle),
    route(ApiKey::DescribeLogDirs, api::describe_log_dirs::handle),
    route(ApiKey::SaslAuthenticate, api::sasl_authenticate::handle),
    admin(ApiKey::CreatePartitions, api::create_partitions::handle),
    route(ApiKey::DeleteGroups, api::delete_groups::handle),
    admin(ApiKey::ElectLeaders, api::elect_leaders::handle),
    admin(
        ApiKey::IncrementalAlterConfigs,
        api::incremental_alter_configs::handle,
    ),
    admin(
        ApiKey::AlterPartitionReassignments,
        api::alter_partition_reassignments::handle,
    ),
    admin(
        ApiKey::ListPartitionReassignments,
        api::list_partition_reassignments::handle,
    ),
    route(ApiKey::OffsetDelete, api::offset_delete::handle),
    admin(
        ApiKey::DescribeClientQuotas,
        api::describe_client_quotas::handle,
    ),
    admin(ApiKey::AlterClientQuotas, api::alter_client_quotas::handle),
    route(
        ApiKey::DescribeUserScramCredentials,
        api::describe_user_scram_credentials::handle,
    ),
    admin(
        ApiKey::AlterUserScramCredentials,
        api::alter_user_scram_credentials::handle,
    ),
    admin(ApiKey::DescribeQuorum, api::describe_quorum::handle),
    node(
        ApiKey::AlterPartition,
        Place::ControllerOnly,
        api::alter_partition::handle,
    ),
    admin(ApiKey::UpdateFeatures, api::update_features::handle),
    node(ApiKey::Envelope, Place::Anywhere, api::envelope::handle),
    route(ApiKey::DescribeCluster, api::describe_cluster::handle),
    route(ApiKey::DescribeProducers, api::describe_producers::handle),
    node(
        ApiKey::BrokerRegistration,
        Place::ControllerOnly,
        api::broker_registration::handle,
    ),
    node(
        ApiKey::BrokerHeartbeat,
        Place::ControllerOnly,
        api::broker_heartbeat::handle,
    ),
    admin(ApiKey::UnregisterBroker, api::unregister_broker::handle),
    route(
        ApiKey::DescribeTransactions,
        api::describe_transactions::handle,
    ),
    route(ApiKey::ListTransactions, api::list_transactions::handle),
    node(
        ApiKey::AllocateProducerIds,
        Place::ControllerOnly,
        api::allocate_producer_ids::handle,
    ),
    route(
        ApiKey::ConsumerGroupHeartbeat,
        api::consumer_group_heartbeat::handle,
    ),
    route(
        ApiKey::ConsumerGroupDescribe,
        api::consumer_group_describe::handle,
    ),
    route(
        ApiKey::ListConfigResources,
        api::list_config_resources::handle,
    ),
    route(
        ApiKey::DescribeTopicPartitions,
        api::describe_topic_partitions::handle,
    ),
];

/// Where in the table an API stands.
pub(crate) fn number_of(api: ApiKey) -> Option<usize> {
    ROUTES.binary_search_by_key(&api, |route| route.api).ok()
}

/// The route of an API.
pub(crate) fn route_of(api: ApiKey) -> Option<&'static Route> {
    number_of(api).and_then(|at| ROUTES.get(at))
}

/// Whether a listener of controllers serves an API: the ones that Kafka's message
/// definitions give the listener `controller`.
const fn is_for_controllers(api: ApiKey) -> bool {
    matches!(
        api,
        ApiKey::ApiVersions
            | ApiKey::SaslHandshake
            | ApiKey::SaslAuthenticate
            | ApiKey::CreateTopics
            | ApiKey::DeleteTopics
            | ApiKey::DescribeConfigs
            | ApiKey::AlterConfigs
            | ApiKey::CreatePartitions
            | ApiKey::ElectLeaders
            | ApiKey::IncrementalAlterConfigs
            | ApiKey::AlterPartitionReassignments
            | ApiKey::ListPartitionReassignments
            | ApiKey::AlterUserScramCredentials
            | ApiKey::DescribeQuorum
            | ApiKey::AlterPartition
            | ApiKey::UpdateFeatures
            | ApiKey::Envelope
            | ApiKey::DescribeCluster
            | ApiKey::BrokerRegistration
            | ApiKey::BrokerHeartbeat
            | ApiKey::UnregisterBroker
            | ApiKey::AllocateProducerIds
    )
}

impl Route {
    /// Whether the API is served by a listener, of controllers or of brokers.
    pub(crate) const fn serves(&self, controllers: bool) -> bool {
        !controllers || is_for_controllers(self.api)
    }

    /// The versions that ApiVersions names.
    pub(crate) fn advertised(&self) -> (i16, i16) {
        let spec = self.api.spec();
        (spec.advertised_min, spec.max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_order_of_keys() {
        assert!(ROUTES.is_sorted_by(|a, b| a.api < b.api));
    }
}
