// Producer ids and the transaction coordinator (KIP-98, KIP-360, KIP-890): who may write under a transactional id,
// which partitions its open transaction touches, and the two-phase end of it. State is durable in __transaction_state,
// in Kafka's own schema.
#pragma once

#include <chrono>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "broker/coordinator_error.h"
#include "broker/partition.h"

namespace headrace::broker {

struct ProducerIdentity {
  ProducerId id = kNoProducerId;
  int16_t epoch = -1;
  friend bool operator==(const ProducerIdentity&, const ProducerIdentity&) = default;
};

/// The last epoch that a producer gets. The one above it is kept for a marker that fences.
constexpr int16_t kProducerEpochMax = std::numeric_limits<int16_t>::max() - 1;

struct IdentityAnswer {
  CoordinatorError error = CoordinatorError::kNone;
  ProducerIdentity producer;
};

enum class TransactionState { kEmpty, kOngoing, kPrepareCommit, kPrepareAbort, kCompleteCommit, kCompleteAbort };
/// "Empty", "Ongoing", "PrepareCommit", ...: as Kafka's tools print them.
std::string_view to_string(TransactionState state);

struct TransactionDescription {
  std::string transactional_id;
  TransactionState state;
  ProducerIdentity producer;
  std::chrono::milliseconds timeout;
  int64_t start_time_ms;
  std::vector<TopicPartition> partitions;
};

/// When joining a transaction is answered for.
enum class Joined {
  kWritten,  ///< For whoever joins anew with each request (version 2 of the protocol), or does not outlive the broker.
  kOnDisk,   ///< For whoever relies on it from then on.
};

using IdentityCallback = Function<void(IdentityAnswer)>;
using TransactionCallback = Function<void(CoordinatorError)>;
using MarkerCallback = Function<void(const Status&)>;

/// Thread-safe; callbacks run once, on the caller's thread or one of the broker's, never under a lock.
class Transactions {
 public:
  virtual ~Transactions() = default;

  /// A producer id that was never given out before, epoch 0 (idempotent producers without a transactional id).
  virtual Result<ProducerIdentity> new_producer_id() = 0;
  /// InitProducerId: fences older producers of the id by a higher epoch; answers when a transaction that they left open
  /// is aborted. `current`: the caller's own identity when it wants its epoch bumped (KIP-360).
  virtual void init(std::string_view transactional_id, std::chrono::milliseconds timeout,
                    std::optional<ProducerIdentity> current, IdentityCallback done) = 0;
  /// AddPartitionsToTxn: begins the transaction with the first ones. kInternalTopic: of the broker's own topics only
  /// __consumer_offsets takes part.
  virtual void add_partitions(std::string_view transactional_id, ProducerIdentity producer,
                              std::vector<TopicPartition> partitions, Joined joined, TransactionCallback done) = 0;
  /// AddOffsetsToTxn: the same for the offsets of a consumer group.
  virtual void add_offsets(std::string_view transactional_id, ProducerIdentity producer, std::string_view group_id,
                           Joined joined, TransactionCallback done) = 0;
  /// EndTxn: answers when the outcome and all markers are on the disk and visible. With `bump_epoch` (KIP-890,
  /// transaction version 2) the markers carry a new epoch, which is the answer's identity and what the producer goes on
  /// with; nothing late of this transaction can then land in the next.
  virtual void end(std::string_view transactional_id, ProducerIdentity producer, bool commit, bool bump_epoch,
                   IdentityCallback done) = 0;

  /// Appends a producer's transactional batches, if its transaction is open and has the partition; else
  /// kInvalidArgument or kFenced.
  virtual void produce(std::string_view transactional_id, const std::shared_ptr<Partition>& partition,
                       std::span<const record::Batch> batches, ProducedCallback done) = 0;

  /// Ends whatever transaction the producer has open in one partition, though no coordinator asks for it (KIP-664).
  /// Answers when the marker is on the disk. kNotFound: no partition. kInvalidArgument: one of the broker's own topics,
  /// where no transaction has a part. kFenced: a newer epoch. Else as
  /// Partition::produce.
  virtual void write_marker(const TopicPartition& tp, ProducerIdentity producer, bool commit, int32_t coordinator_epoch,
                            MarkerCallback done) = 0;

  virtual std::vector<TransactionDescription> list() = 0;
  virtual std::optional<TransactionDescription> describe(std::string_view transactional_id) = 0;
};

}  // namespace headrace::broker
