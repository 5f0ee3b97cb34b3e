// Metadata (3): tells brokers, topics and partition leaders.
//
// Behavior:
// - There is one broker: this one, under the advertised address or else the one that the client dialled.
// - A topic that is asked for by name and missing is created when the client and the broker both allow it (Kafka's
//   default); creation waits for the disk off the event loop. Over the client's controller_mutation_rate the topic
//   stays unknown, and the client is told how long to wait.
// - A partition that is out of service for writing keeps its leader, as it can be read, and has no replica in sync:
//   kafka-topics.sh --describe shows an empty Isr, and lists it under --under-replicated-partitions and
//   --under-min-isr-partitions. In Kafka that is how a partition is that is read and takes no acks=all. It is not among
//   the offline replicas: those, on a failed log directory, have no leader in Kafka and serve nothing.
// - No list of topics means all. A topic that is named twice is told once, as by Kafka.
//
// Version notes:
// - In version 0 an empty list means all, later none. 4 lets the client forbid creation. 8 adds allowed operations.
//   10 adds topic ids to the answer, 12 takes them in the request. 13 adds an error for the whole answer.
#include "wire/kafka/messages/03_metadata.h"

#include <map>

#include "kafka/api.h"
#include "kafka/mutation_quota.h"
#include "kafka/repeated.h"
#include "kafka/topics.h"

namespace headrace::kafka {
namespace {

using wire::kafka::MetadataRequest;
using wire::kafka::MetadataResponse;

constexpr int16_t kTopicIdsSince = 12;
/// Every client knows the error of a topic that was not created.
constexpr int16_t kStrictQuotaSince = 0;

void add_topic(MetadataResponse& response, const broker::Topic& topic, bool operations) {
  auto& out = response.topics.emplace_back();
  out.name = topic.name;
  out.topic_id = to_wire(topic.id);
  out.is_internal = topic.internal;
  if (operations) out.topic_authorized_operations = kTopicOperations;
  out.partitions.reserve(topic.partitions.size());
  for (const auto& partition : topic.partitions) {
    auto& described = out.partitions.emplace_back();
    described.partition_index = partition->tp().partition.value;
    described.leader_id = kNodeId;
    described.leader_epoch = leader_epoch(*partition);
    described.replica_nodes = {kNodeId};
    described.isr_nodes = in_sync_replicas(*partition);
  }
}

void add_error(MetadataResponse& response, const MetadataRequest::Topic& wanted, KafkaError error) {
  auto& out = response.topics.emplace_back();
  out.error_code = wire_code(error);
  out.name = wanted.name;
  out.topic_id = wanted.topic_id;
}

/// A request and where it came from.
struct Asked {
  ServerContext& server;
  Peer peer;
  int16_t version;
  MetadataRequest request;

  bool by_id(const MetadataRequest::Topic& wanted) const {
    return version >= kTopicIdsSince && !wanted.topic_id.is_zero();
  }
};

void drop_repeated_topics(Asked& asked) {
  using Key = std::pair<std::optional<std::string>, wire::kafka::Uuid>;
  if (!asked.request.topics) return;
  drop_repeated(*asked.request.topics, [&](const auto& wanted) {
    return asked.by_id(wanted) ? Key(std::nullopt, wanted.topic_id) : Key(wanted.name, {});
  });
}

/// Names of missing topics that the client and the broker allow to be created.
std::vector<std::string> to_create(const Asked& asked) {
  std::vector<std::string> names;
  const broker::Broker& broker = asked.server.broker;
  bool allowed = asked.request.allow_auto_topic_creation && broker.options().auto_create_topics;
  if (!allowed || !asked.request.topics) return names;
  for (const auto& wanted : *asked.request.topics) {
    if (asked.by_id(wanted) || !wanted.name || broker.topic(*wanted.name)) continue;
    if (broker::check_topic_name(*wanted.name).ok()) names.push_back(*wanted.name);
  }
  return names;
}

/// Topics that could not be created, and why.
using Refused = std::map<std::string, KafkaError>;

/// Blocks for the disk.
Refused create(broker::Broker& broker, const std::vector<std::string>& names, MutationQuota& quota) {
  Refused refused;
  for (const std::string& name : names) {
    if (!quota.admit(broker.options().default_partitions)) {
      refused[name] = KafkaError::kUnknownTopicOrPartition;
      continue;
    }
    auto created = broker.topic_or_create(name);
    if (created.ok()) continue;
    // The name is fine, so there is no room for more partitions.
    bool no_room = created.error().code == ErrorCode::kInvalidArgument;
    refused[name] = no_room ? KafkaError::kUnknownTopicOrPartition : to_kafka(created.error().code);
  }
  return refused;
}

/// Of a topic that is asked for by name and missing.
KafkaError error_of(const MetadataRequest::Topic& wanted, const Refused& refused) {
  if (!wanted.name || !broker::check_topic_name(*wanted.name).ok()) return KafkaError::kInvalidTopic;
  auto found = refused.find(*wanted.name);
  return found == refused.end() ? KafkaError::kUnknownTopicOrPartition : found->second;
}

MetadataResponse answer(const Asked& asked, const Refused& refused = {}) {
  const auto& [server, peer, version, request] = asked;
  MetadataResponse response;
  auto& self = response.brokers.emplace_back();
  self.node_id = kNodeId;
  self.host = server.advertised_host(peer);
  self.port = server.advertised_port(peer);
  response.cluster_id = server.broker.cluster_id();
  response.controller_id = kNodeId;
  if (request.include_cluster_authorized_operations) response.cluster_authorized_operations = kClusterOperations;
  bool operations = request.include_topic_authorized_operations;
  if (!request.topics || (version == 0 && request.topics->empty())) {
    for (const auto& topic : server.broker.topics()) add_topic(response, *topic, operations);
    return response;
  }
  for (const auto& wanted : *request.topics) {
    auto found = find_topic(server.broker, wanted.name.value_or(""), wanted.topic_id, asked.by_id(wanted));
    if (found.topic) {
      add_topic(response, *found.topic, operations);
    } else {
      add_error(response, wanted, asked.by_id(wanted) ? found.error : error_of(wanted, refused));
    }
  }
  return response;
}

void metadata(const Call& call, MetadataRequest request, Reply<MetadataResponse> reply) {
  Asked asked{call.server, call.peer, call.version, std::move(request)};
  drop_repeated_topics(asked);
  auto names = to_create(asked);
  if (names.empty()) return reply(answer(asked));
  call.run_blocking([asked = std::move(asked), names = std::move(names), quota = MutationQuota(call, kStrictQuotaSince),
                     reply = std::move(reply)]() mutable {
    auto refused = create(asked.server.broker, names, quota);
    reply.throttle(quota.wait());
    reply(answer(asked, refused));
  });
}

}  // namespace

const Api& api_3() {
  static const Api api = make_api<3, metadata>({.name = "Metadata", .versions = "0-13"});
  return api;
}

}  // namespace headrace::kafka
