// AlterReplicaLogDirs (34): moves replicas between log directories.
#pragma once

#include "wire/kafka/schema.h"

namespace headrace::wire::kafka {

struct AlterReplicaLogDirsRequest {
  struct AlterReplicaLogDir {
    struct AlterReplicaLogDirTopic {
      std::string name;
      std::vector<int32_t> partitions;

      static constexpr auto fields() {
        using S = AlterReplicaLogDirTopic;
        return std::tuple(field("Name", &S::name, "0+"), field("Partitions", &S::partitions, "0+"));
      }
    };

    std::string path;
    std::vector<AlterReplicaLogDirTopic> topics;

    static constexpr auto fields() {
      using S = AlterReplicaLogDir;
      return std::tuple(field("Path", &S::path, "0+"), field("Topics", &S::topics, "0+"));
    }
  };

  std::vector<AlterReplicaLogDir> dirs;

  static constexpr Spec kSpec{.name = "AlterReplicaLogDirsRequest", .api_key = 34, .versions = "1-2", .flexible = "2+"};
  static constexpr auto fields() {
    using S = AlterReplicaLogDirsRequest;
    return std::tuple(field("Dirs", &S::dirs, "0+"));
  }
};

struct AlterReplicaLogDirsResponse {
  struct AlterReplicaLogDirTopicResult {
    struct AlterReplicaLogDirPartitionResult {
      int32_t partition_index = 0;
      int16_t error_code = 0;

      static constexpr auto fields() {
        using S = AlterReplicaLogDirPartitionResult;
        return std::tuple(field("PartitionIndex", &S::partition_index, "0+"), field("ErrorCode", &S::error_code, "0+"));
      }
    };

    std::string topic_name;
    std::vector<AlterReplicaLogDirPartitionResult> partitions;

    static constexpr auto fields() {
      using S = AlterReplicaLogDirTopicResult;
      return std::tuple(field("TopicName", &S::topic_name, "0+"), field("Partitions", &S::partitions, "0+"));
    }
  };

  int32_t throttle_time_ms = 0;
  std::vector<AlterReplicaLogDirTopicResult> results;

  static constexpr Spec kSpec{
      .name = "AlterReplicaLogDirsResponse", .api_key = 34, .versions = "1-2", .flexible = "2+"};
  static constexpr auto fields() {
    using S = AlterReplicaLogDirsResponse;
    return std::tuple(field("ThrottleTimeMs", &S::throttle_time_ms, "0+"), field("Results", &S::results, "0+"));
  }
};

template <>
struct Messages<34> {
  using Request = AlterReplicaLogDirsRequest;
  using Response = AlterReplicaLogDirsResponse;
};

}  // namespace headrace::wire::kafka
