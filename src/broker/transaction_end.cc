// How transactions end: the decision on the disk, the markers in the partitions, and the same again after a crash.
#include <future>
#include <limits>

#include "base/logging.h"
#include "broker/transaction_coordinator.h"

namespace headrace::broker {
namespace {

constexpr std::chrono::milliseconds kMarkerRetry{500};
constexpr std::chrono::seconds kRecoveryWaitMax{10};
constexpr int32_t kCoordinatorEpoch = 0;

/// Whether a marker that was refused so is taken a little later.
bool passes(ErrorCode code) { return code == ErrorCode::kOutOfSpace || code == ErrorCode::kUnavailable; }

}  // namespace

void TransactionCoordinator::begin_timer(const TransactionRef& transaction) {
  std::lock_guard lock(transaction->mutex);
  timers_.cancel(transaction->timer);
  transaction->timer =
      timers_.after(std::chrono::milliseconds(transaction->stored.timeout_ms),
                    [this, transaction, start = transaction->stored.start_time_ms] { on_timeout(transaction, start); });
}

void TransactionCoordinator::on_timeout(const TransactionRef& transaction, int64_t start_time_ms) {
  std::unique_lock lock(transaction->mutex);
  bool same = transaction->stored.state == TransactionState::kOngoing && !transaction->busy &&
              transaction->stored.start_time_ms == start_time_ms;
  if (!same) return;
  log_info("transaction {} was open for longer than its timeout and is aborted", transaction->id);
  begin_end(std::move(lock), transaction, /*commit=*/false, /*bump_epoch=*/true, [](IdentityAnswer) {});
}

void TransactionCoordinator::begin_end(std::unique_lock<std::mutex> lock, const TransactionRef& transaction,
                                       bool commit, bool bump_epoch, IdentityCallback done) {
  StoredTransaction& stored = transaction->stored;
  auto ending = std::make_shared<Ending>();
  ending->transaction = transaction;
  ending->commit = commit;
  ending->before = ending->marker = ending->next = stored.producer;
  if (bump_epoch) {
    // Markers of the next epoch fence the old one in every partition (KIP-890).
    ending->marker.epoch = static_cast<int16_t>(stored.producer.epoch + 1);
    Result<ProducerIdentity> next = next_identity(stored.producer);
    if (!next.ok()) {
      lock.unlock();
      begin_timer(transaction);
      return done({CoordinatorError::kNotAvailable, {}});
    }
    ending->next = *next;
    stored.previous = stored.producer;
    if (next->id != stored.producer.id) stored.next_id = next->id;
  }
  ending->partitions = stored.partitions;
  ending->done = std::move(done);
  timers_.cancel(transaction->timer);
  transaction->timer = 0;
  // From here on produce() and every other request is refused.
  transaction->busy = true;
  stored.state = commit ? TransactionState::kPrepareCommit : TransactionState::kPrepareAbort;
  stored.producer = ending->marker;
  stored.update_time_ms = env_.clock.wall_ms();
  bool wait = transaction->appending > 0;
  if (wait) transaction->when_appended = [this, ending] { prepare(ending); };
  lock.unlock();
  if (!wait) prepare(ending);
}

void TransactionCoordinator::prepare(const EndingRef& ending) {
  StoredTransaction decided;
  {
    std::lock_guard lock(ending->transaction->mutex);
    decided = ending->transaction->stored;
  }
  write(*ending->transaction, decided, [this, ending](bool written) {
    if (written) return write_markers(ending);
    // Undecided as far as anybody knows: the producer may ask again, its time runs, and a restart will look.
    {
      std::lock_guard lock(ending->transaction->mutex);
      ending->transaction->stored.state = TransactionState::kOngoing;
      ending->transaction->stored.producer = ending->before;
      ending->transaction->stored.previous = {};
      ending->transaction->stored.next_id = kNoProducerId;
      ending->transaction->busy = false;
    }
    begin_timer(ending->transaction);
    ending->done({CoordinatorError::kNotAvailable, {}});
  });
}

/// What the partition knows of a producer; nothing where it knows none, or is gone.
std::optional<log::ProducerInfo> TransactionCoordinator::known_in(const TopicPartition& tp, ProducerId producer) {
  auto partition = topics_.partition(tp);
  return partition ? partition->log().producer(producer) : std::nullopt;
}

void TransactionCoordinator::write_markers(const EndingRef& ending) {
  for (const TopicPartition& tp : ending->partitions) {
    auto known = known_in(tp, ending->marker.id);
    if (!known || known->transaction_first_offset == kNoOffset) ending->without_records.insert(tp);
  }
  // One more than there are, so that nothing is complete before all were begun.
  ending->markers_left = static_cast<int>(ending->partitions.size()) + 1;
  for (const TopicPartition& tp : ending->partitions) write_marker(ending, tp);
  if (--ending->markers_left == 0) complete(ending);
}

/// With the epoch that the partition knows where that is higher: somebody ended a transaction there by it, whom no
/// coordinator asked to.
void TransactionCoordinator::write_marker(const EndingRef& ending, const TopicPartition& tp) {
  ProducerIdentity marker = ending->marker;
  if (auto known = known_in(tp, marker.id)) marker.epoch = std::max(marker.epoch, known->epoch);
  append_marker(tp, marker, ending->commit, kCoordinatorEpoch,
                [this, ending, tp](const Status& written) { marker_written(ending, tp, written); });
}

void TransactionCoordinator::marker_written(const EndingRef& ending, const TopicPartition& tp, const Status& written) {
  if (!written.ok()) {
    ErrorCode code = written.error().code;
    if (code == ErrorCode::kFenced) return write_marker(ending, tp);  // By an epoch that came meanwhile.
    if (passes(code)) return retry_marker(ending, tp);
    bool topic_gone = code == ErrorCode::kNotFound;  // And the transaction's records with it.
    bool needless = topic_gone || ending->without_records.contains(tp);
    if (code == ErrorCode::kClosed) {
      ending->cut_short = true;
    } else if (!needless) {
      if (!ending->answered)
        log_error("ending transaction {} in {}: {}", ending->transaction->id, to_string(tp), written.error().message);
      answer_undone(ending);
      return retry_marker(ending, tp);
    }
  }
  if (--ending->markers_left == 0) complete(ending);
}

/// The decision stands: until the marker is written, which a partition out of service takes after a restart, or until
/// the topic is deleted, the transactional id stays busy. Calling the end complete before would have the restart abort
/// this partition's part.
void TransactionCoordinator::retry_marker(const EndingRef& ending, const TopicPartition& tp) {
  timers_.after(kMarkerRetry, [this, ending, tp] { write_marker(ending, tp); });
}

/// Nobody waits for a partition that is out of service.
void TransactionCoordinator::answer_undone(const EndingRef& ending) {
  if (!ending->answered.exchange(true)) ending->done({CoordinatorError::kNotAvailable, {}});
}

void TransactionCoordinator::complete_offsets(const TopicPartition& tp, ProducerId producer, bool commit) {
  if (tp.topic == kOffsetsTopic) groups_.complete_transaction(tp.partition, producer, commit);
}

void TransactionCoordinator::write_marker(const TopicPartition& tp, ProducerIdentity producer, bool commit,
                                          int32_t coordinator_epoch, MarkerCallback done) {
  if (check_partition(tp) == CoordinatorError::kInternalTopic) {
    return done(Error{ErrorCode::kInvalidArgument, "topic '" + tp.topic + "' is the broker's own"});
  }
  append_marker(tp, producer, commit, coordinator_epoch, std::move(done));
}

void TransactionCoordinator::append_marker(const TopicPartition& tp, ProducerIdentity producer, bool commit,
                                           int32_t coordinator_epoch, MarkerCallback done) {
  auto partition = topics_.partition(tp);
  if (!partition) return done(no_such_partition(tp));
  auto type = commit ? record::ControlType::kCommit : record::ControlType::kAbort;
  record::Batch marker =
      record::end_transaction_marker(type, producer.id, producer.epoch, coordinator_epoch, env_.clock.wall_ms());
  partition->append_marker(
      marker, [this, tp, producer = producer.id, commit, done = std::move(done)](Result<Produced> produced) mutable {
        if (!produced.ok()) return done(produced.error());
        complete_offsets(tp, producer, commit);
        done({});
      });
}

void TransactionCoordinator::complete(const EndingRef& ending) {
  if (ending->cut_short) return answer_undone(ending);
  StoredTransaction completed;
  {
    std::lock_guard lock(ending->transaction->mutex);
    StoredTransaction& stored = ending->transaction->stored;
    stored.state = ending->commit ? TransactionState::kCompleteCommit : TransactionState::kCompleteAbort;
    stored.producer = ending->next;
    stored.next_id = kNoProducerId;
    stored.partitions.clear();
    stored.update_time_ms = env_.clock.wall_ms();
    ending->transaction->busy = false;
    ending->transaction->completing = true;
    completed = stored;
  }
  write_completed(ending->transaction, completed);
  if (!ending->answered.exchange(true)) ending->done({CoordinatorError::kNone, ending->next});
}

/// The answer does not wait for this, only the next transaction does.
void TransactionCoordinator::write_completed(const TransactionRef& transaction, const StoredTransaction& completed) {
  write(*transaction, completed, [this, transaction, completed](bool written) {
    std::vector<Function<void(bool)>> waiting;
    {
      std::lock_guard lock(transaction->mutex);
      transaction->completing = transaction->completion_failed = !written;
      waiting.swap(transaction->when_completed);
    }
    if (!written)
      timers_.after(kMarkerRetry, [this, transaction, completed] { write_completed(transaction, completed); });
    for (auto& go_on : waiting) go_on(written);
  });
}

void TransactionCoordinator::find_open_transactions(std::map<ProducerId, std::set<TopicPartition>>& open,
                                                    std::map<ProducerId, int16_t>& epochs) {
  for (const auto& topic : topics_.all()) {
    for (const auto& partition : topic->partitions) {
      if (partition->last_stable() == partition->high_watermark()) continue;
      for (const log::ProducerInfo& producer : partition->log().producers()) {
        if (producer.transaction_first_offset == kNoOffset) continue;
        open[producer.producer_id].insert(partition->tp());
        epochs[producer.producer_id] = std::max(epochs[producer.producer_id], producer.epoch);
      }
    }
  }
}

/// Writes the markers of an end that was decided.
void TransactionCoordinator::finish_decided(std::unique_lock<std::mutex> lock, const TransactionRef& transaction,
                                            IdentityCallback done) {
  const StoredTransaction& stored = transaction->stored;
  auto ending = std::make_shared<Ending>();
  ending->transaction = transaction;
  ending->commit =
      stored.state == TransactionState::kPrepareCommit || stored.state == TransactionState::kCompleteCommit;
  ending->marker = stored.producer;
  ending->next = stored.producer;
  if (stored.next_id != kNoProducerId) {
    ending->next = {stored.next_id, 0};
  } else if (stored.producer.epoch == std::numeric_limits<int16_t>::max()) {
    // The marker used the id's last epoch up, and an older version of this program did not note what follows.
    if (Result<ProducerIdentity> next = next_identity(stored.producer); next.ok()) ending->next = *next;
  }
  ending->partitions = stored.partitions;
  ending->done = std::move(done);
  transaction->busy = true;
  lock.unlock();
  write_markers(ending);
}

/// An open transaction, which its producer may go on with. `left_open`: where it has records.
void TransactionCoordinator::reopen(std::unique_lock<std::mutex> lock, const TransactionRef& transaction,
                                    std::set<TopicPartition> left_open) {
  StoredTransaction& stored = transaction->stored;
  if (stored.state != TransactionState::kOngoing) {
    // It began, and the record of that is lost.
    stored.partitions.clear();
    stored.start_time_ms = env_.clock.wall_ms();
    stored.previous = {};
  }
  stored.state = TransactionState::kOngoing;
  stored.partitions.merge(left_open);
  lock.unlock();
  begin_timer(transaction);
}

void TransactionCoordinator::abort_unknown(const TopicPartition& tp, ProducerIdentity producer, IdentityCallback done) {
  auto written = [this, tp, producer, done = std::move(done)](const Status& status) mutable {
    if (!status.ok() && passes(status.error().code)) {
      timers_.after(kMarkerRetry, [this, tp, producer, done = std::move(done)]() mutable {
        abort_unknown(tp, producer, std::move(done));
      });
      return;
    }
    if (!status.ok()) {
      log_error("aborting a transaction in {}: {}", to_string(tp), status.error().message);
      complete_offsets(tp, producer.id, /*commit=*/false);
    }
    done({});
  };
  append_marker(tp, producer, /*commit=*/false, kCoordinatorEpoch, std::move(written));
}

void TransactionCoordinator::recover() {
  std::map<ProducerId, std::set<TopicPartition>> open;
  std::map<ProducerId, int16_t> epochs;
  find_open_transactions(open, epochs);
  std::vector<std::future<void>> ended;
  auto waiting = [&ended] {
    auto promise = std::make_shared<std::promise<void>>();
    ended.push_back(promise->get_future());
    return [promise](IdentityAnswer) { promise->set_value(); };
  };
  for (const TransactionRef& transaction : all()) {
    std::unique_lock lock(transaction->mutex);
    StoredTransaction& stored = transaction->stored;
    auto found = open.extract(stored.producer.id);
    std::set<TopicPartition> left_open = found.empty() ? std::set<TopicPartition>() : std::move(found.mapped());
    if (stored.state == TransactionState::kPrepareCommit || stored.state == TransactionState::kPrepareAbort) {
      finish_decided(std::move(lock), transaction, waiting());
    } else if (has_ended(stored.state) && !left_open.empty() &&
               stored.previous == ProducerIdentity{stored.producer.id, epochs[stored.producer.id]}) {
      stored.partitions = std::move(left_open);  // Its markers there are lost.
      finish_decided(std::move(lock), transaction, waiting());
    } else if (!left_open.empty() && epochs[stored.producer.id] != stored.producer.epoch) {
      // Left open by a producer that a newer one has fenced, or by one whose identity is not on the disk.
      stored.state = TransactionState::kOngoing;
      stored.producer.epoch = std::max(stored.producer.epoch, std::min(epochs[stored.producer.id], kProducerEpochMax));
      stored.partitions.merge(left_open);
      begin_end(std::move(lock), transaction, /*commit=*/false, /*bump_epoch=*/true, waiting());
    } else if (stored.state == TransactionState::kOngoing || !left_open.empty()) {
      reopen(std::move(lock), transaction, std::move(left_open));
    }
  }
  // Open transactions whose very id was not on the disk yet: nobody can commit them any more.
  for (const auto& [producer, partitions] : open) {
    for (const TopicPartition& tp : partitions) abort_unknown(tp, {producer, epochs[producer]}, waiting());
  }
  // A full disk lets nothing end; then it goes on in the background.
  auto deadline = std::chrono::steady_clock::now() + kRecoveryWaitMax;
  for (auto& future : ended) {
    if (future.wait_until(deadline) == std::future_status::ready) continue;
    log_warn("transactions that a crash left open are still being ended");
    return;
  }
}

}  // namespace headrace::broker
