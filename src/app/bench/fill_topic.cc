#include "app/bench/fill_topic.h"

#include <fmt/format.h>

#include <condition_variable>
#include <iterator>
#include <mutex>
#include <optional>

#include "bus_kafka/kafka_bus.h"
#include "os/clock.h"
#include "os/random.h"
#include "record/batch_builder.h"

namespace headrace::app {
namespace {

constexpr int kRecordsPerBatch = 1000;
constexpr size_t kInFlightBatchesMax = 16;

void append_reading(os::Random& random, int64_t time_ms, size_t bytes, std::string& out) {
  out.clear();
  fmt::format_to(std::back_inserter(out),
                 R"({{"device":"device-{:04}","ts":{},"temperature":{:.2f},"humidity":{:.1f},)"
                 R"("speed":{:.2f},"ok":{},"site":"site-{}")",
                 random.below(1000), time_ms, 15 + 20 * random.real(), 100 * random.real(), 120 * random.real(),
                 random.chance(0.5), random.below(20));
  constexpr std::string_view kPad = R"(,"pad":")";
  if (out.size() + kPad.size() + 2 < bytes) {
    size_t fill = bytes - out.size() - kPad.size() - 2;
    out += kPad;
    out.append(fill, 'x');
    out += '"';
  }
  out += '}';
}

}  // namespace

Result<double> fill_topic(const FillOptions& options) {
  ASSIGN_OR_RETURN(auto bus, bus_kafka::connect({{"bootstrap.servers", options.bootstrap}}));
  ASSIGN_OR_RETURN(int32_t partitions, bus->admin().partition_count(options.topic));
  ASSIGN_OR_RETURN(auto producer, bus->producer({.client_id = "headrace-bench"}));
  std::mutex mutex;
  std::condition_variable changed;
  size_t in_flight = 0;
  std::optional<Error> error;
  os::Random random(1);
  record::BatchBuilder builder;
  std::string reading;
  int64_t time_ms = os::system_clock().wall_ms();
  auto begin = std::chrono::steady_clock::now();
  for (int64_t written = 0; written < options.records && !error;) {
    while (builder.count() < kRecordsPerBatch && written < options.records) {
      append_reading(random, time_ms + written / 100, options.record_bytes, reading);
      builder.add(time_ms, std::nullopt, reading);
      ++written;
    }
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return in_flight < kInFlightBatchesMax; });
    ++in_flight;
    lock.unlock();
    auto partition = static_cast<int32_t>(written / kRecordsPerBatch % partitions);
    producer->produce({options.topic, PartitionId(partition)}, builder.finish(), [&](Result<bus::Appended> answer) {
      std::lock_guard guard(mutex);
      if (!answer.ok()) error = answer.error();
      --in_flight;
      changed.notify_all();
    });
  }
  std::unique_lock lock(mutex);
  changed.wait(lock, [&] { return in_flight == 0; });
  if (error) return *error;
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

}  // namespace headrace::app
