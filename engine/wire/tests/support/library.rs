//! The codec library's decoder of each request, chosen by API.

use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::*;
use kafka_protocol::protocol::{Decodable, Encodable};
use plimsoll_wire::api::ApiKey;

macro_rules! requests {
    ($($api:ident $request:ident)*) => {
        /// Decodes a request's body, and encodes what came of it.
        pub fn reencode(api: ApiKey, version: i16, body: &mut Bytes) -> Result<BytesMut, String> {
            match api {
                $(ApiKey::$api => reencode_as::<$request>(version, body),)*
            }
        }

        /// Decodes a request's body, and drops what came of it.
        pub fn decode(api: ApiKey, version: i16, body: &mut Bytes) -> Result<(), String> {
            match api {
                $(ApiKey::$api => decode_as::<$request>(version, body).map(drop),)*
            }
        }

        /// The versions that the library decodes.
        pub fn versions(api: ApiKey) -> (i16, i16) {
            let range = match api {
                $(ApiKey::$api => <$request as kafka_protocol::protocol::Message>::VERSIONS,)*
            };
            (range.min, range.max)
        }
    };
}

requests! {
    Produce ProduceRequest
    Fetch FetchRequest
    ListOffsets ListOffsetsRequest
    Metadata MetadataRequest
    OffsetCommit OffsetCommitRequest
    OffsetFetch OffsetFetchRequest
    FindCoordinator FindCoordinatorRequest
    JoinGroup JoinGroupRequest
    Heartbeat HeartbeatRequest
    LeaveGroup LeaveGroupRequest
    SyncGroup SyncGroupRequest
    DescribeGroups DescribeGroupsRequest
    ListGroups ListGroupsRequest
    SaslHandshake SaslHandshakeRequest
    ApiVersions ApiVersionsRequest
    CreateTopics CreateTopicsRequest
    DeleteTopics DeleteTopicsRequest
    DeleteRecords DeleteRecordsRequest
    InitProducerId InitProducerIdRequest
    OffsetForLeaderEpoch OffsetForLeaderEpochRequest
    AddPartitionsToTxn AddPartitionsToTxnRequest
    AddOffsetsToTxn AddOffsetsToTxnRequest
    EndTxn EndTxnRequest
    WriteTxnMarkers WriteTxnMarkersRequest
    TxnOffsetCommit TxnOffsetCommitRequest
    DescribeAcls DescribeAclsRequest
    CreateAcls CreateAclsRequest
    DeleteAcls DeleteAclsRequest
    DescribeConfigs DescribeConfigsRequest
    AlterConfigs AlterConfigsRequest
    AlterReplicaLogDirs AlterReplicaLogDirsRequest
    DescribeLogDirs DescribeLogDirsRequest
    SaslAuthenticate SaslAuthenticateRequest
    CreatePartitions CreatePartitionsRequest
    DeleteGroups DeleteGroupsRequest
    ElectLeaders ElectLeadersRequest
    IncrementalAlterConfigs IncrementalAlterConfigsRequest
    AlterPartitionReassignments AlterPartitionReassignmentsRequest
    ListPartitionReassignments ListPartitionReassignmentsRequest
    OffsetDelete OffsetDeleteRequest
    DescribeClientQuotas DescribeClientQuotasRequest
    AlterClientQuotas AlterClientQuotasRequest
    DescribeUserScramCredentials DescribeUserScramCredentialsRequest
    AlterUserScramCredentials AlterUserScramCredentialsRequest
    DescribeQuorum DescribeQuorumRequest
    AlterPartition AlterPartitionRequest
    UpdateFeatures UpdateFeaturesRequest
    Envelope EnvelopeRequest
    DescribeCluster DescribeClusterRequest
    DescribeProducers DescribeProducersRequest
    BrokerRegistration BrokerRegistrationRequest
    BrokerHeartbeat BrokerHeartbeatRequest
    UnregisterBroker UnregisterBrokerRequest
    DescribeTransactions DescribeTransactionsRequest
    ListTransactions ListTransactionsRequest
    AllocateProducerIds AllocateProducerIdsRequest
    ConsumerGroupHeartbeat ConsumerGroupHeartbeatRequest
    ConsumerGroupDescribe ConsumerGroupDescribeRequest
    ListConfigResources ListConfigResourcesRequest
    DescribeTopicPartitions DescribeTopicPartitionsRequest
}

fn decode_as<R: Decodable>(version: i16, body: &mut Bytes) -> Result<R, String> {
    R::decode(body, version).map_err(|error| error.to_string())
}

fn reencode_as<R: Decodable + Encodable>(
    version: i16,
    body: &mut Bytes,
) -> Result<BytesMut, String> {
    let request: R = decode_as(version, body)?;
    let mut out = BytesMut::new();
    request
        .encode(&mut out, version)
        .map_err(|error| error.to_string())?;
    Ok(out)
}
