#include <cmath>

#include "console/device_table.h"
#include "console/json_writer.h"
#include "console/series.h"

namespace headrace::console {
namespace {

DeviceUpdate at(std::string_view id, int64_t ms, double lon = 1, double lat = 2) {
  return {.id = id, .lon = lon, .lat = lat, .status = "free", .time_ms = ms, .seen_ms = ms};
}

TEST(DeviceTable, TheDeviceSilentForLongestMakesRoom) {
  DeviceTable table(2);
  table.update(at("a", 1));
  table.update(at("b", 2));
  table.update(at("a", 3));
  table.update(at("c", 4));
  EXPECT_NE(table.find("a"), nullptr);
  EXPECT_EQ(table.find("b"), nullptr);
  EXPECT_NE(table.find("c"), nullptr);
  EXPECT_EQ(table.size(), 2u);
  EXPECT_EQ(table.status_counts(), std::vector<size_t>{2});
}

TEST(DeviceTable, LateRecordsDoNotMoveADeviceBack) {
  DeviceTable table(10);
  table.update(at("a", 100, 5, 5));
  table.update(at("a", 50, 1, 1));
  EXPECT_EQ(table.find("a")->lon, 5);
}

TEST(DeviceTable, PlacesOffTheGlobeAndEndlessIdsAreDropped) {
  DeviceTable table(10);
  table.update(at("a", 1, 181, 0));
  table.update(at("b", 1, NAN, 0));
  table.update(at(std::string(1000, 'x'), 1));
  EXPECT_EQ(table.size(), 0u);
}

TEST(DeviceTable, AChangeIsTakenOnceHoweverOftenADeviceMoved) {
  DeviceTable table(10);
  for (int i = 1; i < 5; ++i) table.update(at("a", i));
  uint32_t slot = 0;
  bool full = false;
  ASSERT_NE(table.take_change(slot, full), nullptr);
  EXPECT_TRUE(full);
  EXPECT_EQ(table.take_change(slot, full), nullptr);
  table.update(at("a", 9));
  ASSERT_NE(table.take_change(slot, full), nullptr);
  EXPECT_FALSE(full);
}

TEST(DeviceTable, SilentDevicesExpireAndTheirSlotsServeAgain) {
  DeviceTable table(10);
  table.update(at("a", 1000));
  table.update(at("b", 5000));
  table.expire(2000);
  EXPECT_EQ(table.find("a"), nullptr);
  EXPECT_EQ(table.take_gone().size(), 1u);
  table.update(at("c", 6000));
  EXPECT_EQ(table.size(), 2u);
}

TEST(DeviceTable, StatusesAreBounded) {
  DeviceTable table(100);
  for (int i = 0; i < 50; ++i) {
    const std::string id = std::to_string(i);
    DeviceUpdate update = at(id, 1);
    update.status = id;
    table.update(update);
  }
  EXPECT_EQ(table.statuses().size(), DeviceTable::kStatusesMax);
}

TEST(JsonWriter, EscapesWhatJsonAndHtmlWouldMisread) {
  JsonWriter out;
  out.begin_object().key("a\"b").text("</script>\n\x01\xff\xc3\xa9 \xed\xa0\x80").key("n").number(NAN).end_object();
  EXPECT_EQ(out.str(),
            "{\"a\\\"b\":\"\\u003c/script\\u003e\\n\\u0001\xEF\xBF\xBD\xc3\xa9 "
            "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\",\"n\":null}");
}

TEST(JsonWriter, PutsCommasBetweenValuesOnly) {
  JsonWriter out;
  out.begin_array().integer(1).begin_array().end_array().boolean(true).fixed(1.005, 1).end_array();
  EXPECT_EQ(out.str(), "[1,[],true,1.0]");
}

TEST(JsonWriter, KnowsUtf8) {
  EXPECT_TRUE(is_utf8("caf\xc3\xa9 \xf0\x9f\x9a\x95"));
  for (const char* bad : {"\x80", "\xc0\xaf", "\xe0\x80\x80", "\xf5\x80\x80\x80", "\xc3"}) EXPECT_FALSE(is_utf8(bad));
}

TEST(Series, AggregatesBySecondAndLine) {
  Series series(60, Aggregate::kAvg);
  series.add("a", 10'100, 1, 10'500);
  series.add("a", 10'900, 3, 11'000);
  series.add("b", 11'000, 7, 11'000);
  JsonWriter out;
  out.begin_object();
  series.write_all(out, 11'000);
  EXPECT_EQ(out.end_object().str(), R"({"lines":["a","b"],"points":[[10,2.00],[11,null,7.00]]})");
}

TEST(Series, ChangesAreTheSecondsTouchedSinceTheLastTime) {
  Series series(60, Aggregate::kSum);
  series.add("a", 10'000, 1, 12'000);
  series.add("a", 12'000, 1, 12'000);
  JsonWriter first;
  first.begin_object();
  series.write_changes(first, 12'000);
  EXPECT_FALSE(series.changed());
  series.add("a", 10'500, 1, 12'000);
  JsonWriter second;
  second.begin_object();
  series.write_changes(second, 12'000);
  EXPECT_EQ(second.end_object().str(), R"({"lines":["a"],"points":[[10,2.00]]})");
}

TEST(Series, KeepsToItsWindowAndLines) {
  Series series(10, Aggregate::kCount);
  series.add("old", 1000, 1, 60'000);
  series.add("future", 600'000, 1, 60'000);
  EXPECT_FALSE(series.changed());
  for (int i = 0; i < 100; ++i) series.add(std::to_string(i), 60'000, 1, 60'000);
  JsonWriter out;
  out.begin_object();
  series.write_all(out, 60'000);
  EXPECT_THAT(out.str(), ::testing::HasSubstr(R"("10","others"],"points":[[60,1.00)"));
}

}  // namespace
}  // namespace headrace::console
