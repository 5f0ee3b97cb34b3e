// What compaction makes of one batch: the same bytes, fewer records, a batch without records, or nothing.
#pragma once

#include <cstdint>
#include <optional>

#include "base/bytes.h"
#include "base/function.h"
#include "base/result.h"
#include "record/batch.h"

namespace headrace::log {

/// A batch that decompresses to more than this is kept as it is. Nothing larger is accepted into a compacted topic.
inline constexpr size_t kCompactedBatchBytesMax = 64 << 20;

/// Whether a record is still worth its place.
using KeepRecord = Function<bool(const record::RecordView&)>;

struct BatchFilter {
  KeepRecord& keep;
  /// Given to a batch in which tombstones stay and which has no horizon yet (KIP-534); nothing: not yet.
  std::optional<int64_t> delete_horizon_ms;
  /// Without records the header stays all the same: it holds its producer's last sequence number.
  bool keep_empty = false;
};

/// The batch with the records that are kept: `batch` itself when nothing changes, bytes in `scratch` (valid until its
/// next use), or empty. Offsets, sequences and the producer stay those of the batch, also where records go. kTooLarge,
/// kCorrupt: its records can't be read.
Result<BytesView> filter_batch(const record::Batch& batch, const BatchFilter& filter, Bytes& scratch);

/// `batch` without records: what remains known is its producer's epoch and last sequence number.
BytesView empty_batch(const record::Batch& batch, Bytes& scratch);

/// A copy of `batch` that carries the delete horizon, its records' times unchanged. The same errors.
Result<BytesView> with_delete_horizon(const record::Batch& batch, int64_t horizon_ms, Bytes& scratch);

}  // namespace headrace::log
