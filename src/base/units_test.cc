#include "base/units.h"

namespace headrace {
namespace {

TEST(Units, DurationsTakeTheUsualSuffixes) {
  EXPECT_EQ(parse_duration("7d")->count(), 7 * 86400000LL);
  EXPECT_EQ(parse_duration("1.5s")->count(), 1500);
  EXPECT_EQ(parse_duration("250")->count(), 250);
  EXPECT_EQ(parse_duration("-1")->count(), -1);
}

TEST(Units, SizesTellPowersOfTenFromPowersOfTwo) {
  EXPECT_EQ(*parse_size("64MiB"), 64 << 20);
  EXPECT_EQ(*parse_size("64 MB"), 64000000);
  EXPECT_EQ(*parse_size("1024"), 1024);
}

TEST(Units, NonsenseIsRefusedWithWhatIsAllowed) {
  for (const char* text : {"", "x", "5 parsecs", "-7d", "1e400", "0.3B", "nan"}) {
    auto size = parse_size(text);
    ASSERT_FALSE(size.ok()) << text;
    EXPECT_THAT(size.error().message, testing::HasSubstr("64MiB"));
  }
}

TEST(Units, FormatsForPeople) {
  EXPECT_EQ(format_size(1536), "1.5 KiB");
  EXPECT_EQ(format_duration(std::chrono::milliseconds(90000)), "1.5 min");
}

}  // namespace
}  // namespace headrace
