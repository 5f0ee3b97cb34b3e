// Re-encoding of a batch in another codec, as compression.type on a topic asks for.
#pragma once

#include "base/result.h"
#include "record/batch.h"

namespace headrace::record {

/// `batch` with its records compressed by `codec`, all else the same; a batch that has it already comes back as it is.
/// kTooLarge: it decompresses to more than `decompressed_bytes_max`. kCorrupt: it does not decompress.
Result<Batch> with_compression(const Batch& batch, codec::Compression codec, size_t decompressed_bytes_max);

}  // namespace headrace::record
