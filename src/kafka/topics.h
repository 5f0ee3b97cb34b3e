// Topics between the broker's terms and the protocol's.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "broker/broker.h"
#include "kafka/errors.h"
#include "wire/kafka/schema.h"

namespace headrace::kafka {

inline wire::kafka::Uuid to_wire(const broker::Uuid& id) { return {id.bytes}; }
inline broker::Uuid from_wire(const wire::kafka::Uuid& id) { return {id.bytes}; }

/// A topic named in a request, by id from the version on in which the API has ids.
struct FoundTopic {
  std::shared_ptr<const broker::Topic> topic;  ///< Null: not found.
  KafkaError error = KafkaError::kNone;
};
FoundTopic find_topic(const broker::Broker& broker, const std::string& name, const wire::kafka::Uuid& id, bool by_id);

/// The epoch that clients are told for a partition's leader.
int32_t leader_epoch(const broker::Partition& partition);

/// The replicas that are in sync: this broker, unless the partition's log takes no more records. There it leads on, as
/// what was acknowledged can be read, but what was appended last may not be on its disk.
std::vector<int32_t> in_sync_replicas(const broker::Partition& partition);

/// Whether a client's view of the leader epoch (-1: none) fits ours (KIP-320).
KafkaError check_leader_epoch(const broker::Partition& partition, int32_t current_leader_epoch);

/// Sets of allowed operations, as bits (KIP-430): everything, since there are no ACLs.
inline constexpr int32_t kTopicOperations = 0xdf8;
inline constexpr int32_t kClusterOperations = 0x1fa0;
inline constexpr int32_t kGroupOperations = 0xd48;

}  // namespace headrace::kafka
