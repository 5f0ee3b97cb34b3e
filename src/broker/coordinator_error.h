// What the group and transaction coordinators answer. Each names the Kafka error that the protocol server maps it to.
#pragma once

#include <string_view>

namespace headrace::broker {

enum class CoordinatorError {
  kNone,
  kInvalidGroupId,           ///< INVALID_GROUP_ID
  kInvalidRequest,           ///< INVALID_REQUEST
  kUnknownMember,            ///< UNKNOWN_MEMBER_ID
  kMemberIdRequired,         ///< MEMBER_ID_REQUIRED (KIP-394)
  kFencedInstanceId,         ///< FENCED_INSTANCE_ID (KIP-345)
  kUnreleasedInstanceId,     ///< UNRELEASED_INSTANCE_ID
  kIllegalGeneration,        ///< ILLEGAL_GENERATION
  kRebalanceInProgress,      ///< REBALANCE_IN_PROGRESS
  kInconsistentProtocol,     ///< INCONSISTENT_GROUP_PROTOCOL
  kInvalidSessionTimeout,    ///< INVALID_SESSION_TIMEOUT
  kGroupMaxSizeReached,      ///< GROUP_MAX_SIZE_REACHED
  kNonEmptyGroup,            ///< NON_EMPTY_GROUP
  kGroupIdNotFound,          ///< GROUP_ID_NOT_FOUND
  kGroupSubscribed,          ///< GROUP_SUBSCRIBED_TO_TOPIC
  kOffsetMetadataTooLarge,   ///< OFFSET_METADATA_TOO_LARGE
  kCommitTooLarge,           ///< INVALID_COMMIT_OFFSET_SIZE: more than one batch may take.
  kUnknownTopicOrPartition,  ///< UNKNOWN_TOPIC_OR_PARTITION
  kFencedMemberEpoch,        ///< FENCED_MEMBER_EPOCH (KIP-848)
  kStaleMemberEpoch,         ///< STALE_MEMBER_EPOCH (KIP-848)
  kUnsupportedAssignor,      ///< UNSUPPORTED_ASSIGNOR (KIP-848)
  kInvalidRegex,             ///< INVALID_REGULAR_EXPRESSION (KIP-848)
  kUnsupportedVersion,       ///< UNSUPPORTED_VERSION: the request lacks what this kind of group needs.
  kUnstableOffset,           ///< UNSTABLE_OFFSET_COMMIT (KIP-447)
  kNotAvailable,             ///< COORDINATOR_NOT_AVAILABLE: storage failed or the broker is closing; try again.

  kProducerFenced,            ///< PRODUCER_FENCED
  kInvalidProducerEpoch,      ///< INVALID_PRODUCER_EPOCH
  kInvalidProducerIdMapping,  ///< INVALID_PRODUCER_ID_MAPPING
  kInvalidTxnState,           ///< INVALID_TXN_STATE
  kInvalidTxnTimeout,         ///< INVALID_TRANSACTION_TIMEOUT
  kConcurrentTransactions,    ///< CONCURRENT_TRANSACTIONS: the last one is being ended; try again.
  kInternalTopic,             ///< TOPIC_AUTHORIZATION_FAILED: clients have no part in the broker's own topics.
  kTransactionalIdNotFound,   ///< TRANSACTIONAL_ID_NOT_FOUND
};

/// The enumerator as words: "unknown member".
std::string_view to_string(CoordinatorError error);

}  // namespace headrace::broker
