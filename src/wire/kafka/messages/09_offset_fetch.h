// OffsetFetch (9): reads the stored positions of consumer groups.
#pragma once

#include "wire/kafka/schema.h"

namespace headrace::wire::kafka {

struct OffsetFetchRequest {
  struct Topic {
    std::string name;
    std::vector<int32_t> partition_indexes;

    static constexpr auto fields() {
      using S = Topic;
      return std::tuple(field("Name", &S::name, "0-7"), field("PartitionIndexes", &S::partition_indexes, "0-7"));
    }
  };

  struct Group {
    struct Topics {
      std::string name;
      Uuid topic_id;
      std::vector<int32_t> partition_indexes;

      static constexpr auto fields() {
        using S = Topics;
        return std::tuple(field("Name", &S::name, "8-9"),
                          field("TopicId", &S::topic_id, "10+"),
                          field("PartitionIndexes", &S::partition_indexes, "8+"));
      }
    };

    std::string group_id;
    std::optional<std::string> member_id;
    int32_t member_epoch = -1;
    std::optional<std::vector<Topics>> topics = std::vector<Topics>();

    static constexpr auto fields() {
      using S = Group;
      return std::tuple(field("GroupId", &S::group_id, "8+"),
                        field("MemberId", &S::member_id, "9+", {.nullable = "9+"}),
                        field("MemberEpoch", &S::member_epoch, "9+"),
                        field("Topics", &S::topics, "8+", {.nullable = "8+"}));
    }
  };

  std::string group_id;
  std::optional<std::vector<Topic>> topics = std::vector<Topic>();
  std::vector<Group> groups;
  bool require_stable = false;

  static constexpr Spec kSpec{.name = "OffsetFetchRequest", .api_key = 9, .versions = "1-10", .flexible = "6+"};
  static constexpr auto fields() {
    using S = OffsetFetchRequest;
    return std::tuple(field("GroupId", &S::group_id, "0-7"),
                      field("Topics", &S::topics, "0-7", {.nullable = "2-7"}),
                      field("Groups", &S::groups, "8+"),
                      field("RequireStable", &S::require_stable, "7+"));
  }
};

struct OffsetFetchResponse {
  struct Topic {
    struct Partition {
      int32_t partition_index = 0;
      int64_t committed_offset = 0;
      int32_t committed_leader_epoch = -1;
      std::optional<std::string> metadata = "";
      int16_t error_code = 0;

      static constexpr auto fields() {
        using S = Partition;
        return std::tuple(field("PartitionIndex", &S::partition_index, "0-7"),
                          field("CommittedOffset", &S::committed_offset, "0-7"),
                          field("CommittedLeaderEpoch", &S::committed_leader_epoch, "5-7"),
                          field("Metadata", &S::metadata, "0-7", {.nullable = "0-7"}),
                          field("ErrorCode", &S::error_code, "0-7"));
      }
    };

    std::string name;
    std::vector<Partition> partitions;

    static constexpr auto fields() {
      using S = Topic;
      return std::tuple(field("Name", &S::name, "0-7"), field("Partitions", &S::partitions, "0-7"));
    }
  };

  struct Group {
    struct Topics {
      struct Partitions {
        int32_t partition_index = 0;
        int64_t committed_offset = 0;
        int32_t committed_leader_epoch = -1;
        std::optional<std::string> metadata = "";
        int16_t error_code = 0;

        static constexpr auto fields() {
          using S = Partitions;
          return std::tuple(field("PartitionIndex", &S::partition_index, "8+"),
                            field("CommittedOffset", &S::committed_offset, "8+"),
                            field("CommittedLeaderEpoch", &S::committed_leader_epoch, "8+"),
                            field("Metadata", &S::metadata, "8+", {.nullable = "8+"}),
                            field("ErrorCode", &S::error_code, "8+"));
        }
      };

      std::string name;
      Uuid topic_id;
      std::vector<Partitions> partitions;

      static constexpr auto fields() {
        using S = Topics;
        return std::tuple(field("Name", &S::name, "8-9"),
                          field("TopicId", &S::topic_id, "10+"),
                          field("Partitions", &S::partitions, "8+"));
      }
    };

    std::string group_id;
    std::vector<Topics> topics;
    int16_t error_code = 0;

    static constexpr auto fields() {
      using S = Group;
      return std::tuple(field("GroupId", &S::group_id, "8+"),
                        field("Topics", &S::topics, "8+"),
                        field("ErrorCode", &S::error_code, "8+"));
    }
  };

  int32_t throttle_time_ms = 0;
  std::vector<Topic> topics;
  int16_t error_code = 0;
  std::vector<Group> groups;

  static constexpr Spec kSpec{.name = "OffsetFetchResponse", .api_key = 9, .versions = "1-10", .flexible = "6+"};
  static constexpr auto fields() {
    using S = OffsetFetchResponse;
    return std::tuple(field("ThrottleTimeMs", &S::throttle_time_ms, "3+"),
                      field("Topics", &S::topics, "0-7"),
                      field("ErrorCode", &S::error_code, "2-7"),
                      field("Groups", &S::groups, "8+"));
  }
};

template <>
struct Messages<9> {
  using Request = OffsetFetchRequest;
  using Response = OffsetFetchResponse;
};

}  // namespace headrace::wire::kafka
