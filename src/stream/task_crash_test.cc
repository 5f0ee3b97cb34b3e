// Exactly once: at every call that a pipeline makes to its bus, the call is refused, its answer is lost, or the process
// dies before or after it; the results must be those of an undisturbed run, each once.
#include <stdlib.h>

#include <algorithm>

#include "stream/task.h"
#include "stream/testing/rig.h"

namespace headrace::stream {
namespace {

using namespace std::chrono_literals;

constexpr int64_t kT = 999'999'000'000;
constexpr int kRounds = 6;
constexpr int64_t kCallsMax = 2000;

/// What happened to the local store while the process was dead.
enum class Store { kKept, kLost, kOld };

class Schedule {
 public:
  Schedule(const std::string& sql, Store store) : rig_(sql, 2), store_(store) { rig_.bus.set_batches_per_poll(2); }

  /// Runs to the end with one fault at the given call; false when the run made fewer calls.
  bool run(int64_t fault_at, Fault fault) {
    rig_.bus.plan_fault(fault_at, fault);
    for (int round = 0; round < kRounds; ++round) {
      for (int32_t partition : {0, 1}) produce(round, partition);
      for (int i = 0; i < 6; ++i) step();
      if (round == 2) keep_old_store();
    }
    for (int i = 0; i < 40; ++i) {
      rig_.clock.advance(2s);
      step();
    }
    bool struck = !rig_.bus.fault_is_due();
    rig_.bus.plan_fault(-1, fault);
    return struck;
  }
  std::vector<std::string> results() {
    auto values = rig_.bus.values("out");
    std::ranges::sort(values);
    return values;
  }
  std::vector<std::string> dead_letters() {
    auto values = rig_.bus.values("dlq");
    std::ranges::sort(values);
    return values;
  }

 private:
  void produce(int round, int32_t partition) {
    std::vector<std::string> events;
    for (int i = 0; i < 3; ++i) {
      events.push_back(event(std::string(1, static_cast<char>('a' + i)), round * 10 + i + 1, kT + round * 4000 + i));
    }
    if (round % 3 == 0) events.push_back("poison " + std::to_string(round) + " " + std::to_string(partition));
    rig_.bus.append("in", partition, events);
  }
  void step() {
    rig_.clock.advance(40ms);
    try {
      if (!rig_.task) {
        auto made = rig_.make(rig_.spec());
        CHECK(made.ok());
        rig_.task = *std::move(made);
        open_ = false;
      }
      Status status = open_ ? Status() : rig_.task->open();
      open_ = status.ok();
      if (open_) open_ = rig_.task->step(0ms).ok();
    } catch (Crash) {
      rig_.task.reset();
      after_crash();
    }
  }
  std::string path(const char* name) const { return rig_.dir() + "/" + name; }
  void keep_old_store() {
    if (store_ != Store::kOld || !rig_.task || !std::filesystem::exists(path("p"))) return;
    rig_.task.reset();
    std::filesystem::remove_all(path("old"));
    std::filesystem::copy(path("p"), path("old"), std::filesystem::copy_options::recursive);
  }
  void after_crash() {
    if (store_ == Store::kKept) return;
    std::filesystem::remove_all(path("p"));
    if (store_ == Store::kOld && std::filesystem::exists(path("old"))) std::filesystem::rename(path("old"), path("p"));
  }

  Rig rig_;
  Store store_;
  bool open_ = false;
};

void expect_exactly_once(const std::string& sql, Store store, int64_t stride) {
  Schedule undisturbed(sql, store);
  undisturbed.run(1'000'000, Fault::kRefused);
  auto expected = undisturbed.results();
  auto letters = undisturbed.dead_letters();
  ASSERT_GT(expected.size(), 8u);
  ASSERT_EQ(letters.size(), 4u);
  for (Fault fault : {Fault::kRefused, Fault::kAnswerLost, Fault::kCrashBefore, Fault::kCrashAfter}) {
    if (store != Store::kKept && fault < Fault::kCrashBefore) continue;
    // The faults take turns at the calls; HEADRACE_DEEP=1 tries each fault at each call.
    bool deep = getenv("HEADRACE_DEEP") != nullptr;
    for (int64_t at = deep ? 0 : static_cast<int64_t>(fault); at < kCallsMax; at += deep ? 1 : stride) {
      Schedule schedule(sql, store);
      if (!schedule.run(at, fault)) break;
      ASSERT_EQ(schedule.results(), expected) << "call " << at << ", fault " << static_cast<int>(fault);
      ASSERT_EQ(schedule.dead_letters(), letters) << "call " << at << ", fault " << static_cast<int>(fault);
    }
  }
}

constexpr const char* kMap = "SELECT k, v, _partition AS p FROM s WHERE v % 2 = 1";
constexpr const char* kGroup =
    "SELECT k, window_end, count(*) AS n, sum(v) AS total FROM s GROUP BY k, tumble(at, interval '5 seconds')";

TEST(ExactlyOnce, StatelessPipelineUnderAFaultAtEachCall) { expect_exactly_once(kMap, Store::kKept, 3); }
TEST(ExactlyOnce, WindowsUnderAFaultAtEachCall) { expect_exactly_once(kGroup, Store::kKept, 7); }
TEST(ExactlyOnce, WindowsWhenTheStoreIsLostInTheCrash) { expect_exactly_once(kGroup, Store::kLost, 11); }
TEST(ExactlyOnce, WindowsWhenTheStoreIsAnOlderOne) { expect_exactly_once(kGroup, Store::kOld, 11); }

}  // namespace
}  // namespace headrace::stream
