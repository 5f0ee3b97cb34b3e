#include "kafka/errors.h"

namespace headrace::kafka {

KafkaError to_kafka(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInvalidArgument: return KafkaError::kInvalidRequest;
    case ErrorCode::kNotFound: return KafkaError::kUnknownTopicOrPartition;
    case ErrorCode::kAlreadyExists: return KafkaError::kTopicAlreadyExists;
    case ErrorCode::kOutOfRange: return KafkaError::kOffsetOutOfRange;
    case ErrorCode::kTooLarge: return KafkaError::kMessageTooLarge;
    case ErrorCode::kCorrupt: return KafkaError::kCorruptMessage;
    case ErrorCode::kUnsupported: return KafkaError::kUnsupportedVersion;
    case ErrorCode::kUnavailable: return KafkaError::kLeaderNotAvailable;
    case ErrorCode::kTimedOut: return KafkaError::kRequestTimedOut;
    case ErrorCode::kFenced: return KafkaError::kInvalidProducerEpoch;
    case ErrorCode::kOutOfOrder: return KafkaError::kOutOfOrderSequenceNumber;
    case ErrorCode::kOutOfSpace: return KafkaError::kKafkaStorageError;
    case ErrorCode::kPermissionDenied: return KafkaError::kClusterAuthorizationFailed;
    case ErrorCode::kIo: return KafkaError::kKafkaStorageError;
    case ErrorCode::kClosed: return KafkaError::kLeaderNotAvailable;
  }
  return KafkaError::kUnknownServerError;
}

KafkaError partition_error(ErrorCode code) {
  if (code == ErrorCode::kUnavailable) return KafkaError::kKafkaStorageError;
  if (code == ErrorCode::kClosed) return KafkaError::kNotLeaderOrFollower;
  return to_kafka(code);
}

KafkaError to_kafka(broker::CoordinatorError error) {
  using E = broker::CoordinatorError;
  switch (error) {
    case E::kNone: return KafkaError::kNone;
    case E::kInvalidGroupId: return KafkaError::kInvalidGroupId;
    case E::kInvalidRequest: return KafkaError::kInvalidRequest;
    case E::kUnknownMember: return KafkaError::kUnknownMemberId;
    case E::kMemberIdRequired: return KafkaError::kMemberIdRequired;
    case E::kFencedInstanceId: return KafkaError::kFencedInstanceId;
    case E::kUnreleasedInstanceId: return KafkaError::kUnreleasedInstanceId;
    case E::kIllegalGeneration: return KafkaError::kIllegalGeneration;
    case E::kRebalanceInProgress: return KafkaError::kRebalanceInProgress;
    case E::kInconsistentProtocol: return KafkaError::kInconsistentGroupProtocol;
    case E::kInvalidSessionTimeout: return KafkaError::kInvalidSessionTimeout;
    case E::kGroupMaxSizeReached: return KafkaError::kGroupMaxSizeReached;
    case E::kNonEmptyGroup: return KafkaError::kNonEmptyGroup;
    case E::kGroupIdNotFound: return KafkaError::kGroupIdNotFound;
    case E::kGroupSubscribed: return KafkaError::kGroupSubscribedToTopic;
    case E::kOffsetMetadataTooLarge: return KafkaError::kOffsetMetadataTooLarge;
    case E::kCommitTooLarge: return KafkaError::kInvalidCommitOffsetSize;
    case E::kUnknownTopicOrPartition: return KafkaError::kUnknownTopicOrPartition;
    case E::kFencedMemberEpoch: return KafkaError::kFencedMemberEpoch;
    case E::kStaleMemberEpoch: return KafkaError::kStaleMemberEpoch;
    case E::kUnsupportedAssignor: return KafkaError::kUnsupportedAssignor;
    case E::kInvalidRegex: return KafkaError::kInvalidRegularExpression;
    case E::kUnsupportedVersion: return KafkaError::kUnsupportedVersion;
    case E::kUnstableOffset: return KafkaError::kUnstableOffsetCommit;
    case E::kNotAvailable: return KafkaError::kCoordinatorNotAvailable;
    case E::kProducerFenced: return KafkaError::kProducerFenced;
    case E::kInvalidProducerEpoch: return KafkaError::kInvalidProducerEpoch;
    case E::kInvalidProducerIdMapping: return KafkaError::kInvalidProducerIdMapping;
    case E::kInvalidTxnState: return KafkaError::kInvalidTxnState;
    case E::kInvalidTxnTimeout: return KafkaError::kInvalidTransactionTimeout;
    case E::kConcurrentTransactions: return KafkaError::kConcurrentTransactions;
    case E::kInternalTopic: return KafkaError::kTopicAuthorizationFailed;
    case E::kTransactionalIdNotFound: return KafkaError::kTransactionalIdNotFound;
  }
  return KafkaError::kUnknownServerError;
}

KafkaError to_kafka(broker::CoordinatorError error, int16_t version, int16_t fenced_since) {
  bool old_client = error == broker::CoordinatorError::kProducerFenced && version < fenced_since;
  return old_client ? KafkaError::kInvalidProducerEpoch : to_kafka(error);
}

std::string_view to_string(KafkaError error) {
  switch (error) {
    case KafkaError::kUnknownServerError: return "UNKNOWN_SERVER_ERROR";
    case KafkaError::kNone: return "NONE";
    case KafkaError::kOffsetOutOfRange: return "OFFSET_OUT_OF_RANGE";
    case KafkaError::kCorruptMessage: return "CORRUPT_MESSAGE";
    case KafkaError::kUnknownTopicOrPartition: return "UNKNOWN_TOPIC_OR_PARTITION";
    case KafkaError::kLeaderNotAvailable: return "LEADER_NOT_AVAILABLE";
    case KafkaError::kNotLeaderOrFollower: return "NOT_LEADER_OR_FOLLOWER";
    case KafkaError::kRequestTimedOut: return "REQUEST_TIMED_OUT";
    case KafkaError::kMessageTooLarge: return "MESSAGE_TOO_LARGE";
    case KafkaError::kOffsetMetadataTooLarge: return "OFFSET_METADATA_TOO_LARGE";
    case KafkaError::kCoordinatorNotAvailable: return "COORDINATOR_NOT_AVAILABLE";
    case KafkaError::kInvalidTopic: return "INVALID_TOPIC_EXCEPTION";
    case KafkaError::kInvalidRequiredAcks: return "INVALID_REQUIRED_ACKS";
    case KafkaError::kIllegalGeneration: return "ILLEGAL_GENERATION";
    case KafkaError::kInconsistentGroupProtocol: return "INCONSISTENT_GROUP_PROTOCOL";
    case KafkaError::kInvalidGroupId: return "INVALID_GROUP_ID";
    case KafkaError::kUnknownMemberId: return "UNKNOWN_MEMBER_ID";
    case KafkaError::kInvalidSessionTimeout: return "INVALID_SESSION_TIMEOUT";
    case KafkaError::kRebalanceInProgress: return "REBALANCE_IN_PROGRESS";
    case KafkaError::kInvalidCommitOffsetSize: return "INVALID_COMMIT_OFFSET_SIZE";
    case KafkaError::kTopicAuthorizationFailed: return "TOPIC_AUTHORIZATION_FAILED";
    case KafkaError::kClusterAuthorizationFailed: return "CLUSTER_AUTHORIZATION_FAILED";
    case KafkaError::kInvalidTimestamp: return "INVALID_TIMESTAMP";
    case KafkaError::kUnsupportedVersion: return "UNSUPPORTED_VERSION";
    case KafkaError::kTopicAlreadyExists: return "TOPIC_ALREADY_EXISTS";
    case KafkaError::kInvalidPartitions: return "INVALID_PARTITIONS";
    case KafkaError::kInvalidReplicationFactor: return "INVALID_REPLICATION_FACTOR";
    case KafkaError::kInvalidReplicaAssignment: return "INVALID_REPLICA_ASSIGNMENT";
    case KafkaError::kInvalidConfig: return "INVALID_CONFIG";
    case KafkaError::kInvalidRequest: return "INVALID_REQUEST";
    case KafkaError::kPolicyViolation: return "POLICY_VIOLATION";
    case KafkaError::kOutOfOrderSequenceNumber: return "OUT_OF_ORDER_SEQUENCE_NUMBER";
    case KafkaError::kInvalidProducerEpoch: return "INVALID_PRODUCER_EPOCH";
    case KafkaError::kInvalidTxnState: return "INVALID_TXN_STATE";
    case KafkaError::kInvalidProducerIdMapping: return "INVALID_PRODUCER_ID_MAPPING";
    case KafkaError::kInvalidTransactionTimeout: return "INVALID_TRANSACTION_TIMEOUT";
    case KafkaError::kConcurrentTransactions: return "CONCURRENT_TRANSACTIONS";
    case KafkaError::kTransactionCoordinatorFenced: return "TRANSACTION_COORDINATOR_FENCED";
    case KafkaError::kSecurityDisabled: return "SECURITY_DISABLED";
    case KafkaError::kOperationNotAttempted: return "OPERATION_NOT_ATTEMPTED";
    case KafkaError::kKafkaStorageError: return "KAFKA_STORAGE_ERROR";
    case KafkaError::kLogDirNotFound: return "LOG_DIR_NOT_FOUND";
    case KafkaError::kNonEmptyGroup: return "NON_EMPTY_GROUP";
    case KafkaError::kGroupIdNotFound: return "GROUP_ID_NOT_FOUND";
    case KafkaError::kFetchSessionIdNotFound: return "FETCH_SESSION_ID_NOT_FOUND";
    case KafkaError::kInvalidFetchSessionEpoch: return "INVALID_FETCH_SESSION_EPOCH";
    case KafkaError::kFencedLeaderEpoch: return "FENCED_LEADER_EPOCH";
    case KafkaError::kUnknownLeaderEpoch: return "UNKNOWN_LEADER_EPOCH";
    case KafkaError::kUnsupportedCompressionType: return "UNSUPPORTED_COMPRESSION_TYPE";
    case KafkaError::kMemberIdRequired: return "MEMBER_ID_REQUIRED";
    case KafkaError::kGroupMaxSizeReached: return "GROUP_MAX_SIZE_REACHED";
    case KafkaError::kFencedInstanceId: return "FENCED_INSTANCE_ID";
    case KafkaError::kElectionNotNeeded: return "ELECTION_NOT_NEEDED";
    case KafkaError::kNoReassignmentInProgress: return "NO_REASSIGNMENT_IN_PROGRESS";
    case KafkaError::kGroupSubscribedToTopic: return "GROUP_SUBSCRIBED_TO_TOPIC";
    case KafkaError::kInvalidRecord: return "INVALID_RECORD";
    case KafkaError::kUnstableOffsetCommit: return "UNSTABLE_OFFSET_COMMIT";
    case KafkaError::kThrottlingQuotaExceeded: return "THROTTLING_QUOTA_EXCEEDED";
    case KafkaError::kProducerFenced: return "PRODUCER_FENCED";
    case KafkaError::kResourceNotFound: return "RESOURCE_NOT_FOUND";
    case KafkaError::kInvalidUpdateVersion: return "INVALID_UPDATE_VERSION";
    case KafkaError::kUnknownTopicId: return "UNKNOWN_TOPIC_ID";
    case KafkaError::kTransactionalIdNotFound: return "TRANSACTIONAL_ID_NOT_FOUND";
    case KafkaError::kFetchSessionTopicIdError: return "FETCH_SESSION_TOPIC_ID_ERROR";
    case KafkaError::kFencedMemberEpoch: return "FENCED_MEMBER_EPOCH";
    case KafkaError::kUnreleasedInstanceId: return "UNRELEASED_INSTANCE_ID";
    case KafkaError::kUnsupportedAssignor: return "UNSUPPORTED_ASSIGNOR";
    case KafkaError::kStaleMemberEpoch: return "STALE_MEMBER_EPOCH";
    case KafkaError::kMismatchedEndpointType: return "MISMATCHED_ENDPOINT_TYPE";
    case KafkaError::kUnsupportedEndpointType: return "UNSUPPORTED_ENDPOINT_TYPE";
    case KafkaError::kUnknownSubscriptionId: return "UNKNOWN_SUBSCRIPTION_ID";
    case KafkaError::kTelemetryTooLarge: return "TELEMETRY_TOO_LARGE";
    case KafkaError::kInvalidRegularExpression: return "INVALID_REGULAR_EXPRESSION";
  }
  return "UNKNOWN";
}

}  // namespace headrace::kafka
