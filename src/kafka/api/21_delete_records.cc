// DeleteRecords (21): drops the records before an offset.
//
// Behavior:
// - Offset -1 means the high watermark. The new log start is on the disk when the answer comes. Compacted topics refuse
//   with POLICY_VIOLATION, unless they also delete.
//
// Version notes:
// - 2 is flexible.
#include "wire/kafka/messages/21_delete_records.h"
#include "kafka/api.h"
#include "kafka/topics.h"

namespace headrace::kafka {
namespace {

using wire::kafka::DeleteRecordsRequest;
using wire::kafka::DeleteRecordsResponse;
using PartitionResponse = DeleteRecordsResponse::TopicResult::PartitionResult;

constexpr int64_t kNoLowWatermark = -1;

PartitionResponse delete_records_of(broker::Partition* partition,
                                    const DeleteRecordsRequest::Topic::Partition& wanted) {
  PartitionResponse out{wanted.partition_index, kNoLowWatermark, 0};
  if (!partition) {
    out.error_code = wire_code(KafkaError::kUnknownTopicOrPartition);
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
  call.run_blocking([&broker = call.server.broker, request = std::move(request), reply = std::move(reply)]() mutable {
    DeleteRecordsResponse response;
    for (const auto& topic : request.topics) {
      auto& out = response.topics.emplace_back();
      out.name = topic.name;
      for (const auto& wanted : topic.partitions) {
        auto partition = broker.partition({topic.name, PartitionId(wanted.partition_index)});
        out.partitions.push_back(delete_records_of(partition.get(), wanted));
      }
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
