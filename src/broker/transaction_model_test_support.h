// What Kafka says of idempotent and transactional producers, as a model without disk, threads or clocks: KIP-98
// (sequences, fencing, markers, the last stable offset), KIP-360 (a producer has its own epoch bumped), KIP-664
// (markers that no coordinator asked for), KIP-890 (version 2: each end bumps the epoch). One call at a time, each
// whole.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <ostream>
#include <set>
#include <string>
#include <vector>

#include "base/ids.h"
#include "broker/transactions.h"

namespace headrace::broker::model {

using Values = std::vector<std::string>;

/// Error codes as far as a producer acts differently on them.
enum class Answer {
  kDone,
  kDuplicate,   ///< Done before.
  kFenced,      ///< PRODUCER_FENCED, INVALID_PRODUCER_EPOCH, INVALID_PRODUCER_ID_MAPPING
  kBadState,    ///< INVALID_TXN_STATE
  kOutOfOrder,  ///< OUT_OF_ORDER_SEQUENCE_NUMBER
  kConcurrent,  ///< CONCURRENT_TRANSACTIONS: ask again.
  kOther,
};

inline void PrintTo(Answer answer, std::ostream* out) {
  constexpr const char* kNames[] = {"done", "duplicate", "fenced", "bad state", "out of order", "concurrent", "other"};
  *out << kNames[static_cast<int>(answer)];
}

/// Stands for an id that was never given out before, which only the broker can choose.
constexpr ProducerIdentity kFresh{kNoProducerId, 0};
constexpr int16_t kLastEpoch = 32766;  ///< Of a producer; 32767 is for the marker that ends its last transaction.

/// A higher epoch; when there is none left, a fresh id.
inline ProducerIdentity identity_after(ProducerIdentity who) {
  if (who.id == kNoProducerId || who.epoch >= kLastEpoch) return kFresh;
  return {who.id, static_cast<int16_t>(who.epoch + 1)};
}

/// Sequences go from 0 to 2^31-1, and on from 0.
inline int32_t sequence_after(int32_t sequence, size_t records) {
  return static_cast<int32_t>((sequence + static_cast<int64_t>(records)) % (int64_t{1} << 31));
}

/// A partition: what it holds, and what it knows of producers.
class PartitionModel {
 public:
  struct Appended {
    Answer answer;
    Offset offset = kNoOffset;
  };

  explicit PartitionModel(Offset start) : end_(start) {}

  Appended append(ProducerIdentity who, int32_t first_sequence, const Values& values, bool transactional) {
    auto known = producers_.find(who.id);
    if (known != producers_.end()) {
      const Producer& producer = known->second;
      if (who.epoch < producer.epoch) return {Answer::kFenced};
      if (who.epoch == producer.epoch) {
        for (const Batch& batch : producer.batches)
          if (batch.first == first_sequence && batch.records == values.size())
            return {Answer::kDuplicate, batch.offset};
      }
      if (first_sequence != *expected_sequence(who)) return {Answer::kOutOfOrder};
    }
    Producer& producer = take_epoch(who);
    producer.batches.push_back({first_sequence, values.size(), end_});
    if (producer.batches.size() > kRetained) producer.batches.pop_front();
    if (transactional && !producer.open_since) producer.open_since = end_;
    Appended appended{Answer::kDone, end_};
    for (const std::string& value : values) {
      records_.push_back({end_, value, who.id});
      end_ = end_ + 1;
    }
    return appended;
  }
  /// WriteTxnMarkers: whatever the producer has open here ends.
  Answer mark(ProducerIdentity who, bool commit) {
    auto known = producers_.find(who.id);
    if (known != producers_.end() && who.epoch < known->second.epoch) return Answer::kFenced;
    Producer& producer = take_epoch(who);
    for (Record& record : records_) {
      bool ends = producer.open_since && record.producer == who.id && record.offset >= *producer.open_since;
      if (ends && !commit) record.aborted = true;
    }
    producer.open_since.reset();
    end_ = end_ + 1;
    return Answer::kDone;
  }
  /// What the coordinator writes: never too old for the partition.
  void end_transaction(ProducerIdentity who, bool commit) {
    auto known = producers_.find(who.id);
    if (known != producers_.end()) who.epoch = std::max(who.epoch, known->second.epoch);
    mark(who, commit);
  }

  /// What comes next from this producer; nothing where it is unknown: anything may (KIP-360).
  std::optional<int32_t> expected_sequence(ProducerIdentity who) const {
    auto known = producers_.find(who.id);
    if (known == producers_.end()) return std::nullopt;
    const Producer& producer = known->second;
    if (who.epoch != producer.epoch || producer.batches.empty()) return 0;
    return sequence_after(producer.batches.back().first, producer.batches.back().records);
  }
  Offset end() const { return end_; }
  Offset last_stable() const {
    Offset stable = end_;
    for (const auto& [id, producer] : producers_) stable = std::min(stable, producer.open_since.value_or(end_));
    return stable;
  }
  Values visible(bus::Isolation isolation) const {
    bool committed = isolation == bus::Isolation::kReadCommitted;
    Values values;
    for (const Record& record : records_) {
      if (committed && (record.aborted || record.offset >= last_stable())) continue;
      values.push_back(record.value);
    }
    return values;
  }

 private:
  static constexpr size_t kRetained = 5;  ///< Batches of a producer in which a repeated one is recognised (KIP-98).

  struct Record {
    Offset offset;
    std::string value;
    ProducerId producer;
    bool aborted = false;
  };
  struct Batch {
    int32_t first;
    size_t records;
    Offset offset;
  };
  struct Producer {
    int16_t epoch = -1;
    std::deque<Batch> batches;  ///< Of this epoch.
    std::optional<Offset> open_since;
  };

  Producer& take_epoch(ProducerIdentity who) {
    Producer& producer = producers_[who.id];
    if (producer.epoch != who.epoch) producer.batches.clear();
    producer.epoch = who.epoch;
    return producer;
  }

  Offset end_;
  std::vector<Record> records_;
  std::map<ProducerId, Producer> producers_;
};

/// The position of a group in one partition. Of positions that are committed, the one that was written last counts.
class PositionModel {
 public:
  void write(const void* transaction, int64_t position) { pending_[transaction].push_back({++written_, position}); }
  void end_transaction(const void* transaction, bool commit) {
    auto node = pending_.extract(transaction);
    if (node.empty() || !commit) return;
    for (const Written& one : node.mapped())
      if (one.order > committed_.order) committed_ = one;
  }
  int64_t committed() const { return committed_.position; }
  bool stable() const { return pending_.empty(); }

 private:
  struct Written {
    int order = 0;
    int64_t position = -1;
  };
  int written_ = 0;
  Written committed_;
  std::map<const void*, std::vector<Written>> pending_;
};

/// A transactional id at its coordinator.
class TransactionModel {
 public:
  static constexpr int kPositions = -1;  ///< The number of the partition of positions.
  /// What is answered, and the identity that goes with it.
  struct Outcome {
    Answer answer;
    ProducerIdentity producer = {};
  };

  TransactionModel(std::vector<PartitionModel>& partitions, PositionModel& position)
      : partitions_(partitions), position_(position) {}
  TransactionModel(const TransactionModel&) = delete;

  /// The identity that was kFresh, or that the id had from the beginning.
  void adopt(ProducerIdentity given) { owner_ = given; }

  /// InitProducerId. A transaction that was left open is aborted, under an epoch of its own.
  Outcome init(std::optional<ProducerIdentity> current) {
    if (current && known()) {
      if (state_ == State::kEmpty && current == replaced_) return {Answer::kDone, owner_};  // Asked again.
      if (current != owner_ && current != before_end_) return {Answer::kFenced};
    }
    if (state_ == State::kOpen) finish(/*commit=*/false, /*bump=*/true);
    owner_ = identity_after(owner_);
    state_ = State::kEmpty;
    replaced_ = current;
    before_end_.reset();
    return {Answer::kDone, owner_};
  }

  /// AddPartitionsToTxn and AddOffsetsToTxn.
  Answer add(ProducerIdentity who, int partition) {
    if (!known() || who != owner_) return Answer::kFenced;
    if (state_ != State::kOpen) before_end_.reset();
    state_ = State::kOpen;
    added_.insert(partition);
    return Answer::kDone;
  }
  PartitionModel::Appended produce(ProducerIdentity who, int partition, int32_t first_sequence, const Values& values) {
    if (Answer refused = check(who, partition); refused != Answer::kDone) return {refused};
    return partitions_[static_cast<size_t>(partition)].append(who, first_sequence, values, /*transactional=*/true);
  }
  /// TxnOffsetCommit.
  Answer commit_position(ProducerIdentity who, int64_t position) {
    Answer answer = check(who, kPositions);
    if (answer == Answer::kDone) position_.write(this, position);
    return answer;
  }

  /// EndTxn. With `bump` a question that is asked again is known by its epoch; without, only the outcome tells. Kafka
  /// fences a producer of version 1 whose transaction timed out; here it is told the outcome, as one of version 2 is.
  Outcome end(ProducerIdentity who, bool commit, bool bump) {
    if (!known()) return {Answer::kFenced};
    bool again = who == before_end_;
    if (!again && who != owner_) return {Answer::kFenced};
    if (!again && (state_ == State::kOpen || (bump && !commit))) {
      finish(commit, bump);
      return {Answer::kDone, owner_};
    }
    bool same = state_ == (commit ? State::kCommitted : State::kAborted) && (again || !bump);
    return same ? Outcome{Answer::kDone, owner_} : Outcome{Answer::kBadState};
  }
  void time_out() { finish(/*commit=*/false, /*bump=*/true); }
  /// The broker has begun anew: what is on the disk says nothing of who asked for the last identity.
  void restart() { replaced_.reset(); }

  bool open() const { return state_ == State::kOpen; }
  const std::set<int>& added() const { return added_; }
  ProducerIdentity owner() const { return owner_; }

 private:
  enum class State { kEmpty, kOpen, kCommitted, kAborted };

  bool known() const { return owner_ != ProducerIdentity{}; }
  Answer check(ProducerIdentity who, int partition) const {
    if (!known() || who != owner_) return Answer::kFenced;
    return state_ == State::kOpen && added_.contains(partition) ? Answer::kDone : Answer::kBadState;
  }
  /// All of the transaction, by one outcome. Markers of the next epoch keep the old one out.
  void finish(bool commit, bool bump) {
    ProducerIdentity marker{owner_.id, static_cast<int16_t>(owner_.epoch + (bump ? 1 : 0))};
    for (int partition : added_)
      if (partition != kPositions) partitions_[static_cast<size_t>(partition)].end_transaction(marker, commit);
    position_.end_transaction(this, commit);
    added_.clear();
    state_ = commit ? State::kCommitted : State::kAborted;
    before_end_.reset();
    if (!bump) return;
    before_end_ = owner_;
    owner_ = identity_after(owner_);
  }

  std::vector<PartitionModel>& partitions_;
  PositionModel& position_;
  ProducerIdentity owner_;
  State state_ = State::kEmpty;
  std::set<int> added_;
  std::optional<ProducerIdentity> replaced_;    ///< Who asked for the owner's identity.
  std::optional<ProducerIdentity> before_end_;  ///< The owner before an end that gave it a new epoch.
};

}  // namespace headrace::broker::model
