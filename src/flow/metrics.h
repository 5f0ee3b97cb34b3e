// Counters and gauges that components own and the console and /metrics read.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

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

/// Metrics by name and labels. A metric lives as long as the registry; asking again gives the same one.
class MetricsRegistry {
 public:
  /// Names as Prometheus wants them: `headrace_mqtt_messages_total`, units last.
  Metric& counter(std::string_view name, const Labels& labels, std::string_view help);
  Metric& gauge(std::string_view name, const Labels& labels, std::string_view help);

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
  struct Entry {
    std::string name;
    Labels labels;
    MetricKind kind;
    std::string help;
    Metric metric;
  };
  Metric& metric(std::string_view name, const Labels& labels, std::string_view help, MetricKind kind);

  mutable std::mutex mutex_;
  std::deque<Entry> entries_;
  std::map<std::string, State, std::less<>> states_;
};

}  // namespace headrace::flow
