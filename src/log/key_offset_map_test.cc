#include "log/key_offset_map.h"

#include <gtest/gtest.h>

#include <string>

namespace headrace::log {
namespace {

TEST(KeyOffsetMap, HoldsTheLastOffsetOfEachKey) {
  KeyOffsetMap map(1 << 20, 7);
  for (int64_t i = 0; i < 30000; ++i) ASSERT_TRUE(map.put("k" + std::to_string(i % 10000), Offset(i)));
  EXPECT_EQ(map.size(), 10000u);
  for (int64_t i = 0; i < 10000; ++i) ASSERT_EQ(map.find("k" + std::to_string(i)), Offset(20000 + i));
  EXPECT_EQ(map.find("k"), kNoOffset);
}

TEST(KeyOffsetMap, RefusesNewKeysWhenFullAndStillMovesOldOnes) {
  KeyOffsetMap map(100 * KeyOffsetMap::kEntryBytes, 7);
  ASSERT_EQ(map.keys_max(), 90u);
  for (int64_t i = 0; i < 90; ++i) ASSERT_TRUE(map.put(std::to_string(i), Offset(i)));
  EXPECT_FALSE(map.put("new", Offset(90)));
  EXPECT_EQ(map.find("new"), kNoOffset);
  EXPECT_TRUE(map.put("5", Offset(91)));
  EXPECT_EQ(map.find("5"), Offset(91));
}

TEST(KeyOffsetMap, HasRoomForOneKeyAtTheLeast) {
  KeyOffsetMap map(0, 7);
  EXPECT_TRUE(map.put("", Offset(0)));
  EXPECT_FALSE(map.put("b", Offset(1)));
  EXPECT_EQ(map.find(""), Offset(0));
}

}  // namespace
}  // namespace headrace::log
