// Reads the newest records of some topics for a dashboard, following partitions as they come.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "bus/bus.h"
#include "console/panel.h"

namespace headrace::console {

/// Begins a little in the past, so that a page that is opened shows the last minutes at once, and jumps ahead when it
/// falls behind: a console shows what is, not all that was. Reads committed records only. One thread.
class TopicReader {
 public:
  static constexpr int64_t kReplayMs = 120'000;
  static constexpr int64_t kReplayRecordsMax = 20'000;  ///< A partition's records read again at the start.
  static constexpr int64_t kLagRecordsMax = 200'000;    ///< A partition further behind is continued at its end.
  static constexpr size_t kFetchBytesMax = 2 << 20;
  static constexpr size_t kQueueBytesMax = 8 << 20;
  static constexpr size_t kDecompressedBytesMax = 64 << 20;

  using Visit = std::function<void(std::string_view topic, const record::RecordView& record)>;

  TopicReader(bus::Bus& bus, std::vector<std::string> topics) : bus_(bus), topics_(std::move(topics)) {}

  /// Assigns partitions that came into being, as `sample` shows them, and jumps ahead where the reader is too far
  /// behind.
  Status follow(const Sample& sample);
  /// Waits for records up to `timeout` and visits those there are.
  Status poll(std::chrono::milliseconds timeout, const Visit& visit);
  bool assigned() const { return !next_.empty(); }

 private:
  Result<Offset> start_of(const TopicPartition& tp, int64_t now_ms, bool replay);

  bus::Bus& bus_;
  std::vector<std::string> topics_;
  std::unique_ptr<bus::Consumer> consumer_;
  std::map<TopicPartition, Offset> next_;
};

}  // namespace headrace::console
