// DeleteRecords (21): drops the records before an offset.
#pragma once

#include "wire/kafka/schema.h"

namespace headrace::wire::kafka {

struct DeleteRecordsRequest {
  struct Topic {
    struct Partition {
      int32_t partition_index = 0;
      int64_t offset = 0;

      static constexpr auto fields() {
        using S = Partition;
        return std::tuple(field("PartitionIndex", &S::partition_index, "0+"), field("Offset", &S::offset, "0+"));
      }
    };

    std::string name;
    std::vector<Partition> partitions;

    static constexpr auto fields() {
      using S = Topic;
      return std::tuple(field("Name", &S::name, "0+"), field("Partitions", &S::partitions, "0+"));
    }
  };

  std::vector<Topic> topics;
  int32_t timeout_ms = 0;

  static constexpr Spec kSpec{.name = "DeleteRecordsRequest", .api_key = 21, .versions = "0-2", .flexible = "2+"};
  static constexpr auto fields() {
    using S = DeleteRecordsRequest;
    return std::tuple(field("Topics", &S::topics, "0+"), field("TimeoutMs", &S::timeout_ms, "0+"));
  }
};

struct DeleteRecordsResponse {
  struct TopicResult {
    struct PartitionResult {
      int32_t partition_index = 0;
      int64_t low_watermark = 0;
      int16_t error_code = 0;

      static constexpr auto fields() {
        using S = PartitionResult;
        return std::tuple(field("PartitionIndex", &S::partition_index, "0+"),
                          field("LowWatermark", &S::low_watermark, "0+"),
                          field("ErrorCode", &S::error_code, "0+"));
      }
    };

    std::string name;
    std::vector<PartitionResult> partitions;

    static constexpr auto fields() {
      using S = TopicResult;
      return std::tuple(field("Name", &S::name, "0+"), field("Partitions", &S::partitions, "0+"));
    }
  };

  int32_t throttle_time_ms = 0;
  std::vector<TopicResult> topics;

  static constexpr Spec kSpec{.name = "DeleteRecordsResponse", .api_key = 21, .versions = "0-2", .flexible = "2+"};
  static constexpr auto fields() {
    using S = DeleteRecordsResponse;
    return std::tuple(field("ThrottleTimeMs", &S::throttle_time_ms, "0+"), field("Topics", &S::topics, "0+"));
  }
};

template <>
struct Messages<21> {
  using Request = DeleteRecordsRequest;
  using Response = DeleteRecordsResponse;
};

}  // namespace headrace::wire::kafka
