// OffsetCommit (8): stores the positions of a consumer group.
//
// Behavior:
// - Answered when the positions are on the disk.
// - A commit without membership (generation -1, empty member id) is taken while the group has no members.
// - With a generation, where there is no group: ILLEGAL_GENERATION, since version 9 GROUP_ID_NOT_FOUND.
// - Of a partition that is named more than once the last position counts, and is answered once.
// - More than fits into one batch (max.message.bytes of __consumer_offsets) answers INVALID_COMMIT_OFFSET_SIZE.
// - In a consumer group (KIP-848) the generation is the member's epoch, or an earlier one since which it has had
//   all the partitions (KIP-1251); another answers STALE_MEMBER_EPOCH.
// - retention_time_ms is not used: positions of groups without members live as long as the broker says (KIP-211).
//
// Version notes:
// - 2 is the oldest with what Kafka 4 speaks; 5 drops the retention time, 6 adds leader epochs, 7 static members, 8 is
//   flexible, 9 knows member epochs, 10 names topics by id.
#include "wire/kafka/messages/08_offset_commit.h"
#include "kafka/api.h"
#include "kafka/repeated.h"
#include "kafka/topics.h"

namespace headrace::kafka {
namespace {

using wire::kafka::OffsetCommitRequest;
using wire::kafka::OffsetCommitResponse;

constexpr int16_t kMemberEpochsSince = 9;
constexpr int16_t kTopicIdsSince = 10;

/// A response with a place for every partition, and those of them that may be committed.
struct Commit {
  OffsetCommitResponse response;
  std::vector<broker::OffsetToCommit> offsets;
  std::vector<std::pair<size_t, size_t>> places;  ///< Topic and partition in the response, for each offset.
};

Commit read(const broker::Broker& broker, OffsetCommitRequest& request, bool by_id) {
  using Topic = OffsetCommitRequest::Topic;
  keep_last_of_each_partition(
      request.topics, [](const Topic& topic) { return std::pair(topic.name, topic.topic_id); },
      &Topic::Partition::partition_index);
  Commit commit;
  for (auto& topic : request.topics) {
    auto& out = commit.response.topics.emplace_back();
    out.name = topic.name;
    out.topic_id = topic.topic_id;
    auto found = find_topic(broker, topic.name, topic.topic_id, by_id);
    for (auto& partition : topic.partitions) {
      auto& answered = out.partitions.emplace_back();
      answered.partition_index = partition.partition_index;
      PartitionId id(partition.partition_index);
      if (!found.topic || !found.topic->partition(id)) {
        answered.error_code = wire_code(found.topic ? KafkaError::kUnknownTopicOrPartition : found.error);
        continue;
      }
      commit.offsets.push_back({{found.topic->name, id},
                                {Offset(partition.committed_offset), partition.committed_leader_epoch,
                                 std::move(partition.committed_metadata).value_or("")}});
      commit.places.emplace_back(commit.response.topics.size() - 1, out.partitions.size() - 1);
    }
  }
  return commit;
}

void offset_commit(const Call& call, OffsetCommitRequest request, Reply<OffsetCommitResponse> reply) {
  Commit commit = read(call.server.broker, request, call.version >= kTopicIdsSince);
  if (commit.offsets.empty()) return reply(commit.response);
  broker::GroupCaller caller{std::move(request.group_id), request.generation_id_or_member_epoch,
                             std::move(request.member_id), std::move(request.group_instance_id),
                             call.version >= kMemberEpochsSince};
  auto offsets = std::move(commit.offsets);
  call.server.broker.groups().commit(
      caller, std::move(offsets),
      [commit = std::move(commit), reply = std::move(reply)](broker::CommitAnswer errors) mutable {
        for (size_t i = 0; i < errors.size(); ++i) {
          auto [topic, partition] = commit.places[i];
          commit.response.topics[topic].partitions[partition].error_code = wire_code(errors[i]);
        }
        reply(commit.response);
      });
}

}  // namespace

const Api& api_8() {
  static const Api api = make_api<8, offset_commit>({.name = "OffsetCommit", .versions = "2-10"});
  return api;
}

}  // namespace headrace::kafka
