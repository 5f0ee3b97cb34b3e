#include "columns/encoder.h"

#include <arrow/api.h>
#include <malloc.h>

#include <limits>

#include "columns/decoder.h"
#include "columns/timestamp.h"

namespace headrace::columns {
namespace {

template <typename Builder, typename T>
std::shared_ptr<arrow::Array> array_of(const std::vector<T>& values) {
  Builder builder;
  for (const T& value : values) EXPECT_TRUE(builder.Append(value).ok());
  return *builder.Finish();
}

TEST(Encoder, DoublesAreTheShortestTextAndJsonHasNoInfinity) {
  Schema schema({{"d", Type::kDouble}});
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  auto array = array_of<arrow::DoubleBuilder, double>({0.1, 3, 1e300, -0.0, kInfinity, -kInfinity, std::nan("")});
  auto batch = arrow::RecordBatch::Make(to_arrow(schema), array->length(), {array});
  auto encoder = *make_encoder({.schema = schema});
  encoder->bind(*batch, 0);
  std::string out;
  for (int64_t i = 0; i < batch->num_rows(); ++i) out.append(encoder->row(i).value);
  EXPECT_EQ(out, R"({"d":0.1}{"d":3}{"d":1e+300}{"d":-0}{"d":null}{"d":null}{"d":null})");
}

TEST(Encoder, ARowWithATextThatIsTooLongIsNotWritten) {
  Schema schema({{"t", Type::kText}, {"j", Type::kJson}});
  auto texts = array_of<arrow::StringBuilder, std::string>({"a", std::string(32 << 20, '\1'), "b"});
  auto jsons = array_of<arrow::StringBuilder, std::string>({"1", "2", "[" + std::string(2000, ' ') + "]"});
  auto batch = arrow::RecordBatch::Make(to_arrow(schema), 3, {texts, jsons});
  auto encoder = *make_encoder({.schema = schema, .key_column = "t", .text_bytes_max = 1000});
  encoder->bind(*batch, 0);
  size_t before = mallinfo2().uordblks + mallinfo2().hblkhd;
  EXPECT_TRUE(encoder->row(1).too_large);
  EXPECT_TRUE(encoder->row(2).too_large);
  EXPECT_LT(mallinfo2().uordblks + mallinfo2().hblkhd, before + (1 << 20));
  EXPECT_EQ(encoder->row(0).value, R"({"t":"a","j":1})");
  EXPECT_FALSE(encoder->row(0).too_large);
}

TEST(Encoder, TextsAreEscaped) {
  Schema schema({{"a\"b", Type::kText}});
  auto array = array_of<arrow::StringBuilder, std::string>({std::string("\"\\\n\r\t\x01\x1f\0é", 10)});
  auto batch = arrow::RecordBatch::Make(to_arrow(schema), 1, {array});
  auto encoder = *make_encoder({.schema = schema});
  encoder->bind(*batch, 0);
  EXPECT_EQ(encoder->row(0).value, "{\"a\\\"b\":\"\\\"\\\\\\n\\r\\t\\u0001\\u001f\\u0000é\"}");
}

TEST(Encoder, KeysAndTimestampsComeFromColumnsAndBatchesStayBounded) {
  Schema schema({{"id", Type::kInt64}, {"at", Type::kTimestamp}});
  auto decoder = *make_decoder({.schema = schema});
  for (int i = 0; i < 1000; ++i) {
    std::string value = "{\"id\":" + std::to_string(i) + ",\"at\":" + (i % 2 ? "null" : std::to_string(1000 + i)) + "}";
    record::RecordView view;
    view.value = value;
    ASSERT_EQ(decoder->add(view), nullptr);
  }
  auto batch = decoder->finish();
  auto encoder = *make_encoder({.schema = schema, .key_column = "id", .timestamp_column = "at"});
  encoder->bind(*batch, 5);
  record::BatchBuilder builder;
  int batches = 0;
  int64_t next = 0;
  for (int64_t row = 0; row < batch->num_rows(); ++batches) {
    row = encoder->encode(row, 4096, builder);
    record::Batch encoded = builder.finish();
    EXPECT_LT(encoded.size(), 4096u + 200u);
    record::RecordReader reader(encoded, 1 << 20);
    while (const record::RecordView* record = reader.next()) {
      EXPECT_EQ(record->key, std::to_string(next));
      EXPECT_EQ(record->timestamp_ms, next % 2 ? 5 : 1000 + next);
      ++next;
    }
    EXPECT_TRUE(reader.status().ok());
  }
  EXPECT_EQ(next, 1000);
  EXPECT_GT(batches, 5);
}

TEST(Encoder, KeysOfOtherTypesAreTheirText) {
  Schema schema({{"at", Type::kTimestamp}});
  auto decoder = *make_decoder({.schema = schema});
  record::RecordView view;
  view.value = R"({"at":0})";
  ASSERT_EQ(decoder->add(view), nullptr);
  auto batch = decoder->finish();
  auto encoder = *make_encoder({.schema = schema, .key_column = "at"});
  encoder->bind(*batch, 0);
  EXPECT_EQ(encoder->row(0).key, "1970-01-01T00:00:00.000Z");
}

TEST(Encoder, OptionsThatDoNotFitAreRefused) {
  Schema schema({{"a", Type::kInt64}});
  EXPECT_FALSE(make_encoder({.schema = schema, .key_column = "b"}).ok());
  EXPECT_FALSE(make_encoder({.schema = schema, .timestamp_column = "a"}).ok());
  EXPECT_FALSE(make_encoder({.schema = Schema({{"a", Type::kInterval}})}).ok());
}

TEST(Timestamp, ReadsItsFormsAndNothingElse) {
  EXPECT_EQ(parse_timestamp("1970-01-01"), 0);
  EXPECT_EQ(parse_timestamp("1970-01-01 00:01"), 60'000);
  EXPECT_EQ(parse_timestamp("1970-01-01T00:00:01.0019Z"), 1001);
  EXPECT_EQ(parse_timestamp("1970-01-01T00:00:00-0130"), 5'400'000);
  EXPECT_EQ(parse_timestamp("1970-01-01 00:00:00+02"), -7'200'000);
  EXPECT_EQ(parse_timestamp("0001-01-01"), kTimestampMinMs);
  EXPECT_EQ(parse_timestamp("9999-12-31T23:59:59.999Z"), kTimestampMaxMs);
  for (std::string_view text :
       {"", "1970", "1970-1-1", "1970-02-30", "0000-01-01", "1970-01-01T", "1970-01-01T24:00:00", "1970-01-01T00:60:00",
        "1970-01-01T00:00:60", "1970-01-01T00:00:00.", "1970-01-01T00:00:00X", "1970-01-01T00:00:00+1", "1970-01-01x",
        "1970-01-01T00:00:00Zz", "9999-12-31T23:59:59-12:00", "0001-01-01T00:00:00+01"}) {
    EXPECT_EQ(parse_timestamp(text), std::nullopt) << text;
  }
}

TEST(Timestamp, WrittenTextsReadBackTheSame) {
  for (int64_t ms :
       {int64_t{0}, int64_t{-1}, int64_t{951782400000}, kTimestampMinMs, kTimestampMaxMs, int64_t{1769846400250}}) {
    EXPECT_EQ(parse_timestamp(format_timestamp(ms)), ms) << format_timestamp(ms);
  }
  EXPECT_EQ(format_timestamp(-1), "1969-12-31T23:59:59.999Z");
}

TEST(Schema, TypeNamesAreKnownInAnyCase) {
  EXPECT_EQ(parse_type("BIGINT"), Type::kInt64);
  EXPECT_EQ(parse_type("double precision"), Type::kDouble);
  EXPECT_EQ(parse_type("interval"), std::nullopt);
  for (Type type : {Type::kBool, Type::kInt64, Type::kDouble, Type::kText, Type::kTimestamp, Type::kJson}) {
    EXPECT_EQ(parse_type(to_string(type)), type);
  }
}

}  // namespace
}  // namespace headrace::columns
