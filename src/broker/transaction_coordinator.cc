#include "broker/transaction_coordinator.h"

#include "base/logging.h"
#include "broker/disk_space.h"

// Requests. How a transaction ends, and recovery, are in transaction_end.cc.
namespace headrace::broker {
namespace {

constexpr int64_t kProducerIdBlock = 1000;
constexpr size_t kStateRecordsBytesMax = 256 << 20;

bool is_older(const ProducerIdentity& a, const ProducerIdentity& b) {
  return a.id < b.id || (a.id == b.id && a.epoch < b.epoch);
}

}  // namespace

TransactionCoordinator::TransactionCoordinator(const Environment& environment, Topics& topics,
                                               std::shared_ptr<const Topic> state_topic, GroupCoordinator& groups,
                                               Timers& timers)
    : env_(environment), topics_(topics), state_topic_(std::move(state_topic)), groups_(groups), timers_(timers) {}

TransactionCoordinator::~TransactionCoordinator() = default;

Result<std::unique_ptr<TransactionCoordinator>> TransactionCoordinator::open(const Environment& environment,
                                                                             Topics& topics,
                                                                             std::shared_ptr<const Topic> state_topic,
                                                                             GroupCoordinator& groups, Timers& timers) {
  std::unique_ptr<TransactionCoordinator> coordinator(
      new TransactionCoordinator(environment, topics, std::move(state_topic), groups, timers));
  RETURN_IF_ERROR(coordinator->load());
  return coordinator;
}

Status TransactionCoordinator::load() {
  for (size_t i = 0; i < state_topic_->partitions.size(); ++i) {
    const auto& partition = state_topic_->partitions[i];
    Status status = for_each_readable_batch(partition->log(), [&](const record::Batch& batch) -> Status {
      load_batch(partition->tp(), batch);
      return {};
    });
    if (!status.ok()) return status.error().in("reading " + to_string(partition->tp()));
    logs_.push_back(
        std::make_unique<CoordinatorLog>(partition, env_.clock, env_.options.coordinator_rewrite_bytes_min, [this, i] {
          auto partitions = static_cast<int32_t>(state_topic_->partitions.size());
          std::optional<std::vector<StateLog::Entry>> state(std::in_place);
          for (const TransactionRef& transaction : all()) {
            if (coordinator_partition(transaction->id, partitions) != static_cast<int32_t>(i)) continue;
            auto entry = live_entry(transaction);
            if (!entry) return std::optional<std::vector<StateLog::Entry>>();
            state->push_back(std::move(*entry));
          }
          return state;
        }));
  }
  return {};
}

void TransactionCoordinator::load_batch(const TopicPartition& tp, const record::Batch& batch) {
  if (batch.header().is_control()) return;
  Offset next = batch.header().base_offset;
  record::RecordReader reader(batch, kStateRecordsBytesMax);
  while (const record::RecordView* record = reader.next()) {
    Status read = record->key ? load_record(*record) : Status();
    if (!read.ok()) tell_left_out(tp, record->offset, read.error());
    next = record->offset + 1;
  }
  if (!reader.status().ok()) tell_left_out(tp, next, reader.status().error());
}

Status TransactionCoordinator::load_record(const record::RecordView& record) {
  ASSIGN_OR_RETURN(std::optional<std::string> id, decode_transaction_key(*record.key));
  if (!id) return {};
  if (!record.value) {
    transactions_.erase(*id);
    return {};
  }
  ASSIGN_OR_RETURN(StoredTransaction read, decode_transaction_value(*record.value));
  // An Ongoing that was overtaken on its way here by what a newer producer did counts for nothing.
  StoredTransaction& stored = find_or_create(*id)->stored;
  if (!is_older(read.producer, stored.producer)) stored = std::move(read);
  return {};
}

/// Nothing while a change of the transaction is waiting to be written.
std::optional<StateLog::Entry> TransactionCoordinator::live_entry(const TransactionRef& transaction) {
  std::lock_guard lock(transaction->mutex);
  if (transaction->busy) return std::nullopt;
  return StateLog::Entry{encode_transaction_key(transaction->id), encode_transaction_value(transaction->stored)};
}

std::vector<TransactionCoordinator::TransactionRef> TransactionCoordinator::all() const {
  std::vector<TransactionRef> all;
  std::lock_guard lock(mutex_);
  for (const auto& [id, transaction] : transactions_) all.push_back(transaction);
  return all;
}

TransactionCoordinator::TransactionRef TransactionCoordinator::find(std::string_view id) const {
  std::lock_guard lock(mutex_);
  auto found = transactions_.find(id);
  return found == transactions_.end() ? nullptr : found->second;
}

TransactionCoordinator::TransactionRef TransactionCoordinator::find_or_create(std::string_view id) {
  std::lock_guard lock(mutex_);
  auto found = transactions_.find(id);
  if (found != transactions_.end()) return found->second;
  auto transaction = std::make_shared<Transaction>();
  transaction->id = id;
  transactions_.emplace(id, transaction);
  return transaction;
}

/// find_or_create(), or nothing where there may be no more ids; told once until there may.
TransactionCoordinator::TransactionRef TransactionCoordinator::admit(std::string_view id) {
  if (TransactionRef known = find(id)) return known;
  {
    std::lock_guard lock(mutex_);
    size_t ids = transactions_.size();
    bool full = ids >= env_.options.transactional_ids_max;
    if (!std::exchange(full_, full) && full)
      log_warn("there are {} transactional ids, which is the most that there may be: new ones are refused", ids);
    if (full) return nullptr;
  }
  return find_or_create(id);
}

CoordinatorLog& TransactionCoordinator::log_of(std::string_view id) {
  auto partitions = static_cast<int32_t>(logs_.size());
  return *logs_[static_cast<size_t>(coordinator_partition(id, partitions))];
}

void TransactionCoordinator::write(const Transaction& transaction, const std::optional<StoredTransaction>& stored,
                                   Function<void(bool)> done) {
  std::optional<Bytes> value;
  if (stored) value = encode_transaction_value(*stored);
  std::vector<StateLog::Entry> entry{{encode_transaction_key(transaction.id), std::move(value)}};
  log_of(transaction.id).write(std::move(entry), [done = std::move(done)](Result<Offset> written) mutable {
    if (!written.ok()) log_warn("writing a transaction's state: {}", written.error().message);
    done(written.ok());
  });
}

Result<ProducerIdentity> TransactionCoordinator::new_producer_id() {
  std::lock_guard lock(ids_mutex_);
  if (next_id_ == ids_end_) {
    ASSIGN_OR_RETURN(next_id_, topics_.reserve_producer_ids(kProducerIdBlock));
    ids_end_ = next_id_ + kProducerIdBlock;
  }
  return ProducerIdentity{ProducerId(next_id_++), 0};
}

/// Whether a transaction may have a part there: of the broker's own topics only where offsets are committed.
CoordinatorError TransactionCoordinator::check_partition(const TopicPartition& tp) const {
  auto topic = topics_.find(tp.topic);
  if (!topic || !topic->partition(tp.partition)) return CoordinatorError::kUnknownTopicOrPartition;
  return topic->takes_transactions() ? CoordinatorError::kNone : CoordinatorError::kInternalTopic;
}

/// A higher epoch; when there is none left, a new id.
Result<ProducerIdentity> TransactionCoordinator::next_identity(const ProducerIdentity& current) {
  if (current.id == kNoProducerId || current.epoch >= kProducerEpochMax) return new_producer_id();
  return ProducerIdentity{current.id, static_cast<int16_t>(current.epoch + 1)};
}

void TransactionCoordinator::init(std::string_view id, std::chrono::milliseconds timeout,
                                  std::optional<ProducerIdentity> current, IdentityCallback done) {
  if (id.empty()) return done({CoordinatorError::kInvalidRequest, {}});
  if (timeout.count() <= 0 || timeout > env_.options.transaction_timeout_max) {
    return done({CoordinatorError::kInvalidTxnTimeout, {}});
  }
  TransactionRef transaction = env_.disk_space.scarce() ? nullptr : admit(id);
  if (!transaction) return done({CoordinatorError::kNotAvailable, {}});
  std::unique_lock lock(transaction->mutex);
  if (transaction->stored.state != TransactionState::kOngoing)
    return init_idle(std::move(lock), transaction, timeout, current, std::move(done));
  CoordinatorError error = check_init(*transaction, current);
  if (error != CoordinatorError::kNone) return lock.unlock(), done({error, {}});
  begin_end(std::move(lock), transaction, /*commit=*/false, /*bump_epoch=*/true,
            [this, transaction, timeout, current, done = std::move(done)](IdentityAnswer ended) mutable {
              if (ended.error != CoordinatorError::kNone) return done(ended);
              init_idle(std::unique_lock(transaction->mutex), transaction, timeout, current, std::move(done));
            });
}

/// Whether its producer asks again for the identity that it has been given already.
bool TransactionCoordinator::repeats_init(const Transaction& transaction,
                                          const std::optional<ProducerIdentity>& current) {
  return current && transaction.stored.state == TransactionState::kEmpty && transaction.replaced == current;
}

/// Whether who asks may have the id: `current`, where there is one, is that of no producer that a newer one fenced.
CoordinatorError TransactionCoordinator::check_init(const Transaction& transaction,
                                                    const std::optional<ProducerIdentity>& current) {
  const StoredTransaction& stored = transaction.stored;
  bool unknown = stored.producer.id == kNoProducerId;  // New, or forgotten since: nobody is there to fence.
  bool newest = !current || unknown || *current == stored.producer || *current == stored.previous ||
                repeats_init(transaction, current);
  if (!newest) return CoordinatorError::kProducerFenced;
  return transaction.busy ? CoordinatorError::kConcurrentTransactions : CoordinatorError::kNone;
}

/// Gives the id a new identity, which fences every older one. Looks at everything itself: much may have happened while
/// the transaction before was being ended.
void TransactionCoordinator::init_idle(std::unique_lock<std::mutex> lock, const TransactionRef& transaction,
                                       std::chrono::milliseconds timeout, std::optional<ProducerIdentity> current,
                                       IdentityCallback done) {
  CoordinatorError error = check_init(*transaction, current);
  bool open = transaction->stored.state == TransactionState::kOngoing;
  if (error == CoordinatorError::kNone && open) error = CoordinatorError::kConcurrentTransactions;
  if (error != CoordinatorError::kNone) return lock.unlock(), done({error, {}});
  if (repeats_init(*transaction, current)) {
    ProducerIdentity given = transaction->stored.producer;
    return lock.unlock(), done({CoordinatorError::kNone, given});
  }
  if (transaction->completing) {
    // The record of the end before must not come behind this one.
    return await_completion(std::move(lock), *transaction,
                            [this, transaction, timeout, current, done = std::move(done)](bool completed) mutable {
                              if (!completed) return done({CoordinatorError::kNotAvailable, {}});
                              init_idle(std::unique_lock(transaction->mutex), transaction, timeout, current,
                                        std::move(done));
                            });
  }
  Result<ProducerIdentity> identity = next_identity(transaction->stored.producer);
  if (!identity.ok()) return lock.unlock(), done({CoordinatorError::kNotAvailable, {}});
  StoredTransaction changed{.producer = *identity,
                            .timeout_ms = static_cast<int32_t>(timeout.count()),
                            .state = TransactionState::kEmpty,
                            .update_time_ms = env_.clock.wall_ms()};
  // In force at once, so that the older producer is fenced from here on; known to the new one when it is durable. When
  // it can't be written, nobody gets it, and the older producer goes on.
  StoredTransaction before = std::exchange(transaction->stored, changed);
  std::optional<ProducerIdentity> replaced_before = std::exchange(transaction->replaced, current);
  transaction->busy = true;
  lock.unlock();
  write(*transaction, changed,
        [transaction, identity = *identity, before = std::move(before), replaced_before,
         done = std::move(done)](bool written) mutable {
          {
            std::lock_guard relock(transaction->mutex);
            if (!written) {
              transaction->stored = std::move(before);
              transaction->replaced = replaced_before;
            }
            transaction->busy = false;
          }
          done(written ? IdentityAnswer{CoordinatorError::kNone, identity}
                       : IdentityAnswer{CoordinatorError::kNotAvailable, {}});
        });
}

CoordinatorError TransactionCoordinator::check_identity(const Transaction& transaction,
                                                        const ProducerIdentity& producer) {
  const ProducerIdentity& now = transaction.stored.producer;
  if (producer == now) return CoordinatorError::kNone;
  if (producer.id != now.id) return CoordinatorError::kInvalidProducerIdMapping;
  return producer.epoch < now.epoch ? CoordinatorError::kProducerFenced : CoordinatorError::kInvalidProducerEpoch;
}

void TransactionCoordinator::add_partitions(std::string_view id, ProducerIdentity producer,
                                            std::vector<TopicPartition> partitions, Joined joined,
                                            TransactionCallback done) {
  TransactionRef transaction = find(id);
  if (!transaction) return done(CoordinatorError::kInvalidProducerIdMapping);
  // What can't be written down could not be ended either, and would keep readers of the partitions waiting.
  bool writable = !env_.disk_space.scarce() && !log_of(id).partition()->log().out_of_service();
  if (!writable) return done(CoordinatorError::kNotAvailable);
  for (const TopicPartition& tp : partitions) {
    CoordinatorError error = check_partition(tp);
    if (error != CoordinatorError::kNone) return done(error);
  }
  std::unique_lock lock(transaction->mutex);
  CoordinatorError error = check_identity(*transaction, producer);
  if (error == CoordinatorError::kNone && transaction->busy) error = CoordinatorError::kConcurrentTransactions;
  if (error != CoordinatorError::kNone) return lock.unlock(), done(error);
  StoredTransaction& stored = transaction->stored;
  bool begins = stored.state != TransactionState::kOngoing;
  if (begins && transaction->completing) {
    return await_completion(std::move(lock), *transaction,
                            [this, id = transaction->id, producer, partitions = std::move(partitions), joined,
                             done = std::move(done)](bool completed) mutable {
                              if (!completed) return done(CoordinatorError::kNotAvailable);
                              add_partitions(id, producer, std::move(partitions), joined, std::move(done));
                            });
  }
  if (begins) {
    stored.state = TransactionState::kOngoing;
    stored.partitions.clear();
    stored.start_time_ms = env_.clock.wall_ms();
    stored.previous = {};
  }
  transaction->joins_anew = joined == Joined::kWritten;
  size_t before = stored.partitions.size();
  stored.partitions.insert(partitions.begin(), partitions.end());
  bool changed = begins || stored.partitions.size() != before;
  stored.update_time_ms = env_.clock.wall_ms();
  // Where nothing changes, what did may still be on its way.
  if (!changed && joined == Joined::kWritten) return lock.unlock(), done(CoordinatorError::kNone);
  StoredTransaction copy = stored;
  ++transaction->appending;  // An end that comes now is behind it in the log, where the last record counts.
  lock.unlock();
  if (begins) begin_timer(transaction);
  if (joined == Joined::kOnDisk) {
    write(*transaction, copy, [done = std::move(done)](bool written) mutable {
      done(written ? CoordinatorError::kNone : CoordinatorError::kNotAvailable);
    });
    return appended(transaction);
  }
  write(*transaction, copy, [](bool) {});
  appended(transaction);
  done(CoordinatorError::kNone);
}

void TransactionCoordinator::appended(const TransactionRef& transaction) {
  Function<void()> go_on;
  {
    std::lock_guard lock(transaction->mutex);
    if (--transaction->appending == 0) go_on = std::move(transaction->when_appended);
  }
  if (go_on) go_on();
}

/// Calls `go_on` when the record of the end before is on the disk, or with false when it can't be written now.
void TransactionCoordinator::await_completion(std::unique_lock<std::mutex> lock, Transaction& transaction,
                                              Function<void(bool)> go_on) {
  if (!transaction.completion_failed) return transaction.when_completed.push_back(std::move(go_on));
  lock.unlock();
  go_on(false);
}

void TransactionCoordinator::add_offsets(std::string_view id, ProducerIdentity producer, std::string_view group_id,
                                         Joined joined, TransactionCallback done) {
  if (group_id.empty()) return done(CoordinatorError::kInvalidGroupId);
  add_partitions(id, producer, {groups_.partition_of(group_id)}, joined, std::move(done));
}

void TransactionCoordinator::produce(std::string_view id, const std::shared_ptr<Partition>& partition,
                                     std::span<const record::Batch> batches, ProducedCallback done) {
  auto refuse = [&](ErrorCode code, std::string_view why) {
    done(Error{code, "transaction '" + std::string(id) + "': " + std::string(why)});
  };
  TransactionRef transaction = find(id);
  if (!transaction) return refuse(ErrorCode::kInvalidArgument, "there is no such transactional id");
  if (batches.empty()) return refuse(ErrorCode::kInvalidArgument, "no batch");
  {
    std::unique_lock lock(transaction->mutex);
    const StoredTransaction& stored = transaction->stored;
    for (const record::Batch& batch : batches) {
      const record::BatchHeader& header = batch.header();
      if (!header.is_transactional())
        return lock.unlock(), refuse(ErrorCode::kInvalidArgument, "the batch is not transactional");
      if (header.producer_id != stored.producer.id || header.producer_epoch != stored.producer.epoch) {
        return lock.unlock(), refuse(ErrorCode::kFenced, "the batch is not of the producer and epoch that it has now");
      }
    }
    if (stored.state != TransactionState::kOngoing || transaction->busy ||
        !stored.partitions.contains(partition->tp())) {
      return lock.unlock(),
             refuse(ErrorCode::kInvalidArgument, to_string(partition->tp()) + " is in no open transaction of it");
    }
    // Its sequence numbers begin with the transaction: what came before this was refused, and comes again first (as in
    // Kafka's ProducerAppendInfo.checkSequence).
    bool follows = transaction->joins_anew && batches.front().header().base_sequence > 0;
    if (follows && !partition->log().producer(stored.producer.id)) {
      return lock.unlock(), refuse(ErrorCode::kOutOfOrder, to_string(partition->tp()) + " has not the batch before it");
    }
    ++transaction->appending;
  }
  partition->produce(batches, std::move(done));
  appended(transaction);
}

void TransactionCoordinator::end(std::string_view id, ProducerIdentity producer, bool commit, bool bump_epoch,
                                 IdentityCallback done) {
  TransactionRef transaction = find(id);
  if (!transaction) return done({CoordinatorError::kInvalidProducerIdMapping, {}});
  std::unique_lock lock(transaction->mutex);
  const StoredTransaction& stored = transaction->stored;
  bool retried = producer == stored.previous && stored.previous.id != kNoProducerId;
  CoordinatorError error = retried ? CoordinatorError::kNone : check_identity(*transaction, producer);
  if (error == CoordinatorError::kNone && transaction->busy) error = CoordinatorError::kConcurrentTransactions;
  if (error != CoordinatorError::kNone) return lock.unlock(), done({error, {}});
  if (stored.state == TransactionState::kOngoing && !retried) {
    return begin_end(std::move(lock), transaction, commit, bump_epoch, std::move(done));
  }
  if (!commit && bump_epoch && !retried) return abort_nothing(std::move(lock), transaction, producer, std::move(done));
  // An answer that was lost is given again, when it was the same question: under version 2 the epoch tells.
  bool same = (retried || !bump_epoch) &&
              stored.state == (commit ? TransactionState::kCompleteCommit : TransactionState::kCompleteAbort);
  ProducerIdentity identity = stored.producer;
  lock.unlock();
  if (!same) return done({CoordinatorError::kInvalidTxnState, {}});
  done({CoordinatorError::kNone, identity});
}

/// Under version 2 of the protocol a producer aborts what it began, though nothing of it ever came here: the next epoch
/// keeps what may still be on its way out of the next transaction (KIP-890).
void TransactionCoordinator::abort_nothing(std::unique_lock<std::mutex> lock, const TransactionRef& transaction,
                                           ProducerIdentity producer, IdentityCallback done) {
  if (transaction->completing) {
    return await_completion(std::move(lock), *transaction,
                            [this, id = transaction->id, producer, done = std::move(done)](bool completed) mutable {
                              if (!completed) return done({CoordinatorError::kNotAvailable, {}});
                              end(id, producer, /*commit=*/false, /*bump_epoch=*/true, std::move(done));
                            });
  }
  transaction->stored.partitions.clear();
  transaction->stored.start_time_ms = env_.clock.wall_ms();
  begin_end(std::move(lock), transaction, /*commit=*/false, /*bump_epoch=*/true, std::move(done));
}

void TransactionCoordinator::expire_ids() {
  int64_t before_ms = env_.clock.wall_ms() - env_.options.transactional_id_expiration.count();
  for (const TransactionRef& transaction : all()) expire(transaction, before_ms);
}

void TransactionCoordinator::expire(const TransactionRef& transaction, int64_t before_ms) {
  {
    std::lock_guard lock(transaction->mutex);
    const StoredTransaction& stored = transaction->stored;
    bool idle = stored.state == TransactionState::kEmpty || has_ended(stored.state);
    if (!idle || transaction->busy || transaction->completing || stored.update_time_ms > before_ms) return;
    transaction->busy = true;  // Whoever has found it already asks again.
  }
  write(*transaction, std::nullopt, [this, transaction](bool written) {
    if (written) {
      std::lock_guard lock(mutex_);
      transactions_.erase(transaction->id);
      return;
    }
    std::lock_guard lock(transaction->mutex);
    transaction->busy = false;
  });
}

TransactionDescription TransactionCoordinator::describe(const TransactionRef& transaction) {
  std::lock_guard lock(transaction->mutex);
  const StoredTransaction& stored = transaction->stored;
  return {transaction->id,      stored.state,
          stored.producer,      std::chrono::milliseconds(stored.timeout_ms),
          stored.start_time_ms, {stored.partitions.begin(), stored.partitions.end()}};
}

std::vector<TransactionDescription> TransactionCoordinator::list() {
  std::vector<TransactionDescription> descriptions;
  for (const TransactionRef& transaction : all()) descriptions.push_back(describe(transaction));
  return descriptions;
}

std::optional<TransactionDescription> TransactionCoordinator::describe(std::string_view id) {
  TransactionRef transaction = find(id);
  if (!transaction) return std::nullopt;
  return describe(transaction);
}

}  // namespace headrace::broker
