// AddPartitionsToTxn (24): adds partitions to a transaction, beginning it with the first.
//
// Behavior:
// - All or none: when a partition does not exist, it answers UNKNOWN_TOPIC_OR_PARTITION, and one of the broker's own
//   topics TOPIC_AUTHORIZATION_FAILED; the others answer OPERATION_NOT_ATTEMPTED then. AddOffsetsToTxn is the way for
//   offsets.
//
// Version notes:
// - 2 answers PRODUCER_FENCED where older clients know INVALID_PRODUCER_EPOCH, 3 is flexible. 4 and above are for
//   brokers among themselves and not served.
#include "wire/kafka/messages/24_add_partitions_to_txn.h"
#include "kafka/api.h"
#include "kafka/errors.h"

namespace headrace::kafka {
namespace {

using broker::CoordinatorError;
using wire::kafka::AddPartitionsToTxnRequest;
using wire::kafka::AddPartitionsToTxnResponse;

constexpr int16_t kProducerFencedSince = 2;

AddPartitionsToTxnResponse response_for(const AddPartitionsToTxnRequest& request) {
  AddPartitionsToTxnResponse response;
  for (const auto& topic : request.v3_and_below_topics) {
    auto& out = response.results_by_topic_v3_and_below.emplace_back();
    out.name = topic.name;
    for (int32_t index : topic.partitions) out.results_by_partition.push_back({index, 0});
  }
  return response;
}

void set_all(AddPartitionsToTxnResponse& response, KafkaError error) {
  for (auto& topic : response.results_by_topic_v3_and_below) {
    for (auto& partition : topic.results_by_partition) partition.partition_error_code = wire_code(error);
  }
}

KafkaError check(const broker::Topic* topic, int32_t partition) {
  if (topic && topic->internal) return KafkaError::kTopicAuthorizationFailed;
  bool known = topic && topic->partition(PartitionId(partition));
  return known ? KafkaError::kNone : KafkaError::kUnknownTopicOrPartition;
}

/// Marks partitions that can't be added; false when there are some.
bool check_all(const broker::Broker& broker, AddPartitionsToTxnResponse& response) {
  bool all_fine = true;
  for (auto& topic : response.results_by_topic_v3_and_below) {
    auto found = broker.topic(topic.name);
    for (auto& partition : topic.results_by_partition) {
      KafkaError error = check(found.get(), partition.partition_index);
      bool fine = error == KafkaError::kNone;
      partition.partition_error_code = wire_code(fine ? KafkaError::kOperationNotAttempted : error);
      all_fine = all_fine && fine;
    }
  }
  return all_fine;
}

void add_partitions_to_txn(const Call& call, AddPartitionsToTxnRequest request,
                           Reply<AddPartitionsToTxnResponse> reply) {
  auto response = response_for(request);
  if (!check_all(call.server.broker, response)) return reply(response);
  std::vector<TopicPartition> partitions;
  for (const auto& topic : request.v3_and_below_topics) {
    for (int32_t index : topic.partitions) partitions.push_back({topic.name, PartitionId(index)});
  }
  call.server.broker.transactions().add_partitions(
      request.v3_and_below_transactional_id,
      {ProducerId(request.v3_and_below_producer_id), request.v3_and_below_producer_epoch}, std::move(partitions),
      broker::Joined::kOnDisk,
      [response = std::move(response), reply = std::move(reply),
       version = call.version](CoordinatorError error) mutable {
        set_all(response, to_kafka(error, version, kProducerFencedSince));
        reply(response);
      });
}

}  // namespace

const Api& api_24() {
  static const Api api = make_api<24, add_partitions_to_txn>({.name = "AddPartitionsToTxn", .versions = "0-3"});
  return api;
}

}  // namespace headrace::kafka
