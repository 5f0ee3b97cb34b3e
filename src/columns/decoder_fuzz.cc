// Any bytes may come as a record's value or key: they give a row or an error, and what was taken can be written again.
#include <arrow/api.h>

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "columns/decoder.h"
#include "columns/encoder.h"

namespace {

using namespace headrace;
using columns::Type;

void decode_and_encode(columns::Format format, columns::Schema schema, std::string_view value) {
  auto decoder = *columns::make_decoder({.format = format, .schema = schema, .source = {"t", PartitionId(0)}});
  record::RecordView view;
  view.key = value.substr(0, 8);
  view.value = value;
  const columns::RowError* error = decoder->add(view);
  CHECK(error == nullptr || !error->reason.empty());
  CHECK(decoder->rows() == (error ? 0u : 1u));
  auto batch = decoder->finish();
  CHECK(batch->ValidateFull().ok());
  auto encoder = *columns::make_encoder({.schema = schema, .key_column = "b"});
  encoder->bind(*batch, 0);
  if (error) return;
  columns::EncodedRow row = encoder->row(0);
  auto again = *columns::make_decoder({.schema = schema});
  record::RecordView written;
  written.value = row.value;
  if (format == columns::Format::kJson && !schema.find("_key")) CHECK(again->add(written) == nullptr);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view value(reinterpret_cast<const char*>(data), size);
  columns::Schema flat({{"a", Type::kInt64},
                        {"b", Type::kText},
                        {"c", Type::kDouble},
                        {"d", Type::kBool},
                        {"e", Type::kTimestamp},
                        {"f", Type::kJson}});
  columns::Schema nested({{"b", Type::kText, true, "x.b"}, {"a", Type::kInt64, true, "x.y.a"}, {"_key", Type::kText}});
  decode_and_encode(columns::Format::kJson, flat, value);
  decode_and_encode(columns::Format::kJson, nested, value);
  decode_and_encode(columns::Format::kCsv, flat, value);
  decode_and_encode(columns::Format::kRaw, columns::Schema({{"b", Type::kText}}), value);
  return 0;
}
