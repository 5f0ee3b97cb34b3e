#include "bus/bus.h"

#include <limits>

namespace headrace::bus {
namespace {

// The hashes that Kafka's own UtilsTest expects, made positive; modulo 2^31-1 they show whole.
TEST(PartitionForKey, HashesAsKafkasDefaultPartitioner) {
  const std::pair<const char*, int32_t> known[] = {{"21", -973932308},
                                                   {"foobar", -790332482},
                                                   {"a-little-bit-long-string", -985981536},
                                                   {"a-little-bit-longer-string", -1486304829},
                                                   {"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971},
                                                   {"abc", 479470107}};
  constexpr int32_t kMax = std::numeric_limits<int32_t>::max();
  for (auto [key, hash] : known) EXPECT_EQ(partition_for_key(key, kMax).value, (hash & kMax) % kMax) << key;
}

TEST(PartitionForKey, StaysInRange) {
  for (int i = 0; i < 1000; ++i) {
    auto partition = partition_for_key("cab-" + std::to_string(i), 7);
    EXPECT_GE(partition.value, 0);
    EXPECT_LT(partition.value, 7);
  }
  EXPECT_EQ(partition_for_key("", 1), PartitionId(0));
}

}  // namespace
}  // namespace headrace::bus
