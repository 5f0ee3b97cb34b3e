// A pipeline with everything around it, for tests: streams `s` (JSON: k text, v bigint, at timestamp) in topic "in",
// results in "out", dead letters in "dlq".
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "base/check.h"
#include "base/temp_directory.h"
#include "flow/metrics.h"
#include "os/clock.h"
#include "sql/planner.h"
#include "stream/task.h"
#include "stream/testing/fake_bus.h"

namespace headrace::stream {

inline sql::Plan plan_of(const std::string& sql) {
  sql::Stream stream{.name = "s", .event_time = "at"};
  stream.columns.add({.name = "k", .type = columns::Type::kText});
  stream.columns.add({.name = "v", .type = columns::Type::kInt64});
  stream.columns.add({.name = "at", .type = columns::Type::kTimestamp});
  std::vector<sql::Stream> streams = {stream};
  auto plan = sql::plan_query_or_error(sql, streams);
  if (!plan.ok()) ADD_FAILURE() << plan.error().message;
  CHECK(plan.ok());
  return *std::move(plan);
}

/// The value of a record's header, "<none>" where it has no such.
inline std::string header(const FakeBus::Record& record, const std::string& name) {
  for (const auto& [key, value] : record.headers) {
    if (key == name) return value;
  }
  return "<none>";
}

inline std::string event(const std::string& key, int64_t value, int64_t at_ms) {
  return R"({"k":")" + key + R"(","v":)" + std::to_string(value) + R"(,"at":)" + std::to_string(at_ms) + "}";
}

class Rig {
 public:
  explicit Rig(std::string sql, int32_t partitions = 1) : sql_(std::move(sql)) {
    CHECK(bus.create_topic({.name = "in", .partitions = partitions}).ok());
    bus.set_clock(clock);
  }
  ~Rig() { task.reset(); }

  PipelineSpec spec() const {
    PipelineSpec spec;
    spec.name = "p";
    spec.app = "app";
    spec.plan = plan_of(sql_);
    spec.source_topic = "in";
    spec.target_topic = "out";
    spec.dead_letter_topic = "dlq";
    spec.watermark = {.delay = std::chrono::milliseconds(0), .idle_timeout = std::chrono::seconds(5)};
    return spec;
  }
  Result<std::unique_ptr<PipelineTask>> make(PipelineSpec spec) {
    return PipelineTask::make(std::move(spec), bus, metrics, clock, dir());
  }
  void start() { start(spec()); }
  void start(PipelineSpec with) {
    auto made = make(std::move(with));
    if (!made.ok()) ADD_FAILURE() << made.error().message;
    CHECK(made.ok());
    task = *std::move(made);
    auto opened = task->open();
    if (!opened.ok()) ADD_FAILURE() << opened.error().message;
  }
  /// Steps of 50 ms.
  void steps(int count = 5) {
    for (int i = 0; i < count; ++i) {
      clock.advance(std::chrono::milliseconds(50));
      auto status = task->step(std::chrono::milliseconds(0));
      if (!status.ok()) ADD_FAILURE() << status.error().message;
    }
  }
  int64_t metric(const std::string& name) {
    for (const auto& sample : metrics.samples()) {
      if (sample.name == name) return sample.value;
    }
    return -1;
  }
  const std::string& dir() const { return directory_.path(); }

  FakeBus bus;
  flow::MetricsRegistry metrics;
  os::ManualClock clock{1'000'000'000'000};
  std::unique_ptr<PipelineTask> task;

 private:
  std::string sql_;
  TempDirectory directory_{parent_directory()};

  /// In memory where that is possible: nothing here is about power loss, and the crash tests open many stores.
  static std::filesystem::path parent_directory() {
    return std::filesystem::exists("/dev/shm") ? "/dev/shm" : std::filesystem::temp_directory_path();
  }
};

}  // namespace headrace::stream
