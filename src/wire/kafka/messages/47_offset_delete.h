// OffsetDelete (47): forgets stored positions of a group.
#pragma once

#include "wire/kafka/schema.h"

namespace headrace::wire::kafka {

struct OffsetDeleteRequest {
  struct Topic {
    struct Partition {
      int32_t partition_index = 0;

      static constexpr auto fields() {
        using S = Partition;
        return std::tuple(field("PartitionIndex", &S::partition_index, "0+"));
      }
    };

    std::string name;
    std::vector<Partition> partitions;

    static constexpr auto fields() {
      using S = Topic;
      return std::tuple(field("Name", &S::name, "0+"), field("Partitions", &S::partitions, "0+"));
    }
  };

  std::string group_id;
  std::vector<Topic> topics;

  static constexpr Spec kSpec{.name = "OffsetDeleteRequest", .api_key = 47, .versions = "0", .flexible = "none"};
  static constexpr auto fields() {
    using S = OffsetDeleteRequest;
    return std::tuple(field("GroupId", &S::group_id, "0+"), field("Topics", &S::topics, "0+"));
  }
};

struct OffsetDeleteResponse {
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

  int16_t error_code = 0;
  int32_t throttle_time_ms = 0;
  std::vector<Topic> topics;

  static constexpr Spec kSpec{.name = "OffsetDeleteResponse", .api_key = 47, .versions = "0", .flexible = "none"};
  static constexpr auto fields() {
    using S = OffsetDeleteResponse;
    return std::tuple(field("ErrorCode", &S::error_code, "0+"),
                      field("ThrottleTimeMs", &S::throttle_time_ms, "0+"),
                      field("Topics", &S::topics, "0+"));
  }
};

template <>
struct Messages<47> {
  using Request = OffsetDeleteRequest;
  using Response = OffsetDeleteResponse;
};

}  // namespace headrace::wire::kafka
