#include "stream/pipeline.h"

#include <fmt/format.h>

#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

#include "base/logging.h"
#include "flow/retry.h"
#include "stream/task.h"

namespace headrace::stream {

namespace {

using namespace std::chrono_literals;

constexpr auto kIdleWait = 1000ms;

/// A task on a thread, begun again after errors that can pass.
class PipelineThread final : public Pipeline {
 public:
  PipelineThread(std::string name, std::unique_ptr<PipelineTask> task, flow::MetricsRegistry& metrics, uint64_t seed)
      : component_("pipeline " + name), task_(std::move(task)), metrics_(metrics), backoff_({}, seed) {
    set_state("starting", "");
    thread_ = std::thread([this] { run(); });
  }
  ~PipelineThread() override { stop(); }

  void stop() override {
    {
      std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    stopped_.notify_all();
    task_->wake();
    if (thread_.joinable()) thread_.join();
  }

 private:
  void run() {
    while (!stopping()) {
      Status status = work();
      if (status.ok()) return set_state("stopped", "");
      if (is_final(status.error())) return;
      auto delay = backoff_.next();
      set_state("retrying", fmt::format("{} (again in {} ms)", status.error().message, delay.count()));
      std::unique_lock lock(mutex_);
      stopped_.wait_for(lock, delay, [this] { return stopping_; });
    }
    set_state("stopped", "");
  }

  /// Until stop() or an error.
  Status work() {
    RETURN_IF_ERROR(task_->open());
    set_state("running", "");
    while (!stopping()) {
      RETURN_IF_ERROR(task_->step(kIdleWait));
      backoff_.reset();
    }
    return task_->close();
  }

  bool is_final(const Error& error) {
    if (error.code == ErrorCode::kFenced) {
      set_state("fenced", "another instance of this pipeline took over: " + error.message);
    } else if (error.code == ErrorCode::kInvalidArgument || error.code == ErrorCode::kUnsupported) {
      set_state("failed", error.message);
    } else {
      return false;
    }
    return true;
  }

  void set_state(std::string_view state, std::string_view detail) {
    metrics_.set_state(component_, state, detail);
    if (!detail.empty()) log_warn("{}: {}: {}", component_, state, detail);
  }
  bool stopping() {
    std::lock_guard lock(mutex_);
    return stopping_;
  }

  std::string component_;
  std::unique_ptr<PipelineTask> task_;
  flow::MetricsRegistry& metrics_;
  flow::Backoff backoff_;
  std::mutex mutex_;
  std::condition_variable stopped_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace

Result<std::unique_ptr<Pipeline>> start_pipeline(PipelineSpec spec, bus::Bus& bus, flow::MetricsRegistry& metrics,
                                                 os::Clock& clock, std::string state_dir) {
  std::string name = spec.name;
  uint64_t seed = std::hash<std::string>()(spec.app + name) ^ static_cast<uint64_t>(clock.monotonic().count());
  ASSIGN_OR_RETURN(auto task, PipelineTask::make(std::move(spec), bus, metrics, clock, std::move(state_dir)));
  return std::unique_ptr<Pipeline>(std::make_unique<PipelineThread>(std::move(name), std::move(task), metrics, seed));
}

}  // namespace headrace::stream
