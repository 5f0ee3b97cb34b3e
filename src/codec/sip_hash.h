// SipHash-2-4 with 128 bits of output (Aumasson and Bernstein, 2012): a keyed hash whose collisions nobody can prepare
// who does not know the key.
#pragma once

#include <cstdint>

#include "base/bytes.h"

namespace headrace::codec {

struct Hash128 {
  uint64_t low = 0, high = 0;
  friend bool operator==(const Hash128&, const Hash128&) = default;
};

Hash128 sip_hash_128(const Hash128& key, BytesView bytes);

}  // namespace headrace::codec
