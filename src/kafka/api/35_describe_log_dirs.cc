// DescribeLogDirs (35): tells the log directory, the room on its disk, and the bytes of each partition in it.
//
// Behavior:
// - There is one log directory, and no partition is being moved: every offset lag is 0. Null for the topics means
//   all of them, the broker's own included. Unknown topics and partitions are left out, and what is named twice is told
//   once.
// - A partition's size is that of its batches; room that was reserved for later ones does not count.
// - Where the disk does not answer, the directory has KAFKA_STORAGE_ERROR and no partitions, as a failed one in Kafka.
//   Partitions that are out of service for writing by themselves are told like others, as a directory is one error or
//   none here and serves all the others: Metadata tells them, with no replica in sync.
//
// Version notes:
// - 2 is flexible, 3 adds an error code, 4 the total and usable bytes (KIP-827), 5 whether the directory is cordoned,
//   which is never so.
#include "wire/kafka/messages/35_describe_log_dirs.h"

#include <map>
#include <set>

#include "kafka/api.h"
#include "kafka/errors.h"

namespace headrace::kafka {
namespace {

using wire::kafka::DescribeLogDirsRequest;
using wire::kafka::DescribeLogDirsResponse;
using Directory = DescribeLogDirsResponse::DescribeLogDirsResult;

/// The partitions that `wanted` holds, or all where there is none.
void add(const broker::Topic& topic, const std::set<int32_t>* wanted, Directory& out) {
  Directory::DescribeLogDirsTopic described{.name = topic.name};
  for (const auto& partition : topic.partitions) {
    int32_t index = partition->tp().partition.value;
    if (!wanted || wanted->contains(index)) {
      described.partitions.push_back({index, partition->log().size_bytes(), 0, false});
    }
  }
  if (!described.partitions.empty()) out.topics.push_back(std::move(described));
}

DescribeLogDirsResponse describe(const broker::Broker& broker, const DescribeLogDirsRequest& request) {
  DescribeLogDirsResponse response;
  auto& directory = response.results.emplace_back();
  directory.log_dir = broker.options().data_directory;
  auto space = broker.disk_space();
  if (!space.ok()) {
    directory.error_code = wire_code(KafkaError::kKafkaStorageError);
    return response;
  }
  directory.total_bytes = static_cast<int64_t>(space->total_bytes);
  directory.usable_bytes = static_cast<int64_t>(space->free_bytes);
  if (!request.topics) {
    for (const auto& topic : broker.topics()) add(*topic, nullptr, directory);
    return response;
  }
  std::map<std::string, std::set<int32_t>> wanted;  // A topic may be named in several places.
  for (const auto& topic : *request.topics)
    wanted[topic.topic].insert(topic.partitions.begin(), topic.partitions.end());
  for (const auto& [name, partitions] : wanted) {
    if (auto topic = broker.topic(name)) add(*topic, &partitions, directory);
  }
  return response;
}

void describe_log_dirs(const Call& call, DescribeLogDirsRequest request, Reply<DescribeLogDirsResponse> reply) {
  call.run_blocking([&broker = call.server.broker, request = std::move(request), reply = std::move(reply)]() mutable {
    reply(describe(broker, request));
  });
}

}  // namespace

const Api& api_35() {
  static const Api api = make_api<35, describe_log_dirs>({.name = "DescribeLogDirs", .versions = "1-5"});
  return api;
}

}  // namespace headrace::kafka
