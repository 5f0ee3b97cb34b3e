// The runtime of a sink: polls topics through the bus, hands batches to the sink, and commits positions only behind
// records that the sink has answered for.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "bus/bus.h"
#include "flow/dead_letter.h"
#include "flow/metrics.h"
#include "flow/retry.h"
#include "flow/sink.h"
#include "flow/spec.h"
#include "os/clock.h"

namespace headrace::flow {

struct SinkRunnerOptions {
  std::string name;  ///< The sink's name in the file; also the group that its positions are committed for.
  std::vector<std::string> topics;  ///< Topics that do not exist (yet) are waited for.
  bool from_latest = false;  ///< Where to begin in a partition without a committed position: its end, not its start.
  std::string dead_letter_topic{kDefaultDeadLetterTopic};
  size_t batch_records_max = 5'000;  ///< Records handed to one write().
  size_t batch_bytes_max = 8 << 20;  ///< Keys, values and headers of one write(), in bytes; one record may exceed it.
  size_t decompressed_bytes_max = 64 << 20;             ///< What one batch of the log may decompress to.
  std::chrono::milliseconds linger{50};                 ///< How long the first record waits for more.
  std::chrono::milliseconds discovery_interval{5'000};  ///< How often new topics and partitions are looked for.
  BackoffOptions backoff;
  uint64_t seed = 0;  ///< Of the back-off's jitter; 0: taken from the system.
};

/// The options that every sink takes beside its own (topics, start, dead_letter_topic, batch_records_max,
/// batch_bytes_max, linger, retry_delay_max), for the file's validation, help and reference.
std::span<const OptionSpec> sink_common_options();
/// The runner's options from values validated against sink_common_options().
SinkRunnerOptions sink_runner_options(std::string name, const Options& common);

/// A running sink. Its own thread does everything; state and errors are in the registry, under "sink <name>":
/// "running", "retrying" (with the reason and the delay), "failed" (a fatal error; it stays so), "stopped".
/// Metrics: headrace_sink_records_{written,retried,rejected,expired}_total, headrace_sink_lag_records.
class SinkRunner {
 public:
  /// Starts the thread. `bus`, `metrics` and `clock` outlive the runner.
  static std::unique_ptr<SinkRunner> start(SinkRunnerOptions options, std::unique_ptr<Sink> sink, bus::Bus& bus,
                                           MetricsRegistry& metrics, os::Clock& clock = os::system_clock());
  /// Cancels the write() in progress and stops; what was not answered is read again at the next start.
  virtual ~SinkRunner() = default;
};

}  // namespace headrace::flow
