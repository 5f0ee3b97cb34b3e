// Metadata (3): tells brokers, topics and partition leaders.
//
// Behavior:
// - There is one broker: this one, under the advertised address or else the one that the client dialled.
// - A topic that is asked for by name and missing is created when the client and the broker both allow it (Kafka's
//   default); creation waits for the disk off the event loop.
// - No list of topics means all. A topic that is named twice is told once, as by Kafka.
//
// Version notes:
// - In version 0 an empty list means all, later none. 4 lets the client forbid creation. 8 adds allowed operations.
//   10 adds topic ids to the answer, 12 takes them in the request. 13 adds an error for the whole answer.
#include "wire/kafka/messages/03_metadata.h"
#include "kafka/api.h"
#include "kafka/repeated.h"
#include "kafka/topics.h"

namespace headrace::kafka {
namespace {

using wire::kafka::MetadataRequest;
using wire::kafka::MetadataResponse;

constexpr int16_t kTopicIdsSince = 12;

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
    described.isr_nodes = {kNodeId};
  }
}

void add_error(MetadataResponse& response, const MetadataRequest::Topic& wanted, KafkaError error) {
  auto& out = response.topics.emplace_back();
  out.error_code = wire_code(error);
  out.name = wanted.name;
  out.topic_id = wanted.topic_id;
}

void add_wanted(MetadataResponse& response, broker::Broker& broker, const MetadataRequest& request,
                const MetadataRequest::Topic& wanted, int16_t version) {
  bool by_id = version >= kTopicIdsSince && !wanted.topic_id.is_zero();
  if (!by_id && !wanted.name) return add_error(response, wanted, KafkaError::kInvalidTopic);
  auto found = find_topic(broker, wanted.name.value_or(""), wanted.topic_id, by_id);
  if (found.topic) return add_topic(response, *found.topic, request.include_topic_authorized_operations);
  if (by_id || !request.allow_auto_topic_creation) return add_error(response, wanted, found.error);
  auto created = broker.topic_or_create(*wanted.name);
  if (created.ok()) return add_topic(response, **created, request.include_topic_authorized_operations);
  bool bad_name = created.error().code == ErrorCode::kInvalidArgument;
  add_error(response, wanted, bad_name ? KafkaError::kInvalidTopic : to_kafka(created.error().code));
}

/// Whether answering may create a topic, and so wait for the disk.
bool may_create(const broker::Broker& broker, const MetadataRequest& request) {
  if (!request.allow_auto_topic_creation || !request.topics) return false;
  for (const auto& wanted : *request.topics) {
    if (wanted.topic_id.is_zero() && wanted.name && !broker.topic(*wanted.name)) return true;
  }
  return false;
}

MetadataResponse answer(ServerContext& server, const MetadataRequest& request, const Peer& peer, int16_t version) {
  MetadataResponse response;
  auto& self = response.brokers.emplace_back();
  self.node_id = kNodeId;
  self.host = server.advertised_host(peer);
  self.port = server.advertised_port(peer);
  response.cluster_id = server.broker.cluster_id();
  response.controller_id = kNodeId;
  if (request.include_cluster_authorized_operations) response.cluster_authorized_operations = kClusterOperations;
  bool all = !request.topics || (version == 0 && request.topics->empty());
  if (all) {
    for (const auto& topic : server.broker.topics()) {
      add_topic(response, *topic, request.include_topic_authorized_operations);
    }
  } else {
    for (const auto& wanted : *request.topics) add_wanted(response, server.broker, request, wanted, version);
  }
  return response;
}

void metadata(const Call& call, MetadataRequest request, Reply<MetadataResponse> reply) {
  if (request.topics) {
    drop_repeated(*request.topics, [](const auto& topic) { return std::pair(topic.name, topic.topic_id); });
  }
  if (!may_create(call.server.broker, request)) return reply(answer(call.server, request, call.peer, call.version));
  call.run_blocking([&server = call.server, peer = call.peer, version = call.version, request = std::move(request),
                     reply = std::move(reply)]() mutable { reply(answer(server, request, peer, version)); });
}

}  // namespace

const Api& api_3() {
  static const Api api = make_api<3, metadata>({.name = "Metadata", .versions = "0-13"});
  return api;
}

}  // namespace headrace::kafka
