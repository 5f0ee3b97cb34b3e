// Kafka's transaction index: the aborted transactions whose markers are in a segment (KIP-98).
//
//   file  := entry*
//   entry := version:i16(=0) producer_id:i64 first_offset:i64 last_offset:i64 last_stable_offset:i64
//
// last_offset is the marker's; last_stable_offset is what it was once the marker was written.
#pragma once

#include <span>
#include <vector>

#include "base/bytes.h"
#include "base/ids.h"
#include "base/result.h"

namespace headrace::log {

struct TransactionIndexEntry {
  ProducerId producer_id;
  Offset first_offset;
  Offset last_offset;
  Offset last_stable_offset;
  friend bool operator==(const TransactionIndexEntry&, const TransactionIndexEntry&) = default;
};
inline constexpr size_t kTransactionIndexEntryBytes = 34;

/// A transaction that was aborted: read_committed readers skip `producer_id`'s transactional batches from first_offset
/// to last_offset (its marker).
struct AbortedTransaction {
  ProducerId producer_id;
  Offset first_offset;
  Offset last_offset;
  friend auto operator<=>(const AbortedTransaction&, const AbortedTransaction&) = default;
};

Bytes encode_transaction_index(std::span<const TransactionIndexEntry> entries);
/// kCorrupt when the bytes are not whole entries of version 0 in the order of their markers.
Result<std::vector<TransactionIndexEntry>> decode_transaction_index(BytesView bytes);

}  // namespace headrace::log
