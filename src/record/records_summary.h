// What a broker must know of a batch's records before it takes them.
#pragma once

#include <cstdint>
#include <limits>

#include "base/result.h"
#include "record/batch.h"

namespace headrace::record {

struct RecordsSummary {
  bool all_have_keys = true;
  /// Of the times that are not negative; the largest integer when there is none.
  int64_t earliest_ms = std::numeric_limits<int64_t>::max();
  int64_t latest_ms = std::numeric_limits<int64_t>::min();
  friend bool operator==(const RecordsSummary&, const RecordsSummary&) = default;
};

/// Reads all records by the rules of a RecordReader, with its errors, and makes no RecordView of them.
Result<RecordsSummary> summarize_records(const Batch& batch, size_t decompressed_bytes_max);

}  // namespace headrace::record
