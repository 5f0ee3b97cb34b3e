#include "wire/mqtt/topic.h"

#include <array>

namespace headrace::wire::mqtt {
namespace {

TEST(MqttTopic, FiltersMatchAsTheStandardsExamplesSay) {
  struct Case {
    std::string_view filter, name;
    bool matches;
  };
  for (const Case& each : std::initializer_list<Case>{
           {"sport/tennis/player1/#", "sport/tennis/player1", true},
           {"sport/tennis/player1/#", "sport/tennis/player1/ranking", true},
           {"sport/tennis/player1/#", "sport/tennis/player1/score/wimbledon", true},
           {"sport/#", "sport", true},
           {"sport/#", "sports", false},
           {"#", "a/b/c", true},
           {"sport/tennis/+", "sport/tennis/player1", true},
           {"sport/tennis/+", "sport/tennis/player1/ranking", false},
           {"sport/+", "sport", false},
           {"sport/+", "sport/", true},
           {"+/+", "/finance", true},
           {"/+", "/finance", true},
           {"+", "/finance", false},
           {"#", "$SYS/a", false},
           {"+/monitor/Clients", "$SYS/monitor/Clients", false},
           {"$SYS/#", "$SYS/a", true},
           {"$SYS/monitor/+", "$SYS/monitor/Clients", true},
           {"a", "A", false},
           {"a/b", "a/b/", false},
           {"a/b/", "a/b", false},
       }) {
    EXPECT_EQ(match_topic(each.filter, each.name), each.matches) << each.filter << " " << each.name;
  }
}

TEST(MqttTopic, WildcardsCaptureWhatTheyStandFor) {
  std::array<std::string_view, 3> captures;
  EXPECT_TRUE(match_topic("city/+/cabs/+/#", "city/nyc/cabs/17/engine/temp", captures));
  EXPECT_THAT(captures, testing::ElementsAre("nyc", "17", "engine/temp"));
  EXPECT_EQ(count_wildcards("city/+/cabs/+/#"), 3u);
  EXPECT_TRUE(match_topic("a/#", "a", captures));
  EXPECT_EQ(captures[0], "");
}

TEST(MqttTopic, Utf8IsCheckedAcrossTheFastPath) {
  EXPECT_TRUE(valid_utf8("0123456789abcdef"));
  EXPECT_TRUE(valid_utf8("straße-北京-🚕-and some more"));
  for (size_t at = 0; at < 16; ++at) {
    std::string text(16, 'a');
    text[at] = '\0';
    EXPECT_FALSE(valid_utf8(text)) << at;
    text[at] = '\xff';
    EXPECT_FALSE(valid_utf8(text)) << at;
  }
  EXPECT_FALSE(valid_utf8("cut \xe5\x8c"));
}

}  // namespace
}  // namespace headrace::wire::mqtt
