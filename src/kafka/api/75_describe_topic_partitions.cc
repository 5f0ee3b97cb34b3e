// DescribeTopicPartitions (75): tells the partitions of topics, in pages (KIP-966).
//
// Behavior:
// - Topics come sorted by name; an empty list means all. A response holds at most response_partition_limit partitions;
//   the cursor says where the next page begins.
// - A partition that is out of service for writing has a leader, and no replica in sync: see 03_metadata.cc.
//
// Version notes:
// - Only version 0 exists.
#include <algorithm>

#include "kafka/api.h"
#include "kafka/topics.h"
#include "wire/kafka/messages/75_describe_topic_partitions.h"

namespace headrace::kafka {
namespace {

using wire::kafka::DescribeTopicPartitionsRequest;
using wire::kafka::DescribeTopicPartitionsResponse;
using TopicResponse = DescribeTopicPartitionsResponse::Topic;

/// Kafka's max.request.partition.size.limit.
constexpr int32_t kPartitionsMax = 2000;

std::vector<std::string> wanted_names(const broker::Broker& broker, const DescribeTopicPartitionsRequest& request) {
  std::vector<std::string> names;
  for (const auto& topic : request.topics) names.push_back(topic.name);
  if (names.empty()) {
    for (const auto& topic : broker.topics()) names.push_back(topic->name);
  }
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  if (request.cursor) {
    names.erase(names.begin(), std::lower_bound(names.begin(), names.end(), request.cursor->topic_name));
  }
  return names;
}

TopicResponse::Partition describe(const broker::Partition& partition) {
  TopicResponse::Partition out;
  out.partition_index = partition.tp().partition.value;
  out.leader_id = kNodeId;
  out.leader_epoch = leader_epoch(partition);
  out.replica_nodes = {kNodeId};
  out.isr_nodes = in_sync_replicas(partition);
  out.eligible_leader_replicas.emplace();
  out.last_known_elr.emplace();
  return out;
}

void describe_topic_partitions(const Call& call, DescribeTopicPartitionsRequest request,
                               Reply<DescribeTopicPartitionsResponse> reply) {
  DescribeTopicPartitionsResponse response;
  int32_t room = std::clamp(request.response_partition_limit, 1, kPartitionsMax);
  for (const auto& name : wanted_names(call.server.broker, request)) {
    if (room == 0) {
      response.next_cursor = {name, 0};
      break;
    }
    auto& out = response.topics.emplace_back();
    out.name = name;
    auto topic = call.server.broker.topic(name);
    if (!topic) {
      out.error_code = wire_code(KafkaError::kUnknownTopicOrPartition);
      continue;
    }
    out.topic_id = to_wire(topic->id);
    out.is_internal = topic->internal;
    out.topic_authorized_operations = kTopicOperations;
    bool resumed = request.cursor && request.cursor->topic_name == name;
    auto first = static_cast<size_t>(resumed ? std::max(request.cursor->partition_index, 0) : 0);
    for (size_t i = first; i < topic->partitions.size() && room > 0; ++i, --room) {
      out.partitions.push_back(describe(*topic->partitions[i]));
      bool more = i + 1 < topic->partitions.size();
      if (room == 1 && more) response.next_cursor = {name, static_cast<int32_t>(i + 1)};
    }
    if (response.next_cursor) break;
  }
  reply(response);
}

}  // namespace

const Api& api_75() {
  static const Api api = make_api<75, describe_topic_partitions>({.name = "DescribeTopicPartitions", .versions = "0"});
  return api;
}

}  // namespace headrace::kafka
