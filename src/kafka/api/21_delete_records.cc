// DeleteRecords (21): drops the records before an offset.
//
// Behavior:
// - Offset -1 means the high watermark. The new log start is on the disk when the answer comes. Compacted topics refuse
//   with POLICY_VIOLATION, unless they also delete, and the broker's own topics with INVALID_TOPIC_EXCEPTION.
//
// Version notes:
// - 2 is flexible.
#include "wire/kafka/messages/21_delete_records.h"
#include "kafka/api.h"
#include "kafka/repeated.h"
#include "kafka/topics.h"

namespace headrace::kafka {
namespace {

using wire::kafka::DeleteRecordsRequest;
using wire::kafka::DeleteRecordsResponse;
using PartitionResponse = DeleteRecordsResponse::TopicResult::PartitionResult;

constexpr int64_t kNoLowWatermark = -1;

/// `topic` may be null.
PartitionResponse delete_records_of(const broker::Topic* topic, const DeleteRecordsRequest::Topic::Partition& wanted) {
  PartitionResponse out{wanted.partition_index, kNoLowWatermark, 0};
  auto partition = topic ? topic->partition(PartitionId(wanted.partition_index)) : nullptr;
  if (!partition) {
    out.error_code = wire_code(KafkaError::kUnknownTopicOrPartition);
  } else if (topic->internal) {
    out.error_code = wire_code(KafkaError::kInvalidTopic);
  } else if (!partition->config().log.delete_enabled) {
    out.error_code = wire_code(KafkaError::kPolicyViolation);
  } else if (auto start = partition->log().delete_records(Offset(wanted.offset)); start.ok()) {
    out.low_watermark = start->value;
  } else {
    out.error_code = wire_code(start.error().code);
  }
  return out;
}

void delete_records(const Call& call, DeleteRecordsRequest request, Reply<DeleteRecordsResponse> reply) {
  using Topic = DeleteRecordsRequest::Topic;
  keep_last_of_each_partition(request.topics, &Topic::name, &Topic::Partition::partition_index);
  call.run_blocking([&broker = call.server.broker, request = std::move(request), reply = std::move(reply)]() mutable {
    DeleteRecordsResponse response;
    for (const auto& topic : request.topics) {
      auto& out = response.topics.emplace_back();
      out.name = topic.name;
      auto found = broker.topic(topic.name);
      for (const auto& wanted : topic.partitions) out.partitions.push_back(delete_records_of(found.get(), wanted));
    }
    reply(response);
  });
}

}  // namespace

const Api& api_21() {
  static const Api api = make_api<21, delete_records>({.name = "DeleteRecords", .versions = "0-2"});
  return api;
}

}  // namespace headrace::kafka
