// A pipeline: a typed plan run over a topic, with its results in another topic, exactly once.
//
// Results, dead letters, the state's changelog and the source positions commit in one transaction of the bus. The
// group, the transactional id and the changelog topic come from the application's and the pipeline's name: a second
// instance with the same names takes over, and the first stops.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "bus/bus.h"
#include "columns/decoder.h"
#include "flow/dead_letter.h"
#include "flow/metrics.h"
#include "os/clock.h"
#include "sql/plan.h"
#include "stream/watermark.h"

namespace headrace::stream {

/// What becomes of a record whose window has closed. It is counted either way.
enum class LateRecords { kDeadLetter, kDrop };

/// Where a pipeline begins that has never committed a position.
enum class StartAt { kEarliest, kLatest };

struct PipelineSpec {
  std::string name;
  std::string app = "headrace";  ///< Prefix of group, transactional id and changelog: "<app>-<name>[-changelog]".
  sql::Plan plan;

  std::string source_topic;
  columns::Format format = columns::Format::kJson;
  std::vector<std::string> csv_fields;  ///< As in DecoderOptions.
  char csv_delimiter = ',';
  StartAt start_at = StartAt::kEarliest;

  std::string target_topic;  ///< Created with the source's partition count when it is not there.
  std::string target_key;    ///< The output column that becomes the record's key; empty: no keys, partitions in turn.
  std::string dead_letter_topic = std::string(flow::kDefaultDeadLetterTopic);  ///< Created when it is not there.

  WatermarkOptions watermark;  ///< Used by plans with windows.
  LateRecords late = LateRecords::kDeadLetter;
  /// A record further ahead of the wall clock than this goes to the dead letters: one device with a wrong clock must
  /// not make everyone else late. Used by plans with windows.
  std::chrono::milliseconds event_time_ahead_max = std::chrono::hours(24);

  std::chrono::milliseconds commit_interval{100};  ///< The longest that work waits for its commit.
  size_t fetch_bytes_max = 2 << 20;                ///< The most that one step reads.
  size_t state_bytes_max = 256 << 20;              ///< Memory of window state; rows that need more beyond it fail.
};

/// A running pipeline on a thread of its own.
///
/// States, under the component `pipeline/<name>` of the metrics: "starting", "running", "retrying" (the bus is away;
/// the detail says why; work resumes from the committed positions), "fenced" (another instance took over) and "failed"
/// (it needs an operator); the last two are final.
class Pipeline {
 public:
  virtual ~Pipeline() = default;  ///< stop(), if that was not called.
  /// Commits what was read and stops. Idempotent; from one thread.
  virtual void stop() = 0;
};

/// Compiles the plan and starts. kInvalidArgument: the plan and the options do not fit together. A bus that is away is
/// not an error: the pipeline retries. State is kept under `<state_dir>/<name>` when the plan has any. `bus`, `metrics`
/// and `clock` outlive the pipeline.
Result<std::unique_ptr<Pipeline>> start_pipeline(PipelineSpec spec, bus::Bus& bus, flow::MetricsRegistry& metrics,
                                                 os::Clock& clock, std::string state_dir);

}  // namespace headrace::stream
