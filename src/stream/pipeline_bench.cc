// Operators over 200-byte JSON records, decoding and encoding included; one thread, no bus. A pipeline's figure is
// `items`.
#include <arrow/record_batch.h>
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include "base/check.h"
#include "columns/decoder.h"
#include "record/batch_builder.h"
#include "sql/planner.h"
#include "stream/projector.h"
#include "stream/window_aggregator.h"

namespace headrace::stream {
namespace {

constexpr int kBatchRecords = 1000;
constexpr int kBatches = 8;

sql::Plan plan_of(std::string_view sql) {
  sql::Stream stream{.name = "cabs", .event_time = "at"};
  using columns::Type;
  for (auto [name, type] : std::initializer_list<std::pair<const char*, Type>>{{"cab", Type::kText},
                                                                               {"at", Type::kTimestamp},
                                                                               {"lat", Type::kDouble},
                                                                               {"lon", Type::kDouble},
                                                                               {"speed", Type::kDouble}}) {
    stream.columns.add({.name = name, .type = type});
  }
  std::vector<sql::Stream> streams = {stream};
  auto plan = sql::plan_query_or_error(sql, streams);
  CHECK(plan.ok());
  return *std::move(plan);
}

std::vector<record::Batch> input() {
  std::vector<record::Batch> batches;
  record::BatchBuilder builder;
  for (int b = 0; b < kBatches; ++b) {
    for (int i = 0; i < kBatchRecords; ++i) {
      int n = b * kBatchRecords + i;
      builder.add(0, std::nullopt,
                  fmt::format(R"({{"cab":"cab-{:05}","at":{},"lat":{:.6f},"lon":{:.6f},"speed":{:.2f},"heading":{},)"
                              R"("engine":{{"temp":{:.1f},"rpm":{}}},"fuel":{:.3f},"status":"occupied",)"
                              R"("fare":{:.2f},"pad":"xxxxxxxx"}})",
                              n % 500, 1'700'000'000'000 + n, 40.7 + n * 1e-6, -74.0 - n * 1e-6, n % 100 * 0.9, n % 360,
                              85 + n % 20 * 0.5, 1500 + n % 1000, 0.5, n % 50 * 1.25));
    }
    batches.push_back(builder.finish());
  }
  return batches;
}

std::shared_ptr<arrow::RecordBatch> decode(columns::Decoder& decoder, const record::Batch& batch) {
  record::RecordReader reader(batch, 1 << 20);
  while (const auto* record = reader.next()) CHECK(decoder.add(*record) == nullptr);
  return decoder.finish();
}

constexpr std::string_view kMap =
    "SELECT cab, at, lat, lon, round(speed * 0.621371, 1) AS mph FROM cabs WHERE speed > 20 AND lat BETWEEN 40 AND 41";
constexpr std::string_view kWindow =
    "SELECT cab, window_end, count(*) AS n, avg(speed) AS mean FROM cabs GROUP BY cab, tumble(at, interval '10 "
    "seconds')";

void BM_FilterAndMap(benchmark::State& state) {
  auto plan = plan_of(kMap);
  auto batches = input();
  auto decoder = columns::make_decoder({.schema = plan.input});
  auto projector = Projector::make(plan, "");
  CHECK(decoder.ok() && projector.ok());
  auto filter = compile(*plan.filter);
  EvalContext context(plan.input);
  std::vector<uint32_t> kept;
  record::BatchBuilder builder;
  Projector::Emit emit = [&](uint32_t, const columns::EncodedRow& row) { builder.add(0, row.key, row.value); };
  for (auto _ : state) {
    for (const auto& batch : batches) {
      auto rows = decode(**decoder, batch);
      context.bind(*rows);
      Selection selection{nullptr, context.rows()};
      selection = select_true(filter->evaluate(context, selection), selection, context, kept);
      (*projector)->project(context, selection, emit);
      benchmark::DoNotOptimize(builder.finish());
    }
  }
  state.SetItemsProcessed(state.iterations() * kBatches * kBatchRecords);
}
BENCHMARK(BM_FilterAndMap);

void BM_ExpressionsAlone(benchmark::State& state) {
  auto plan = plan_of(kMap);
  auto batches = input();
  auto decoder = columns::make_decoder({.schema = plan.input});
  CHECK(decoder.ok());
  auto rows = decode(**decoder, batches[0]);
  auto filter = compile(*plan.filter);
  auto mph = compile(plan.outputs[4].expr);
  EvalContext context(plan.input);
  std::vector<uint32_t> kept;
  for (auto _ : state) {
    context.bind(*rows);
    Selection selection{nullptr, context.rows()};
    selection = select_true(filter->evaluate(context, selection), selection, context, kept);
    benchmark::DoNotOptimize(mph->evaluate(context, selection));
  }
  state.SetItemsProcessed(state.iterations() * kBatchRecords);
}
BENCHMARK(BM_ExpressionsAlone);

void BM_WindowedAverage(benchmark::State& state) {
  auto plan = plan_of(kWindow);
  auto batches = input();
  auto decoder = columns::make_decoder({.schema = plan.input});
  CHECK(decoder.ok());
  EvalContext context(plan.input);
  WindowAggregator windows(plan, 64 << 20);
  for (auto _ : state) {
    for (const auto& batch : batches) {
      auto rows = decode(**decoder, batch);
      context.bind(*rows);
      windows.add(context, {nullptr, context.rows()}, {.watermark_ms = INT64_MIN, .latest_ms = INT64_MAX});
    }
  }
  state.SetItemsProcessed(state.iterations() * kBatches * kBatchRecords);
}
BENCHMARK(BM_WindowedAverage);

void BM_GroupingAlone(benchmark::State& state) {
  auto plan = plan_of(kWindow);
  auto batches = input();
  auto decoder = columns::make_decoder({.schema = plan.input});
  CHECK(decoder.ok());
  auto rows = decode(**decoder, batches[0]);
  EvalContext context(plan.input);
  WindowAggregator windows(plan, 64 << 20);
  for (auto _ : state) {
    context.bind(*rows);
    windows.add(context, {nullptr, context.rows()}, {.watermark_ms = INT64_MIN, .latest_ms = INT64_MAX});
  }
  state.SetItemsProcessed(state.iterations() * kBatchRecords);
}
BENCHMARK(BM_GroupingAlone);

}  // namespace
}  // namespace headrace::stream
