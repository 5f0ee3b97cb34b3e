// The idempotent producer: a batch is handed over record by record and answered when the last one is.
#include <fmt/format.h>

#include <atomic>
#include <mutex>
#include <optional>
#include <thread>

#include "bus_kafka/internal/parts.h"
#include "bus_kafka/internal/produce_record.h"
#include "bus_kafka/internal/topic_handles.h"

namespace headrace::bus_kafka {
namespace {

/// How long closing waits for what is in flight; the rest is answered with kClosed.
constexpr int kFlushTimeoutMs = 5'000;
/// How long the delivery thread sleeps when no report comes.
constexpr int kPollMs = 100;

/// A batch in flight. Freed when its last record is reported.
struct InFlight {
  TopicPartition tp;
  bus::ProduceCallback done;
  size_t bytes = 0;
  std::atomic<int32_t> left{1};  ///< Records not yet reported, and one while produce() is still adding.
  std::mutex mutex;
  int64_t delivered = 0;
  bus::Appended appended;
  std::optional<Error> error;

  /// Reports come in the order of the records (idempotence), but librdkafka may have sent them in several batches.
  void add_delivered(Offset offset) {
    if (delivered == 0) appended.base_offset = offset;
    bool follows = appended.offsets.empty() && offset == appended.base_offset + delivered;
    if (!follows) {
      for (int64_t i = static_cast<int64_t>(appended.offsets.size()); i < delivered; ++i) {
        appended.offsets.push_back(appended.base_offset + i);
      }
      appended.offsets.push_back(offset);
    }
    ++delivered;
  }
};

class KafkaProducer final : public bus::Producer {
 public:
  explicit KafkaProducer(size_t in_flight_bytes_max) : in_flight_bytes_max_(in_flight_bytes_max) {}
  ~KafkaProducer() override;

  Status start(const Properties& properties, const bus::ProducerOptions& options);
  void produce(const TopicPartition& tp, record::Batch batch, bus::ProduceCallback done) override;

 private:
  static void on_delivered(rd_kafka_t*, const rd_kafka_message_t* message, void* self);
  void fail(InFlight& batch, Error error);
  void release(InFlight* batch);

  const size_t in_flight_bytes_max_;
  std::atomic<size_t> in_flight_bytes_{0};
  std::atomic<bool> closing_{false};
  std::optional<Handle> handle_;
  std::optional<TopicHandles> topics_;
  std::thread poller_;
};

Status KafkaProducer::start(const Properties& properties, const bus::ProducerOptions& options) {
  // The bound is ours, in bytes and refused before the first record of a batch; librdkafka's own bounds would stop amid
  // one.
  ASSIGN_OR_RETURN(Handle handle, Handle::make(RD_KAFKA_PRODUCER,
                                               {{"client.id", options.client_id},
                                                {"enable.idempotence", "true"},
                                                {"linger.ms", "1"},
                                                {"message.max.bytes", "1000000000"},
                                                {"topic.metadata.propagation.max.ms", "5000"}},
                                               properties,
                                               {{"queue.buffering.max.messages", "0"},
                                                {"queue.buffering.max.kbytes", "2147483647"},
                                                {"allow.auto.create.topics", "false"}},
                                               &KafkaProducer::on_delivered, this));
  handle_.emplace(std::move(handle));
  topics_.emplace();
  poller_ = std::thread([this] {
    while (!closing_) rd_kafka_poll(handle_->get(), kPollMs);
  });
  return {};
}

KafkaProducer::~KafkaProducer() {
  if (!handle_) return;
  closing_ = true;
  poller_.join();
  rd_kafka_flush(handle_->get(), kFlushTimeoutMs);
  rd_kafka_purge(handle_->get(), RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
  while (rd_kafka_outq_len(handle_->get()) > 0) rd_kafka_poll(handle_->get(), kPollMs);
  topics_.reset();
}

void KafkaProducer::produce(const TopicPartition& tp, record::Batch batch, bus::ProduceCallback done) {
  if (in_flight_bytes_.load(std::memory_order_relaxed) >= in_flight_bytes_max_) {
    return done(Error{ErrorCode::kUnavailable, fmt::format("producing to {}: {} bytes are in flight already",
                                                           to_string(tp), in_flight_bytes_max_)});
  }
  rd_kafka_topic_t* topic = topics_->get(handle_->get(), tp.topic);
  if (topic == nullptr) return done(handle_->error(rd_kafka_last_error(), "producing to " + to_string(tp)));
  auto* flight = new InFlight{tp, std::move(done)};  // Owned by its reports: release() frees it.
  record::RecordReader reader(batch, kDecompressedBytesMax);
  while (const record::RecordView* record = reader.next()) {
    size_t bytes = in_flight_bytes(*record);
    flight->left.fetch_add(1, std::memory_order_relaxed);
    flight->bytes += bytes;
    in_flight_bytes_.fetch_add(bytes, std::memory_order_relaxed);
    rd_kafka_resp_err_t code = produce_record(handle_->get(), topic, tp.partition, *record, flight);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) continue;
    flight->left.fetch_sub(1, std::memory_order_relaxed);
    fail(*flight, handle_->error(code, "producing to " + to_string(tp)));
    break;
  }
  if (!reader.status().ok()) fail(*flight, reader.status().error());
  release(flight);
}

void KafkaProducer::on_delivered(rd_kafka_t*, const rd_kafka_message_t* message, void* self) {
  auto* producer = static_cast<KafkaProducer*>(self);
  auto* flight = static_cast<InFlight*>(message->_private);
  if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
    producer->fail(*flight, producer->handle_->error(message->err, "producing to " + to_string(flight->tp)));
  } else {
    std::lock_guard lock(flight->mutex);
    flight->add_delivered(Offset(message->offset));
  }
  producer->release(flight);
}

void KafkaProducer::fail(InFlight& flight, Error error) {
  std::lock_guard lock(flight.mutex);
  if (!flight.error) flight.error = std::move(error);
}

void KafkaProducer::release(InFlight* flight) {
  if (flight->left.fetch_sub(1, std::memory_order_acq_rel) > 1) return;
  std::unique_ptr<InFlight> owner(flight);
  in_flight_bytes_.fetch_sub(flight->bytes, std::memory_order_relaxed);
  if (flight->error) return flight->done(std::move(*flight->error));
  flight->done(std::move(flight->appended));
}

}  // namespace

Result<std::unique_ptr<bus::Producer>> make_producer(const Properties& properties,
                                                     const bus::ProducerOptions& options) {
  auto producer = std::make_unique<KafkaProducer>(options.in_flight_bytes_max);
  RETURN_IF_ERROR(producer->start(properties, options));
  return std::unique_ptr<bus::Producer>(std::move(producer));
}

}  // namespace headrace::bus_kafka
