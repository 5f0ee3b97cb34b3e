// OffsetCommit (8): stores the positions of a consumer group.
#pragma once

#include "wire/kafka/schema.h"

namespace headrace::wire::kafka {

struct OffsetCommitRequest {
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
                          field("CommittedLeaderEpoch", &S::committed_leader_epoch, "6+"),
                          field("CommittedMetadata", &S::committed_metadata, "0+", {.nullable = "0+"}));
      }
    };

    std::string name;
    Uuid topic_id;
    std::vector<Partition> partitions;

    static constexpr auto fields() {
      using S = Topic;
      return std::tuple(field("Name", &S::name, "0-9"),
                        field("TopicId", &S::topic_id, "10+"),
                        field("Partitions", &S::partitions, "0+"));
    }
  };

  std::string group_id;
  int32_t generation_id_or_member_epoch = -1;
  std::string member_id;
  std::optional<std::string> group_instance_id;
  int64_t retention_time_ms = -1;
  std::vector<Topic> topics;

  static constexpr Spec kSpec{.name = "OffsetCommitRequest", .api_key = 8, .versions = "2-10", .flexible = "8+"};
  static constexpr auto fields() {
    using S = OffsetCommitRequest;
    return std::tuple(field("GroupId", &S::group_id, "0+"),
                      field("GenerationIdOrMemberEpoch", &S::generation_id_or_member_epoch, "1+"),
                      field("MemberId", &S::member_id, "1+"),
                      field("GroupInstanceId", &S::group_instance_id, "7+", {.nullable = "7+"}),
                      field("RetentionTimeMs", &S::retention_time_ms, "2-4"),
                      field("Topics", &S::topics, "0+"));
  }
};

struct OffsetCommitResponse {
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
    Uuid topic_id;
    std::vector<Partition> partitions;

    static constexpr auto fields() {
      using S = Topic;
      return std::tuple(field("Name", &S::name, "0-9"),
                        field("TopicId", &S::topic_id, "10+"),
                        field("Partitions", &S::partitions, "0+"));
    }
  };

  int32_t throttle_time_ms = 0;
  std::vector<Topic> topics;

  static constexpr Spec kSpec{.name = "OffsetCommitResponse", .api_key = 8, .versions = "2-10", .flexible = "8+"};
  static constexpr auto fields() {
    using S = OffsetCommitResponse;
    return std::tuple(field("ThrottleTimeMs", &S::throttle_time_ms, "3+"), field("Topics", &S::topics, "0+"));
  }
};

template <>
struct Messages<8> {
  using Request = OffsetCommitRequest;
  using Response = OffsetCommitResponse;
};

}  // namespace headrace::wire::kafka
