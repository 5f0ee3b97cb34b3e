#include "log/transaction_index.h"

#include <fmt/format.h>

#include "codec/cursor.h"

namespace headrace::log {

namespace {
constexpr int16_t kVersion = 0;
}

Bytes encode_transaction_index(std::span<const TransactionIndexEntry> entries) {
  Bytes bytes;
  bytes.reserve(entries.size() * kTransactionIndexEntryBytes);
  codec::Writer writer(bytes);
  for (const TransactionIndexEntry& entry : entries) {
    writer.write(kVersion);
    writer.write(entry.producer_id.value);
    writer.write(entry.first_offset.value);
    writer.write(entry.last_offset.value);
    writer.write(entry.last_stable_offset.value);
  }
  return bytes;
}

Result<std::vector<TransactionIndexEntry>> decode_transaction_index(BytesView bytes) {
  if (bytes.size() % kTransactionIndexEntryBytes != 0) {
    return Error{ErrorCode::kCorrupt, fmt::format("transaction index of {} bytes is not whole entries", bytes.size())};
  }
  std::vector<TransactionIndexEntry> entries;
  entries.reserve(bytes.size() / kTransactionIndexEntryBytes);
  codec::Reader reader(bytes);
  Offset before = kNoOffset;
  while (reader.remaining() > 0) {
    int16_t version = reader.read<int16_t>();
    TransactionIndexEntry entry;
    entry.producer_id = ProducerId(reader.read<int64_t>());
    entry.first_offset = Offset(reader.read<int64_t>());
    entry.last_offset = Offset(reader.read<int64_t>());
    entry.last_stable_offset = Offset(reader.read<int64_t>());
    bool sound = version == kVersion && entry.producer_id.value >= 0 && entry.first_offset.value >= 0 &&
                 entry.first_offset < entry.last_offset && entry.last_offset > before;
    if (!sound) {
      return Error{ErrorCode::kCorrupt, fmt::format("transaction index entry {} is out of place", entries.size())};
    }
    entries.push_back(entry);
    before = entry.last_offset;
  }
  return entries;
}

}  // namespace headrace::log
