// Metadata (3): tells brokers, topics and partition leaders.
#pragma once

#include "wire/kafka/schema.h"

namespace headrace::wire::kafka {

struct MetadataRequest {
  struct Topic {
    Uuid topic_id;
    std::optional<std::string> name = "";

    static constexpr auto fields() {
      using S = Topic;
      return std::tuple(field("TopicId", &S::topic_id, "10+"), field("Name", &S::name, "0+", {.nullable = "10+"}));
    }
  };

  std::optional<std::vector<Topic>> topics = std::vector<Topic>();
  bool allow_auto_topic_creation = true;
  bool include_cluster_authorized_operations = false;
  bool include_topic_authorized_operations = false;

  static constexpr Spec kSpec{.name = "MetadataRequest", .api_key = 3, .versions = "0-13", .flexible = "9+"};
  static constexpr auto fields() {
    using S = MetadataRequest;
    return std::tuple(field("Topics", &S::topics, "0+", {.nullable = "1+"}),
                      field("AllowAutoTopicCreation", &S::allow_auto_topic_creation, "4+"),
                      field("IncludeClusterAuthorizedOperations", &S::include_cluster_authorized_operations, "8-10"),
                      field("IncludeTopicAuthorizedOperations", &S::include_topic_authorized_operations, "8+"));
  }
};

struct MetadataResponse {
  struct Broker {
    int32_t node_id = 0;
    std::string host;
    int32_t port = 0;
    std::optional<std::string> rack;

    static constexpr auto fields() {
      using S = Broker;
      return std::tuple(field("NodeId", &S::node_id, "0+"),
                        field("Host", &S::host, "0+"),
                        field("Port", &S::port, "0+"),
                        field("Rack", &S::rack, "1+", {.nullable = "1+"}));
    }
  };

  struct Topic {
    struct Partition {
      int16_t error_code = 0;
      int32_t partition_index = 0;
      int32_t leader_id = 0;
      int32_t leader_epoch = -1;
      std::vector<int32_t> replica_nodes;
      std::vector<int32_t> isr_nodes;
      std::vector<int32_t> offline_replicas;

      static constexpr auto fields() {
        using S = Partition;
        return std::tuple(field("ErrorCode", &S::error_code, "0+"),
                          field("PartitionIndex", &S::partition_index, "0+"),
                          field("LeaderId", &S::leader_id, "0+"),
                          field("LeaderEpoch", &S::leader_epoch, "7+"),
                          field("ReplicaNodes", &S::replica_nodes, "0+"),
                          field("IsrNodes", &S::isr_nodes, "0+"),
                          field("OfflineReplicas", &S::offline_replicas, "5+"));
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
                        field("Name", &S::name, "0+", {.nullable = "12+"}),
                        field("TopicId", &S::topic_id, "10+"),
                        field("IsInternal", &S::is_internal, "1+"),
                        field("Partitions", &S::partitions, "0+"),
                        field("TopicAuthorizedOperations", &S::topic_authorized_operations, "8+"));
    }
  };

  int32_t throttle_time_ms = 0;
  std::vector<Broker> brokers;
  std::optional<std::string> cluster_id;
  int32_t controller_id = -1;
  std::vector<Topic> topics;
  int32_t cluster_authorized_operations = INT32_MIN;
  int16_t error_code = 0;

  static constexpr Spec kSpec{.name = "MetadataResponse", .api_key = 3, .versions = "0-13", .flexible = "9+"};
  static constexpr auto fields() {
    using S = MetadataResponse;
    return std::tuple(field("ThrottleTimeMs", &S::throttle_time_ms, "3+"),
                      field("Brokers", &S::brokers, "0+"),
                      field("ClusterId", &S::cluster_id, "2+", {.nullable = "2+"}),
                      field("ControllerId", &S::controller_id, "1+"),
                      field("Topics", &S::topics, "0+"),
                      field("ClusterAuthorizedOperations", &S::cluster_authorized_operations, "8-10"),
                      field("ErrorCode", &S::error_code, "13+"));
  }
};

template <>
struct Messages<3> {
  using Request = MetadataRequest;
  using Response = MetadataResponse;
};

}  // namespace headrace::wire::kafka
