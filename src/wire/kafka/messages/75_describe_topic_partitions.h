// DescribeTopicPartitions (75): tells the partitions of topics, in pages.
#pragma once

#include "wire/kafka/schema.h"

namespace headrace::wire::kafka {

/// Where a page ends and the next one begins.
struct DescribeTopicPartitionsCursor {
  std::string topic_name;
  int32_t partition_index = 0;

  static constexpr auto fields() {
    using S = DescribeTopicPartitionsCursor;
    return std::tuple(field("TopicName", &S::topic_name, "0+"), field("PartitionIndex", &S::partition_index, "0+"));
  }
};

struct DescribeTopicPartitionsRequest {
  struct TopicRequest {
    std::string name;

    static constexpr auto fields() {
      using S = TopicRequest;
      return std::tuple(field("Name", &S::name, "0+"));
    }
  };

  using Cursor = DescribeTopicPartitionsCursor;

  std::vector<TopicRequest> topics;
  int32_t response_partition_limit = 2000;
  std::optional<Cursor> cursor;

  static constexpr Spec kSpec{
      .name = "DescribeTopicPartitionsRequest", .api_key = 75, .versions = "0", .flexible = "0+"};
  static constexpr auto fields() {
    using S = DescribeTopicPartitionsRequest;
    return std::tuple(field("Topics", &S::topics, "0+"),
                      field("ResponsePartitionLimit", &S::response_partition_limit, "0+"),
                      field("Cursor", &S::cursor, "0+", {.nullable = "0+"}));
  }
};

struct DescribeTopicPartitionsResponse {
  struct Topic {
    struct Partition {
      int16_t error_code = 0;
      int32_t partition_index = 0;
      int32_t leader_id = 0;
      int32_t leader_epoch = -1;
      std::vector<int32_t> replica_nodes;
      std::vector<int32_t> isr_nodes;
      std::optional<std::vector<int32_t>> eligible_leader_replicas;
      std::optional<std::vector<int32_t>> last_known_elr;
      std::vector<int32_t> offline_replicas;

      static constexpr auto fields() {
        using S = Partition;
        return std::tuple(field("ErrorCode", &S::error_code, "0+"),
                          field("PartitionIndex", &S::partition_index, "0+"),
                          field("LeaderId", &S::leader_id, "0+"),
                          field("LeaderEpoch", &S::leader_epoch, "0+"),
                          field("ReplicaNodes", &S::replica_nodes, "0+"),
                          field("IsrNodes", &S::isr_nodes, "0+"),
                          field("EligibleLeaderReplicas", &S::eligible_leader_replicas, "0+", {.nullable = "0+"}),
                          field("LastKnownElr", &S::last_known_elr, "0+", {.nullable = "0+"}),
                          field("OfflineReplicas", &S::offline_replicas, "0+"));
      }
    };

    int16_t error_code = 0;
    std::optional<std::string> name = "";
    Uuid topic_id;
    bool is_internal = false;
    std::vector<Partition> partitions;
    int32_t topic_authorized_operations = INT32_MIN;

    static constexpr auto fields() {
      using S = Topic;
      return std::tuple(field("ErrorCode", &S::error_code, "0+"),
                        field("Name", &S::name, "0+", {.nullable = "0+"}),
                        field("TopicId", &S::topic_id, "0+"),
                        field("IsInternal", &S::is_internal, "0+"),
                        field("Partitions", &S::partitions, "0+"),
                        field("TopicAuthorizedOperations", &S::topic_authorized_operations, "0+"));
    }
  };

  using Cursor = DescribeTopicPartitionsCursor;

  int32_t throttle_time_ms = 0;
  std::vector<Topic> topics;
  std::optional<Cursor> next_cursor;

  static constexpr Spec kSpec{
      .name = "DescribeTopicPartitionsResponse", .api_key = 75, .versions = "0", .flexible = "0+"};
  static constexpr auto fields() {
    using S = DescribeTopicPartitionsResponse;
    return std::tuple(field("ThrottleTimeMs", &S::throttle_time_ms, "0+"),
                      field("Topics", &S::topics, "0+"),
                      field("NextCursor", &S::next_cursor, "0+", {.nullable = "0+"}));
  }
};

template <>
struct Messages<75> {
  using Request = DescribeTopicPartitionsRequest;
  using Response = DescribeTopicPartitionsResponse;
};

}  // namespace headrace::wire::kafka
