// DeleteTopics (20): deletes topics with their records.
//
// Behavior:
// - Each topic is answered for itself, once its end is on the disk. The broker's own topics are not deleted.
//
// Version notes:
// - 4 is flexible, 5 adds error messages, 6 names topics by name or id.
#include "wire/kafka/messages/20_delete_topics.h"
#include "kafka/api.h"
#include "kafka/mutation_quota.h"
#include "kafka/topics.h"

namespace headrace::kafka {
namespace {

using wire::kafka::DeleteTopicsRequest;
using wire::kafka::DeleteTopicsResponse;

constexpr int16_t kStrictQuotaSince = 5;  ///< Clients know THROTTLING_QUOTA_EXCEEDED (KIP-599).
constexpr int16_t kTopicIdsSince = 6;

void delete_one(broker::Broker& broker, const DeleteTopicsRequest::DeleteTopicState& wanted, MutationQuota& quota,
                DeleteTopicsResponse& response) {
  auto& out = response.responses.emplace_back();
  out.name = wanted.name;
  out.topic_id = wanted.topic_id;
  auto found = find_topic(broker, wanted.name.value_or(""), wanted.topic_id, !wanted.name);
  if (!found.topic) return void(out.error_code = wire_code(found.error));
  out.name = found.topic->name;
  out.topic_id = to_wire(found.topic->id);
  if (found.topic->internal) {
    out.error_code = wire_code(KafkaError::kInvalidRequest);
    out.error_message = "the broker keeps its own records there";
    return;
  }
  if (!quota.admit(static_cast<int64_t>(found.topic->partitions.size()))) {
    out.error_code = wire_code(KafkaError::kThrottlingQuotaExceeded);
    out.error_message = MutationQuota::kExceeded;
    return;
  }
  Status deleted = broker.delete_topic(found.topic->name);
  out.error_code = wire_code(deleted);
  if (!deleted.ok()) out.error_message = deleted.error().message;
}

void delete_topics(const Call& call, DeleteTopicsRequest request, Reply<DeleteTopicsResponse> reply) {
  if (call.version < kTopicIdsSince) {
    request.topics.clear();
    request.topics.reserve(request.topic_names.size());
    for (auto& name : std::exchange(request.topic_names, {})) request.topics.push_back({std::move(name), {}});
  }
  call.run_blocking([&broker = call.server.broker, request = std::move(request), reply = std::move(reply),
                     quota = MutationQuota(call, kStrictQuotaSince)]() mutable {
    DeleteTopicsResponse response;
    for (const auto& topic : request.topics) delete_one(broker, topic, quota, response);
    reply.throttle(quota.wait());
    reply(response);
  });
}

}  // namespace

const Api& api_20() {
  static const Api api = make_api<20, delete_topics>({.name = "DeleteTopics", .versions = "1-6"});
  return api;
}

}  // namespace headrace::kafka
