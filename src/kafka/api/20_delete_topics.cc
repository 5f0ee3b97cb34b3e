// DeleteTopics (20): deletes topics with their records.
//
// Behavior:
// - Each topic is answered for itself, once its end is on the disk. The broker's own topics are not deleted.
// - INVALID_REQUEST: a topic with both a name and an id, or with neither. Topics that are named more than once, be it
//   once by name and once by id; none of them is deleted, and each is told once.
//
// Version notes:
// - 4 is flexible, 5 adds error messages, 6 names topics by name or id.
#include "wire/kafka/messages/20_delete_topics.h"

#include <set>

#include "kafka/api.h"
#include "kafka/mutation_quota.h"
#include "kafka/repeated.h"
#include "kafka/topics.h"

namespace headrace::kafka {
namespace {

using wire::kafka::DeleteTopicsRequest;
using wire::kafka::DeleteTopicsResponse;

constexpr int16_t kStrictQuotaSince = 5;  ///< Clients know THROTTLING_QUOTA_EXCEEDED (KIP-599).
constexpr int16_t kTopicIdsSince = 6;

using Wanted = DeleteTopicsRequest::DeleteTopicState;
using Answer = DeleteTopicsResponse::DeletableTopicResult;

/// Which of the topics are named in such a way that it is not clear what is meant.
class Mistakes {
 public:
  Mistakes(const broker::Broker& broker, std::vector<Wanted>& topics) : broker_(broker) {
    repeated_ = drop_repeated(topics, key_of);
    for (const Wanted& topic : topics) {
      if (auto found = find_by_name(topic)) named_.insert(found->id);
      if (!topic.name) ids_.insert(from_wire(topic.topic_id));
    }
  }
  /// Empty: none.
  std::string of(const Wanted& topic) const {
    if (topic.name && !topic.topic_id.is_zero()) return "a topic is named by its name or its id, not by both";
    if (!topic.name && topic.topic_id.is_zero()) return "a topic is named by its name or its id";
    auto found = find_by_name(topic);
    bool both_ways = topic.name ? found && ids_.contains(found->id) : named_.contains(from_wire(topic.topic_id));
    return both_ways || repeated_.contains(key_of(topic)) ? kTopicNamedTwice : "";
  }

 private:
  using Key = std::pair<std::optional<std::string>, wire::kafka::Uuid>;
  static Key key_of(const Wanted& topic) { return {topic.name, topic.topic_id}; }
  std::shared_ptr<const broker::Topic> find_by_name(const Wanted& topic) const {
    return topic.name && topic.topic_id.is_zero() ? broker_.topic(*topic.name) : nullptr;
  }

  const broker::Broker& broker_;
  std::set<Key> repeated_;
  std::set<broker::Uuid> ids_, named_;  ///< Of topics that are named by id, and by name.
};

void refuse(Answer& out, KafkaError error, std::string message) {
  out.error_code = wire_code(error);
  out.error_message = std::move(message);
}

void delete_one(broker::Broker& broker, const Wanted& wanted, MutationQuota& quota, Answer& out) {
  auto found = find_topic(broker, wanted.name.value_or(""), wanted.topic_id, !wanted.name);
  if (!found.topic) return void(out.error_code = wire_code(found.error));
  out.name = found.topic->name;
  out.topic_id = to_wire(found.topic->id);
  if (found.topic->internal) {
    return refuse(out, KafkaError::kInvalidRequest, "the broker keeps its own records there");
  }
  if (!quota.admit(static_cast<int64_t>(found.topic->partitions.size()))) {
    return refuse(out, KafkaError::kThrottlingQuotaExceeded, MutationQuota::kExceeded);
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
    Mistakes mistakes(broker, request.topics);
    for (const auto& topic : request.topics) {
      auto& out = response.responses.emplace_back();
      out.name = topic.name;
      out.topic_id = topic.topic_id;
      std::string mistake = mistakes.of(topic);
      if (mistake.empty()) {
        delete_one(broker, topic, quota, out);
      } else {
        refuse(out, KafkaError::kInvalidRequest, std::move(mistake));
      }
    }
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
