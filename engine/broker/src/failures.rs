//! Which errors a response holds, for the account of requests.
//!
//! One line for each response says where its error codes stand: for the whole, and
//! for each of the things that were asked for.

use kafka_protocol::messages::*;

/// A response that tells its error codes.
pub(crate) trait Failures {
    /// Tells every code in it, 0 for none included.
    fn tell(&self, tell: &mut dyn FnMut(i16));
}

/// Tells the codes at the end of a path of lists.
macro_rules! walk {
    ($holder:expr, $tell:ident;) => {
        $tell($holder.error_code)
    };
    ($holder:expr, $tell:ident; $list:ident $($rest:ident)*) => {
        for one in &$holder.$list {
            walk!(one, $tell; $($rest)*);
        }
    };
}

macro_rules! failures {
    ($($response:ident: $([$($list:ident)*])+;)+) => {
        $(impl Failures for $response {
            fn tell(&self, tell: &mut dyn FnMut(i16)) {
                $(walk!(self, tell; $($list)*);)+
            }
        })+
    };
}

failures! {
    AddOffsetsToTxnResponse: [];
    AllocateProducerIdsResponse: [];
    AlterClientQuotasResponse: [entries];
    AlterConfigsResponse: [responses];
    AlterPartitionReassignmentsResponse: [] [responses partitions];
    AlterPartitionResponse: [] [topics partitions];
    AlterUserScramCredentialsResponse: [results];
    ApiVersionsResponse: [];
    BrokerHeartbeatResponse: [];
    BrokerRegistrationResponse: [];
    ConsumerGroupDescribeResponse: [groups];
    ConsumerGroupHeartbeatResponse: [];
    CreateAclsResponse: [results];
    CreatePartitionsResponse: [results];
    CreateTopicsResponse: [topics];
    DeleteAclsResponse: [filter_results] [filter_results matching_acls];
    DeleteGroupsResponse: [results];
    DeleteRecordsResponse: [topics partitions];
    DeleteTopicsResponse: [responses];
    DescribeAclsResponse: [];
    DescribeClientQuotasResponse: [];
    DescribeClusterResponse: [];
    DescribeConfigsResponse: [results];
    DescribeGroupsResponse: [groups];
    DescribeLogDirsResponse: [] [results];
    DescribeProducersResponse: [topics partitions];
    DescribeQuorumResponse: [] [topics partitions];
    DescribeTopicPartitionsResponse: [topics] [topics partitions];
    DescribeTransactionsResponse: [transaction_states];
    DescribeUserScramCredentialsResponse: [] [results];
    ElectLeadersResponse: [] [replica_election_results partition_result];
    EndTxnResponse: [];
    EnvelopeResponse: [];
    FindCoordinatorResponse: [] [coordinators];
    HeartbeatResponse: [];
    IncrementalAlterConfigsResponse: [responses];
    InitProducerIdResponse: [];
    JoinGroupResponse: [];
    LeaveGroupResponse: [] [members];
    ListConfigResourcesResponse: [];
    ListGroupsResponse: [];
    ListOffsetsResponse: [topics partitions];
    ListPartitionReassignmentsResponse: [];
    ListTransactionsResponse: [];
    MetadataResponse: [topics] [topics partitions];
    OffsetCommitResponse: [topics partitions];
    OffsetDeleteResponse: [] [topics partitions];
    OffsetFetchResponse: [] [topics partitions] [groups] [groups topics partitions];
    OffsetForLeaderEpochResponse: [topics partitions];
    SaslAuthenticateResponse: [];
    SaslHandshakeResponse: [];
    SyncGroupResponse: [];
    TxnOffsetCommitResponse: [topics partitions];
    UnregisterBrokerResponse: [];
    UpdateFeaturesResponse: [] [results];
    WriteTxnMarkersResponse: [markers topics partitions];
}

impl Failures for AddPartitionsToTxnResponse {
    fn tell(&self, tell: &mut dyn FnMut(i16)) {
        tell(self.error_code);
        let later = &self.results_by_transaction;
        let later = later.iter().flat_map(|one| &one.topic_results);
        for topic in self.results_by_topic_v3_and_below.iter().chain(later) {
            for partition in &topic.results_by_partition {
                tell(partition.partition_error_code);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kafka_protocol::messages::offset_fetch_response::{
        OffsetFetchResponseGroup, OffsetFetchResponsePartitions, OffsetFetchResponseTopics,
    };

    #[test]
    fn codes_are_found_at_every_depth() {
        let partition = OffsetFetchResponsePartitions::default().with_error_code(3);
        let topic = OffsetFetchResponseTopics::default().with_partitions(vec![partition; 2]);
        let group = OffsetFetchResponseGroup::default()
            .with_error_code(15)
            .with_topics(vec![topic]);
        let response = OffsetFetchResponse::default().with_groups(vec![group]);
        let mut told = Vec::new();
        response.tell(&mut |code| told.push(code));
        assert_eq!(told, [0, 15, 3, 3]);
    }
}
