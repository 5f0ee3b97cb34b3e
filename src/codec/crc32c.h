// CRC-32C (Castagnoli), RFC 3720 appendix B.4: the checksum of Kafka's v2 record batch.
#pragma once

#include <cstdint>

#include "base/bytes.h"

namespace headrace::codec {

/// The CRC-32C of `bytes`; `before` is that of the bytes that precede them.
uint32_t crc32c(BytesView bytes, uint32_t before = 0);

}  // namespace headrace::codec
