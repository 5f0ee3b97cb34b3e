// The transactional producer (KIP-98) over librdkafka's.
#include <fmt/format.h>

#include <chrono>
#include <cstdlib>
#include <optional>
#include <utility>

#include "base/check.h"
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
constexpr const char* kTransactionTimeout = "transaction.timeout.ms";
/// The most that a transaction holds in memory before produce() waits for the cluster.
constexpr std::string_view kQueueKbytes = "65536";

std::chrono::milliseconds transaction_timeout(rd_kafka_t* client) {
  char value[32] = "";
  size_t size = sizeof(value);
  CHECK(rd_kafka_conf_get(rd_kafka_conf(client), kTransactionTimeout, value, &size) == RD_KAFKA_CONF_OK);
  return std::chrono::milliseconds(std::strtoll(value, nullptr, 10));
}

class KafkaTransactionalProducer final : public bus::TransactionalProducer {
 public:
  KafkaTransactionalProducer(Handle handle, const TransactionTimes& times)
      : client_(std::make_shared<const Handle>(std::move(handle))),
        times_(times),
        timeout_(transaction_timeout(client_->get())) {}

  Status init() {
    return retried("initialising transactions", [&] { return rd_kafka_init_transactions(client_->get(), step_ms()); });
  }
  Status begin() override {
    auto now = std::chrono::steady_clock::now();
    RETURN_IF_ERROR(retried("beginning a transaction", [&] { return rd_kafka_begin_transaction(client_->get()); }));
    began_ = now;
    return {};
  }
  Status produce(const TopicPartition& tp, record::Batch batch) override;
  Status commit_positions(std::string_view group, const std::vector<bus::Position>& positions) override;
  Status commit() override {
    RETURN_IF_ERROR(
        retried("committing a transaction", [&] { return rd_kafka_commit_transaction(client_->get(), step_ms()); }));
    began_.reset();
    return {};
  }
  Status abort() override;

 private:
  template <typename Step>
  Status retried(std::string_view doing, Step step);
  Status check_given_up() const;
  Status check_usable(std::string_view doing) const;
  Error to_error(rd_kafka_error_t* error, std::string_view doing) const;
  Error fatal(rd_kafka_resp_err_t cause, std::string_view doing, const char* reason) const;
  ErrorCode code_of(rd_kafka_resp_err_t code) const;
  int step_ms() const { return static_cast<int>(times_.step.count()); }
  Status add(rd_kafka_topic_t* topic, const TopicPartition& tp, const record::RecordView& record);

  const std::shared_ptr<const Handle> client_;
  const TransactionTimes times_;
  const std::chrono::milliseconds timeout_;  ///< After which the cluster aborts a transaction by itself.
  TopicHandles topics_;                      // After the client: destroyed before it.
  std::optional<std::chrono::steady_clock::time_point> began_;  ///< The open transaction.
  bool failed_ = false;                                         ///< The open transaction can only be aborted.
  bool abandoned_ = false;  ///< The client is held by a call that did not come back.
};

Status KafkaTransactionalProducer::check_given_up() const {
  if (!abandoned_) return {};
  return Error{
      ErrorCode::kUnavailable,
      "adding positions to a transaction: the group's coordinator does not answer and librdkafka does not come "
      "back; a new producer of the transactional id ends it"};
}

/// A client with a fatal error takes nothing any more.
Status KafkaTransactionalProducer::check_usable(std::string_view doing) const {
  RETURN_IF_ERROR(check_given_up());
  char reason[512] = "";
  auto cause = rd_kafka_fatal_error(client_->get(), reason, sizeof(reason));
  return cause == RD_KAFKA_RESP_ERR_NO_ERROR ? Status() : Status(fatal(cause, doing, reason));
}

Status KafkaTransactionalProducer::abort() {
  RETURN_IF_ERROR(check_usable("aborting a transaction"));
  // What was produced goes out first: an abort that overtakes the partitions' entry into the transaction (which waits
  // while the cluster completes the one before) asks the coordinator to end one that it does not know, which librdkafka
  // takes for fatal some time later.
  bool failed = std::exchange(failed_, false);
  auto flushed = rd_kafka_flush(client_->get(), failed ? kFailedFlushTimeoutMs : step_ms());
  if (flushed != RD_KAFKA_RESP_ERR_NO_ERROR && !failed) {
    return Error{ErrorCode::kUnavailable,
                 "aborting a transaction: the cluster does not take what was produced; a new producer of the "
                 "transactional id ends it"};
  }
  RETURN_IF_ERROR(
      retried("aborting a transaction", [&] { return rd_kafka_abort_transaction(client_->get(), step_ms()); }));
  began_.reset();
  return {};
}

/// Runs a step again while librdkafka says that it may be and there is time.
template <typename Step>
Status KafkaTransactionalProducer::retried(std::string_view doing, Step step) {
  RETURN_IF_ERROR(check_usable(doing));
  auto deadline = std::chrono::steady_clock::now() + times_.step;
  while (true) {
    Owned<rd_kafka_error_t> error(step());
    RETURN_IF_ERROR(check_given_up());
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
  auto code = rd_kafka_error_code(error);
  if (rd_kafka_error_is_fatal(error)) return fatal(code, doing, rd_kafka_error_string(error));
  Error ours = client_->error(code, doing, rd_kafka_error_string(error));
  ours.code = code_of(code);
  return ours;
}

/// An error that ends this producer. Only kFenced, kPermissionDenied and kUnsupported would meet the next one, too.
Error KafkaTransactionalProducer::fatal(rd_kafka_resp_err_t cause, std::string_view doing, const char* reason) const {
  Error ours = client_->error(cause, doing, reason);
  ours.code = code_of(cause);
  if (ours.code == ErrorCode::kFenced || ours.code == ErrorCode::kPermissionDenied ||
      ours.code == ErrorCode::kUnsupported) {
    return ours;
  }
  return {ErrorCode::kUnavailable, ours.message + "; what was in the transaction is to be done by a new producer"};
}

/// A cluster that aborts a transaction for its age fences its producer, too. So being fenced tells of a newer producer
/// only where the transaction is younger than that.
ErrorCode KafkaTransactionalProducer::code_of(rd_kafka_resp_err_t code) const {
  bool aged = began_ && std::chrono::steady_clock::now() - *began_ >= timeout_;
  ErrorCode ours = error_code(code);
  return aged && ours == ErrorCode::kFenced ? ErrorCode::kUnavailable : ours;
}

Status KafkaTransactionalProducer::produce(const TopicPartition& tp, record::Batch batch) {
  RETURN_IF_ERROR(check_usable("producing to " + to_string(tp)));
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
      std::string doing = "producing to " + to_string(tp);
      RETURN_IF_ERROR(check_usable(doing));
      Error error = client_->error(code, doing);
      if (full) error.code = ErrorCode::kTimedOut;
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
                                                {kTransactionTimeout, std::string(kTransactionTimeoutMs)}},
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
