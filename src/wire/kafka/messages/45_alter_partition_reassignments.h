// AlterPartitionReassignments (45): gives partitions other replicas.
#pragma once

#include "wire/kafka/schema.h"

namespace headrace::wire::kafka {

struct AlterPartitionReassignmentsRequest {
  struct ReassignableTopic {
    struct ReassignablePartition {
      int32_t partition_index = 0;
      std::optional<std::vector<int32_t>> replicas;

      static constexpr auto fields() {
        using S = ReassignablePartition;
        return std::tuple(field("PartitionIndex", &S::partition_index, "0+"),
                          field("Replicas", &S::replicas, "0+", {.nullable = "0+"}));
      }
    };

    std::string name;
    std::vector<ReassignablePartition> partitions;

    static constexpr auto fields() {
      using S = ReassignableTopic;
      return std::tuple(field("Name", &S::name, "0+"), field("Partitions", &S::partitions, "0+"));
    }
  };

  int32_t timeout_ms = 60000;
  bool allow_replication_factor_change = true;
  std::vector<ReassignableTopic> topics;

  static constexpr Spec kSpec{
      .name = "AlterPartitionReassignmentsRequest", .api_key = 45, .versions = "0-1", .flexible = "0+"};
  static constexpr auto fields() {
    using S = AlterPartitionReassignmentsRequest;
    return std::tuple(field("TimeoutMs", &S::timeout_ms, "0+"),
                      field("AllowReplicationFactorChange", &S::allow_replication_factor_change, "1+"),
                      field("Topics", &S::topics, "0+"));
  }
};

struct AlterPartitionReassignmentsResponse {
  struct ReassignableTopicResponse {
    struct ReassignablePartitionResponse {
      int32_t partition_index = 0;
      int16_t error_code = 0;
      std::optional<std::string> error_message = "";

      static constexpr auto fields() {
        using S = ReassignablePartitionResponse;
        return std::tuple(field("PartitionIndex", &S::partition_index, "0+"),
                          field("ErrorCode", &S::error_code, "0+"),
                          field("ErrorMessage", &S::error_message, "0+", {.nullable = "0+"}));
      }
    };

    std::string name;
    std::vector<ReassignablePartitionResponse> partitions;

    static constexpr auto fields() {
      using S = ReassignableTopicResponse;
      return std::tuple(field("Name", &S::name, "0+"), field("Partitions", &S::partitions, "0+"));
    }
  };

  int32_t throttle_time_ms = 0;
  bool allow_replication_factor_change = true;
  int16_t error_code = 0;
  std::optional<std::string> error_message = "";
  std::vector<ReassignableTopicResponse> responses;

  static constexpr Spec kSpec{
      .name = "AlterPartitionReassignmentsResponse", .api_key = 45, .versions = "0-1", .flexible = "0+"};
  static constexpr auto fields() {
    using S = AlterPartitionReassignmentsResponse;
    return std::tuple(field("ThrottleTimeMs", &S::throttle_time_ms, "0+"),
                      field("AllowReplicationFactorChange", &S::allow_replication_factor_change, "1+"),
                      field("ErrorCode", &S::error_code, "0+"),
                      field("ErrorMessage", &S::error_message, "0+", {.nullable = "0+"}),
                      field("Responses", &S::responses, "0+"));
  }
};

template <>
struct Messages<45> {
  using Request = AlterPartitionReassignmentsRequest;
  using Response = AlterPartitionReassignmentsResponse;
};

}  // namespace headrace::wire::kafka
