// What a pipeline does with records that are too many, too large or too strange for it: it goes on.
#include "stream/task.h"
#include "stream/testing/rig.h"

namespace headrace::stream {
namespace {

using namespace std::chrono_literals;

constexpr const char* kTotals =
    "SELECT k, window_end, sum(v) AS total FROM s GROUP BY k, tumble(at, interval '10 seconds')";
/// A window's start, a whole number of windows after 1970 and before the clock of the rig.
constexpr int64_t kT = 999'999'990'000;
constexpr int64_t kWindowMs = 10'000;

TEST(PipelineLimits, RowsThatAreRefusedLeaveNoWindows) {
  Rig rig(kTotals);
  auto spec = rig.spec();
  spec.watermark.delay = 24h;
  spec.state_bytes_max = 10'000;
  rig.start(spec);
  std::vector<std::string> events;
  for (int64_t i = 0; i < 1000; ++i) events.push_back(event("a", 1, kT - i * kWindowMs));
  rig.bus.append("in", 0, events);
  rig.steps();
  EXPECT_LT(rig.metric("headrace_pipeline_state_bytes"), 11'000);
  int64_t groups = rig.metric("headrace_pipeline_state_groups");
  EXPECT_GT(groups, 5);
  auto letters = rig.bus.records("dlq");
  ASSERT_EQ(letters.size(), 1000u - static_cast<size_t>(groups));
  EXPECT_THAT(header(letters[0], "dlq.error.message"), testing::HasSubstr("state_bytes_max"));
}

TEST(PipelineLimits, TextsOfGroupsGrowNoFurtherThanTheState) {
  Rig rig("SELECT v, max(k) AS top FROM s GROUP BY v, tumble(at, interval '10 seconds')");
  auto spec = rig.spec();
  spec.state_bytes_max = 1 << 20;
  rig.start(spec);
  for (std::string text : {std::string("a"), std::string(200'000, 'b')}) {
    std::vector<std::string> events;
    for (int64_t v = 0; v < 10; ++v) events.push_back(event(text, v, kT));
    rig.bus.append("in", 0, events);
  }
  rig.steps();
  EXPECT_LT(rig.metric("headrace_pipeline_state_bytes"), 1 << 20);
  auto letters = rig.bus.records("dlq");
  ASSERT_EQ(letters.size(), 5u);
  EXPECT_THAT(header(letters[0], "dlq.error.message"), testing::HasSubstr("no room for a longer text"));
  rig.bus.append("in", 0, {event("0", 9, kT), event("c", 9, kT), event("z", 0, kT + kWindowMs)});
  rig.steps();
  auto tops = rig.bus.values("out");
  ASSERT_EQ(tops.size(), 10u);
  EXPECT_GT(tops[0].size(), 200'000u);
  EXPECT_EQ(tops[8], R"({"v":8,"top":"a"})");
  EXPECT_EQ(tops[9], R"({"v":9,"top":"c"})");
}

TEST(PipelineLimits, GroupsThatTheChangelogHasNoRoomForAreLeftOut) {
  for (std::string sql : {"SELECT k, count(*) AS n FROM s GROUP BY k, tumble(at, interval '10 seconds')",
                          "SELECT min(k) AS k, count(*) AS n FROM s GROUP BY tumble(at, interval '10 seconds')"}) {
    Rig rig(sql);
    rig.start();
    rig.bus.append("in", 0,
                   {event(std::string(2 << 20, 'b'), 1, kT), event("c", 1, kT), event("c", 1, kT + kWindowMs)});
    rig.steps();
    EXPECT_THAT(rig.bus.values("out"), testing::ElementsAre(R"({"k":"c","n":1})"));
    auto letters = rig.bus.records("dlq");
    ASSERT_EQ(letters.size(), 1u);
    EXPECT_THAT(header(letters[0], "dlq.error.message"), testing::HasSubstr("the limit is 921600"));
  }
}

TEST(PipelineLimits, ADeadLetterLeavesOutTheHeadersThatDoNotFit) {
  using Headers = std::vector<std::pair<std::string, std::string>>;
  Rig rig(kTotals);
  rig.start();
  for (const Headers& headers : {Headers(9995, {"h", "1"}), Headers{{"h", std::string(1'048'450, 'x')}}}) {
    rig.bus.append_record("in", 0, FakeBus::Record{.key = "k", .value = "no json", .headers = headers});
  }
  rig.steps();
  auto letters = rig.bus.records("dlq");
  ASSERT_EQ(letters.size(), 2u);
  EXPECT_EQ(header(letters[0], "dlq.headers.omitted"), "9995");
  EXPECT_EQ(header(letters[1], "dlq.headers.omitted"), "1");
  for (const auto& letter : letters) {
    EXPECT_EQ(letter.key, "k");
    EXPECT_EQ(letter.value, "no json");
    EXPECT_EQ(letter.headers.size(), 9u);
  }
}

TEST(PipelineLimits, KeyAndValueOfAResultAreLimitedTogether) {
  Rig rig("SELECT k, v FROM s");
  auto spec = rig.spec();
  spec.target_key = "k";
  rig.start(spec);
  rig.bus.append("in", 0, {event(std::string(850'000, 'x'), 1, kT), event("a", 2, kT)});
  rig.bus.append("in", 0, {event(std::string(950'000, 'x'), 1, kT)});
  rig.steps();
  EXPECT_THAT(rig.bus.values("out"), testing::ElementsAre(R"({"k":"a","v":2})"));
  auto letters = rig.bus.records("dlq");
  ASSERT_EQ(letters.size(), 2u);
  for (const auto& letter : letters) {
    EXPECT_THAT(header(letter, "dlq.error.message"), testing::HasSubstr("the limit is 921600"));
  }
}

TEST(PipelineLimits, AResultWithoutTheKeyThatACompactedTargetNeedsIsPutAside) {
  Rig rig("SELECT k, v FROM s");
  ASSERT_TRUE(rig.bus.create_topic({.name = "out", .configs = {{"cleanup.policy", "compact"}}}).ok());
  auto spec = rig.spec();
  spec.target_key = "k";
  rig.start(spec);
  rig.bus.append("in", 0, {R"({"v":1})", event("a", 2, kT)});
  rig.steps();
  EXPECT_THAT(rig.bus.values("out"), testing::ElementsAre(R"({"k":"a","v":2})"));
  auto letters = rig.bus.records("dlq");
  ASSERT_EQ(letters.size(), 1u);
  EXPECT_EQ(header(letters[0], "dlq.error.message"), "the key k is NULL, and the target is compacted");
}

TEST(PipelineLimits, TimesThatTheTargetRefusesBecomeThePresent) {
  constexpr int64_t kHourMs = 3'600'000;
  Rig rig("SELECT v FROM s");
  ASSERT_TRUE(rig.bus.create_topic({.name = "out", .configs = {{"message.timestamp.before.max.ms", "86400000"}}}).ok());
  rig.start();
  int64_t now = rig.clock.wall_ms();
  for (int64_t ms : {now + kHourMs / 2, int64_t{32'503'680'000'000}, now - kHourMs, now - 25 * kHourMs, int64_t{0}}) {
    rig.bus.append("in", 0, {event("a", 1, kT)}, ms);
  }
  rig.steps(1);
  rig.steps();
  std::vector<int64_t> times;
  for (const auto& record : rig.bus.records("out")) times.push_back(record.timestamp_ms);
  int64_t present = now + 50;
  EXPECT_THAT(times, testing::ElementsAre(now + kHourMs / 2, present, now - kHourMs, present, present));
}

TEST(PipelineLimits, AWindowThatEndsFarAheadIsWrittenWithThePresent) {
  Rig rig(kTotals);
  rig.start();
  int64_t ahead = kT + 2 * 3'600'000;
  rig.bus.append("in", 0, {event("a", 1, ahead), event("a", 1, ahead + kWindowMs)});
  rig.steps();
  ASSERT_EQ(rig.bus.records("out").size(), 1u);
  EXPECT_LE(rig.bus.records("out")[0].timestamp_ms, rig.clock.wall_ms());
}

}  // namespace
}  // namespace headrace::stream
