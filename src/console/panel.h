// A panel's live state: what it keeps of the records and samples it is given, and how it tells pages about it.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "console/dashboard.h"
#include "console/json_record.h"
#include "console/json_writer.h"
#include "flow/metrics.h"

namespace headrace::console {

struct TopicSample {
  std::string name;
  bool internal = false;
  int64_t records = 0;                   ///< Between log start and high watermark, over all partitions.
  int64_t bytes = -1;                    ///< On disk; -1: not known.
  double rate = 0;                       ///< Records per second since the sample before.
  double mean_rate = 0;                  ///< The same over kMeanRateMs: windows close in bursts.
  std::vector<int64_t> high_watermarks;  ///< By partition.
};

/// How far back a topic's mean rate looks.
inline constexpr int64_t kMeanRateMs = 10'000;

struct MetricSample {
  flow::MetricsRegistry::Sample metric;
  double shown = 0;  ///< A counter's rate per second, a gauge's value.
};

/// What the sampler saw at one moment.
struct Sample {
  int64_t at_ms = 0;
  std::string topics_error;   ///< Empty: the topics could be asked for.
  bool topics_fresh = false;  ///< The rates are of this moment, not those of an older sample.
  std::vector<TopicSample> topics;
  std::vector<MetricSample> metrics;
  std::vector<flow::MetricsRegistry::State> states;
};

/// A record for a panel. Views are valid during the call.
struct PanelRecord {
  std::string_view topic;
  int64_t timestamp_ms;
  int64_t now_ms;
  std::string_view value;  ///< The bytes that `json` was parsed from.
  const JsonRecord& json;
};

/// One thread at a time (the feed's lock). A frame holds what changed since the frame before; a snapshot everything.
/// Applying a frame to a snapshot that already has its changes does no harm.
class PanelModel {
 public:
  virtual ~PanelModel() = default;
  /// The topics whose records it wants.
  virtual std::vector<std::string> topics() const { return {}; }
  virtual void on_record(const PanelRecord&) {}
  virtual void on_sample(const Sample&) {}
  /// Forgets what came from records: they will be read again.
  virtual void reset() {}
  /// The newest record of a map's device, as it came; empty: no such device.
  virtual std::string_view device(std::string_view) const { return {}; }

  virtual void write_snapshot(JsonWriter& out, int64_t now_ms) const = 0;
  virtual bool changed() const = 0;
  /// Writes one object and forgets what changed.
  virtual void write_frame(JsonWriter& out, int64_t now_ms) = 0;
};

/// The model of each panel of `dashboard`, in order.
std::vector<std::unique_ptr<PanelModel>> make_panels(const Dashboard& dashboard);

/// `at_ms` when it is plausible: not over kFutureMsMax ahead of `now_ms`, else `now_ms` (a device's clock may be
/// wrong).
int64_t plausible_time(int64_t at_ms, int64_t now_ms);
inline constexpr int64_t kFutureMsMax = 60'000;

/// An option's text, empty when it has none.
std::string text_or_empty(const flow::Options& options, std::string_view name);

/// The time of a record: the field `time_field` (ms since 1970) where it is named and there, else the record's own.
int64_t record_time(const PanelRecord& record, const std::string& time_field);

}  // namespace headrace::console
