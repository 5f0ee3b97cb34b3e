// The contract of a sink: it writes a batch and answers for each record; only the runtime (sink_runner.h) commits, and
// only after that answer. A sink keeps no buffer of its own: the log is the buffer.
#pragma once

#include <chrono>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "flow/metrics.h"
#include "flow/spec.h"
#include "record/batch.h"

namespace headrace::flow {

/// A record on its way out. Views stay valid during write().
struct SinkRecord {
  const TopicPartition* tp;
  record::RecordView record;
};

/// A sink's answer for one record.
struct WriteAnswer {
  enum class Outcome {
    kWritten,   ///< Durable at the destination.
    kRetry,     ///< Not now: the same record again, after retry_after.
    kRejected,  ///< Never: to the dead-letter topic with `reason`.
  };
  Outcome outcome = Outcome::kWritten;
  std::string reason;  ///< For kRetry and kRejected.
  std::chrono::milliseconds retry_after{0};
};

class Sink {
 public:
  virtual ~Sink() = default;
  /// Writes `records` and answers for each, in their order. An Error is fatal for the sink (it stops, visibly);
  /// everything that can pass by itself is kRetry. One thread at a time; may block.
  virtual Result<std::vector<WriteAnswer>> write(std::span<const SinkRecord> records) = 0;
  /// Called about once a second while nothing comes: for time-based work such as file rotation.
  virtual Status idle() { return {}; }
  /// Makes a write() in progress, and every later one, return soon with kRetry for what is not written. From any
  /// thread.
  virtual void cancel() {}
  /// Where it writes, for people: "opensearch at http://127.0.0.1:9200".
  virtual std::string destination() const { return ""; }
};

struct SinkContext {
  std::string name;  ///< The sink's name in the file.
  MetricsRegistry& metrics;
};

/// What a sink's file exports: sinks/x_sink.cc defines `const flow::SinkComponent& x_sink()`.
struct SinkComponent {
  ComponentSpec spec;
  Result<std::unique_ptr<Sink>> (*make)(const Options& options, const SinkContext& context);
};

}  // namespace headrace::flow
