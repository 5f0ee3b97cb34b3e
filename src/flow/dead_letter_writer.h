// Puts dead letters durably into their topic.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "bus/bus.h"
#include "flow/dead_letter.h"
#include "os/clock.h"

namespace headrace::flow {

/// A record to be put aside, with why. Views are used during write() only.
struct RejectedRecord {
  const TopicPartition* tp;
  const record::RecordView* record;
  std::string_view code;
  std::string_view reason;
};

/// One thread, cancel() excepted. The topic is created at the first letter where it does not exist.
class DeadLetterWriter {
 public:
  /// `bus` and `clock` outlive the writer. `stage` and `component` go into every letter's headers.
  DeadLetterWriter(bus::Bus& bus, std::string topic, std::string stage, std::string component, os::Clock& clock);
  ~DeadLetterWriter();

  /// On success all letters are acknowledged by the bus. On an error none, some or all of them are in the topic: write
  /// the same ones again. A record that the topic refuses for good (too large, too many headers) goes without its
  /// value and its own headers, with the header `dlq.value.omitted.bytes` in their place, and if need be without its
  /// key, with `dlq.key.omitted.bytes`.
  Status write(const std::vector<RejectedRecord>& records);
  /// Makes a waiting and every later write() return kClosed. From any thread.
  void cancel();

 private:
  struct Pending;
  Status prepare();
  Status produce(std::vector<record::Batch> batches, std::vector<int32_t> partitions);
  /// What of a record is left out of its letter.
  enum class Omitted { kNothing, kValue, kValueAndKey };
  Status write_one(const RejectedRecord& rejected);
  Status write_some(const RejectedRecord* first, size_t count, Omitted omitted);

  bus::Bus& bus_;
  std::string topic_, stage_, component_;
  os::Clock& clock_;
  std::unique_ptr<bus::Producer> producer_;
  int32_t partitions_ = 0;
  std::shared_ptr<Pending> pending_;
};

}  // namespace headrace::flow
