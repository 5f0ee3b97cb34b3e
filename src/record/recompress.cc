#include "record/recompress.h"

#include <memory>

namespace headrace::record {

Result<Batch> with_compression(const Batch& batch, codec::Compression codec, size_t decompressed_bytes_max) {
  BatchHeader header = batch.header();
  if (header.compression() == codec) return batch;
  BytesView records = batch.bytes().view().subspan(kBatchHeaderBytes);
  Bytes plain, packed;
  if (header.compression() != codec::Compression::kNone) {
    auto unpacked = codec::decompress(header.compression(), records, decompressed_bytes_max);
    if (!unpacked.ok()) return unpacked.error().in("re-encoding a record batch");
    plain = *std::move(unpacked);
    records = plain;
  }
  if (codec != codec::Compression::kNone) {
    ASSIGN_OR_RETURN(packed, codec::compress(codec, records));
    records = packed;
  }
  auto bytes = std::make_shared<Bytes>(kBatchHeaderBytes);
  bytes->reserve(kBatchHeaderBytes + records.size());
  bytes->insert(bytes->end(), records.begin(), records.end());
  header.attributes = static_cast<int16_t>((header.attributes & ~kCompressionMask) | static_cast<int16_t>(codec));
  header.batch_length = static_cast<int32_t>(bytes->size() - kBatchLogOverheadBytes);
  write_header(header, *bytes);
  seal(*bytes);
  return Batch::parse_trusted(SharedBytes(bytes, *bytes));
}

}  // namespace headrace::record
