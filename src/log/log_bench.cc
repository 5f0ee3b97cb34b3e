// Appending with and without fsync, and reading back, on the file system of the working directory (or of the folder
// that HEADRACE_BENCH_DIR names).
#include <benchmark/benchmark.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>

#include "log/partition_log.h"
#include "record/batch_builder.h"

namespace headrace::log {
namespace {

record::Batch batch_of(int64_t records) {
  record::BatchBuilder builder;
  std::string value(100, 'x');
  for (int64_t i = 0; i < records; ++i) builder.add(1'700'000'000'000 + i, std::nullopt, value);
  return builder.finish();
}

// A log in a folder of its own, removed at the end.
struct BenchLog {
  explicit BenchLog(const LogConfig& config) {
    static std::atomic<int> number{0};
    const char* base = std::getenv("HEADRACE_BENCH_DIR");
    directory =
        std::string(base ? base : ".") + "/log_bench_" + std::to_string(::getpid()) + "/t-" + std::to_string(number++);
    auto opened = PartitionLog::open(os::real_file_system(), os::system_clock(), directory, config);
    CHECK(opened.ok());
    log = *std::move(opened);
  }
  ~BenchLog() {
    log.reset();
    (void)os::remove_tree(os::real_file_system(), os::parent_directory(directory));
  }
  std::string directory;
  std::unique_ptr<PartitionLog> log;
};

void count(benchmark::State& state, const record::Batch& batch) {
  state.SetItemsProcessed(state.iterations() * batch.header().record_count);
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(batch.size()));
}

void BM_Append(benchmark::State& state) {
  BenchLog bench({.segment_bytes = 256 << 20, .retention_bytes = 256 << 20});
  auto batch = batch_of(state.range(0));
  for (auto _ : state) CHECK(bench.log->append(std::span(&batch, 1), LeaderEpoch(0)).ok());
  count(state, batch);
}
BENCHMARK(BM_Append)->Arg(1)->Arg(10)->Arg(100)->Arg(1000);

// Arguments: records in a batch, and the largest step of preallocation in MiB.
void BM_AppendFlush(benchmark::State& state) {
  BenchLog bench({.segment_bytes = 256 << 20, .preallocate_bytes_max = state.range(1) << 20});
  auto batch = batch_of(state.range(0));
  for (auto _ : state) {
    CHECK(bench.log->append(std::span(&batch, 1), LeaderEpoch(0)).ok());
    CHECK(bench.log->flush().ok());
  }
  count(state, batch);
}
BENCHMARK(BM_AppendFlush)->ArgsProduct({{1, 100, 1000}, {0, 16}})->UseRealTime();

void BM_Read(benchmark::State& state) {
  BenchLog bench({});
  auto batch = batch_of(100);
  for (int i = 0; i < 5000; ++i) CHECK(bench.log->append(std::span(&batch, 1), LeaderEpoch(0)).ok());
  Offset end = bench.log->log_end_offset();
  int64_t bytes = 0;
  Offset at(0);
  for (auto _ : state) {
    auto read = bench.log->read(at, static_cast<size_t>(state.range(0)), end);
    CHECK(read.ok());
    bytes += static_cast<int64_t>(read->batches.size());
    at = read->next_offset < end ? read->next_offset : Offset(0);
  }
  state.SetBytesProcessed(bytes);
}
BENCHMARK(BM_Read)->Arg(16 << 10)->Arg(1 << 20);

}  // namespace
}  // namespace headrace::log
