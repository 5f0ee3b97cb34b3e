// The consumer: assigned partitions through librdkafka's one consumer queue, which its limit in bytes then covers.
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <span>

#include "base/logging.h"
#include "bus_kafka/internal/parts.h"
#include "record/batch_builder.h"

namespace headrace::bus_kafka {
namespace {

/// Messages taken from librdkafka at once.
constexpr size_t kMessagesMax = 1'000;
/// The batches that poll() makes of them are finished from this size on, in bytes.
constexpr size_t kBatchBytesMax = 1 << 20;
/// How long to wait for a partition's bounds after its position fell out of them.
constexpr int kWatermarksTimeoutMs = 10'000;

/// A consumer's librdkafka client and its one queue.
struct Client {
  explicit Client(Handle h) : handle(std::move(h)) {
    rd_kafka_poll_set_consumer(handle.get());
    queue.reset(rd_kafka_queue_get_consumer(handle.get()));
  }
  Handle handle;
  Owned<rd_kafka_queue_t> queue;  // Destroyed before the handle.
};

class KafkaConsumer final : public bus::Consumer {
 public:
  KafkaConsumer(Properties defaults, Properties properties, Properties fixed, size_t fetch_bytes_max)
      : defaults_(std::move(defaults)),
        properties_(std::move(properties)),
        fixed_(std::move(fixed)),
        fetch_bytes_max_(fetch_bytes_max) {}

  Status open();
  Status assign(std::vector<bus::Position> positions) override;
  Result<bus::PollResult> poll(std::chrono::milliseconds timeout) override;
  void wake() override {
    std::lock_guard lock(client_mutex_);
    woken_ = true;
    rd_kafka_queue_yield(client_->queue.get());
  }

 private:
  struct Partition {
    Offset next;  ///< Behind the last record handed out.
    record::BatchBuilder builder;
    bool moved = false;
  };

  size_t take(std::chrono::milliseconds timeout, size_t count, bus::PollResult& result, size_t& bytes);
  void take_message(const rd_kafka_message_t& message, bus::PollResult& result, size_t& bytes);
  void take_error(const rd_kafka_message_t& message, bus::PollResult& result);
  void add_record(Partition& partition, const rd_kafka_message_t& message);
  void finish(const TopicPartition& tp, Partition& partition, bus::PollResult& result);
  void reset_out_of_range(bus::PollResult& result);
  Status assign_from_next();

  const Properties defaults_, properties_, fixed_;
  const size_t fetch_bytes_max_;
  std::mutex client_mutex_;  ///< Guards the pointer against wake(); the object belongs to the one thread.
  std::unique_ptr<Client> client_;
  bool assigned_ = false;
  std::map<TopicPartition, Partition> partitions_;
  std::set<TopicPartition> out_of_range_;  ///< To be set back to where their logs begin.
  std::optional<Error> error_;             ///< To be reported when no records come with it.
  std::vector<record::Header> headers_;    ///< Reused.
  std::atomic<bool> woken_{false};
};

Status KafkaConsumer::assign(std::vector<bus::Position> positions) {
  partitions_.clear();
  out_of_range_.clear();
  error_.reset();
  for (const bus::Position& p : positions) partitions_[p.tp].next = p.next;
  return assign_from_next();
}

Status KafkaConsumer::open() {
  ASSIGN_OR_RETURN(Handle handle, Handle::make(RD_KAFKA_CONSUMER, defaults_, properties_, fixed_));
  auto client = std::make_unique<Client>(std::move(handle));
  std::lock_guard lock(client_mutex_);
  client_.swap(client);
  return {};
}

/// Makes librdkafka read every partition from its `next` on. An assignment that takes the place of another gets a
/// client of its own: librdkafka 2.0 now and then never reads again a partition that is in both (seen with three
/// brokers).
Status KafkaConsumer::assign_from_next() {
  if (std::exchange(assigned_, true)) RETURN_IF_ERROR(open());
  Owned<rd_kafka_topic_partition_list_t> list(rd_kafka_topic_partition_list_new(static_cast<int>(partitions_.size())));
  for (const auto& [tp, partition] : partitions_) {
    rd_kafka_topic_partition_list_add(list.get(), tp.topic.c_str(), tp.partition.value)->offset = partition.next.value;
  }
  auto code = rd_kafka_assign(client_->handle.get(), list.get());
  if (code != RD_KAFKA_RESP_ERR_NO_ERROR) return client_->handle.error(code, "assigning partitions");
  return {};
}

Result<bus::PollResult> KafkaConsumer::poll(std::chrono::milliseconds timeout) {
  bus::PollResult result;
  size_t bytes = 0;
  auto deadline = std::chrono::steady_clock::now() + timeout;
  // The first message is waited for alone: librdkafka would wait the whole time for a full array.
  while (!woken_ && !error_) {
    auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    size_t taken = take(std::max(left, std::chrono::milliseconds(0)), 1, result, bytes);
    bool more = taken > 0;
    while (more && bytes < fetch_bytes_max_) more = take(std::chrono::milliseconds(0), kMessagesMax, result, bytes) > 0;
    if (!out_of_range_.empty()) reset_out_of_range(result);
    bool moved = std::any_of(partitions_.begin(), partitions_.end(), [](const auto& p) { return p.second.moved; });
    if (moved || !result.skipped.empty() || left.count() <= 0) break;
  }
  woken_ = false;
  for (auto& [tp, partition] : partitions_) {
    finish(tp, partition, result);
    if (std::exchange(partition.moved, false)) result.positions.push_back({tp, partition.next});
  }
  auto error = std::exchange(error_, std::nullopt);
  if (error && result.batches.empty() && result.positions.empty() && result.skipped.empty()) return *std::move(error);
  return result;
}

/// Takes up to `count` messages; how many librdkafka gave.
size_t KafkaConsumer::take(std::chrono::milliseconds timeout, size_t count, bus::PollResult& result, size_t& bytes) {
  rd_kafka_message_t* messages[kMessagesMax];
  ssize_t got = rd_kafka_consume_batch_queue(client_->queue.get(), static_cast<int>(timeout.count()), messages, count);
  for (ssize_t i = 0; i < got; ++i) {
    take_message(*messages[i], result, bytes);
    rd_kafka_message_destroy(messages[i]);
  }
  return got > 0 ? static_cast<size_t>(got) : 0;
}

void KafkaConsumer::take_message(const rd_kafka_message_t& message, bus::PollResult& result, size_t& bytes) {
  if (message.err != RD_KAFKA_RESP_ERR_NO_ERROR) return take_error(message, result);
  TopicPartition tp{rd_kafka_topic_name(message.rkt), PartitionId(message.partition)};
  auto it = partitions_.find(tp);
  if (it == partitions_.end() || message.offset < it->second.next.value) return;  // Of an earlier assignment.
  if (!it->second.builder.fits(Offset(message.offset))) finish(tp, it->second, result);
  add_record(it->second, message);
  bytes += message.len + message.key_len;
  if (it->second.builder.bytes() >= kBatchBytesMax) finish(tp, it->second, result);
}

void KafkaConsumer::take_error(const rd_kafka_message_t& message, bus::PollResult&) {
  if (message.rkt == nullptr) {
    error_ = client_->handle.error(message.err, "consuming", rd_kafka_message_errstr(&message));
    return;
  }
  TopicPartition tp{rd_kafka_topic_name(message.rkt), PartitionId(message.partition)};
  auto it = partitions_.find(tp);
  if (it == partitions_.end()) return;
  if (message.err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
    // The end is behind control batches and aborted records, which are no messages: the position moves past them.
    if (message.offset <= it->second.next.value) return;
    it->second.next = Offset(message.offset);
    it->second.moved = true;
  } else if (message.err == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET ||
             message.err == RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE) {
    out_of_range_.insert(tp);
  } else {
    error_ = client_->handle.error(message.err, "consuming " + to_string(tp), rd_kafka_message_errstr(&message));
  }
}

void KafkaConsumer::add_record(Partition& partition, const rd_kafka_message_t& message) {
  auto text = [](const void* data, size_t size) -> std::optional<std::string_view> {
    if (data == nullptr) return std::nullopt;
    return std::string_view(static_cast<const char*>(data), size);
  };
  headers_.clear();
  rd_kafka_headers_t* headers = nullptr;
  if (rd_kafka_message_headers(&message, &headers) == RD_KAFKA_RESP_ERR_NO_ERROR) {
    const char* name = nullptr;
    const void* value = nullptr;
    size_t size = 0;
    for (size_t i = 0; rd_kafka_header_get_all(headers, i, &name, &value, &size) == RD_KAFKA_RESP_ERR_NO_ERROR; ++i) {
      headers_.push_back({name, text(value, size)});
    }
  }
  rd_kafka_timestamp_type_t type;
  partition.builder.add_at(Offset(message.offset), rd_kafka_message_timestamp(&message, &type),
                           text(message.key, message.key_len), text(message.payload, message.len), headers_);
  partition.next = Offset(message.offset + 1);
  partition.moved = true;
}

void KafkaConsumer::finish(const TopicPartition& tp, Partition& partition, bus::PollResult& result) {
  if (!partition.builder.empty()) result.batches.push_back({tp, partition.builder.finish()});
}

/// Sets partitions whose position is outside of their log back to its start and tells how many records went unread.
void KafkaConsumer::reset_out_of_range(bus::PollResult& result) {
  for (const TopicPartition& tp : std::exchange(out_of_range_, {})) {
    Partition& partition = partitions_.at(tp);
    int64_t start = 0, end = 0;
    auto code = rd_kafka_query_watermark_offsets(client_->handle.get(), tp.topic.c_str(), tp.partition.value, &start,
                                                 &end, kWatermarksTimeoutMs);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
      error_ = client_->handle.error(code, "finding the start of " + to_string(tp));
      out_of_range_.insert(tp);
      continue;
    }
    int64_t lost = start - partition.next.value;
    if (lost < 0) {
      log_warn("{} ends at {}, before the position {}: reading it anew", to_string(tp), end, partition.next.value);
      result.set_back.push_back({tp, Offset(start)});
    }
    result.skipped.emplace_back(tp, std::max<int64_t>(0, lost));
    partition.next = Offset(start);
    partition.moved = true;
  }
  // A partition that met auto.offset.reset=error stays stopped until it is assigned anew.
  if (auto status = assign_from_next(); !status.ok()) error_ = status.error();
}

}  // namespace

Result<std::unique_ptr<bus::Consumer>> make_consumer(const Properties& properties,
                                                     const bus::ConsumerOptions& options) {
  // librdkafka fetches on while its queue is below its limit, so the limit and one fetch add up to queue_bytes_max.
  size_t half = std::max<size_t>(options.queue_bytes_max / 2, 1 << 10);
  std::string fetch = std::to_string(std::min<size_t>(half, 1 << 30));
  std::string partition_fetch = std::to_string(std::min<size_t>(half, 1 << 20));
  bool committed = options.isolation == bus::Isolation::kReadCommitted;
  Properties defaults{{"client.id", options.client_id},
                      {"group.id", options.client_id},  // Asked for by librdkafka; never joined.
                      {"queued.max.messages.kbytes", std::to_string(std::max<size_t>(half >> 10, 1))},
                      {"fetch.max.bytes", fetch},
                      {"max.partition.fetch.bytes", partition_fetch},
                      {"message.max.bytes", partition_fetch},
                      {"fetch.wait.max.ms", "500"}};
  Properties fixed{
      {"enable.auto.commit", "false"},       {"enable.auto.offset.store", "false"},
      {"enable.partition.eof", "true"},      {"auto.offset.reset", "error"},
      {"allow.auto.create.topics", "false"}, {"isolation.level", committed ? "read_committed" : "read_uncommitted"}};
  auto consumer =
      std::make_unique<KafkaConsumer>(std::move(defaults), properties, std::move(fixed), options.fetch_bytes_max);
  RETURN_IF_ERROR(consumer->open());
  return std::unique_ptr<bus::Consumer>(std::move(consumer));
}

}  // namespace headrace::bus_kafka
