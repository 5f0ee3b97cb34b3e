// CreateTopics (19): creates topics.
//
// Behavior:
// - Each topic is answered for itself, once it is on the disk; validate_only checks and creates nothing.
// - A topic that is named more than once is refused with INVALID_REQUEST, and told once.
// - Partition count and replication factor -1 mean the broker's defaults; the only replication factor is 1. A manual
//   assignment must name this broker and partitions 0 to n-1.
// - Configs are checked against the table of topic options: an unknown name, a wrong value, or values that contradict
//   each other or the broker's defaults are INVALID_CONFIG.
// - Partitions over the client's controller_mutation_rate are refused with THROTTLING_QUOTA_EXCEEDED.
//
// Version notes:
// - 4 allows -1 for the defaults, 5 is flexible and answers with the topic's configs, 7 with its id. 6 knows
//   THROTTLING_QUOTA_EXCEEDED; older clients have to wait afterwards instead.
#include <set>

#include "kafka/api.h"
#include "kafka/config_entries.h"
#include "kafka/mutation_quota.h"
#include "kafka/repeated.h"
#include "kafka/topics.h"
#include "wire/kafka/messages/19_create_topics.h"

namespace headrace::kafka {
namespace {

using wire::kafka::CreateTopicsRequest;
using wire::kafka::CreateTopicsResponse;
using TopicRequest = CreateTopicsRequest::CreatableTopic;
using TopicResponse = CreateTopicsResponse::CreatableTopicResult;

/// From here on clients know THROTTLING_QUOTA_EXCEEDED (KIP-599).
constexpr int16_t kStrictQuotaSince = 6;

struct Refusal {
  KafkaError error = KafkaError::kNone;
  std::string message;
};

/// Checks what needs an error code of its own; the broker checks everything once more.
Refusal check(const TopicRequest& topic, const broker::ConfigMap& defaults) {
  if (auto name = broker::check_topic_name(topic.name); !name.ok()) {
    return {KafkaError::kInvalidTopic, name.error().message};
  }
  if (topic.name == broker::kMetadataTopic) {
    return {KafkaError::kInvalidRequest, "the name " + topic.name + " is the broker's own"};
  }
  bool assigned = !topic.assignments.empty();
  if (assigned && (topic.num_partitions != -1 || topic.replication_factor != -1)) {
    return {KafkaError::kInvalidRequest, "with an assignment, partition count and replication factor are -1"};
  }
  std::set<int32_t> assigned_partitions;
  for (const auto& one : topic.assignments) {
    assigned_partitions.insert(one.partition_index);
    if (one.broker_ids != std::vector<int32_t>{kNodeId}) {
      return {KafkaError::kInvalidReplicaAssignment, only_broker()};
    }
  }
  bool consecutive =
      assigned_partitions.size() == topic.assignments.size() &&
      (!assigned || (*assigned_partitions.begin() == 0 &&
                     *assigned_partitions.rbegin() == static_cast<int32_t>(topic.assignments.size()) - 1));
  if (!consecutive) return {KafkaError::kInvalidReplicaAssignment, "partitions are not numbered from 0"};
  if (!assigned && topic.num_partitions != -1 && topic.num_partitions < 1) {
    return {KafkaError::kInvalidPartitions, "the number of partitions is above 0, or -1 for the default"};
  }
  if (!assigned && topic.replication_factor != -1 && topic.replication_factor != 1) {
    return {KafkaError::kInvalidReplicationFactor, "there is one broker: the replication factor is 1, or -1"};
  }
  broker::ConfigMap configs;
  for (const auto& config : topic.configs) {
    if (!config.value) return {KafkaError::kInvalidConfig, config.name + ": null is no value"};
    auto normal = broker::normalize_topic_config(config.name, *config.value);
    if (!normal.ok()) return {KafkaError::kInvalidConfig, normal.error().message};
    configs[config.name] = *std::move(normal);
  }
  Status together = broker::check_topic_configs(configs, defaults);
  return together.ok() ? Refusal() : Refusal{KafkaError::kInvalidConfig, together.error().message};
}

void set_created(TopicResponse& out, const broker::Topic& topic, size_t partitions) {
  out.topic_id = to_wire(topic.id);
  out.error_message.reset();
  out.num_partitions = static_cast<int32_t>(partitions);
  out.replication_factor = 1;
  out.configs.emplace();
  for (const auto& entry : topic.describe_configs()) {
    out.configs->push_back({entry.name, entry.value, false, wire_source(entry), false});
  }
}

TopicResponse create(broker::Broker& broker, const TopicRequest& topic, bool validate_only, MutationQuota& quota) {
  TopicResponse out;
  out.name = topic.name;
  auto refuse = [&](KafkaError error, std::string message) {
    out.error_code = wire_code(error);
    out.error_message = std::move(message);
    out.configs.reset();
    return out;
  };
  // Who creates what may be there already need not know how it was created.
  if (broker.topic(topic.name))
    return refuse(KafkaError::kTopicAlreadyExists, "topic '" + topic.name + "' exists already");
  if (auto refusal = check(topic, broker.options().topic_defaults); refusal.error != KafkaError::kNone)
    return refuse(refusal.error, refusal.message);
  bus::TopicSpec spec;
  spec.name = topic.name;
  spec.partitions = topic.assignments.empty() ? topic.num_partitions : static_cast<int32_t>(topic.assignments.size());
  for (const auto& config : topic.configs) spec.configs[config.name] = *config.value;
  int32_t wanted = spec.partitions == -1 ? broker.options().default_partitions : spec.partitions;
  // What is refused anyway does not count against the quota.
  auto created = broker.create_topic(spec, /*validate_only=*/true);
  if (created.ok() && !validate_only) {
    if (!quota.admit(wanted)) return refuse(KafkaError::kThrottlingQuotaExceeded, MutationQuota::kExceeded);
    created = broker.create_topic(spec, /*validate_only=*/false);
  }
  if (!created.ok()) {
    bool invalid = created.error().code == ErrorCode::kInvalidArgument;
    return refuse(invalid ? KafkaError::kInvalidPartitions : to_kafka(created.error().code), created.error().message);
  }
  set_created(out, **created, static_cast<size_t>(wanted));
  return out;
}

CreateTopicsResponse create_all(broker::Broker& broker, CreateTopicsRequest& request, MutationQuota& quota) {
  CreateTopicsResponse response;
  auto repeated = drop_repeated(request.topics, [](const auto& topic) -> const std::string& { return topic.name; });
  for (const auto& topic : request.topics) {
    if (!repeated.contains(topic.name)) {
      response.topics.push_back(create(broker, topic, request.validate_only, quota));
    } else {
      auto& out = response.topics.emplace_back();
      out.name = topic.name;
      out.error_code = wire_code(KafkaError::kInvalidRequest);
      out.error_message = kTopicNamedTwice;
    }
  }
  return response;
}

void create_topics(const Call& call, CreateTopicsRequest request, Reply<CreateTopicsResponse> reply) {
  call.run_blocking([&broker = call.server.broker, request = std::move(request), reply = std::move(reply),
                     quota = MutationQuota(call, kStrictQuotaSince)]() mutable {
    auto response = create_all(broker, request, quota);
    reply.throttle(quota.wait());
    reply(response);
  });
}

}  // namespace

const Api& api_19() {
  static const Api api = make_api<19, create_topics>({.name = "CreateTopics", .versions = "2-7"});
  return api;
}

}  // namespace headrace::kafka
