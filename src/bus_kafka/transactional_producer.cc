// The transactional producer (KIP-98) over librdkafka's.
#include <fmt/format.h>

#include <chrono>
#include <optional>
#include <utility>

#include "bus_kafka/internal/offsets_call.h"
#include "bus_kafka/internal/parts.h"
#include "bus_kafka/internal/produce_record.h"
#include "bus_kafka/internal/topic_handles.h"

namespace headrace::bus_kafka {
namespace {

/// How long an abort waits for what was produced before it when the transaction has failed already: librdkafka sends
/// nothing more then, but what is on its way may still be answered.
constexpr int kFailedFlushTimeoutMs = 5'000;
/// Longer than the steps of a transaction take one after the other on a slow cluster, which would else abort it and
/// fence a producer that is still waiting.
constexpr std::string_view kTransactionTimeoutMs = "120000";
/// The most that a transaction holds in memory before produce() waits for the cluster.
constexpr std::string_view kQueueKbytes = "65536";

class KafkaTransactionalProducer final : public bus::TransactionalProducer {
 public:
  KafkaTransactionalProducer(Handle handle, const TransactionTimes& times)
      : client_(std::make_shared<const Handle>(std::move(handle))), times_(times) {}

  Status init() {
    return retried("initialising transactions", [&] { return rd_kafka_init_transactions(client_->get(), step_ms()); });
  }
  Status begin() override {
    return retried("beginning a transaction", [&] { return rd_kafka_begin_transaction(client_->get()); });
  }
  Status produce(const TopicPartition& tp, record::Batch batch) override;
  Status commit_positions(std::string_view group, const std::vector<bus::Position>& positions) override;
  Status commit() override {
    return retried("committing a transaction", [&] { return rd_kafka_commit_transaction(client_->get(), step_ms()); });
  }
  Status abort() override;

 private:
  template <typename Step>
  Status retried(std::string_view doing, Step step);
  Status check_usable() const;
  Error to_error(rd_kafka_error_t* error, std::string_view doing) const;
  int step_ms() const { return static_cast<int>(times_.step.count()); }
  Status add(rd_kafka_topic_t* topic, const TopicPartition& tp, const record::RecordView& record);

  const std::shared_ptr<const Handle> client_;
  const TransactionTimes times_;
  TopicHandles topics_;     // After the client: destroyed before it.
  bool failed_ = false;     ///< The open transaction can only be aborted.
  bool abandoned_ = false;  ///< The client is held by a call that did not come back.
};

Status KafkaTransactionalProducer::check_usable() const {
  if (!abandoned_) return {};
  return Error{
      ErrorCode::kFenced,
      "adding positions to a transaction: the group's coordinator does not answer and librdkafka does not come "
      "back; a new producer of the transactional id ends it"};
}

Status KafkaTransactionalProducer::abort() {
  RETURN_IF_ERROR(check_usable());
  // What was produced goes out first: an abort that overtakes the partitions' entry into the transaction (which waits
  // while the cluster completes the one before) asks the coordinator to end one that it does not know, which librdkafka
  // takes for fatal some time later.
  bool failed = std::exchange(failed_, false);
  auto flushed = rd_kafka_flush(client_->get(), failed ? kFailedFlushTimeoutMs : step_ms());
  if (flushed != RD_KAFKA_RESP_ERR_NO_ERROR && !failed) {
    return Error{ErrorCode::kFenced,
                 "aborting a transaction: the cluster does not take what was produced; a new producer of the "
                 "transactional id ends it"};
  }
  return retried("aborting a transaction", [&] { return rd_kafka_abort_transaction(client_->get(), step_ms()); });
}

/// Runs a step again while librdkafka says that it may be and there is time.
template <typename Step>
Status KafkaTransactionalProducer::retried(std::string_view doing, Step step) {
  RETURN_IF_ERROR(check_usable());
  auto deadline = std::chrono::steady_clock::now() + times_.step;
  while (true) {
    Owned<rd_kafka_error_t> error(step());
    RETURN_IF_ERROR(check_usable());
    rd_kafka_poll(client_->get(), 0);
    if (!error) return {};
    failed_ = failed_ || rd_kafka_error_txn_requires_abort(error.get());
    if (!rd_kafka_error_is_retriable(error.get()) || std::chrono::steady_clock::now() > deadline) {
      return to_error(error.get(), doing);
    }
    constexpr int kPauseMs = 100;
    rd_kafka_poll(client_->get(), kPauseMs);
  }
}

Error KafkaTransactionalProducer::to_error(rd_kafka_error_t* error, std::string_view doing) const {
  Error ours = client_->error(rd_kafka_error_code(error), doing, rd_kafka_error_string(error));
  if (rd_kafka_error_is_fatal(error)) ours.code = ErrorCode::kFenced;  // The handle takes nothing any more.
  return ours;
}

Status KafkaTransactionalProducer::produce(const TopicPartition& tp, record::Batch batch) {
  RETURN_IF_ERROR(check_usable());
  rd_kafka_topic_t* topic = topics_.get(client_->get(), tp.topic);
  if (topic == nullptr) return client_->error(rd_kafka_last_error(), "producing to " + to_string(tp));
  record::RecordReader reader(batch, kDecompressedBytesMax);
  while (const record::RecordView* record = reader.next()) RETURN_IF_ERROR(add(topic, tp, *record));
  return reader.status();
}

Status KafkaTransactionalProducer::add(rd_kafka_topic_t* topic, const TopicPartition& tp,
                                       const record::RecordView& record) {
  auto deadline = std::chrono::steady_clock::now() + times_.step;
  while (true) {
    rd_kafka_resp_err_t code = produce_record(client_->get(), topic, tp.partition, record, nullptr);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) return {};
    bool full = code == RD_KAFKA_RESP_ERR__QUEUE_FULL;
    if (!full || std::chrono::steady_clock::now() > deadline) {
      Error error = client_->error(code, "producing to " + to_string(tp));
      if (full) error.code = ErrorCode::kTimedOut;
      char reason[256];
      auto fatal = rd_kafka_fatal_error(client_->get(), reason, sizeof(reason));
      if (fatal != RD_KAFKA_RESP_ERR_NO_ERROR)
        return Error{ErrorCode::kFenced, "producing to " + to_string(tp) + ": " + reason};
      return error;
    }
    constexpr int kPauseMs = 10;
    rd_kafka_poll(client_->get(), kPauseMs);
  }
}

Status KafkaTransactionalProducer::commit_positions(std::string_view group,
                                                    const std::vector<bus::Position>& positions) {
  return retried("adding positions to a transaction", [&]() -> rd_kafka_error_t* {
    auto answer = send_offsets(client_, std::string(group), positions, {times_.step, times_.offsets_grace});
    abandoned_ = !answer;
    return answer ? answer->release() : nullptr;
  });
}

}  // namespace

Result<std::unique_ptr<bus::TransactionalProducer>> make_transactional_producer(const Properties& properties,
                                                                                const std::string& transactional_id,
                                                                                const TransactionTimes& times) {
  if (abandoned_clients() >= kAbandonedClientsMax) {
    return Error{
        ErrorCode::kUnavailable,
        fmt::format("{} transactional producers still wait for coordinators of groups that do not answer; they "
                    "end when those are back, or with this program",
                    kAbandonedClientsMax)};
  }
  ASSIGN_OR_RETURN(Handle handle, Handle::make(RD_KAFKA_PRODUCER,
                                               {{"client.id", transactional_id},
                                                {"linger.ms", "1"},
                                                {"message.max.bytes", "1000000000"},
                                                {"transaction.timeout.ms", std::string(kTransactionTimeoutMs)}},
                                               properties,
                                               {{"transactional.id", transactional_id},
                                                {"enable.idempotence", "true"},
                                                {"queue.buffering.max.messages", "0"},
                                                {"allow.auto.create.topics", "false"},
                                                {"queue.buffering.max.kbytes", std::string(kQueueKbytes)}}));
  auto producer = std::make_unique<KafkaTransactionalProducer>(std::move(handle), times);
  RETURN_IF_ERROR(producer->init());
  return std::unique_ptr<bus::TransactionalProducer>(std::move(producer));
}

}  // namespace headrace::bus_kafka
