// OffsetForLeaderEpoch (23): tells where a leader epoch ended, so that consumers notice a truncated log (KIP-320).
//
// Behavior:
// - An epoch ends where the first batch of a later one begins, the last one at the high watermark. One that has no
//   records answers as the last before it that has some; one to come answers epoch -1 and offset -1.
//
// Version notes:
// - 2 takes the client's current epoch, 3 the replica id, 4 is flexible.
#include "wire/kafka/messages/23_offset_for_leader_epoch.h"
#include "broker/leader_epochs.h"
#include "kafka/api.h"
#include "kafka/repeated.h"
#include "kafka/topics.h"

namespace headrace::kafka {
namespace {

using wire::kafka::OffsetForLeaderEpochRequest;
using wire::kafka::OffsetForLeaderEpochResponse;

using TopicRequest = OffsetForLeaderEpochRequest::OffsetForLeaderTopic;
using TopicResponse = OffsetForLeaderEpochResponse::OffsetForLeaderTopicResult;

KafkaError answer(broker::Broker& broker, const std::string& topic,
                  const TopicRequest::OffsetForLeaderPartition& wanted, TopicResponse::EpochEndOffset& out) {
  auto partition = broker.partition({topic, PartitionId(wanted.partition)});
  if (!partition) return KafkaError::kUnknownTopicOrPartition;
  KafkaError error = check_leader_epoch(*partition, wanted.current_leader_epoch);
  if (error != KafkaError::kNone) return error;
  auto found = broker::end_of_epoch(*partition, LeaderEpoch(wanted.leader_epoch));
  if (!found.ok()) return partition_error(found.error().code);
  if (!*found) return KafkaError::kNone;
  out.leader_epoch = (*found)->epoch.value;
  out.end_offset = (*found)->end.value;
  return KafkaError::kNone;
}

void offset_for_leader_epoch(const Call& call, OffsetForLeaderEpochRequest request,
                             Reply<OffsetForLeaderEpochResponse> reply) {
  keep_last_of_each_partition(request.topics, &TopicRequest::topic, &TopicRequest::OffsetForLeaderPartition::partition);
  call.run_blocking([&broker = call.server.broker, request = std::move(request), reply = std::move(reply)]() mutable {
    OffsetForLeaderEpochResponse response;
    for (const auto& topic : request.topics) {
      auto& out = response.topics.emplace_back();
      out.topic = topic.topic;
      for (const auto& wanted : topic.partitions) {
        auto& answered = out.partitions.emplace_back();
        answered.partition = wanted.partition;
        answered.error_code = wire_code(answer(broker, topic.topic, wanted, answered));
      }
    }
    reply(response);
  });
}

}  // namespace

const Api& api_23() {
  static const Api api = make_api<23, offset_for_leader_epoch>({.name = "OffsetForLeaderEpoch", .versions = "2-4"});
  return api;
}

}  // namespace headrace::kafka
