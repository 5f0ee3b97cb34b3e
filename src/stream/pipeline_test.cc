#include "stream/pipeline.h"

#include <functional>
#include <thread>

#include "stream/testing/rig.h"

namespace headrace::stream {
namespace {

std::string state_of(flow::MetricsRegistry& metrics) {
  for (const auto& state : metrics.states()) {
    if (state.component == "pipeline p") return state.state;
  }
  return "";
}

/// Until `done` or ten seconds have passed.
bool eventually(std::function<bool()> done) {
  auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (!done()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::yield();
  }
  return true;
}

TEST(Pipeline, RunsUntilItIsStoppedAndHasCommittedThen) {
  Rig rig("SELECT k FROM s");
  rig.bus.append("in", 0, {event("a", 1, 0), event("b", 1, 0)});
  auto pipeline = start_pipeline(rig.spec(), rig.bus, rig.metrics, os::system_clock(), rig.dir());
  ASSERT_TRUE(pipeline.ok()) << pipeline.error().message;
  EXPECT_TRUE(eventually([&] { return rig.metric("headrace_pipeline_records_out_total") == 2; }));
  (*pipeline)->stop();
  (*pipeline)->stop();
  EXPECT_EQ(state_of(rig.metrics), "stopped");
  EXPECT_EQ(rig.bus.values("out").size(), 2u);
  EXPECT_EQ(rig.bus.position("app-p", {"in", PartitionId(0)}), Offset(2));
}

TEST(Pipeline, RetriesVisiblyWhileItsSourceIsMissing) {
  Rig rig("SELECT k FROM s");
  auto spec = rig.spec();
  spec.source_topic = "nowhere";
  auto pipeline = start_pipeline(spec, rig.bus, rig.metrics, os::system_clock(), rig.dir());
  ASSERT_TRUE(pipeline.ok());
  EXPECT_TRUE(eventually([&] { return state_of(rig.metrics) == "retrying"; }));
  (*pipeline)->stop();
  EXPECT_EQ(state_of(rig.metrics), "stopped");
}

TEST(Pipeline, APassingFaultIsOvercome) {
  Rig rig("SELECT k FROM s");
  rig.bus.append("in", 0, {event("a", 1, 0)});
  rig.bus.plan_fault(12, Fault::kRefused);
  auto pipeline = start_pipeline(rig.spec(), rig.bus, rig.metrics, os::system_clock(), rig.dir());
  ASSERT_TRUE(pipeline.ok());
  EXPECT_TRUE(eventually([&] { return rig.metric("headrace_pipeline_commits_total") > 0; }));
  (*pipeline)->stop();
  EXPECT_EQ(rig.bus.values("out").size(), 1u);
}

TEST(Pipeline, StopsForGoodWhenItIsFenced) {
  Rig rig("SELECT k FROM s");
  rig.bus.append("in", 0, {event("a", 1, 0)});
  rig.bus.fence_next("app-p");
  auto pipeline = start_pipeline(rig.spec(), rig.bus, rig.metrics, os::system_clock(), rig.dir());
  ASSERT_TRUE(pipeline.ok());
  EXPECT_TRUE(eventually([&] { return state_of(rig.metrics) == "fenced"; }));
  (*pipeline)->stop();
  EXPECT_EQ(state_of(rig.metrics), "fenced");
  EXPECT_TRUE(rig.bus.values("out").empty());
}

}  // namespace
}  // namespace headrace::stream
