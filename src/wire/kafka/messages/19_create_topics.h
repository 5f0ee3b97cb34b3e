// CreateTopics (19): creates topics.
#pragma once

#include "wire/kafka/schema.h"

namespace headrace::wire::kafka {

struct CreateTopicsRequest {
  struct CreatableTopic {
    struct CreatableReplicaAssignment {
      int32_t partition_index = 0;
      std::vector<int32_t> broker_ids;

      static constexpr auto fields() {
        using S = CreatableReplicaAssignment;
        return std::tuple(field("PartitionIndex", &S::partition_index, "0+"), field("BrokerIds", &S::broker_ids, "0+"));
      }
    };

    struct CreatableTopicConfig {
      std::string name;
      std::optional<std::string> value = "";

      static constexpr auto fields() {
        using S = CreatableTopicConfig;
        return std::tuple(field("Name", &S::name, "0+"), field("Value", &S::value, "0+", {.nullable = "0+"}));
      }
    };

    std::string name;
    int32_t num_partitions = 0;
    int16_t replication_factor = 0;
    std::vector<CreatableReplicaAssignment> assignments;
    std::vector<CreatableTopicConfig> configs;

    static constexpr auto fields() {
      using S = CreatableTopic;
      return std::tuple(field("Name", &S::name, "0+"),
                        field("NumPartitions", &S::num_partitions, "0+"),
                        field("ReplicationFactor", &S::replication_factor, "0+"),
                        field("Assignments", &S::assignments, "0+"),
                        field("Configs", &S::configs, "0+"));
    }
  };

  std::vector<CreatableTopic> topics;
  int32_t timeout_ms = 60000;
  bool validate_only = false;

  static constexpr Spec kSpec{.name = "CreateTopicsRequest", .api_key = 19, .versions = "2-7", .flexible = "5+"};
  static constexpr auto fields() {
    using S = CreateTopicsRequest;
    return std::tuple(field("Topics", &S::topics, "0+"),
                      field("timeoutMs", &S::timeout_ms, "0+"),
                      field("validateOnly", &S::validate_only, "1+"));
  }
};

struct CreateTopicsResponse {
  struct CreatableTopicResult {
    struct CreatableTopicConfigs {
      std::string name;
      std::optional<std::string> value = "";
      bool read_only = false;
      int8_t config_source = -1;
      bool is_sensitive = false;

      static constexpr auto fields() {
        using S = CreatableTopicConfigs;
        return std::tuple(field("Name", &S::name, "5+"),
                          field("Value", &S::value, "5+", {.nullable = "5+"}),
                          field("ReadOnly", &S::read_only, "5+"),
                          field("ConfigSource", &S::config_source, "5+"),
                          field("IsSensitive", &S::is_sensitive, "5+"));
      }
    };

    std::string name;
    Uuid topic_id;
    int16_t error_code = 0;
    std::optional<std::string> error_message = "";
    int16_t topic_config_error_code = 0;
    int32_t num_partitions = -1;
    int16_t replication_factor = -1;
    std::optional<std::vector<CreatableTopicConfigs>> configs = std::vector<CreatableTopicConfigs>();

    static constexpr auto fields() {
      using S = CreatableTopicResult;
      return std::tuple(field("Name", &S::name, "0+"),
                        field("TopicId", &S::topic_id, "7+"),
                        field("ErrorCode", &S::error_code, "0+"),
                        field("ErrorMessage", &S::error_message, "1+", {.nullable = "0+"}),
                        field("TopicConfigErrorCode", &S::topic_config_error_code, "5+", {.tagged = "5+", .tag = 0}),
                        field("NumPartitions", &S::num_partitions, "5+"),
                        field("ReplicationFactor", &S::replication_factor, "5+"),
                        field("Configs", &S::configs, "5+", {.nullable = "5+"}));
    }
  };

  int32_t throttle_time_ms = 0;
  std::vector<CreatableTopicResult> topics;

  static constexpr Spec kSpec{.name = "CreateTopicsResponse", .api_key = 19, .versions = "2-7", .flexible = "5+"};
  static constexpr auto fields() {
    using S = CreateTopicsResponse;
    return std::tuple(field("ThrottleTimeMs", &S::throttle_time_ms, "2+"), field("Topics", &S::topics, "0+"));
  }
};

template <>
struct Messages<19> {
  using Request = CreateTopicsRequest;
  using Response = CreateTopicsResponse;
};

}  // namespace headrace::wire::kafka
