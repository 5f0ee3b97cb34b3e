#include "log/compaction_batch.h"

#include <algorithm>
#include <limits>

#include "codec/cursor.h"

namespace headrace::log {

namespace {

// Writes `raw` with its time relative to another base: length, attributes, timestamp_delta, the rest. The sum wraps, as
// that of readers does: clients may choose any times.
void rebase_time(BytesView raw, uint64_t shift_ms, Bytes& out) {
  codec::Reader reader(raw);
  reader.read_varint();
  auto attributes = reader.read<uint8_t>();
  auto delta = static_cast<int64_t>(static_cast<uint64_t>(reader.read_varint()) + shift_ms);
  BytesView rest = reader.read_bytes(reader.remaining());
  codec::Writer writer(out);
  writer.write_varint(static_cast<int64_t>(1 + codec::varint_size(delta) + rest.size()));
  writer.write(attributes);
  writer.write_varint(delta);
  writer.write_bytes(rest);
}

// Puts `header` before `records`, compressed as it says.
Result<BytesView> assemble(record::BatchHeader header, const Bytes& records, Bytes& scratch) {
  scratch.assign(record::kBatchHeaderBytes, 0);
  if (header.compression() == codec::Compression::kNone) {
    scratch.insert(scratch.end(), records.begin(), records.end());
  } else {
    ASSIGN_OR_RETURN(Bytes packed, codec::compress(header.compression(), records));
    scratch.insert(scratch.end(), packed.begin(), packed.end());
  }
  header.batch_length = static_cast<int32_t>(scratch.size() - record::kBatchLogOverheadBytes);
  record::write_header(header, scratch);
  record::seal(scratch);
  return BytesView(scratch);
}

// The batch's records, those that `keep` wants, uncompressed; and what of its header follows from them.
struct Kept {
  Bytes records;
  int32_t count = 0;
  bool all = true;
  bool tombstones = false;
  int64_t latest_ms = std::numeric_limits<int64_t>::min();
};

template <typename Keep>
Result<Kept> select(const record::Batch& batch, Keep& keep) {
  Kept kept;
  record::RecordReader reader(batch, kCompactedBatchBytesMax);
  while (const record::RecordView* record = reader.next()) {
    if (!keep(*record)) {
      kept.all = false;
      continue;
    }
    ++kept.count;
    kept.tombstones = kept.tombstones || !record->value;
    kept.latest_ms = std::max(kept.latest_ms, record->timestamp_ms);
    kept.records.insert(kept.records.end(), reader.raw().begin(), reader.raw().end());
  }
  RETURN_IF_ERROR(reader.status());
  return kept;
}

// Sets the horizon, which takes the place of the base timestamp (KIP-534), and the records' times relative to it.
void set_horizon(record::BatchHeader& header, Bytes& records, int64_t horizon_ms) {
  Bytes rebased;
  rebased.reserve(records.size() + 8 * static_cast<size_t>(header.record_count));
  uint64_t shift_ms = static_cast<uint64_t>(header.base_timestamp_ms) - static_cast<uint64_t>(horizon_ms);
  for (BytesView rest = records; !rest.empty();) {
    codec::Reader length(rest);
    auto body = static_cast<size_t>(length.read_varint());
    size_t size = rest.size() - length.remaining() + body;
    rebase_time(rest.first(size), shift_ms, rebased);
    rest = rest.subspan(size);
  }
  records = std::move(rebased);
  header.attributes = static_cast<int16_t>(header.attributes | record::kDeleteHorizonBit);
  header.base_timestamp_ms = horizon_ms;
}

}  // namespace

Result<BytesView> filter_batch(const record::Batch& batch, const BatchFilter& filter, Bytes& scratch) {
  ASSIGN_OR_RETURN(Kept kept, select(batch, filter.keep));
  record::BatchHeader header = batch.header();
  if (kept.count == 0) return filter.keep_empty ? empty_batch(batch, scratch) : BytesView();
  bool horizon = kept.tombstones && filter.delete_horizon_ms && !header.delete_horizon_ms();
  if (kept.all && !horizon) return batch.bytes().view();
  header.record_count = kept.count;
  if (!(header.attributes & record::kLogAppendTimeBit)) header.max_timestamp_ms = kept.latest_ms;
  if (horizon) set_horizon(header, kept.records, *filter.delete_horizon_ms);
  return assemble(header, kept.records, scratch);
}

Result<BytesView> with_delete_horizon(const record::Batch& batch, int64_t horizon_ms, Bytes& scratch) {
  auto all = [](const record::RecordView&) { return true; };
  ASSIGN_OR_RETURN(Kept kept, select(batch, all));
  record::BatchHeader header = batch.header();
  set_horizon(header, kept.records, horizon_ms);
  return assemble(header, kept.records, scratch);
}

BytesView empty_batch(const record::Batch& batch, Bytes& scratch) {
  record::BatchHeader header = batch.header();
  header.record_count = 0;
  header.attributes = static_cast<int16_t>(header.attributes & ~(record::kCompressionMask | record::kDeleteHorizonBit));
  header.base_timestamp_ms = header.max_timestamp_ms;
  scratch.assign(record::kBatchHeaderBytes, 0);
  header.batch_length = static_cast<int32_t>(record::kBatchHeaderBytes - record::kBatchLogOverheadBytes);
  record::write_header(header, scratch);
  record::seal(scratch);
  return scratch;
}

}  // namespace headrace::log
