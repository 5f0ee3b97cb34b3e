// Any bytes as batches, with and without the checksum; their records; their records in another codec.
//
//   input := codec:u8 batch
//
// --seeds=DIRECTORY writes batches of each codec.
#include <algorithm>
#include <string>

#include "base/fuzzing.h"
#include "record/batch.h"
#include "record/batch_builder.h"
#include "record/producer_fields.h"
#include "record/recompress.h"
#include "record/records_summary.h"

namespace headrace::record {
namespace {

constexpr int kCodecs = 5;
constexpr size_t kDecompressedBytesMax = 1 << 20;

/// The records of a batch until its first malformed one; what could be read to its end is true.
bool read_all(const Batch& batch) {
  RecordReader reader(batch, kDecompressedBytesMax);
  RecordsSummary seen;
  while (const RecordView* record = reader.next()) {
    CHECK(record->offset >= batch.header().base_offset);
    CHECK(!reader.raw().empty());
    seen.all_have_keys &= record->key.has_value();
    if (record->timestamp_ms >= 0) seen.earliest_ms = std::min(seen.earliest_ms, record->timestamp_ms);
    seen.latest_ms = std::max(seen.latest_ms, record->timestamp_ms);
  }
  auto summary = summarize_records(batch, kDecompressedBytesMax);
  CHECK(summary.ok() == reader.status().ok());
  if (summary.ok()) CHECK(*summary == seen);
  return summary.ok();
}

void write_seeds(const std::string& directory) {
  for (int codec = 0; codec < kCodecs; ++codec) {
    BatchBuilder builder(static_cast<codec::Compression>(codec));
    const Header headers[] = {{"h", "1"}, {"null", std::nullopt}};
    builder.add(1'700'000'000'000, "k", "value", headers);
    builder.add(1'700'000'000'001, std::nullopt, std::nullopt);
    builder.add_at(Offset(9), 1'700'000'000'000, "", std::string(300, 'x'));
    Batch batch = builder.finish();
    Bytes input = {static_cast<uint8_t>(codec + 1)};
    input.insert(input.end(), batch.bytes().view().begin(), batch.bytes().view().end());
    write_seed(directory, std::to_string(codec), input);
  }
}

}  // namespace
}  // namespace headrace::record

extern "C" int LLVMFuzzerInitialize(int* count, char*** arguments) {
  headrace::write_seeds_if_asked(*count, *arguments, headrace::record::write_seeds);
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace headrace;
  if (size == 0) return 0;
  SharedBytes bytes(Bytes(data + 1, data + size));
  (void)record::split_batches(bytes, true);
  auto batch = record::Batch::parse_trusted(bytes);
  if (!batch.ok()) return 0;
  (void)record::read_marker(batch->header(), batch->bytes().view());
  bool readable = record::read_all(*batch);
  auto codec = static_cast<codec::Compression>(data[0] % record::kCodecs);
  auto other = record::with_compression(*batch, codec, record::kDecompressedBytesMax);
  if (!other.ok()) return 0;
  CHECK(record::Batch::parse(other->bytes()).ok() || other->header().compression() == batch->header().compression());
  if (readable) CHECK(record::read_all(*other));
  return 0;
}
