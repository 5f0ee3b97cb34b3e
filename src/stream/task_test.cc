#include "stream/task.h"

#include <fstream>
#include <functional>

#include "stream/testing/rig.h"

namespace headrace::stream {
namespace {

using testing::ElementsAre;
using testing::UnorderedElementsAre;
using namespace std::chrono_literals;

constexpr const char* kFilter = "SELECT k, v * 2 AS v FROM s WHERE v > 1";
constexpr const char* kWindow =
    "SELECT k, window_start, window_end, count(*) AS n, sum(v) AS total, min(v) AS low, max(v) AS high, avg(v) AS mean "
    "FROM s GROUP BY k, tumble(at, interval '10 seconds')";
constexpr const char* kTotals =
    "SELECT k, window_end, sum(v) AS total FROM s GROUP BY k, tumble(at, interval '10 seconds')";
/// A window's start, a whole number of windows after 1970 and before the clock of the rig.
constexpr int64_t kT = 999'999'990'000;

std::string total(const std::string& key, const std::string& end, int64_t sum) {
  return R"({"k":")" + key + R"(","window_end":")" + end + R"(","total":)" + std::to_string(sum) + "}";
}

TEST(PipelineTask, FiltersAndMapsFromTopicToTopic) {
  Rig rig(kFilter);
  rig.bus.append("in", 0, {event("a", 1, kT), event("b", 2, kT), event("c", 3, kT)}, 777);
  rig.start();
  rig.steps();
  EXPECT_THAT(rig.bus.values("out"), ElementsAre(R"({"k":"b","v":4})", R"({"k":"c","v":6})"));
  EXPECT_EQ(rig.bus.records("out")[0].timestamp_ms, 777);
  EXPECT_EQ(rig.bus.position("app-p", {"in", PartitionId(0)}), Offset(3));
  EXPECT_EQ(rig.metric("headrace_pipeline_records_in_total"), 3);
  EXPECT_EQ(rig.metric("headrace_pipeline_records_out_total"), 2);
}

TEST(PipelineTask, AKeyColumnChoosesKeyAndPartition) {
  Rig rig(kFilter);
  ASSERT_TRUE(rig.bus.create_topic({.name = "out", .partitions = 4}).ok());
  auto spec = rig.spec();
  spec.target_key = "k";
  rig.bus.append("in", 0, {event("a", 2, kT), event("b", 2, kT)});
  rig.start(spec);
  rig.steps();
  auto records = rig.bus.records("out");
  ASSERT_EQ(records.size(), 2u);
  for (const auto& record : records) {
    ASSERT_TRUE(record.key);
    EXPECT_EQ(record.partition, bus::partition_for_key(*record.key, 4));
  }
}

TEST(PipelineTask, BadRecordsGoToTheDeadLettersAndTheOthersGoOn) {
  Rig rig("SELECT 10 / v AS q FROM s");
  rig.bus.append("in", 0,
                 {event("a", 5, kT), "{not json", event("b", 0, kT), R"({"k":"c","v":"many"})", event("d", 2, kT)});
  rig.start();
  rig.steps();
  EXPECT_THAT(rig.bus.values("out"), ElementsAre(R"({"q":2})", R"({"q":5})"));
  auto letters = rig.bus.records("dlq");
  ASSERT_EQ(letters.size(), 3u);
  EXPECT_EQ(letters[0].value, "{not json");
  EXPECT_THAT(header(letters[1], "dlq.error.message"), testing::HasSubstr("column v"));
  EXPECT_EQ(letters[2].value, event("b", 0, kT));
  EXPECT_EQ(header(letters[2], "dlq.error.message"), "division by zero");
  EXPECT_EQ(header(letters[2], "dlq.source.offset"), "2");
  EXPECT_EQ(rig.metric("headrace_pipeline_dead_letters_total"), 3);
}

TEST(PipelineTask, AWindowClosesWhenTheWatermarkPassesItsEnd) {
  Rig rig(kWindow);
  rig.start();
  rig.bus.append("in", 0, {event("a", 1, kT), event("b", 5, kT + 1), event("a", 4, kT + 9999)});
  rig.steps();
  EXPECT_TRUE(rig.bus.values("out").empty());
  rig.bus.append("in", 0, {event("a", 100, kT + 10'000)});
  rig.steps();
  EXPECT_THAT(
      rig.bus.values("out"),
      ElementsAre(R"({"k":"a","window_start":"2001-09-09T01:46:30.000Z","window_end":"2001-09-09T01:46:40.000Z",)"
                  R"("n":2,"total":5,"low":1,"high":4,"mean":2.5})",
                  R"({"k":"b","window_start":"2001-09-09T01:46:30.000Z","window_end":"2001-09-09T01:46:40.000Z",)"
                  R"("n":1,"total":5,"low":5,"high":5,"mean":5})"));
  EXPECT_EQ(rig.bus.records("out")[0].timestamp_ms, kT + 10'000);
}

TEST(PipelineTask, TheSlowestPartitionHoldsTheWindowOpen) {
  Rig rig(kTotals, 2);
  rig.start();
  rig.bus.append("in", 0, {event("a", 1, kT), event("a", 1, kT + 30'000)});
  rig.bus.append("in", 1, {event("a", 1, kT + 1)});
  rig.steps();
  EXPECT_TRUE(rig.bus.values("out").empty());
  rig.bus.append("in", 1, {event("a", 1, kT + 2), event("a", 1, kT + 10'000)});
  rig.steps();
  EXPECT_THAT(rig.bus.values("out"), ElementsAre(total("a", "2001-09-09T01:46:40.000Z", 3)));
}

TEST(PipelineTask, ASilentPartitionIsNotWaitedFor) {
  Rig rig(kTotals, 2);
  rig.start();
  rig.bus.append("in", 0, {event("a", 1, kT), event("a", 1, kT + 30'000)});
  rig.steps();
  EXPECT_TRUE(rig.bus.values("out").empty());
  rig.clock.advance(4s);
  rig.bus.append("in", 0, {event("a", 1, kT + 30'001)});
  rig.steps();
  EXPECT_TRUE(rig.bus.values("out").empty());
  rig.clock.advance(1s);
  rig.steps();
  EXPECT_THAT(rig.bus.values("out"), ElementsAre(total("a", "2001-09-09T01:46:40.000Z", 1)));
}

TEST(PipelineTask, WhenTheSourceIsSilentTheWallClockClosesTheWindow) {
  Rig rig(kTotals);
  auto spec = rig.spec();
  spec.watermark.delay = 2s;
  rig.start(spec);
  int64_t now = rig.clock.wall_ms();
  rig.bus.append("in", 0, {event("a", 1, now)});  // The window ends 10 s later.
  rig.steps(1);
  rig.clock.advance(16s);
  rig.steps(2);
  EXPECT_TRUE(rig.bus.values("out").empty());  // 10 s + 2 s delay + 5 s idle have not passed.
  rig.clock.advance(1s);
  rig.steps(2);
  EXPECT_THAT(rig.bus.values("out"), ElementsAre(total("a", "2001-09-09T01:46:50.000Z", 1)));
}

TEST(PipelineTask, AClockThatJumpsDuringSilenceClosesNothing) {
  Rig rig(kTotals);
  rig.start();
  rig.bus.append("in", 0, {event("a", 1, rig.clock.wall_ms())});
  rig.steps(1);
  rig.clock.jump_wall(rig.clock.wall_ms() + 86'400'000);
  rig.clock.advance(6s);
  rig.steps(2);
  EXPECT_TRUE(rig.bus.values("out").empty());
}

TEST(PipelineTask, ReplayedHistoryGoesOnAfterAPause) {
  Rig rig(kTotals);
  rig.start();
  int64_t old = kT - 1'000'000'000;
  rig.bus.append("in", 0, {event("a", 1, old)});
  rig.steps(1);
  rig.clock.advance(60s);
  rig.steps(2);
  EXPECT_EQ(rig.bus.values("out").size(), 1u);
  rig.bus.append("in", 0, {event("a", 2, old + 10'000), event("a", 3, old + 20'000)});
  rig.steps();
  EXPECT_EQ(rig.bus.values("out").size(), 2u);
  EXPECT_EQ(rig.metric("headrace_pipeline_records_late_total"), 0);
}

TEST(PipelineTask, LateRecordsAreCountedAndPutAside) {
  Rig rig(kTotals);
  rig.start();
  rig.bus.append("in", 0, {event("a", 1, kT), event("a", 1, kT + 10'000)});
  rig.steps();
  rig.bus.append("in", 0, {event("a", 7, kT + 5)});
  rig.steps();
  EXPECT_EQ(rig.metric("headrace_pipeline_records_late_total"), 1);
  auto letters = rig.bus.records("dlq");
  ASSERT_EQ(letters.size(), 1u);
  EXPECT_EQ(letters[0].value, event("a", 7, kT + 5));
  EXPECT_EQ(header(letters[0], "dlq.error.code"), "late");
}

TEST(PipelineTask, LateRecordsAreDroppedWhereThatIsAskedFor) {
  Rig rig(kTotals);
  auto spec = rig.spec();
  spec.late = LateRecords::kDrop;
  rig.start(spec);
  rig.bus.append("in", 0, {event("a", 1, kT), event("a", 1, kT + 10'000)});
  rig.steps();
  rig.bus.append("in", 0, {event("a", 7, kT + 5)});
  rig.steps();
  EXPECT_EQ(rig.metric("headrace_pipeline_records_late_total"), 1);
  EXPECT_TRUE(rig.bus.records("dlq").empty());
}

TEST(PipelineTask, AnEventFromTheFutureDoesNotMakeEverybodyLate) {
  Rig rig(kTotals);
  rig.start();
  rig.bus.append("in", 0, {event("x", 1, kT + 2 * 86'400'000), event("a", 1, kT), event("a", 1, kT + 10'000)});
  rig.steps();
  EXPECT_THAT(rig.bus.values("out"), ElementsAre(total("a", "2001-09-09T01:46:40.000Z", 1)));
  EXPECT_EQ(rig.bus.records("dlq").size(), 1u);
}

TEST(PipelineTask, ASumThatOverflowsLosesNothingButTheRow) {
  Rig rig(kTotals);
  rig.start();
  rig.bus.append("in", 0,
                 {event("a", INT64_MAX, kT), event("a", 1, kT), event("a", -2, kT), event("a", 0, kT + 10'000)});
  rig.steps();
  EXPECT_THAT(rig.bus.values("out"), ElementsAre(total("a", "2001-09-09T01:46:40.000Z", INT64_MAX - 2)));
  EXPECT_EQ(rig.bus.records("dlq").size(), 1u);
}

TEST(PipelineTask, StateBeyondItsLimitTakesNoNewGroups) {
  Rig rig(kTotals);
  auto spec = rig.spec();
  spec.state_bytes_max = 1;
  rig.start(spec);
  rig.bus.append("in", 0, {event("a", 1, kT), event("b", 1, kT), event("a", 1, kT), event("a", 0, kT + 10'000)});
  rig.steps();
  EXPECT_THAT(rig.bus.values("out"), ElementsAre(total("a", "2001-09-09T01:46:40.000Z", 2)));
  EXPECT_THAT(header(rig.bus.records("dlq")[0], "dlq.error.message"), testing::HasSubstr("state_bytes_max"));
}

TEST(PipelineTask, HavingAndOutputsThatFailForAWindowGoToTheDeadLetters) {
  Rig rig("SELECT k, 10 / sum(v) AS q FROM s GROUP BY k, tumble(at, interval '10 seconds') HAVING count(*) > 1");
  rig.start();
  rig.bus.append("in", 0,
                 {event("a", 1, kT), event("a", 1, kT), event("b", 1, kT), event("c", 1, kT), event("c", -1, kT),
                  event("z", 0, kT + 10'000)});
  rig.steps();
  EXPECT_THAT(rig.bus.values("out"), ElementsAre(R"({"k":"a","q":5})"));
  auto letters = rig.bus.records("dlq");
  ASSERT_EQ(letters.size(), 1u);
  EXPECT_THAT(*letters[0].value, testing::HasSubstr(R"("k":"c")"));
}

/// Totals of which half came before a restart, amid which something happens to the local store.
void totals_over_a_restart(Rig& rig, const std::function<void(const std::string& store)>& happens) {
  rig.start();
  rig.bus.append("in", 0, {event("a", 1, kT), event("b", 2, kT)});
  rig.steps();
  ASSERT_TRUE(rig.task->close().ok());
  rig.task.reset();
  happens(rig.dir() + "/p");
  rig.start();
  rig.bus.append("in", 0, {event("a", 10, kT), event("a", 0, kT + 10'000)});
  rig.steps();
  EXPECT_THAT(rig.bus.values("out"),
              ElementsAre(total("a", "2001-09-09T01:46:40.000Z", 11), total("b", "2001-09-09T01:46:40.000Z", 2)));
}

TEST(PipelineTask, StateSurvivesARestartWithAndWithoutTheLocalStore) {
  for (bool keep_store : {true, false}) {
    SCOPED_TRACE(keep_store);
    Rig rig(kTotals);
    totals_over_a_restart(rig, [&](const std::string& store) {
      if (!keep_store) std::filesystem::remove_all(store);
    });
  }
}

/// Flips bits in the first block of every table of RocksDB in that folder.
void damage_tables(const std::string& folder) {
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() != ".sst") continue;
    std::fstream file(entry.path(), std::ios::in | std::ios::out | std::ios::binary);
    char bytes[16];
    file.read(bytes, sizeof bytes);
    for (char& byte : bytes) byte = static_cast<char>(~byte);
    file.seekp(0);
    file.write(bytes, sizeof bytes);
  }
}

TEST(PipelineTask, ADamagedStoreIsSetAsideAndTheChangelogReplayed) {
  Rig rig(kTotals);
  totals_over_a_restart(rig, damage_tables);
  EXPECT_TRUE(std::filesystem::exists(rig.dir() + "/p.damaged"));
}

TEST(PipelineTask, AWindowThatWasEmittedStaysClosedAfterARestart) {
  Rig rig(kTotals);
  rig.start();
  rig.bus.append("in", 0, {event("a", 1, kT), event("a", 1, kT + 10'000)});
  rig.steps();
  ASSERT_TRUE(rig.task->close().ok());
  rig.start();
  rig.bus.append("in", 0, {event("a", 1, kT + 1)});
  rig.steps();
  EXPECT_EQ(rig.bus.values("out").size(), 1u);
  EXPECT_EQ(rig.metric("headrace_pipeline_records_late_total"), 1);
}

TEST(PipelineTask, AStoreOfAnotherChangelogIsNotBelieved) {
  Rig rig(kTotals);
  rig.start();
  rig.bus.append("in", 0, {event("a", 1, kT)});
  rig.steps();
  ASSERT_TRUE(rig.task->close().ok());
  rig.task.reset();
  ASSERT_TRUE(rig.bus.delete_topic("app-p-changelog").ok());
  rig.start();
  rig.bus.append("in", 0, {event("a", 5, kT), event("a", 0, kT + 10'000)});
  rig.steps();
  EXPECT_THAT(rig.bus.values("out"), ElementsAre(total("a", "2001-09-09T01:46:40.000Z", 5)));
}

TEST(PipelineTask, StateOfAnotherGroupingIsRefusedWithWhatToDo) {
  Rig rig(kTotals);
  rig.start();
  rig.bus.append("in", 0, {event("a", 1, kT)});
  rig.steps();
  ASSERT_TRUE(rig.task->close().ok());
  rig.task.reset();
  auto spec = rig.spec();
  spec.plan = plan_of("SELECT count(*) AS n FROM s GROUP BY tumble(at, interval '10 seconds')");
  auto made = rig.make(spec);
  ASSERT_TRUE(made.ok());
  auto opened = (*made)->open();
  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(opened.error().message, testing::HasSubstr("new name"));
}

TEST(PipelineTask, ANewerInstanceFencesThisOne) {
  Rig rig(kFilter);
  rig.start();
  rig.steps();
  auto newer = rig.bus.transactional_producer("app-p");
  rig.bus.append("in", 0, {event("a", 5, kT)});
  auto status = rig.task->step(0ms);
  if (status.ok()) status = rig.task->step(0ms);
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().code, ErrorCode::kFenced);
  EXPECT_TRUE(rig.bus.values("out").empty());
}

TEST(PipelineTask, NewPartitionsAreFoundAndReadFromTheirStart) {
  Rig rig(kFilter);
  rig.start();
  rig.steps();
  ASSERT_TRUE(rig.bus.create_partitions("in", 2).ok());
  rig.bus.append("in", 1, {event("a", 5, kT)});
  rig.clock.advance(5s);
  rig.steps();
  EXPECT_EQ(rig.bus.values("out").size(), 1u);
}

TEST(PipelineTask, StartingAtTheLatestPassesOverWhatIsThere) {
  Rig rig(kFilter);
  rig.bus.append("in", 0, {event("old", 5, kT)});
  auto spec = rig.spec();
  spec.start_at = StartAt::kLatest;
  rig.start(spec);
  rig.steps();
  ASSERT_TRUE(rig.task->close().ok());
  rig.bus.append("in", 0, {event("new", 5, kT)});
  rig.start(spec);  // The beginning was committed: what came between two runs is not passed over.
  rig.steps();
  EXPECT_THAT(rig.bus.values("out"), ElementsAre(R"({"k":"new","v":10})"));
}

TEST(PipelineTask, AMissingSourceTopicIsToldByName) {
  Rig rig(kFilter);
  auto spec = rig.spec();
  spec.source_topic = "nowhere";
  auto made = rig.make(spec);
  ASSERT_TRUE(made.ok());
  auto opened = (*made)->open();
  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.error().code, ErrorCode::kNotFound);
  EXPECT_THAT(opened.error().message, testing::HasSubstr("nowhere"));
}

TEST(PipelineTask, AnUnknownKeyColumnIsRefusedAtTheStart) {
  Rig rig(kFilter);
  auto spec = rig.spec();
  spec.target_key = "nope";
  auto made = rig.make(spec);
  ASSERT_FALSE(made.ok());
  EXPECT_EQ(made.error().code, ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace headrace::stream
