// DescribeProducers (61): lists the producers that are known to partitions (KIP-664).
//
// Behavior:
// - Every idempotent producer whose state the partition still keeps, with the offset where its open transaction began.
#include "wire/kafka/messages/61_describe_producers.h"
#include "kafka/api.h"
#include "kafka/errors.h"
#include "kafka/repeated.h"

namespace headrace::kafka {
namespace {

using wire::kafka::DescribeProducersRequest;
using wire::kafka::DescribeProducersResponse;
using PartitionResponse = DescribeProducersResponse::TopicResponse::PartitionResponse;

void describe(const broker::Partition& partition, PartitionResponse& out) {
  for (const log::ProducerInfo& producer : partition.log().producers()) {
    auto& state = out.active_producers.emplace_back();
    state.producer_id = producer.producer_id.value;
    state.producer_epoch = producer.epoch;
    state.last_sequence = producer.last_sequence;
    state.last_timestamp = producer.last_timestamp_ms;
    state.coordinator_epoch = producer.coordinator_epoch;
    bool open = producer.transaction_first_offset != kNoOffset;
    state.current_txn_start_offset = open ? producer.transaction_first_offset.value : -1;
  }
}

void describe_producers(const Call& call, DescribeProducersRequest request, Reply<DescribeProducersResponse> reply) {
  DescribeProducersResponse response;
  drop_repeated(request.topics, [](const auto& topic) { return topic.name; });
  for (auto& topic : request.topics) {
    drop_repeated(topic.partition_indexes);
    auto& out = response.topics.emplace_back();
    out.name = topic.name;
    for (int32_t index : topic.partition_indexes) {
      auto& described = out.partitions.emplace_back();
      described.partition_index = index;
      auto partition = call.server.broker.partition({topic.name, PartitionId(index)});
      if (partition) {
        describe(*partition, described);
      } else {
        described.error_code = wire_code(KafkaError::kUnknownTopicOrPartition);
      }
    }
  }
  reply(response);
}

}  // namespace

const Api& api_61() {
  static const Api api = make_api<61, describe_producers>({.name = "DescribeProducers", .versions = "0"});
  return api;
}

}  // namespace headrace::kafka
