// CreatePartitions (37): adds partitions to topics.
//
// Behavior:
// - The count is the new total. Each topic is answered for itself, once the partitions are on the disk.
// - A topic that is named more than once is refused with INVALID_REQUEST, and told once.
// - The broker's own topics keep their number, by which groups and transactional ids are spread: Kafka takes more, and
//   then looks for them in the wrong places.
//
// Version notes:
// - 2 is flexible.
#include "wire/kafka/messages/37_create_partitions.h"
#include "kafka/api.h"
#include "kafka/errors.h"
#include "kafka/mutation_quota.h"
#include "kafka/repeated.h"

namespace headrace::kafka {
namespace {

using wire::kafka::CreatePartitionsRequest;
using wire::kafka::CreatePartitionsResponse;

constexpr int16_t kStrictQuotaSince = 3;  ///< Clients know THROTTLING_QUOTA_EXCEEDED (KIP-599).

/// Assignments name a broker for each new partition: the one there is.
bool assignment_fits(const CreatePartitionsRequest::Topic& topic, size_t partitions_before) {
  if (!topic.assignments) return true;
  if (topic.assignments->size() + partitions_before != static_cast<size_t>(topic.count)) return false;
  for (const auto& one : *topic.assignments) {
    if (one.broker_ids != std::vector<int32_t>{kNodeId}) return false;
  }
  return true;
}

CreatePartitionsResponse::TopicResult refusal(std::string name, KafkaError error, std::string message) {
  return {.name = std::move(name), .error_code = wire_code(error), .error_message = std::move(message)};
}

CreatePartitionsResponse::TopicResult create(broker::Broker& broker, const CreatePartitionsRequest::Topic& topic,
                                             bool validate_only, MutationQuota& quota) {
  auto refuse = [&](KafkaError error, std::string message) { return refusal(topic.name, error, std::move(message)); };
  auto found = broker.topic(topic.name);
  if (!found) return refuse(KafkaError::kUnknownTopicOrPartition, broker::no_such_topic(topic.name).message);
  if (topic.count > static_cast<int32_t>(found->partitions.size()) &&
      !assignment_fits(topic, found->partitions.size())) {
    return refuse(KafkaError::kInvalidReplicaAssignment, "every new partition is assigned to the one broker there is");
  }
  // What is refused anyway does not count against the quota.
  Status created = broker.create_partitions(topic.name, topic.count, /*validate_only=*/true);
  if (created.ok() && !validate_only) {
    int64_t added = topic.count - static_cast<int64_t>(found->partitions.size());
    if (!quota.admit(added)) return refuse(KafkaError::kThrottlingQuotaExceeded, MutationQuota::kExceeded);
    created = broker.create_partitions(topic.name, topic.count, /*validate_only=*/false);
  }
  if (created.ok()) return {.name = topic.name};
  bool invalid = created.error().code == ErrorCode::kInvalidArgument;
  return refuse(invalid ? KafkaError::kInvalidPartitions : to_kafka(created.error().code), created.error().message);
}

void create_partitions(const Call& call, CreatePartitionsRequest request, Reply<CreatePartitionsResponse> reply) {
  call.run_blocking([&broker = call.server.broker, request = std::move(request), reply = std::move(reply),
                     quota = MutationQuota(call, kStrictQuotaSince)]() mutable {
    CreatePartitionsResponse response;
    auto repeated = drop_repeated(request.topics, [](const auto& topic) -> const std::string& { return topic.name; });
    for (const auto& topic : request.topics) {
      response.results.push_back(repeated.contains(topic.name)
                                     ? refusal(topic.name, KafkaError::kInvalidRequest, kTopicNamedTwice)
                                     : create(broker, topic, request.validate_only, quota));
    }
    reply.throttle(quota.wait());
    reply(response);
  });
}

}  // namespace

const Api& api_37() {
  static const Api api = make_api<37, create_partitions>({.name = "CreatePartitions", .versions = "0-3"});
  return api;
}

}  // namespace headrace::kafka
