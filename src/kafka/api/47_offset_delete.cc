// OffsetDelete (47): forgets stored positions of a group.
//
// Behavior:
// - Refused per partition with GROUP_SUBSCRIBED_TO_TOPIC while live members are subscribed to the topic.
// - A partition that is named more than once is answered once.
//
// Version notes:
// - Only version 0 exists.
#include "wire/kafka/messages/47_offset_delete.h"
#include "kafka/api.h"
#include "kafka/errors.h"
#include "kafka/repeated.h"

namespace headrace::kafka {
namespace {

using wire::kafka::OffsetDeleteRequest;
using wire::kafka::OffsetDeleteResponse;

void offset_delete(const Call& call, OffsetDeleteRequest request, Reply<OffsetDeleteResponse> reply) {
  using Topic = OffsetDeleteRequest::Topic;
  keep_last_of_each_partition(request.topics, &Topic::name, &Topic::Partition::partition_index);
  OffsetDeleteResponse response;
  std::vector<TopicPartition> partitions;
  for (const auto& topic : request.topics) {
    auto& out = response.topics.emplace_back();
    out.name = topic.name;
    for (const auto& partition : topic.partitions) {
      partitions.push_back({topic.name, PartitionId(partition.partition_index)});
      out.partitions.push_back({partition.partition_index, 0});
    }
  }
  auto& groups = call.server.broker.groups();
  if (!groups.contains(request.group_id)) {
    response.error_code = wire_code(KafkaError::kGroupIdNotFound);
    response.topics.clear();
    return reply(response);
  }
  groups.delete_offsets(
      request.group_id, std::move(partitions),
      [response = std::move(response), reply = std::move(reply)](broker::CommitAnswer errors) mutable {
        size_t next = 0;
        for (auto& topic : response.topics) {
          for (auto& partition : topic.partitions) partition.error_code = wire_code(errors[next++]);
        }
        reply(response);
      });
}

}  // namespace

const Api& api_47() {
  static const Api api = make_api<47, offset_delete>({.name = "OffsetDelete", .versions = "0"});
  return api;
}

}  // namespace headrace::kafka
