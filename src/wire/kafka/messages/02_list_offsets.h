// ListOffsets (2): looks offsets up by time.
#pragma once

#include "wire/kafka/schema.h"

namespace headrace::wire::kafka {

struct ListOffsetsRequest {
  struct Topic {
    struct Partition {
      int32_t partition_index = 0;
      int32_t current_leader_epoch = -1;
      int64_t timestamp = 0;

      static constexpr auto fields() {
        using S = Partition;
        return std::tuple(field("PartitionIndex", &S::partition_index, "0+"),
                          field("CurrentLeaderEpoch", &S::current_leader_epoch, "4+"),
                          field("Timestamp", &S::timestamp, "0+"));
      }
    };

    std::string name;
    std::vector<Partition> partitions;

    static constexpr auto fields() {
      using S = Topic;
      return std::tuple(field("Name", &S::name, "0+"), field("Partitions", &S::partitions, "0+"));
    }
  };

  int32_t replica_id = 0;
  int8_t isolation_level = 0;
  std::vector<Topic> topics;
  int32_t timeout_ms = 0;

  static constexpr Spec kSpec{.name = "ListOffsetsRequest", .api_key = 2, .versions = "1-11", .flexible = "6+"};
  static constexpr auto fields() {
    using S = ListOffsetsRequest;
    return std::tuple(field("ReplicaId", &S::replica_id, "0+"),
                      field("IsolationLevel", &S::isolation_level, "2+"),
                      field("Topics", &S::topics, "0+"),
                      field("TimeoutMs", &S::timeout_ms, "10+"));
  }
};

struct ListOffsetsResponse {
  struct TopicResponse {
    struct PartitionResponse {
      int32_t partition_index = 0;
      int16_t error_code = 0;
      int64_t timestamp = -1;
      int64_t offset = -1;
      int32_t leader_epoch = -1;

      static constexpr auto fields() {
        using S = PartitionResponse;
        return std::tuple(field("PartitionIndex", &S::partition_index, "0+"),
                          field("ErrorCode", &S::error_code, "0+"),
                          field("Timestamp", &S::timestamp, "1+"),
                          field("Offset", &S::offset, "1+"),
                          field("LeaderEpoch", &S::leader_epoch, "4+"));
      }
    };

    std::string name;
    std::vector<PartitionResponse> partitions;

    static constexpr auto fields() {
      using S = TopicResponse;
      return std::tuple(field("Name", &S::name, "0+"), field("Partitions", &S::partitions, "0+"));
    }
  };

  int32_t throttle_time_ms = 0;
  std::vector<TopicResponse> topics;

  static constexpr Spec kSpec{.name = "ListOffsetsResponse", .api_key = 2, .versions = "1-11", .flexible = "6+"};
  static constexpr auto fields() {
    using S = ListOffsetsResponse;
    return std::tuple(field("ThrottleTimeMs", &S::throttle_time_ms, "2+"), field("Topics", &S::topics, "0+"));
  }
};

template <>
struct Messages<2> {
  using Request = ListOffsetsRequest;
  using Response = ListOffsetsResponse;
};

}  // namespace headrace::wire::kafka
