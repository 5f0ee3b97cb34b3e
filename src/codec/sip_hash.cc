#include "codec/sip_hash.h"

#include <bit>

namespace headrace::codec {
namespace {

struct State {
  uint64_t v0, v1, v2, v3;

  void rounds(int count) {
    for (int i = 0; i < count; ++i) {
      v0 += v1;
      v2 += v3;
      v1 = std::rotl(v1, 13) ^ v0;
      v3 = std::rotl(v3, 16) ^ v2;
      v0 = std::rotl(v0, 32);
      v2 += v1;
      v0 += v3;
      v1 = std::rotl(v1, 17) ^ v2;
      v3 = std::rotl(v3, 21) ^ v0;
      v2 = std::rotl(v2, 32);
    }
  }
  void absorb(uint64_t word) {
    v3 ^= word;
    rounds(2);
    v0 ^= word;
  }
  uint64_t sum() const { return v0 ^ v1 ^ v2 ^ v3; }
};

uint64_t little_endian(const uint8_t* bytes, size_t size) {
  uint64_t word = 0;
  for (size_t i = 0; i < size; ++i) word |= static_cast<uint64_t>(bytes[i]) << (8 * i);
  return word;
}

}  // namespace

Hash128 sip_hash_128(const Hash128& key, BytesView bytes) {
  State state{key.low ^ 0x736f6d6570736575u, key.high ^ 0x646f72616e646f6du ^ 0xee, key.low ^ 0x6c7967656e657261u,
              key.high ^ 0x7465646279746573u};
  size_t whole = bytes.size() & ~size_t{7};
  for (size_t at = 0; at < whole; at += 8) state.absorb(little_endian(bytes.data() + at, 8));
  uint64_t tail = little_endian(bytes.data() + whole, bytes.size() - whole);
  state.absorb(tail | static_cast<uint64_t>(bytes.size()) << 56);
  state.v2 ^= 0xee;
  state.rounds(4);
  Hash128 hash{state.sum(), 0};
  state.v1 ^= 0xdd;
  state.rounds(4);
  hash.high = state.sum();
  return hash;
}

}  // namespace headrace::codec
