// TxnOffsetCommit (28): stores positions within a transaction.
#pragma once

#include "wire/kafka/schema.h"

namespace headrace::wire::kafka {

struct TxnOffsetCommitRequest {
  struct Topic {
    struct Partition {
      int32_t partition_index = 0;
      int64_t committed_offset = 0;
      int32_t committed_leader_epoch = -1;
      std::optional<std::string> committed_metadata = "";

      static constexpr auto fields() {
        using S = Partition;
        return std::tuple(field("PartitionIndex", &S::partition_index, "0+"),
                          field("CommittedOffset", &S::committed_offset, "0+"),
                          field("CommittedLeaderEpoch", &S::committed_leader_epoch, "2+"),
                          field("CommittedMetadata", &S::committed_metadata, "0+", {.nullable = "0+"}));
      }
    };

    std::string name;
    std::vector<Partition> partitions;

    static constexpr auto fields() {
      using S = Topic;
      return std::tuple(field("Name", &S::name, "0+"), field("Partitions", &S::partitions, "0+"));
    }
  };

  std::string transactional_id;
  std::string group_id;
  int64_t producer_id = 0;
  int16_t producer_epoch = 0;
  int32_t generation_id = -1;
  std::string member_id;
  std::optional<std::string> group_instance_id;
  std::vector<Topic> topics;

  static constexpr Spec kSpec{.name = "TxnOffsetCommitRequest", .api_key = 28, .versions = "0-5", .flexible = "3+"};
  static constexpr auto fields() {
    using S = TxnOffsetCommitRequest;
    return std::tuple(field("TransactionalId", &S::transactional_id, "0+"),
                      field("GroupId", &S::group_id, "0+"),
                      field("ProducerId", &S::producer_id, "0+"),
                      field("ProducerEpoch", &S::producer_epoch, "0+"),
                      field("GenerationId", &S::generation_id, "3+"),
                      field("MemberId", &S::member_id, "3+"),
                      field("GroupInstanceId", &S::group_instance_id, "3+", {.nullable = "3+"}),
                      field("Topics", &S::topics, "0+"));
  }
};

struct TxnOffsetCommitResponse {
  struct Topic {
    struct Partition {
      int32_t partition_index = 0;
      int16_t error_code = 0;

      static constexpr auto fields() {
        using S = Partition;
        return std::tuple(field("PartitionIndex", &S::partition_index, "0+"), field("ErrorCode", &S::error_code, "0+"));
      }
    };

    std::string name;
    std::vector<Partition> partitions;

    static constexpr auto fields() {
      using S = Topic;
      return std::tuple(field("Name", &S::name, "0+"), field("Partitions", &S::partitions, "0+"));
    }
  };

  int32_t throttle_time_ms = 0;
  std::vector<Topic> topics;

  static constexpr Spec kSpec{.name = "TxnOffsetCommitResponse", .api_key = 28, .versions = "0-5", .flexible = "3+"};
  static constexpr auto fields() {
    using S = TxnOffsetCommitResponse;
    return std::tuple(field("ThrottleTimeMs", &S::throttle_time_ms, "0+"), field("Topics", &S::topics, "0+"));
  }
};

template <>
struct Messages<28> {
  using Request = TxnOffsetCommitRequest;
  using Response = TxnOffsetCommitResponse;
};

}  // namespace headrace::wire::kafka
