// DescribeLogDirs (35): tells log directories, and the partitions and bytes in them.
#pragma once

#include "wire/kafka/schema.h"

namespace headrace::wire::kafka {

struct DescribeLogDirsRequest {
  struct DescribableLogDirTopic {
    std::string topic;
    std::vector<int32_t> partitions;

    static constexpr auto fields() {
      using S = DescribableLogDirTopic;
      return std::tuple(field("Topic", &S::topic, "0+"), field("Partitions", &S::partitions, "0+"));
    }
  };

  std::optional<std::vector<DescribableLogDirTopic>> topics = std::vector<DescribableLogDirTopic>();

  static constexpr Spec kSpec{.name = "DescribeLogDirsRequest", .api_key = 35, .versions = "1-5", .flexible = "2+"};
  static constexpr auto fields() {
    using S = DescribeLogDirsRequest;
    return std::tuple(field("Topics", &S::topics, "0+", {.nullable = "0+"}));
  }
};

struct DescribeLogDirsResponse {
  struct DescribeLogDirsResult {
    struct DescribeLogDirsTopic {
      struct DescribeLogDirsPartition {
        int32_t partition_index = 0;
        int64_t partition_size = 0;
        int64_t offset_lag = 0;
        bool is_future_key = false;

        static constexpr auto fields() {
          using S = DescribeLogDirsPartition;
          return std::tuple(field("PartitionIndex", &S::partition_index, "0+"),
                            field("PartitionSize", &S::partition_size, "0+"),
                            field("OffsetLag", &S::offset_lag, "0+"),
                            field("IsFutureKey", &S::is_future_key, "0+"));
        }
      };

      std::string name;
      std::vector<DescribeLogDirsPartition> partitions;

      static constexpr auto fields() {
        using S = DescribeLogDirsTopic;
        return std::tuple(field("Name", &S::name, "0+"), field("Partitions", &S::partitions, "0+"));
      }
    };

    int16_t error_code = 0;
    std::string log_dir;
    std::vector<DescribeLogDirsTopic> topics;
    int64_t total_bytes = -1;
    int64_t usable_bytes = -1;
    bool is_cordoned = false;

    static constexpr auto fields() {
      using S = DescribeLogDirsResult;
      return std::tuple(field("ErrorCode", &S::error_code, "0+"),
                        field("LogDir", &S::log_dir, "0+"),
                        field("Topics", &S::topics, "0+"),
                        field("TotalBytes", &S::total_bytes, "4+"),
                        field("UsableBytes", &S::usable_bytes, "4+"),
                        field("IsCordoned", &S::is_cordoned, "5+"));
    }
  };

  int32_t throttle_time_ms = 0;
  int16_t error_code = 0;
  std::vector<DescribeLogDirsResult> results;

  static constexpr Spec kSpec{.name = "DescribeLogDirsResponse", .api_key = 35, .versions = "1-5", .flexible = "2+"};
  static constexpr auto fields() {
    using S = DescribeLogDirsResponse;
    return std::tuple(field("ThrottleTimeMs", &S::throttle_time_ms, "0+"),
                      field("ErrorCode", &S::error_code, "3+"),
                      field("Results", &S::results, "0+"));
  }
};

template <>
struct Messages<35> {
  using Request = DescribeLogDirsRequest;
  using Response = DescribeLogDirsResponse;
};

}  // namespace headrace::wire::kafka
