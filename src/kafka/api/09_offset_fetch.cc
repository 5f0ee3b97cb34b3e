// OffsetFetch (9): reads the stored positions of consumer groups.
//
// Behavior:
// - What is named twice is answered once.
// - No list of topics means every position of the group. A partition without a position answers offset -1.
// - A member of a consumer group (KIP-848) must name its epoch, else the group answers STALE_MEMBER_EPOCH
//   (ILLEGAL_GENERATION to one of the classic protocol).
// - With require_stable a position that an open transaction is about to change answers UNSTABLE_OFFSET_COMMIT.
//
// Version notes:
// - 2 lets the list be null, 7 adds require_stable, 8 asks for several groups at once, 9 knows members and their
//   epochs, 10 names topics by id.
#include "wire/kafka/messages/09_offset_fetch.h"
#include "kafka/api.h"
#include "kafka/repeated.h"
#include "kafka/topics.h"

namespace headrace::kafka {
namespace {

using wire::kafka::OffsetFetchRequest;
using wire::kafka::OffsetFetchResponse;
using GroupRequest = OffsetFetchRequest::Group;
using GroupResponse = OffsetFetchResponse::Group;

constexpr int16_t kGroupsSince = 8;
constexpr int16_t kTopicIdsSince = 10;

/// The single group of old versions in the form of new ones.
GroupRequest single_group(OffsetFetchRequest& request) {
  GroupRequest group;
  group.group_id = std::move(request.group_id);
  group.topics.reset();
  if (!request.topics) return group;
  group.topics.emplace();
  for (auto& topic : *request.topics) {
    auto& out = group.topics->emplace_back();
    out.name = std::move(topic.name);
    out.partition_indexes = std::move(topic.partition_indexes);
  }
  return group;
}

GroupResponse::Topics::Partitions answer_of(const broker::FetchedOffset& fetched) {
  GroupResponse::Topics::Partitions out;
  out.partition_index = fetched.tp.partition.value;
  out.committed_offset = fetched.offset.offset.value;
  out.committed_leader_epoch = fetched.offset.leader_epoch;
  out.metadata = fetched.offset.metadata;
  out.error_code = wire_code(fetched.error);
  return out;
}

/// Everything that the group committed, which comes in the order of the topics.
void add_all(broker::Broker& broker, GroupResponse& out, const std::vector<broker::FetchedOffset>& fetched,
             bool by_id) {
  for (const auto& offset : fetched) {
    if (out.topics.empty() || out.topics.back().name != offset.tp.topic) {
      auto topic = broker.topic(offset.tp.topic);
      if (by_id && !topic) continue;
      out.topics.emplace_back().name = offset.tp.topic;
      if (topic) out.topics.back().topic_id = to_wire(topic->id);
    }
    out.topics.back().partitions.push_back(answer_of(offset));
  }
}

void drop_repeated_topics(GroupRequest& group) {
  if (!group.topics) return;
  drop_repeated(*group.topics, [](const auto& topic) { return std::pair(topic.name, topic.topic_id); });
  for (auto& topic : *group.topics) drop_repeated(topic.partition_indexes);
}

GroupResponse answer(broker::Broker& broker, GroupRequest request, bool require_stable, bool by_id) {
  drop_repeated_topics(request);
  GroupResponse out;
  out.group_id = request.group_id;
  auto refused =
      broker.groups().check_fetch({request.group_id, request.member_epoch, request.member_id.value_or(""), {}});
  if (refused != broker::CoordinatorError::kNone) {
    out.error_code = wire_code(refused);
    return out;
  }
  if (!request.topics) {
    add_all(broker, out, broker.groups().fetch(request.group_id, std::nullopt, require_stable), by_id);
    return out;
  }
  for (const auto& topic : *request.topics) {
    auto& answered = out.topics.emplace_back();
    answered.name = topic.name;
    answered.topic_id = topic.topic_id;
    auto found = by_id ? find_topic(broker, topic.name, topic.topic_id, true) : FoundTopic{};
    if (by_id && !found.topic) {
      for (int32_t index : topic.partition_indexes) {
        answered.partitions.push_back(
            {.partition_index = index, .committed_offset = -1, .error_code = wire_code(found.error)});
      }
      continue;
    }
    std::vector<TopicPartition> wanted;
    for (int32_t index : topic.partition_indexes) {
      wanted.push_back({by_id ? found.topic->name : topic.name, PartitionId(index)});
    }
    for (const auto& offset : broker.groups().fetch(request.group_id, wanted, require_stable)) {
      answered.partitions.push_back(answer_of(offset));
    }
  }
  return out;
}

/// The answer of a single group in the form of old versions.
void flatten(GroupResponse group, OffsetFetchResponse& out) {
  out.error_code = group.error_code;
  for (auto& topic : group.topics) {
    auto& flat = out.topics.emplace_back();
    flat.name = std::move(topic.name);
    for (auto& p : topic.partitions) {
      flat.partitions.push_back(
          {p.partition_index, p.committed_offset, p.committed_leader_epoch, std::move(p.metadata), p.error_code});
    }
  }
}

void offset_fetch(const Call& call, OffsetFetchRequest request, Reply<OffsetFetchResponse> reply) {
  OffsetFetchResponse response;
  bool by_id = call.version >= kTopicIdsSince;
  if (call.version < kGroupsSince) {
    flatten(answer(call.server.broker, single_group(request), request.require_stable, false), response);
    return reply(response);
  }
  drop_repeated(request.groups, [](const auto& group) { return group.group_id; });
  for (auto& group : request.groups) {
    response.groups.push_back(answer(call.server.broker, std::move(group), request.require_stable, by_id));
  }
  reply(response);
}

}  // namespace

const Api& api_9() {
  static const Api api = make_api<9, offset_fetch>({.name = "OffsetFetch", .versions = "1-10"});
  return api;
}

}  // namespace headrace::kafka
