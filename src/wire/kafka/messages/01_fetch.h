// Fetch (1): reads record batches from partitions.
#pragma once

#include "wire/kafka/schema.h"

namespace headrace::wire::kafka {

struct FetchRequest {
  struct ReplicaState {
    int32_t replica_id = -1;
    int64_t replica_epoch = -1;

    static constexpr auto fields() {
      using S = ReplicaState;
      return std::tuple(field("ReplicaId", &S::replica_id, "15+"), field("ReplicaEpoch", &S::replica_epoch, "15+"));
    }
  };

  struct Topic {
    struct Partition {
      int32_t partition = 0;
      int32_t current_leader_epoch = -1;
      int64_t fetch_offset = 0;
      int32_t last_fetched_epoch = -1;
      int64_t log_start_offset = -1;
      int32_t partition_max_bytes = 0;
      Uuid replica_directory_id;
      int64_t high_watermark = INT64_MAX;

      static constexpr auto fields() {
        using S = Partition;
        return std::tuple(field("Partition", &S::partition, "0+"),
                          field("CurrentLeaderEpoch", &S::current_leader_epoch, "9+"),
                          field("FetchOffset", &S::fetch_offset, "0+"),
                          field("LastFetchedEpoch", &S::last_fetched_epoch, "12+"),
                          field("LogStartOffset", &S::log_start_offset, "5+"),
                          field("PartitionMaxBytes", &S::partition_max_bytes, "0+"),
                          field("ReplicaDirectoryId", &S::replica_directory_id, "17+", {.tagged = "17+", .tag = 0}),
                          field("HighWatermark", &S::high_watermark, "18+", {.tagged = "18+", .tag = 1}));
      }
    };

    std::string topic;
    Uuid topic_id;
    std::vector<Partition> partitions;

    static constexpr auto fields() {
      using S = Topic;
      return std::tuple(field("Topic", &S::topic, "0-12"),
                        field("TopicId", &S::topic_id, "13+"),
                        field("Partitions", &S::partitions, "0+"));
    }
  };

  struct ForgottenTopic {
    std::string topic;
    Uuid topic_id;
    std::vector<int32_t> partitions;

    static constexpr auto fields() {
      using S = ForgottenTopic;
      return std::tuple(field("Topic", &S::topic, "7-12"),
                        field("TopicId", &S::topic_id, "13+"),
                        field("Partitions", &S::partitions, "7+"));
    }
  };

  std::optional<std::string> cluster_id;
  int32_t replica_id = -1;
  ReplicaState replica_state;
  int32_t max_wait_ms = 0;
  int32_t min_bytes = 0;
  int32_t max_bytes = INT32_MAX;
  int8_t isolation_level = 0;
  int32_t session_id = 0;
  int32_t session_epoch = -1;
  std::vector<Topic> topics;
  std::vector<ForgottenTopic> forgotten_topics_data;
  std::string rack_id;

  static constexpr Spec kSpec{.name = "FetchRequest", .api_key = 1, .versions = "4-18", .flexible = "12+"};
  static constexpr auto fields() {
    using S = FetchRequest;
    return std::tuple(field("ClusterId", &S::cluster_id, "12+", {.nullable = "12+", .tagged = "12+", .tag = 0}),
                      field("ReplicaId", &S::replica_id, "0-14"),
                      field("ReplicaState", &S::replica_state, "15+", {.tagged = "15+", .tag = 1}),
                      field("MaxWaitMs", &S::max_wait_ms, "0+"),
                      field("MinBytes", &S::min_bytes, "0+"),
                      field("MaxBytes", &S::max_bytes, "3+"),
                      field("IsolationLevel", &S::isolation_level, "4+"),
                      field("SessionId", &S::session_id, "7+"),
                      field("SessionEpoch", &S::session_epoch, "7+"),
                      field("Topics", &S::topics, "0+"),
                      field("ForgottenTopicsData", &S::forgotten_topics_data, "7+"),
                      field("RackId", &S::rack_id, "11+"));
  }
};

struct FetchResponse {
  struct FetchableTopicResponse {
    struct PartitionData {
      struct EpochEndOffset {
        int32_t epoch = -1;
        int64_t end_offset = -1;

        static constexpr auto fields() {
          using S = EpochEndOffset;
          return std::tuple(field("Epoch", &S::epoch, "12+"), field("EndOffset", &S::end_offset, "12+"));
        }
      };

      struct LeaderIdAndEpoch {
        int32_t leader_id = -1;
        int32_t leader_epoch = -1;

        static constexpr auto fields() {
          using S = LeaderIdAndEpoch;
          return std::tuple(field("LeaderId", &S::leader_id, "12+"), field("LeaderEpoch", &S::leader_epoch, "12+"));
        }
      };

      struct SnapshotId {
        int64_t end_offset = -1;
        int32_t epoch = -1;

        static constexpr auto fields() {
          using S = SnapshotId;
          return std::tuple(field("EndOffset", &S::end_offset, "0+"), field("Epoch", &S::epoch, "0+"));
        }
      };

      struct AbortedTransaction {
        int64_t producer_id = 0;
        int64_t first_offset = 0;

        static constexpr auto fields() {
          using S = AbortedTransaction;
          return std::tuple(field("ProducerId", &S::producer_id, "4+"), field("FirstOffset", &S::first_offset, "4+"));
        }
      };

      int32_t partition_index = 0;
      int16_t error_code = 0;
      int64_t high_watermark = 0;
      int64_t last_stable_offset = -1;
      int64_t log_start_offset = -1;
      EpochEndOffset diverging_epoch;
      LeaderIdAndEpoch current_leader;
      SnapshotId snapshot_id;
      std::optional<std::vector<AbortedTransaction>> aborted_transactions = std::vector<AbortedTransaction>();
      int32_t preferred_read_replica = -1;
      Records records;

      static constexpr auto fields() {
        using S = PartitionData;
        return std::tuple(field("PartitionIndex", &S::partition_index, "0+"),
                          field("ErrorCode", &S::error_code, "0+"),
                          field("HighWatermark", &S::high_watermark, "0+"),
                          field("LastStableOffset", &S::last_stable_offset, "4+"),
                          field("LogStartOffset", &S::log_start_offset, "5+"),
                          field("DivergingEpoch", &S::diverging_epoch, "12+", {.tagged = "12+", .tag = 0}),
                          field("CurrentLeader", &S::current_leader, "12+", {.tagged = "12+", .tag = 1}),
                          field("SnapshotId", &S::snapshot_id, "12+", {.tagged = "12+", .tag = 2}),
                          field("AbortedTransactions", &S::aborted_transactions, "4+", {.nullable = "4+"}),
                          field("PreferredReadReplica", &S::preferred_read_replica, "11+"),
                          field("Records", &S::records, "0+", {.nullable = "0+"}));
      }
    };

    std::string topic;
    Uuid topic_id;
    std::vector<PartitionData> partitions;

    static constexpr auto fields() {
      using S = FetchableTopicResponse;
      return std::tuple(field("Topic", &S::topic, "0-12"),
                        field("TopicId", &S::topic_id, "13+"),
                        field("Partitions", &S::partitions, "0+"));
    }
  };

  struct NodeEndpoint {
    int32_t node_id = 0;
    std::string host;
    int32_t port = 0;
    std::optional<std::string> rack;

    static constexpr auto fields() {
      using S = NodeEndpoint;
      return std::tuple(field("NodeId", &S::node_id, "16+"),
                        field("Host", &S::host, "16+"),
                        field("Port", &S::port, "16+"),
                        field("Rack", &S::rack, "16+", {.nullable = "16+"}));
    }
  };

  int32_t throttle_time_ms = 0;
  int16_t error_code = 0;
  int32_t session_id = 0;
  std::vector<FetchableTopicResponse> responses;
  std::vector<NodeEndpoint> node_endpoints;

  static constexpr Spec kSpec{.name = "FetchResponse", .api_key = 1, .versions = "4-18", .flexible = "12+"};
  static constexpr auto fields() {
    using S = FetchResponse;
    return std::tuple(field("ThrottleTimeMs", &S::throttle_time_ms, "1+"),
                      field("ErrorCode", &S::error_code, "7+"),
                      field("SessionId", &S::session_id, "7+"),
                      field("Responses", &S::responses, "0+"),
                      field("NodeEndpoints", &S::node_endpoints, "16+", {.tagged = "16+", .tag = 0}));
  }
};

template <>
struct Messages<1> {
  using Request = FetchRequest;
  using Response = FetchResponse;
};

}  // namespace headrace::wire::kafka
