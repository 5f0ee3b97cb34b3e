// Counters and gauges that components own and the console and /metrics read.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/function.h"

namespace headrace::flow {

/// A number that only grows (or is set, for a gauge). Lock-free.
class Metric {
 public:
  void add(int64_t n = 1) { value_.fetch_add(n, std::memory_order_relaxed); }
  void set(int64_t n) { value_.store(n, std::memory_order_relaxed); }
  int64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<int64_t> value_{0};
};

enum class MetricKind { kCounter, kGauge };

using Labels = std::map<std::string, std::string>;

/// Metrics by name and labels. A metric lives as long as the registry, unless it is held; asking again gives it again.
class MetricsRegistry {
 public:
  /// Names as Prometheus wants them: `headrace_mqtt_messages_total`, units last.
  Metric& counter(std::string_view name, const Labels& labels, std::string_view help);
  Metric& gauge(std::string_view name, const Labels& labels, std::string_view help);
  /// Of what comes and goes: it is shown while somebody holds it. The registry outlives it.
  std::shared_ptr<Metric> held_counter(std::string_view name, const Labels& labels, std::string_view help);
  /// A gauge whose value is asked for whenever samples are taken, from any thread and under the registry's lock.
  void observed_gauge(std::string_view name, const Labels& labels, std::string_view help, Function<int64_t()> value);

  struct Sample {
    std::string name;
    Labels labels;
    MetricKind kind;
    std::string help;
    int64_t value;
  };
  std::vector<Sample> samples() const;
  /// The Prometheus text exposition format.
  std::string exposition() const;

  /// A short text per component for the console: state ("running", "retrying", "failed") and the last error.
  void set_state(std::string_view component, std::string_view state, std::string_view detail);
  struct State {
    std::string component, state, detail;
    int64_t since_ms;
  };
  std::vector<State> states() const;

 private:
  using Key = std::pair<std::string, Labels>;
  struct Entry {
    MetricKind kind;
    std::string help;
    Metric* metric = nullptr;
    std::unique_ptr<Metric> kept = nullptr;  ///< Of one that lives as long as the registry.
    std::weak_ptr<Metric> held = {};
    mutable Function<int64_t()> observed = {};  ///< Asked in place of a metric.
  };
  Metric& kept_metric(const Key& key, std::string_view help, MetricKind kind);
  Entry& find_or_add(const Key& key, std::string_view help, MetricKind kind);
  void release(const Key& key, Metric* metric);

  mutable std::mutex mutex_;
  std::map<Key, Entry> entries_;
  std::map<std::string, State, std::less<>> states_;
};

}  // namespace headrace::flow
