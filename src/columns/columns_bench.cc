// Rows per second of the JSON decoder and encoder: records of about 175 bytes, seven columns.
#include <arrow/api.h>
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include "base/check.h"
#include "columns/decoder.h"
#include "columns/encoder.h"

namespace headrace::columns {
namespace {

constexpr size_t kRows = 4096;

Schema telemetry_schema() {
  return Schema({{"cab", Type::kText},
                 {"at", Type::kTimestamp},
                 {"lat", Type::kDouble},
                 {"lon", Type::kDouble},
                 {"speed", Type::kDouble},
                 {"heading", Type::kInt64},
                 {"occupied", Type::kBool}});
}

std::vector<std::string> telemetry() {
  std::vector<std::string> values;
  for (size_t i = 0; i < kRows; ++i) {
    values.push_back(fmt::format(
        R"({{"cab":"cab-{:04}","at":{},"lat":{:.6f},"lon":{:.6f},"speed":{:.1f},"heading":{},"occupied":{},)"
        R"("engine_temp":{:.1f},"fuel":{:.2f},"fare":{:.2f},"status":"driving","seq":{}}})",
        i % 1000, 1767225600000 + i * 10, 52.5 + i * 1e-5, 13.4 + i * 1e-5, i % 90 + 0.5, i % 360,
        i % 2 ? "true" : "false", 80 + i % 30 * 0.5, 0.73, i * 0.1, i));
  }
  return values;
}

void decode(benchmark::State& state, Schema schema) {
  auto values = telemetry();
  auto decoder = *make_decoder({.schema = std::move(schema), .source = {"telemetry", PartitionId(0)}});
  size_t bytes = 0;
  for (const std::string& value : values) bytes += value.size();
  record::RecordView view;
  for (auto _ : state) {
    for (const std::string& value : values) {
      view.value = value;
      CHECK(decoder->add(view) == nullptr);
    }
    benchmark::DoNotOptimize(decoder->finish());
  }
  state.SetItemsProcessed(static_cast<int64_t>(state.iterations() * kRows));
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations() * bytes));
  state.counters["record_bytes"] = static_cast<double>(bytes) / kRows;
}

void BM_DecodeSevenColumns(benchmark::State& state) { decode(state, telemetry_schema()); }
BENCHMARK(BM_DecodeSevenColumns);

void BM_DecodeTwoColumns(benchmark::State& state) {
  decode(state, Schema({{"cab", Type::kText}, {"speed", Type::kDouble}}));
}
BENCHMARK(BM_DecodeTwoColumns);

void BM_EncodeSevenColumns(benchmark::State& state) {
  Schema schema = telemetry_schema();
  auto decoder = *make_decoder({.schema = schema});
  record::RecordView view;
  for (const std::string& value : telemetry()) {
    view.value = value;
    CHECK(decoder->add(view) == nullptr);
  }
  auto batch = decoder->finish();
  auto encoder = *make_encoder({.schema = schema, .key_column = "cab", .timestamp_column = "at"});
  record::BatchBuilder builder;
  for (auto _ : state) {
    encoder->bind(*batch, 0);
    for (int64_t row = 0; row < batch->num_rows();) {
      row = encoder->encode(row, 1 << 20, builder);
      benchmark::DoNotOptimize(builder.finish());
    }
  }
  state.SetItemsProcessed(static_cast<int64_t>(state.iterations() * kRows));
}
BENCHMARK(BM_EncodeSevenColumns);

}  // namespace
}  // namespace headrace::columns
