// AlterReplicaLogDirs (34): moves replicas between log directories.
//
// Behavior:
// - There is one log directory. Moving a partition to where it is succeeds and does nothing; any other directory is
//   LOG_DIR_NOT_FOUND.
//
// Version notes:
// - 2 is flexible.
#include "wire/kafka/messages/34_alter_replica_log_dirs.h"
#include "kafka/api.h"
#include "kafka/errors.h"

namespace headrace::kafka {
namespace {

using wire::kafka::AlterReplicaLogDirsRequest;
using wire::kafka::AlterReplicaLogDirsResponse;

KafkaError error_for(const Call& call, const std::string& path, const TopicPartition& tp) {
  if (path != call.server.broker.options().data_directory) return KafkaError::kLogDirNotFound;
  return call.server.broker.partition(tp) ? KafkaError::kNone : KafkaError::kUnknownTopicOrPartition;
}

void alter_replica_log_dirs(const Call& call, AlterReplicaLogDirsRequest request,
                            Reply<AlterReplicaLogDirsResponse> reply) {
  AlterReplicaLogDirsResponse response;
  for (const auto& directory : request.dirs) {
    for (const auto& topic : directory.topics) {
      auto& out = response.results.emplace_back();
      out.topic_name = topic.name;
      for (int32_t partition : topic.partitions) {
        KafkaError error = error_for(call, directory.path, {topic.name, PartitionId(partition)});
        out.partitions.push_back({partition, wire_code(error)});
      }
    }
  }
  reply(response);
}

}  // namespace

const Api& api_34() {
  static const Api api = make_api<34, alter_replica_log_dirs>({.name = "AlterReplicaLogDirs", .versions = "1-2"});
  return api;
}

}  // namespace headrace::kafka
