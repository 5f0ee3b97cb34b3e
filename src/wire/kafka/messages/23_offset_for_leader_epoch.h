// OffsetForLeaderEpoch (23): tells where a leader epoch ended.
#pragma once

#include "wire/kafka/schema.h"

namespace headrace::wire::kafka {

struct OffsetForLeaderEpochRequest {
  struct OffsetForLeaderTopic {
    struct OffsetForLeaderPartition {
      int32_t partition = 0;
      int32_t current_leader_epoch = -1;
      int32_t leader_epoch = 0;

      static constexpr auto fields() {
        using S = OffsetForLeaderPartition;
        return std::tuple(field("Partition", &S::partition, "0+"),
                          field("CurrentLeaderEpoch", &S::current_leader_epoch, "2+"),
                          field("LeaderEpoch", &S::leader_epoch, "0+"));
      }
    };

    std::string topic;
    std::vector<OffsetForLeaderPartition> partitions;

    static constexpr auto fields() {
      using S = OffsetForLeaderTopic;
      return std::tuple(field("Topic", &S::topic, "0+"), field("Partitions", &S::partitions, "0+"));
    }
  };

  int32_t replica_id = -2;
  std::vector<OffsetForLeaderTopic> topics;

  static constexpr Spec kSpec{
      .name = "OffsetForLeaderEpochRequest", .api_key = 23, .versions = "2-4", .flexible = "4+"};
  static constexpr auto fields() {
    using S = OffsetForLeaderEpochRequest;
    return std::tuple(field("ReplicaId", &S::replica_id, "3+"), field("Topics", &S::topics, "0+"));
  }
};

struct OffsetForLeaderEpochResponse {
  struct OffsetForLeaderTopicResult {
    struct EpochEndOffset {
      int16_t error_code = 0;
      int32_t partition = 0;
      int32_t leader_epoch = -1;
      int64_t end_offset = -1;

      static constexpr auto fields() {
        using S = EpochEndOffset;
        return std::tuple(field("ErrorCode", &S::error_code, "0+"),
                          field("Partition", &S::partition, "0+"),
                          field("LeaderEpoch", &S::leader_epoch, "1+"),
                          field("EndOffset", &S::end_offset, "0+"));
      }
    };

    std::string topic;
    std::vector<EpochEndOffset> partitions;

    static constexpr auto fields() {
      using S = OffsetForLeaderTopicResult;
      return std::tuple(field("Topic", &S::topic, "0+"), field("Partitions", &S::partitions, "0+"));
    }
  };

  int32_t throttle_time_ms = 0;
  std::vector<OffsetForLeaderTopicResult> topics;

  static constexpr Spec kSpec{
      .name = "OffsetForLeaderEpochResponse", .api_key = 23, .versions = "2-4", .flexible = "4+"};
  static constexpr auto fields() {
    using S = OffsetForLeaderEpochResponse;
    return std::tuple(field("ThrottleTimeMs", &S::throttle_time_ms, "2+"), field("Topics", &S::topics, "0+"));
  }
};

template <>
struct Messages<23> {
  using Request = OffsetForLeaderEpochRequest;
  using Response = OffsetForLeaderEpochResponse;
};

}  // namespace headrace::wire::kafka
