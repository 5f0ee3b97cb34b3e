#include "broker/embedded_transaction.h"

#include <condition_variable>
#include <map>
#include <mutex>
#include <set>
#include <thread>

#include "broker/await.h"
#include "broker/embedded_positions.h"
#include "record/producer_fields.h"

namespace headrace::broker {
namespace {

constexpr std::chrono::milliseconds kTransactionTimeout{60000};  // Twice the longest commit_interval.
constexpr std::chrono::milliseconds kConcurrentRetry{5};
constexpr int kConcurrentRetriesMax = 2000;

/// What acknowledgements touch; they may come after the producer is gone.
struct Outstanding {
  std::mutex mutex;
  std::condition_variable changed;
  int64_t count = 0;
  std::optional<Error> failure;  ///< The first one of the transaction.

  void begin() {
    std::lock_guard lock(mutex);
    ++count;
  }
  void finish(std::optional<Error> error) {
    std::lock_guard lock(mutex);
    if (error && !failure) failure = std::move(error);
    if (--count == 0) changed.notify_all();
  }
  Status so_far() {
    std::lock_guard lock(mutex);
    return failure ? Status(*failure) : Status();
  }
  Status wait_for_all() {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return count == 0; });
    return failure ? Status(*failure) : Status();
  }
  /// In place of what came of the transaction by itself.
  void fail(Error error) {
    std::lock_guard lock(mutex);
    failure = std::move(error);
  }
  void reset() {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return count == 0; });
    failure.reset();
  }
};

class EmbeddedTransactions final : public bus::TransactionalProducer {
 public:
  EmbeddedTransactions(Broker& broker, std::string id) : broker_(broker), id_(std::move(id)) {}

  Status open() {
    IdentityAnswer answer = init(std::nullopt);
    if (answer.error != CoordinatorError::kNone) return to_error(answer.error, "opening transactional id " + id_);
    identity_ = answer.producer;
    return {};
  }

  Status begin() override {
    RETURN_IF_ERROR(usable());
    if (open_)
      return Error{ErrorCode::kInvalidArgument, "transaction " + id_ + " is open already; commit or abort it first"};
    outstanding_->reset();
    open_ = true;
    return {};
  }

  Status produce(const TopicPartition& tp, record::Batch batch) override {
    RETURN_IF_ERROR(in_transaction());
    RETURN_IF_ERROR(judge(outstanding_->so_far()));
    auto partition = broker_.partition(tp);
    if (!partition) return no_such_partition(tp);
    RETURN_IF_ERROR(add(tp));
    auto [sequence, added] = sequences_.try_emplace(tp, 0);
    record::Batch ours = record::with_producer(
        batch,
        {.id = identity_.id, .epoch = identity_.epoch, .base_sequence = sequence->second, .transactional = true});
    outstanding_->begin();
    broker_.transactions().produce(id_, partition, std::span(&ours, 1),
                                   [outstanding = outstanding_](Result<Produced> r) {
                                     outstanding->finish(r.ok() ? std::nullopt : std::optional(r.error()));
                                   });
    RETURN_IF_ERROR(judge(outstanding_->so_far()));
    sequence->second = record::sequence_after(sequence->second, batch.header().record_count);
    return {};
  }

  Status commit_positions(std::string_view group, const std::vector<bus::Position>& positions) override {
    RETURN_IF_ERROR(in_transaction());
    RETURN_IF_ERROR(judge(outstanding_->so_far()));
    if (positions.empty()) return {};
    if (!groups_.contains(std::string(group))) {
      auto error = await<CoordinatorError>([&](TransactionCallback done) {
        broker_.transactions().add_offsets(id_, identity_, group, Joined::kWritten, std::move(done));
      });
      if (error != CoordinatorError::kNone) return judge(to_error(error, "adding group " + std::string(group)));
      groups_.emplace(group);
    }
    outstanding_->begin();
    broker_.groups().commit_in_transaction(
        {.group_id = std::string(group)}, id_, {.id = identity_.id, .epoch = identity_.epoch},
        offsets_to_commit(broker_, positions),
        [outstanding = outstanding_, name = std::string(group)](CommitAnswer answer) {
          std::optional<Error> failure;
          for (CoordinatorError error : answer) {
            if (error != CoordinatorError::kNone && !failure)
              failure = to_error(error, "committing positions of group " + name);
          }
          outstanding->finish(std::move(failure));
        });
    return judge(outstanding_->so_far());
  }

  Status commit() override {
    RETURN_IF_ERROR(in_transaction());
    // Everything is on the disk before the decision is: a commit that survives a crash finds its records.
    RETURN_IF_ERROR(judge(outstanding_->wait_for_all()));
    return end(/*commit=*/true);
  }

  Status abort() override {
    RETURN_IF_ERROR(in_transaction());
    outstanding_->reset();
    Status ended = end(/*commit=*/false);
    if (ended.ok() || fenced_ || touched()) return ended;
    open_ = false;  // It was over before.
    return {};
  }

 private:
  Status usable() const {
    if (fenced_) return Error{ErrorCode::kFenced, "a newer producer took the transactional id " + id_ + " over"};
    return {};
  }
  Status in_transaction() const {
    RETURN_IF_ERROR(usable());
    if (!open_) return Error{ErrorCode::kInvalidArgument, "transaction " + id_ + " is not open; call begin() first"};
    return {};
  }

  /// What comes of a call. kFenced says no more than that the transaction is over: its time may have been up, or the id
  /// forgotten for its silence.
  Status judge(Status status) {
    bool over = !status.ok() && status.error().code == ErrorCode::kFenced;
    return over ? Status(begin_anew(status.error())) : status;
  }
  /// Takes the id back, unless a newer producer has it; what was in the transaction is to be done again.
  Error begin_anew(const Error& why) {
    IdentityAnswer answer = init(identity_);
    fenced_ = answer.error == CoordinatorError::kProducerFenced;
    if (fenced_) return usable().error();
    if (answer.error == CoordinatorError::kNone) go_on_as(answer.producer);
    Error again{ErrorCode::kUnavailable, why.message + "; what was in the transaction is to be done again"};
    outstanding_->fail(again);
    return again;
  }
  /// A new epoch counts its sequences from 0.
  void go_on_as(ProducerIdentity identity) {
    identity_ = identity;
    sequences_.clear();
    partitions_.clear();
    groups_.clear();
  }

  IdentityAnswer init(std::optional<ProducerIdentity> current) {
    return retry_concurrent([&] {
      return await<IdentityAnswer>([&](IdentityCallback done) {
        broker_.transactions().init(id_, kTransactionTimeout, current, std::move(done));
      });
    });
  }

  Status add(const TopicPartition& tp) {
    if (partitions_.contains(tp)) return {};
    auto error = await<CoordinatorError>([&](TransactionCallback done) {
      broker_.transactions().add_partitions(id_, identity_, {tp}, Joined::kWritten, std::move(done));
    });
    if (error != CoordinatorError::kNone)
      return judge(to_error(error, "adding " + to_string(tp) + " to transaction " + id_));
    partitions_.insert(tp);
    return {};
  }

  /// Whether the coordinator knows of the transaction.
  bool touched() const { return !partitions_.empty() || !groups_.empty(); }

  Status end(bool commit) {
    if (touched()) {
      IdentityAnswer answer = retry_concurrent([&] {
        return await<IdentityAnswer>([&](IdentityCallback done) {
          broker_.transactions().end(id_, identity_, commit, /*bump_epoch=*/true, std::move(done));
        });
      });
      if (answer.error != CoordinatorError::kNone) {
        return judge(to_error(answer.error, (commit ? "committing transaction " : "aborting transaction ") + id_));
      }
      go_on_as(answer.producer);
    }
    open_ = false;
    return {};
  }

  /// Another request for the same id is being answered: it takes an fsync or two.
  template <typename Call>
  IdentityAnswer retry_concurrent(Call call) {
    IdentityAnswer answer = call();
    for (int i = 0; i < kConcurrentRetriesMax && answer.error == CoordinatorError::kConcurrentTransactions; ++i) {
      std::this_thread::sleep_for(kConcurrentRetry);
      answer = call();
    }
    return answer;
  }

  Broker& broker_;
  const std::string id_;
  ProducerIdentity identity_;
  bool open_ = false;
  bool fenced_ = false;
  std::map<TopicPartition, int32_t> sequences_;
  std::set<TopicPartition> partitions_;
  std::set<std::string> groups_;
  std::shared_ptr<Outstanding> outstanding_ = std::make_shared<Outstanding>();
};

ErrorCode code_of(CoordinatorError error) {
  switch (error) {
    case CoordinatorError::kProducerFenced:
    case CoordinatorError::kInvalidProducerEpoch:
    case CoordinatorError::kInvalidProducerIdMapping:
    case CoordinatorError::kInvalidTxnState:  // Of a transaction that was open: it was ended by somebody else.
    case CoordinatorError::kFencedInstanceId:
    case CoordinatorError::kIllegalGeneration:
    case CoordinatorError::kUnknownMember: return ErrorCode::kFenced;
    case CoordinatorError::kUnknownTopicOrPartition:
    case CoordinatorError::kGroupIdNotFound:
    case CoordinatorError::kTransactionalIdNotFound: return ErrorCode::kNotFound;
    case CoordinatorError::kNotAvailable:
    case CoordinatorError::kConcurrentTransactions:
    case CoordinatorError::kUnstableOffset:
    case CoordinatorError::kRebalanceInProgress: return ErrorCode::kUnavailable;
    case CoordinatorError::kOffsetMetadataTooLarge:
    case CoordinatorError::kCommitTooLarge:
    case CoordinatorError::kGroupMaxSizeReached: return ErrorCode::kTooLarge;
    default: return ErrorCode::kInvalidArgument;
  }
}

}  // namespace

Error to_error(CoordinatorError error, std::string_view doing) {
  return {code_of(error), std::string(doing) + ": " + std::string(to_string(error))};
}

Result<std::unique_ptr<bus::TransactionalProducer>> open_embedded_transactions(Broker& broker,
                                                                               std::string transactional_id) {
  auto producer = std::make_unique<EmbeddedTransactions>(broker, std::move(transactional_id));
  RETURN_IF_ERROR(producer->open());
  return std::unique_ptr<bus::TransactionalProducer>(std::move(producer));
}

}  // namespace headrace::broker
