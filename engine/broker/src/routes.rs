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
}

const fn route(api: ApiKey, handle: fn(&Broker, Request<'_>) -> Outcome) -> Route {
    Route {
        api,
        handle,
        guarded: true,
    }
}

const fn data(api: ApiKey, handle: fn(&Broker, Request<'_>) -> Outcome) -> Route {
    Route {
        api,
        handle,
        guarded: false,
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
    route(ApiKey::CreateTopics, api::create_topics::handle),
    route(ApiKey::DeleteTopics, api::delete_topics::handle),
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
    route(ApiKey::DescribeConfigs, api::describe_configs::handle),
    route(ApiKey::AlterConfigs, api::alter_configs::handle),
    route(ApiKey::DescribeLogDirs, api::describe_log_dirs::handle),
    route(ApiKey::SaslAuthenticate, api::sasl_authenticate::handle),
    route(ApiKey::CreatePartitions, api::create_partitions::handle),
    route(ApiKey::DeleteGroups, api::delete_groups::handle),
    route(
        ApiKey::IncrementalAlterConfigs,
        api::incremental_alter_configs::handle,
    ),
    route(ApiKey::OffsetDelete, api::offset_delete::handle),
    route(
        ApiKey::DescribeUserScramCredentials,
        api::describe_user_scram_credentials::handle,
    ),
    route(
        ApiKey::AlterUserScramCredentials,
        api::alter_user_scram_credentials::handle,
    ),
    route(ApiKey::DescribeCluster, api::describe_cluster::handle),
    route(ApiKey::DescribeProducers, api::describe_producers::handle),
    route(
        ApiKey::DescribeTransactions,
        api::describe_transactions::handle,
    ),
    route(ApiKey::ListTransactions, api::list_transactions::handle),
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

impl Route {
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
