// The inner loops of everything: building and reading batches of 100-byte records.
#include <benchmark/benchmark.h>

#include <string>

#include "record/batch_builder.h"
#include "record/records_summary.h"

namespace headrace::record {
namespace {

constexpr int kRecords = 1000;

void build_batch(benchmark::State& state) {
  BatchBuilder builder;
  std::string key = "cab-0001", value(92, 'v');
  for (auto _ : state) {
    for (int i = 0; i < kRecords; ++i) builder.add(1700000000000 + i, key, value);
    benchmark::DoNotOptimize(builder.finish());
  }
  state.SetItemsProcessed(state.iterations() * kRecords);
}
BENCHMARK(build_batch);

void read_batch(benchmark::State& state) {
  BatchBuilder builder;
  std::string key = "cab-0001", value(92, 'v');
  for (int i = 0; i < kRecords; ++i) builder.add(1700000000000 + i, key, value);
  Batch batch = builder.finish();
  for (auto _ : state) {
    RecordReader reader(batch, 1 << 20);
    while (const RecordView* record = reader.next()) benchmark::DoNotOptimize(record->value->data());
  }
  state.SetItemsProcessed(state.iterations() * kRecords);
}
BENCHMARK(read_batch);

void summarize_batch(benchmark::State& state) {
  BatchBuilder builder;
  std::string key = "cab-0001", value(92, 'v');
  for (int i = 0; i < kRecords; ++i) builder.add(1700000000000 + i, key, value);
  Batch batch = builder.finish();
  for (auto _ : state) benchmark::DoNotOptimize(summarize_records(batch, 1 << 20)->latest_ms);
  state.SetItemsProcessed(state.iterations() * kRecords);
}
BENCHMARK(summarize_batch);

void check_batch(benchmark::State& state) {
  BatchBuilder builder;
  std::string value(100, 'v');
  for (int i = 0; i < kRecords; ++i) builder.add(1700000000000 + i, std::nullopt, value);
  SharedBytes bytes = builder.finish().bytes();
  for (auto _ : state) benchmark::DoNotOptimize(Batch::parse(bytes).ok());
  state.SetItemsProcessed(state.iterations() * kRecords);
}
BENCHMARK(check_batch);

}  // namespace
}  // namespace headrace::record
