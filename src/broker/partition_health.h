// Which partitions take no more records, or hold records that can't be read: as their logs tell, for those who watch
// the metrics and the console. Costs nothing while nothing changes.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <string>

#include "flow/metrics.h"
#include "log/log_health.h"

namespace headrace::broker {

/// Thread-safe. The gauges are headrace_partitions_out_of_service and headrace_damaged_ranges; the component is
/// `partitions`: failed while one takes no records, damaged while records can't be read, else running.
class PartitionHealth final : public log::HealthListener {
 public:
  /// `metrics` outlives the logs that tell this.
  explicit PartitionHealth(flow::MetricsRegistry& metrics);

  void health_changed(const std::string& directory, const log::LogHealth& health) override;

 private:
  std::string summary() const;

  flow::MetricsRegistry& metrics_;
  flow::Metric& out_of_service_;
  flow::Metric& damaged_ranges_;
  std::mutex mutex_;
  std::map<std::string, log::LogHealth> unsound_;  ///< By the partition's name.
  int64_t failed_ = 0;                             ///< Those of them that are out of service.
};

}  // namespace headrace::broker
