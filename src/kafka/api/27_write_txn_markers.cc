// WriteTxnMarkers (27): ends transactions in partitions, whatever their coordinator knows (KIP-664): what
// `kafka-transactions abort` sends for one that hangs. Coordinators of a cluster send it too; here there is only one,
// which needs no request.
//
// Behavior:
// - Each partition on its own, answered when its marker is on the disk. A partition of offsets also takes over or
//   forgets those that the transaction committed.
// - INVALID_TOPIC_EXCEPTION: the broker's own topics but the one of offsets, in which no transaction has a part.
// - INVALID_PRODUCER_EPOCH: the partition has seen a newer epoch of the producer. TRANSACTION_COORDINATOR_FENCED: its
//   last marker came from a newer coordinator.
// - Markers of transaction version 2 carry an epoch of their own: the one that the partition knows is an old
//   transaction's, and answered as done if that has ended (KIP-1228).
//
// Version notes:
// - 1 is flexible, 2 adds the transaction version.
#include "wire/kafka/messages/27_write_txn_markers.h"
#include "kafka/api.h"
#include "kafka/errors.h"

namespace headrace::kafka {
namespace {

using wire::kafka::WriteTxnMarkersRequest;
using wire::kafka::WriteTxnMarkersResponse;
using Marker = WriteTxnMarkersRequest::WritableTxnMarker;

constexpr int8_t kOwnEpochSince = 2;

struct FoundPartition {
  std::shared_ptr<broker::Partition> partition;  ///< Null: none.
  KafkaError error = KafkaError::kNone;
};

/// The partition where a marker may be written.
FoundPartition find(const broker::Broker& broker, const TopicPartition& tp) {
  auto topic = broker.topic(tp.topic);
  if (topic && !topic->takes_transactions()) return {nullptr, KafkaError::kInvalidTopic};
  auto partition = topic ? topic->partition(tp.partition) : nullptr;
  if (!partition) return {nullptr, KafkaError::kUnknownTopicOrPartition};
  return {std::move(partition)};
}

/// What the partition's state says before anything is written; nothing: write.
std::optional<KafkaError> judge(const broker::Partition& partition, const Marker& marker) {
  auto known = partition.log().producer(ProducerId(marker.producer_id));
  if (!known) return std::nullopt;
  if (known->epoch > marker.producer_epoch) return KafkaError::kInvalidProducerEpoch;
  if (marker.transaction_version >= kOwnEpochSince && known->epoch == marker.producer_epoch) {
    bool ended = known->transaction_first_offset == kNoOffset;
    return ended ? KafkaError::kNone : KafkaError::kInvalidProducerEpoch;
  }
  if (known->coordinator_epoch > marker.coordinator_epoch) return KafkaError::kTransactionCoordinatorFenced;
  return std::nullopt;
}

/// A request at work. The answers of partitions come from any thread, each to a place of its own.
struct Work {
  explicit Work(Reply<WriteTxnMarkersResponse> to) : reply(std::move(to)) {}
  void done_one() {
    if (left.fetch_sub(1) == 1) reply(response);
  }

  WriteTxnMarkersResponse response;
  Reply<WriteTxnMarkersResponse> reply;
  std::atomic<size_t> left{1};  ///< Partitions without an answer, and one for the handler while it is at work.
};

void write(broker::Broker& broker, const Marker& marker, const TopicPartition& tp, std::shared_ptr<Work> work,
           int16_t& error_code) {
  FoundPartition found = find(broker, tp);
  auto judged = found.partition ? judge(*found.partition, marker) : found.error;
  if (judged) {
    error_code = wire_code(*judged);
    return work->done_one();
  }
  broker.transactions().write_marker(tp, {ProducerId(marker.producer_id), marker.producer_epoch},
                                     marker.transaction_result, marker.coordinator_epoch,
                                     [work = std::move(work), &error_code](const Status& written) {
                                       error_code = wire_code(written);
                                       work->done_one();
                                     });
}

/// Places for all answers, which stay where they are.
WriteTxnMarkersResponse response_for(const WriteTxnMarkersRequest& request) {
  WriteTxnMarkersResponse response;
  for (const Marker& marker : request.markers) {
    auto& result = response.markers.emplace_back();
    result.producer_id = marker.producer_id;
    for (const auto& topic : marker.topics) {
      auto& out = result.topics.emplace_back();
      out.name = topic.name;
      for (int32_t index : topic.partition_indexes) out.partitions.push_back({index, 0});
    }
  }
  return response;
}

void write_txn_markers(const Call& call, WriteTxnMarkersRequest request, Reply<WriteTxnMarkersResponse> reply) {
  auto work = std::make_shared<Work>(std::move(reply));
  work->response = response_for(request);
  for (size_t m = 0; m < request.markers.size(); ++m) {
    for (auto& topic : work->response.markers[m].topics) {
      for (auto& partition : topic.partitions) {
        ++work->left;
        write(call.server.broker, request.markers[m], {topic.name, PartitionId(partition.partition_index)}, work,
              partition.error_code);
      }
    }
  }
  work->done_one();
}

}  // namespace

const Api& api_27() {
  static const Api api = make_api<27, write_txn_markers>({.name = "WriteTxnMarkers", .versions = "1-2"});
  return api;
}

}  // namespace headrace::kafka
