// Kafka's compression codecs over whole buffers, with a cap on what decompression may produce.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"

namespace headrace::codec {

/// The low three bits of a record batch's attributes.
enum class Compression : uint8_t { kNone = 0, kGzip = 1, kSnappy = 2, kLz4 = 3, kZstd = 4 };

/// "none", "gzip", "snappy", "lz4", "zstd": Kafka's `compression.type` names.
std::string_view to_string(Compression codec);
Result<Compression> parse_compression(std::string_view name);

/// Decompresses `input`. Output over `output_bytes_max` is an error (kTooLarge) and is never allocated (Kafka
/// CVE-2023-34455). Snappy is read raw or in the xerial framing that Java clients write; LZ4 is the frame format.
Result<Bytes> decompress(Compression codec, BytesView input, size_t output_bytes_max);

/// Compresses `input`; snappy in the xerial framing, LZ4 in the frame format, as Java clients do.
Result<Bytes> compress(Compression codec, BytesView input);

}  // namespace headrace::codec
