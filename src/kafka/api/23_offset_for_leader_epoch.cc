// OffsetForLeaderEpoch (23): tells where a leader epoch ended, so that consumers notice a truncated log (KIP-320).
//
// Behavior:
// - The current epoch ends at the high watermark. Epochs that never were answer epoch -1 and offset -1.
//
// Version notes:
// - 2 takes the client's current epoch, 3 the replica id, 4 is flexible.
#include "wire/kafka/messages/23_offset_for_leader_epoch.h"
#include "kafka/api.h"
#include "kafka/topics.h"

namespace headrace::kafka {
namespace {

using wire::kafka::OffsetForLeaderEpochRequest;
using wire::kafka::OffsetForLeaderEpochResponse;

void offset_for_leader_epoch(const Call& call, OffsetForLeaderEpochRequest request,
                             Reply<OffsetForLeaderEpochResponse> reply) {
  OffsetForLeaderEpochResponse response;
  for (const auto& topic : request.topics) {
    auto& out = response.topics.emplace_back();
    out.topic = topic.topic;
    for (const auto& wanted : topic.partitions) {
      auto& answered = out.partitions.emplace_back();
      answered.partition = wanted.partition;
      auto partition = call.server.broker.partition({topic.topic, PartitionId(wanted.partition)});
      KafkaError error = partition ? check_leader_epoch(*partition, wanted.current_leader_epoch)
                                   : KafkaError::kUnknownTopicOrPartition;
      answered.error_code = wire_code(error);
      if (error != KafkaError::kNone || wanted.leader_epoch != leader_epoch(*partition)) continue;
      answered.leader_epoch = wanted.leader_epoch;
      answered.end_offset = partition->high_watermark().value;
    }
  }
  reply(response);
}

}  // namespace

const Api& api_23() {
  static const Api api = make_api<23, offset_for_leader_epoch>({.name = "OffsetForLeaderEpoch", .versions = "2-4"});
  return api;
}

}  // namespace headrace::kafka
