// ListOffsets (2): looks offsets up: the first, the last, or by time.
//
// Behavior:
// - timestamp -1: the end that the client may read (the last stable offset for read_committed); -2 and -4: the start;
//   -3: the record with the largest timestamp; -5 and -6 are about tiered storage, of which there is none; else the
//   first record at or after the time.
// - Offset -1 and timestamp -1 say that no record answers the question.
// - A special timestamp that came with a later version is answered with UNSUPPORTED_VERSION.
//
// Version notes:
// - 2 adds the isolation level, 4 leader epochs, 6 is flexible, 7 adds -3, 8 -4, 9 -5, 10 a time-out, 11 -6.
#include "wire/kafka/messages/02_list_offsets.h"

#include <algorithm>

#include "kafka/api.h"
#include "kafka/repeated.h"
#include "kafka/topics.h"

namespace headrace::kafka {
namespace {

using wire::kafka::ListOffsetsRequest;
using wire::kafka::ListOffsetsResponse;
using PartitionRequest = ListOffsetsRequest::Topic::Partition;
using PartitionResponse = ListOffsetsResponse::TopicResponse::PartitionResponse;

constexpr int64_t kLatest = -1;
constexpr int64_t kEarliest = -2;
constexpr int64_t kMaxTimestamp = -3;
constexpr int64_t kEarliestLocal = -4;
constexpr int64_t kLatestTiered = -5;
constexpr int64_t kEarliestPendingUpload = -6;
constexpr log::TimestampOffset kNothing{kNoOffset, -1};

/// The version that a special timestamp came with.
int16_t since(int64_t timestamp) {
  switch (timestamp) {
    case kMaxTimestamp: return 7;
    case kEarliestLocal: return 8;
    case kLatestTiered: return 9;
    case kEarliestPendingUpload: return 11;
    default: return 0;
  }
}

Result<log::TimestampOffset> look_up(broker::Partition& partition, int64_t timestamp, bus::Isolation isolation) {
  auto readable = [&](const log::TimestampOffset& found) {
    return found.timestamp_ms < 0 || found.offset >= partition.readable_end(isolation) ? kNothing : found;
  };
  switch (timestamp) {
    case kLatest: return log::TimestampOffset{partition.readable_end(isolation), -1};
    case kEarliest:
    case kEarliestLocal: return log::TimestampOffset{partition.log_start(), -1};
    case kLatestTiered:
    case kEarliestPendingUpload: return kNothing;
    case kMaxTimestamp: {
      ASSIGN_OR_RETURN(auto found, partition.log().max_timestamp());
      return readable(found.value_or(kNothing));
    }
    default: break;
  }
  if (timestamp < 0) return Error{ErrorCode::kUnsupported, "no such special timestamp"};
  ASSIGN_OR_RETURN(auto found, partition.offset_for({bus::OffsetQuery::Kind::kTimestamp, timestamp}, isolation));
  return readable(found);
}

void answer(broker::Partition& partition, const PartitionRequest& request, bus::Isolation isolation, int16_t version,
            PartitionResponse& out) {
  if (version < since(request.timestamp)) return void(out.error_code = wire_code(KafkaError::kUnsupportedVersion));
  KafkaError epoch_error = check_leader_epoch(partition, request.current_leader_epoch);
  if (epoch_error != KafkaError::kNone) return void(out.error_code = wire_code(epoch_error));
  auto found = look_up(partition, request.timestamp, isolation);
  if (!found.ok()) return void(out.error_code = wire_code(partition_error(found.error().code)));
  out.offset = found->offset.value;
  out.timestamp = found->timestamp_ms;
  out.leader_epoch = leader_epoch(partition);
}

/// Whether indexes and records on the disk are to be read.
bool needs_the_disk(const ListOffsetsRequest& request) {
  auto by_time = [](const PartitionRequest& wanted) {
    return wanted.timestamp >= 0 || wanted.timestamp == kMaxTimestamp;
  };
  return std::any_of(request.topics.begin(), request.topics.end(), [&](const ListOffsetsRequest::Topic& topic) {
    return std::any_of(topic.partitions.begin(), topic.partitions.end(), by_time);
  });
}

ListOffsetsResponse answer_all(const broker::Broker& broker, const ListOffsetsRequest& request, int16_t version) {
  ListOffsetsResponse response;
  auto isolation = request.isolation_level == 0 ? bus::Isolation::kReadUncommitted : bus::Isolation::kReadCommitted;
  for (const auto& topic : request.topics) {
    auto& out = response.topics.emplace_back();
    out.name = topic.name;
    auto found = broker.topic(topic.name);
    for (const auto& wanted : topic.partitions) {
      auto& answered = out.partitions.emplace_back();
      answered.partition_index = wanted.partition_index;
      auto partition = found ? found->partition(PartitionId(wanted.partition_index)) : nullptr;
      if (partition) {
        answer(*partition, wanted, isolation, version, answered);
      } else {
        answered.error_code = wire_code(KafkaError::kUnknownTopicOrPartition);
      }
    }
  }
  return response;
}

void list_offsets(const Call& call, ListOffsetsRequest request, Reply<ListOffsetsResponse> reply) {
  keep_last_of_each_partition(request.topics, &ListOffsetsRequest::Topic::name, &PartitionRequest::partition_index);
  if (!needs_the_disk(request)) return reply(answer_all(call.server.broker, request, call.version));
  call.run_blocking([&broker = call.server.broker, request = std::move(request), reply = std::move(reply),
                     version = call.version]() mutable { reply(answer_all(broker, request, version)); });
}

}  // namespace

const Api& api_2() {
  static const Api api = make_api<2, list_offsets>({.name = "ListOffsets", .versions = "1-11"});
  return api;
}

}  // namespace headrace::kafka
