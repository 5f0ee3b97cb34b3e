#include "broker/partition_health.h"

#include <fmt/format.h>

#include <iterator>
#include <string_view>

namespace headrace::broker {
namespace {

/// Partitions that are told by name; those that take no records first.
constexpr size_t kNamedMax = 8;

std::string name_of(const std::string& directory) { return directory.substr(directory.rfind('/') + 1); }

std::string describe(const std::string& name, const log::LogHealth& health) {
  std::string text;
  if (health.out_of_service) text = name + " takes no more records: " + health.out_of_service->message + ".\n";
  if (health.damaged.empty()) return text;
  const log::DamagedRange& range = health.damaged.front();
  fmt::format_to(std::back_inserter(text), "{} can't give offsets {} to {}: {} is damaged at byte {}", name,
                 range.from.value, range.to.value - 1, range.file, range.position);
  size_t more = health.damaged.size() - 1;
  if (more > 0) fmt::format_to(std::back_inserter(text), ", and {} more range{}", more, more == 1 ? "" : "s");
  return text + ".\n";
}

}  // namespace

PartitionHealth::PartitionHealth(flow::MetricsRegistry& metrics)
    : metrics_(metrics),
      out_of_service_(metrics.gauge("headrace_partitions_out_of_service", {},
                                    "Partitions that take no more records since a write or an fsync failed.")),
      damaged_ranges_(metrics.gauge("headrace_damaged_ranges", {},
                                    "Ranges of offsets that can't be read, as far as reads came upon them.")) {}

void PartitionHealth::health_changed(const std::string& directory, const log::LogHealth& health) {
  std::lock_guard lock(mutex_);
  std::string name = name_of(directory);
  log::LogHealth before;
  if (auto found = unsound_.find(name); found != unsound_.end()) {
    before = std::move(found->second);
    unsound_.erase(found);
  }
  int failures = health.out_of_service.has_value() - before.out_of_service.has_value();
  failed_ += failures;
  out_of_service_.add(failures);
  damaged_ranges_.add(std::ssize(health.damaged) - std::ssize(before.damaged));
  if (!health.sound()) unsound_.emplace(std::move(name), health);
  metrics_.set_state("partitions", failed_ > 0 ? "failed" : unsound_.empty() ? "running" : "damaged", summary());
}

/// A sentence a line, and what is to be done at the end.
std::string PartitionHealth::summary() const {
  std::string text;
  size_t named = 0;
  for (bool failed : {true, false}) {
    if (failed && failed_ == 0) continue;
    for (auto at = unsound_.begin(); at != unsound_.end() && named < kNamedMax; ++at) {
      if (at->second.out_of_service.has_value() != failed) continue;
      text += describe(at->first, at->second);
      ++named;
    }
  }
  if (unsound_.size() > named) fmt::format_to(std::back_inserter(text), "And {} more.\n", unsound_.size() - named);
  if (failed_ > 0) {
    text += "What was acknowledged can be read. Repair the disk, then restart: what was not synced is written again.\n";
  }
  if (damaged_ranges_.value() > 0) text += "All other records can be read: seek behind these. Check the disk.\n";
  return text;
}

}  // namespace headrace::broker
