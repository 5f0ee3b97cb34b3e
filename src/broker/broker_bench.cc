// Produce with group commit on a real disk: large batches of 100-byte records, and many small batches.
#include <benchmark/benchmark.h>

#include <atomic>
#include <condition_variable>
#include <mutex>

#include "broker/broker_test_support.h"

namespace headrace::broker {
namespace {

record::Batch batch_of_records(int records) {
  record::BatchBuilder builder;
  std::string value(100, 'v');
  for (int i = 0; i < records; ++i) builder.add(1700000000000 + i, std::nullopt, value);
  return builder.finish();
}

/// Keeps `in_flight` batches unanswered; arguments: records a batch, partitions.
void produce_batches(benchmark::State& state) {
  constexpr int kInFlight = 64;
  auto records = static_cast<int>(state.range(0));
  auto partitions = static_cast<int32_t>(state.range(1));
  TempDirectory directory;
  flow::MetricsRegistry metrics;
  auto broker = *Broker::open(options_in(directory.path()), metrics);
  auto topic =
      *broker->create_topic({.name = "t", .partitions = partitions, .configs = {{"retention.bytes", "268435456"}}});
  record::Batch batch = batch_of_records(records);
  std::mutex mutex;
  std::condition_variable changed;
  int waiting = 0;
  size_t next = 0;
  for (auto _ : state) {
    {
      std::unique_lock lock(mutex);
      changed.wait(lock, [&] { return waiting < kInFlight * partitions; });
      ++waiting;
    }
    topic->partitions[next++ % topic->partitions.size()]->produce(std::span(&batch, 1), [&](Result<Produced> r) {
      if (!r.ok()) std::abort();
      std::lock_guard lock(mutex);
      --waiting;
      changed.notify_one();
    });
  }
  {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return waiting == 0; });
  }
  state.SetItemsProcessed(state.iterations() * records);
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(batch.size()));
  int64_t flushes = 0;
  for (const auto& p : topic->partitions) flushes += p->log().stats().flushes;
  state.counters["batches_per_fsync"] =
      static_cast<double>(state.iterations()) / static_cast<double>(std::max<int64_t>(1, flushes));
}
BENCHMARK(produce_batches)->Args({5000, 1})->Args({5000, 8})->Args({100, 1})->Args({1, 1})->Args({1, 8})->UseRealTime();

}  // namespace
}  // namespace headrace::broker
