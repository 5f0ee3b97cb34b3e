#include "bus/bus.h"

#include <cstring>

namespace headrace::bus {
namespace {

/// MurmurHash2 (Austin Appleby), 32 bits, with the seed of Kafka's Utils.murmur2.
uint32_t murmur2(std::string_view data) {
  constexpr uint32_t kSeed = 0x9747b28c, kMultiplier = 0x5bd1e995;
  constexpr int kShift = 24;
  uint32_t hash = kSeed ^ static_cast<uint32_t>(data.size());
  while (data.size() >= 4) {
    uint32_t word;
    std::memcpy(&word, data.data(), 4);
    word *= kMultiplier;
    word ^= word >> kShift;
    word *= kMultiplier;
    hash = hash * kMultiplier ^ word;
    data.remove_prefix(4);
  }
  if (!data.empty()) {
    for (size_t i = data.size(); i-- > 0;) hash ^= static_cast<uint32_t>(static_cast<uint8_t>(data[i])) << (8 * i);
    hash *= kMultiplier;
  }
  hash ^= hash >> 13;
  hash *= kMultiplier;
  return hash ^ hash >> 15;
}

}  // namespace

PartitionId partition_for_key(std::string_view key, int32_t partitions) {
  CHECK(partitions > 0);
  return PartitionId(static_cast<int32_t>((murmur2(key) & 0x7fffffffu) % static_cast<uint32_t>(partitions)));
}

}  // namespace headrace::bus
