// ElectLeaders (43): elects leaders of partitions.
//
// Behavior:
// - The one broker leads every partition: ELECTION_NOT_NEEDED for those that are named, and nothing to tell when
//   all are meant (null), as Kafka leaves partitions out then whose leader is the preferred one.
//
// Version notes:
// - 1 adds the kind of election (preferred or unclean), 2 is flexible.
#include "wire/kafka/messages/43_elect_leaders.h"
#include "kafka/api.h"
#include "kafka/errors.h"
#include "kafka/repeated.h"

namespace headrace::kafka {
namespace {

using wire::kafka::ElectLeadersRequest;
using wire::kafka::ElectLeadersResponse;

constexpr int8_t kUncleanElection = 1;

void elect_leaders(const Call& call, ElectLeadersRequest request, Reply<ElectLeadersResponse> reply) {
  ElectLeadersResponse response;
  if (request.election_type < 0 || request.election_type > kUncleanElection) {
    response.error_code = wire_code(KafkaError::kInvalidRequest);
    return reply(response);
  }
  if (!request.topic_partitions) return reply(response);
  drop_repeated(*request.topic_partitions, [](const auto& topic) -> const std::string& { return topic.topic; });
  for (auto& topic : *request.topic_partitions) {
    drop_repeated(topic.partitions);
    auto& out = response.replica_election_results.emplace_back();
    out.topic = topic.topic;
    for (int32_t index : topic.partitions) {
      TopicPartition tp{topic.topic, PartitionId(index)};
      bool known = call.server.broker.partition(tp) != nullptr;
      KafkaError error = known ? KafkaError::kElectionNotNeeded : KafkaError::kUnknownTopicOrPartition;
      out.partition_result.push_back(
          {index, wire_code(error), known ? "the one broker leads it" : broker::no_such_partition(tp).message});
    }
  }
  reply(response);
}

}  // namespace

const Api& api_43() {
  static const Api api = make_api<43, elect_leaders>({.name = "ElectLeaders", .versions = "0-2"});
  return api;
}

}  // namespace headrace::kafka
