#include "kafka/topics.h"

#include "kafka/server_context.h"

namespace headrace::kafka {

FoundTopic find_topic(const broker::Broker& broker, const std::string& name, const wire::kafka::Uuid& id, bool by_id) {
  auto topic = by_id ? broker.topic(from_wire(id)) : broker.topic(name);
  if (topic) return {std::move(topic)};
  return {nullptr, by_id ? KafkaError::kUnknownTopicId : KafkaError::kUnknownTopicOrPartition};
}

int32_t leader_epoch(const broker::Partition& partition) { return partition.leader_epoch().value; }

std::vector<int32_t> in_sync_replicas(const broker::Partition& partition) {
  if (partition.log().out_of_service()) return {};
  return {kNodeId};
}

KafkaError check_leader_epoch(const broker::Partition& partition, int32_t current_leader_epoch) {
  if (current_leader_epoch < 0) return KafkaError::kNone;
  int32_t ours = leader_epoch(partition);
  if (current_leader_epoch < ours) return KafkaError::kFencedLeaderEpoch;
  return current_leader_epoch > ours ? KafkaError::kUnknownLeaderEpoch : KafkaError::kNone;
}

}  // namespace headrace::kafka
