// Short ways to say common things, for the broker's tests.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <future>
#include <memory>
#include <string>
#include <vector>

#include "base/temp_directory.h"
#include "broker/await.h"
#include "broker/broker.h"
#include "record/batch_builder.h"

namespace headrace::broker {

/// A clock that goes on by itself, as threads that wait need it, and is set ahead when told.
class JumpingClock final : public os::Clock {
 public:
  int64_t wall_ms() override { return os::system_clock().wall_ms() + wall_ahead_ms_; }
  std::chrono::nanoseconds monotonic() override {
    return os::system_clock().monotonic() + std::chrono::milliseconds(monotonic_ahead_ms_);
  }
  /// The wall clock is set anew.
  void jump(std::chrono::milliseconds by) { wall_ahead_ms_ += by.count(); }
  /// Time passes.
  void advance(std::chrono::milliseconds by) {
    wall_ahead_ms_ += by.count();
    monotonic_ahead_ms_ += by.count();
  }

 private:
  std::atomic<int64_t> wall_ahead_ms_{0}, monotonic_ahead_ms_{0};
};

inline record::Batch batch_of(const std::vector<std::string>& values, int64_t timestamp_ms = 1700000000000) {
  record::BatchBuilder builder;
  for (const std::string& value : values) builder.add(timestamp_ms, "key", value);
  return builder.finish();
}

/// Waits for the answer of an asynchronous call:
/// `answer_of<Result<Produced>>([&](auto done) { p->produce(b, done); })`.
template <typename Answer, typename Call>
Answer answer_of(Call call) {
  return await<Answer>(std::move(call));
}

inline Result<Produced> produce(Partition& partition, const record::Batch& batch) {
  return answer_of<Result<Produced>>([&](auto done) { partition.produce(std::span(&batch, 1), done); });
}

/// The values of all records from an offset on that a consumer of this isolation can read, aborted ones left out.
inline std::vector<std::string> values_in(Partition& partition,
                                          bus::Isolation isolation = bus::Isolation::kReadCommitted,
                                          Offset from = Offset(0)) {
  std::vector<std::string> values;
  Offset at = std::max(from, partition.log_start());
  while (at < partition.readable_end(isolation)) {
    auto data = partition.read(at, 1 << 20, isolation);
    if (!data.ok() || data->next_offset <= at) break;
    auto batches = record::split_batches(data->batches, false);
    for (const record::Batch& batch : *batches) {
      const record::BatchHeader& header = batch.header();
      bool aborted = false;
      for (const log::AbortedTransaction& t : data->aborted) {
        aborted = aborted || (header.is_transactional() && t.producer_id == header.producer_id &&
                              header.base_offset >= t.first_offset && header.base_offset <= t.last_offset);
      }
      if (header.is_control() || aborted) continue;
      record::RecordReader reader(batch, 1 << 20);
      while (const record::RecordView* record = reader.next()) values.emplace_back(*record->value);
    }
    at = data->next_offset;
  }
  return values;
}

inline BrokerOptions options_in(const std::string& directory) {
  BrokerOptions options;
  options.data_directory = directory;
  return options;
}

}  // namespace headrace::broker
