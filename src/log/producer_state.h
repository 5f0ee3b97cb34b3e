// What a partition knows of its idempotent and transactional producers (KIP-98): the last batches of each, to answer
// duplicates and refuse gaps, and its open transaction.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "log/transaction_index.h"
#include "record/batch.h"
#include "record/producer_fields.h"

namespace headrace::log {

inline constexpr size_t kRetainedBatches = 5;  ///< Clients keep at most five requests in flight (KIP-98).
/// Producers that a partition remembers, about 70 MB: of more, those that wrote longest ago are forgotten early.
inline constexpr size_t kProducersMax = 256 << 10;

/// A batch of a producer, as far as finding it again needs.
struct ProducerBatch {
  int32_t last_sequence = -1;
  Offset last_offset = kNoOffset;
  int32_t offset_delta = 0;  ///< last_offset less the first; sequences span as much.
  int64_t timestamp_ms = -1;

  Offset first_offset() const { return last_offset - offset_delta; }
  int32_t first_sequence() const;
  friend bool operator==(const ProducerBatch&, const ProducerBatch&) = default;
};

struct ProducerState {
  int16_t epoch = -1;
  int32_t coordinator_epoch = -1;
  Offset transaction_first_offset = kNoOffset;
  int64_t last_timestamp_ms = -1;
  int64_t active_ms = 0;  ///< When it last wrote, by the monotonic clock: records and the wall clock may be years off.
  std::array<ProducerBatch, kRetainedBatches> batches;  ///< Oldest first.
  uint8_t batch_count = 0;

  std::span<const ProducerBatch> retained() const { return {batches.data(), batch_count}; }
  const ProducerBatch* last() const { return batch_count ? &batches[batch_count - 1] : nullptr; }
  void retain(const ProducerBatch& batch);
};

/// One thread at a time.
class ProducerStates {
 public:
  using Map = std::unordered_map<ProducerId, ProducerState>;

  explicit ProducerStates(size_t producers_max = kProducersMax) : producers_max_(producers_max) {}

  /// How the batch relates to what its producer wrote before.
  struct Check {
    const ProducerBatch* duplicate = nullptr;  ///< The batch it repeats; valid until the next change.
  };
  /// kFenced, kOutOfOrder, kInvalidArgument as PartitionLog::append says. Changes nothing.
  Result<Check> check(const record::BatchHeader& header, const ProducerState* state) const;

  /// Takes over a batch that was written with its offsets assigned; `marker` as record::read_marker() says. Returns the
  /// transaction that it aborted.
  std::optional<TransactionIndexEntry> apply(const record::BatchHeader& header,
                                             const std::optional<record::TransactionMarker>& marker, int64_t now_ms);

  const ProducerState* find(ProducerId id) const;
  const Map& all() const { return producers_; }
  void restore(ProducerId id, const ProducerState& state);
  /// All of them count as having written at `now_ms`.
  void touch(int64_t now_ms);
  /// Forgets producers without an open transaction that wrote nothing since `before_ms`.
  void expire(int64_t before_ms);

  /// The first offset of an open transaction or of one whose end is at or after `high_watermark`, or `end`.
  Offset last_stable(Offset high_watermark, Offset end) const;
  /// Transactions that ended before `high_watermark` hold nobody back any more.
  void forget_ended_before(Offset high_watermark);

 private:
  struct Ended {
    Offset first_offset;
    Offset last_offset;
  };
  void forget_oldest(ProducerId but);

  size_t producers_max_;
  Map producers_;
  std::map<Offset, ProducerId> open_;  // Open transactions by their first offset.
  std::deque<Ended> ended_;            // Ended, but readers might not see the end yet; by last_offset.
};

/// The state that `state` becomes by a data batch.
void apply_data(ProducerState& state, const record::BatchHeader& header);

}  // namespace headrace::log
