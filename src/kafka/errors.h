// Kafka's error codes, and the one place where ours become theirs.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/result.h"
#include "broker/coordinator_error.h"

namespace headrace::kafka {

/// The codes of Kafka's protocol that this server gives out; the numbers are the protocol's.
enum class KafkaError : int16_t {
  kUnknownServerError = -1,
  kNone = 0,
  kOffsetOutOfRange = 1,
  kCorruptMessage = 2,
  kUnknownTopicOrPartition = 3,
  kLeaderNotAvailable = 5,
  kNotLeaderOrFollower = 6,
  kRequestTimedOut = 7,
  kMessageTooLarge = 10,
  kOffsetMetadataTooLarge = 12,
  kCoordinatorNotAvailable = 15,
  kInvalidTopic = 17,
  kInvalidRequiredAcks = 21,
  kIllegalGeneration = 22,
  kInconsistentGroupProtocol = 23,
  kInvalidGroupId = 24,
  kUnknownMemberId = 25,
  kInvalidSessionTimeout = 26,
  kRebalanceInProgress = 27,
  kInvalidCommitOffsetSize = 28,
  kTopicAuthorizationFailed = 29,
  kClusterAuthorizationFailed = 31,
  kInvalidTimestamp = 32,
  kUnsupportedVersion = 35,
  kTopicAlreadyExists = 36,
  kInvalidPartitions = 37,
  kInvalidReplicationFactor = 38,
  kInvalidReplicaAssignment = 39,
  kInvalidConfig = 40,
  kInvalidRequest = 42,
  kPolicyViolation = 44,
  kOutOfOrderSequenceNumber = 45,
  kInvalidProducerEpoch = 47,
  kInvalidTxnState = 48,
  kInvalidProducerIdMapping = 49,
  kInvalidTransactionTimeout = 50,
  kConcurrentTransactions = 51,
  kTransactionCoordinatorFenced = 52,
  kSecurityDisabled = 54,
  kOperationNotAttempted = 55,
  kKafkaStorageError = 56,
  kLogDirNotFound = 57,
  kNonEmptyGroup = 68,
  kGroupIdNotFound = 69,
  kFetchSessionIdNotFound = 70,
  kInvalidFetchSessionEpoch = 71,
  kFencedLeaderEpoch = 74,
  kUnknownLeaderEpoch = 75,
  kUnsupportedCompressionType = 76,
  kMemberIdRequired = 79,
  kGroupMaxSizeReached = 81,
  kFencedInstanceId = 82,
  kElectionNotNeeded = 84,
  kNoReassignmentInProgress = 85,
  kGroupSubscribedToTopic = 86,
  kInvalidRecord = 87,
  kUnstableOffsetCommit = 88,
  kThrottlingQuotaExceeded = 89,
  kProducerFenced = 90,
  kResourceNotFound = 91,
  kInvalidUpdateVersion = 95,
  kUnknownTopicId = 100,
  kTransactionalIdNotFound = 105,
  kFetchSessionTopicIdError = 106,
  kFencedMemberEpoch = 110,
  kUnreleasedInstanceId = 111,
  kUnsupportedAssignor = 112,
  kStaleMemberEpoch = 113,
  kMismatchedEndpointType = 114,
  kUnsupportedEndpointType = 115,
  kUnknownSubscriptionId = 117,
  kTelemetryTooLarge = 118,
  kInvalidRegularExpression = 128,
};

/// What a client is told about an error where no API has a better code of its own.
KafkaError to_kafka(ErrorCode code);
/// The same of reading or writing a partition: what passes is told by codes on which every client asks again. The Java
/// consumer ends at those that it does not expect of a fetch, LEADER_NOT_AVAILABLE among them.
KafkaError partition_error(ErrorCode code);
/// What a client is told about a coordinator's answer.
KafkaError to_kafka(broker::CoordinatorError error);
/// The same to a client of `version`: before `fenced_since` INVALID_PRODUCER_EPOCH is for PRODUCER_FENCED (KIP-588).
KafkaError to_kafka(broker::CoordinatorError error, int16_t version, int16_t fenced_since);

/// The code's name in Kafka's documentation: "OFFSET_OUT_OF_RANGE".
std::string_view to_string(KafkaError error);

/// For the error_code fields.
constexpr int16_t wire_code(KafkaError error) { return static_cast<int16_t>(error); }
inline int16_t wire_code(broker::CoordinatorError error) { return wire_code(to_kafka(error)); }
inline int16_t wire_code(ErrorCode code) { return wire_code(to_kafka(code)); }
inline int16_t wire_code(const Status& status) { return status.ok() ? 0 : wire_code(status.error().code); }

}  // namespace headrace::kafka
