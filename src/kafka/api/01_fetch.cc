// Fetch (1): reads record batches from partitions, and waits for them.
//
// Behavior:
// - Answers when min_bytes are there, a partition has an error, or max_wait_ms is over. Whole batches are sent from
//   where the log has them in memory; the first may begin before the offset asked for.
// - max_bytes and partition_max_bytes are honoured, except that the first batch of the response is always sent
//   (KIP-74).
// - read_committed readers see nothing at or above the last stable offset, and are told the aborted transactions.
// - No fetch sessions (KIP-227): the session id is always 0, which makes clients name all partitions each time.
// - Requests of followers (a replica id) are refused: there are none.
//
// Version notes:
// - 7 adds sessions, 9 the leader epoch, 11 the rack, 12 is flexible, 13 names topics by id, 15 moves the replica id
//   into a tagged field.
#include <algorithm>

#include "broker/data_waiter.h"
#include "kafka/api.h"
#include "kafka/topics.h"
#include "wire/kafka/messages/01_fetch.h"

namespace headrace::kafka {
namespace {

using wire::kafka::FetchRequest;
using wire::kafka::FetchResponse;
using PartitionRequest = FetchRequest::Topic::Partition;
using PartitionData = FetchResponse::FetchableTopicResponse::PartitionData;

constexpr int16_t kTopicIdsSince = 13;
/// The most that one response carries, whatever the client asks for: Kafka's fetch.max.bytes of brokers.
constexpr int32_t kFetchBytesMax = 55 << 20;
/// The longest wait; clients ask for less. Bounds how long a vanished client's fetch is remembered.
constexpr int32_t kFetchWaitMsMax = 60'000;

/// A fetch from its request to its response; on the connection's loop, except that partitions fire its waiter anywhere.
class Fetch : public std::enable_shared_from_this<Fetch> {
 public:
  Fetch(const Call& call, FetchRequest request, Reply<FetchResponse> reply)
      : broker_(call.server.broker),
        loop_(call.loop),
        by_id_(call.version >= kTopicIdsSince),
        request_(std::move(request)),
        reply_(std::move(reply)),
        isolation_(request_.isolation_level == 0 ? bus::Isolation::kReadUncommitted : bus::Isolation::kReadCommitted) {}

  void start() {
    read();
    if (failed_ || total_bytes_ >= request_.min_bytes || request_.max_wait_ms <= 0 || readers_.empty()) return answer();
    wait();
  }

 private:
  struct Reader {
    std::shared_ptr<broker::Partition> partition;
    Offset next;
  };

  void read() {
    response_ = FetchResponse();
    readers_.clear();
    total_bytes_ = 0;
    response_.responses.reserve(request_.topics.size());
    for (const auto& topic : request_.topics) {
      auto& out = response_.responses.emplace_back();
      out.topic = topic.topic;
      out.topic_id = topic.topic_id;
      out.partitions.reserve(topic.partitions.size());
      auto found = find_topic(broker_, topic.topic, topic.topic_id, by_id_);
      for (const auto& partition : topic.partitions) {
        PartitionData& data = out.partitions.emplace_back();
        data.partition_index = partition.partition;
        KafkaError error = found.topic ? read_partition(*found.topic, partition, data) : found.error;
        if (error != KafkaError::kNone) set_error(data, error);
      }
    }
  }

  KafkaError read_partition(const broker::Topic& topic, const PartitionRequest& request, PartitionData& out) {
    auto partition = topic.partition(PartitionId(request.partition));
    if (!partition) return KafkaError::kUnknownTopicOrPartition;
    KafkaError epoch_error = check_leader_epoch(*partition, request.current_leader_epoch);
    if (epoch_error != KafkaError::kNone) return epoch_error;

    int64_t room = std::max<int64_t>(0, std::min(request_.max_bytes, kFetchBytesMax) - total_bytes_);
    int64_t wanted = std::min<int64_t>(std::max(request.partition_max_bytes, 0), room);
    bool first = total_bytes_ == 0;
    Offset offset(request.fetch_offset);
    if (wanted == 0 && !first) return describe_only(*partition, offset, out);
    auto read = partition->read(offset, static_cast<size_t>(wanted), isolation_);
    if (!read.ok()) {
      out.log_start_offset = partition->log_start().value;
      out.high_watermark = partition->high_watermark().value;
      return to_kafka(read.error().code);
    }
    out.high_watermark = read->high_watermark.value;
    out.last_stable_offset = read->last_stable.value;
    out.log_start_offset = read->log_start.value;
    set_aborted(out, read->aborted);
    bool fits = first || static_cast<int64_t>(read->batches.size()) <= room;
    out.records = wire::kafka::Records(fits ? std::move(read->batches) : SharedBytes());
    total_bytes_ += static_cast<int64_t>(out.records.size());
    readers_.push_back({std::move(partition), fits ? read->next_offset : offset});
    return KafkaError::kNone;
  }

  /// The offsets of a partition for whose records the response has no room left.
  KafkaError describe_only(broker::Partition& partition, Offset offset, PartitionData& out) {
    out.high_watermark = partition.high_watermark().value;
    out.last_stable_offset = partition.last_stable().value;
    out.log_start_offset = partition.log_start().value;
    if (offset < partition.log_start() || offset > partition.log().log_end_offset())
      return KafkaError::kOffsetOutOfRange;
    set_aborted(out, {});
    out.records = wire::kafka::Records(SharedBytes());
    return KafkaError::kNone;
  }

  void set_aborted(PartitionData& out, const std::vector<log::AbortedTransaction>& aborted) const {
    out.aborted_transactions.reset();
    if (isolation_ != bus::Isolation::kReadCommitted) return;
    auto& list = out.aborted_transactions.emplace();
    for (const auto& one : aborted) list.push_back({one.producer_id.value, one.first_offset.value});
  }

  void set_error(PartitionData& out, KafkaError error) {
    failed_ = true;
    out.error_code = wire_code(error);
    if (error != KafkaError::kOffsetOutOfRange) out.high_watermark = -1;
    out.records = wire::kafka::Records(SharedBytes());
  }

  void wait() {
    auto self = shared_from_this();
    waiter_ = std::make_shared<broker::DataWaiter>(request_.min_bytes - total_bytes_,
                                                   [self] { self->loop_.post([self] { self->read_again(); }); });
    auto wait = std::chrono::milliseconds(std::min(request_.max_wait_ms, kFetchWaitMsMax));
    timer_ = loop_.after(wait, [self] {
      if (self->waiter_->cancel()) self->read_again();
    });
    for (auto& reader : readers_) reader.partition->add_waiter(waiter_, reader.next, isolation_);
    readers_.clear();
  }

  void read_again() {
    auto self = shared_from_this();  // The timer's task may hold the last reference.
    timer_.reset();
    waiter_.reset();
    read();
    answer();
  }

  void answer() {
    readers_.clear();
    reply_(response_);
    response_ = FetchResponse();  // Partitions may hold a cancelled waiter, and with it this fetch, for a while.
  }

  broker::Broker& broker_;
  net::EventLoop& loop_;
  bool by_id_;
  FetchRequest request_;
  Reply<FetchResponse> reply_;
  bus::Isolation isolation_;

  FetchResponse response_;
  std::vector<Reader> readers_;
  int64_t total_bytes_ = 0;
  bool failed_ = false;
  std::shared_ptr<broker::DataWaiter> waiter_;
  std::unique_ptr<net::EventLoop::Timer> timer_;
};

void fetch(const Call& call, FetchRequest request, Reply<FetchResponse> reply) {
  FetchResponse refusal;
  if (request.session_id != 0) {
    refusal.error_code = wire_code(KafkaError::kFetchSessionIdNotFound);
    return reply(refusal);
  }
  if (request.replica_id >= 0 || request.replica_state.replica_id >= 0) {
    refusal.error_code = wire_code(KafkaError::kClusterAuthorizationFailed);
    return reply(refusal);
  }
  std::make_shared<Fetch>(call, std::move(request), std::move(reply))->start();
}

}  // namespace

const Api& api_1() {
  static const Api api = make_api<1, fetch>({.name = "Fetch", .versions = "4-18"});
  return api;
}

}  // namespace headrace::kafka
