// AlterPartitionReassignments (45): gives partitions other replicas.
//
// Behavior:
// - A partition's replicas are the one broker. Asking for just that succeeds and changes nothing; anything else is
//   INVALID_REPLICA_ASSIGNMENT. Null cancels a reassignment, of which there is none: NO_REASSIGNMENT_IN_PROGRESS.
//
// Version notes:
// - 1 lets the client forbid that the replication factor changes (KIP-860), which it never does here.
#include "wire/kafka/messages/45_alter_partition_reassignments.h"
#include "kafka/api.h"
#include "kafka/errors.h"
#include "kafka/repeated.h"

namespace headrace::kafka {
namespace {

using wire::kafka::AlterPartitionReassignmentsRequest;
using wire::kafka::AlterPartitionReassignmentsResponse;
using PartitionRequest = AlterPartitionReassignmentsRequest::ReassignableTopic::ReassignablePartition;
using PartitionResponse = AlterPartitionReassignmentsResponse::ReassignableTopicResponse::ReassignablePartitionResponse;

void reassign(const Call& call, const std::string& topic, const PartitionRequest& wanted, PartitionResponse& out) {
  out.partition_index = wanted.partition_index;
  out.error_message.reset();
  auto refuse = [&](KafkaError error, std::string message) {
    out.error_code = wire_code(error);
    out.error_message = std::move(message);
  };
  TopicPartition tp{topic, PartitionId(wanted.partition_index)};
  if (!call.server.broker.partition(tp)) {
    return refuse(KafkaError::kUnknownTopicOrPartition, broker::no_such_partition(tp).message);
  }
  if (!wanted.replicas) return refuse(KafkaError::kNoReassignmentInProgress, "it is not being reassigned");
  if (*wanted.replicas != std::vector<int32_t>{kNodeId}) {
    refuse(KafkaError::kInvalidReplicaAssignment, only_broker());
  }
}

void alter_partition_reassignments(const Call& call, AlterPartitionReassignmentsRequest request,
                                   Reply<AlterPartitionReassignmentsResponse> reply) {
  AlterPartitionReassignmentsResponse response;
  response.allow_replication_factor_change = request.allow_replication_factor_change;
  response.error_message.reset();
  drop_repeated(request.topics, [](const auto& topic) -> const std::string& { return topic.name; });
  for (auto& topic : request.topics) {
    drop_repeated(topic.partitions, [](const auto& partition) { return partition.partition_index; });
    auto& out = response.responses.emplace_back();
    out.name = topic.name;
    for (const auto& wanted : topic.partitions) reassign(call, topic.name, wanted, out.partitions.emplace_back());
  }
  reply(response);
}

}  // namespace

const Api& api_45() {
  static const Api api =
      make_api<45, alter_partition_reassignments>({.name = "AlterPartitionReassignments", .versions = "0-1"});
  return api;
}

}  // namespace headrace::kafka
