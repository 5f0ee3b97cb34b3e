#include "columns/decoder.h"

#include <arrow/api.h>

#include <malloc.h>

#include "columns/encoder.h"

namespace headrace::columns {
namespace {

record::RecordView record_of(std::string_view value, std::optional<std::string_view> key = std::nullopt) {
  record::RecordView view;
  view.offset = Offset(41);
  view.timestamp_ms = 1767225600123;
  view.key = key;
  view.value = value;
  return view;
}

std::string error_of(Decoder& decoder, std::string_view value) {
  const RowError* error = decoder.add(record_of(value));
  return error ? error->column + ": " + error->reason : "taken";
}

/// The rows so far as JSON lines.
std::string rows_of(Decoder& decoder, const Schema& schema) {
  auto batch = decoder.finish();
  EXPECT_TRUE(batch->ValidateFull().ok());
  auto encoder = *make_encoder({.schema = schema});
  encoder->bind(*batch, 0);
  std::string out;
  for (int64_t i = 0; i < batch->num_rows(); ++i) out.append(encoder->row(i).value).append("\n");
  return out;
}

std::unique_ptr<Decoder> json_decoder(const Schema& schema) {
  return *make_decoder({.schema = schema, .source = {"telemetry", PartitionId(3)}});
}

std::string decode_one(const Schema& schema, std::string_view value) {
  auto decoder = json_decoder(schema);
  std::string error = error_of(*decoder, value);
  return error == "taken" ? rows_of(*decoder, schema) : error;
}

const Schema kAll({{"b", Type::kBool},
                   {"i", Type::kInt64},
                   {"d", Type::kDouble},
                   {"t", Type::kText},
                   {"at", Type::kTimestamp},
                   {"j", Type::kJson}});

TEST(JsonDecoder, EveryTypeIsReadAndWrittenBack) {
  std::string value =
      R"({"b":true,"i":-42,"d":1.5,"t":"a\"\\\n\u00e9","at":"2026-01-31T08:00:00.250Z","j":{"k":[1,"x",null]}})";
  EXPECT_EQ(decode_one(kAll, value),
            "{\"b\":true,\"i\":-42,\"d\":1.5,\"t\":\"a\\\"\\\\\\né\",\"at\":\"2026-01-31T08:00:00.250Z\",\"j\":{\"k\":["
            "1,\"x\",null]}}\n");
}

TEST(JsonDecoder, MissingAndNullFieldsAreNull) {
  const std::string nulls = R"({"b":null,"i":null,"d":null,"t":null,"at":null,"j":null})";
  EXPECT_EQ(decode_one(kAll, "{}"), nulls + "\n");
  EXPECT_EQ(decode_one(kAll, nulls), nulls + "\n");
  auto decoder = json_decoder(kAll);
  record::RecordView tombstone = record_of("");
  tombstone.value = std::nullopt;
  EXPECT_EQ(decoder->add(tombstone), nullptr);
  EXPECT_EQ(rows_of(*decoder, kAll), nulls + "\n");
}

TEST(JsonDecoder, NumbersWidenAndWholeDoublesAreBigints) {
  Schema schema({{"i", Type::kInt64}, {"d", Type::kDouble}});
  EXPECT_EQ(decode_one(schema, R"({"i":7.0,"d":7})"), "{\"i\":7,\"d\":7}\n");
  EXPECT_EQ(decode_one(schema, R"({"i":1e3,"d":-0.5e-2})"), "{\"i\":1000,\"d\":-0.005}\n");
  EXPECT_EQ(decode_one(schema, R"({"i":-9223372036854775808})"), "{\"i\":-9223372036854775808,\"d\":null}\n");
  EXPECT_EQ(decode_one(schema, R"({"i":9223372036854775808})"), "i: \"9223372036854775808\" is not a bigint");
  EXPECT_EQ(decode_one(schema, R"({"i":1.5})"), "i: \"1.5\" is not a bigint");
}

TEST(JsonDecoder, TimestampsAreMillisecondsOrText) {
  Schema schema({{"at", Type::kTimestamp}});
  EXPECT_EQ(decode_one(schema, R"({"at":1769846400250})"), "{\"at\":\"2026-01-31T08:00:00.250Z\"}\n");
  EXPECT_EQ(decode_one(schema, R"({"at":1769846400250.9})"), "{\"at\":\"2026-01-31T08:00:00.250Z\"}\n");
  EXPECT_EQ(decode_one(schema, R"({"at":"2026-01-31 08:00:00"})"), "{\"at\":\"2026-01-31T08:00:00.000Z\"}\n");
  EXPECT_EQ(decode_one(schema, R"({"at":"2026-01-31T10:00:00.25+02:00"})"), "{\"at\":\"2026-01-31T08:00:00.250Z\"}\n");
  EXPECT_EQ(decode_one(schema, R"({"at":"noon"})"), "at: text \"noon\" is not a timestamp");
  EXPECT_EQ(decode_one(schema, R"({"at":true})"), "at: \"true\" is not a timestamp");
}

TEST(JsonDecoder, ValuesOfAnotherTypeNameTheColumn) {
  EXPECT_EQ(decode_one(kAll, R"({"i":"abc"})"), "i: text \"abc\" is not a bigint");
  EXPECT_EQ(decode_one(kAll, R"({"d":"1.5"})"), "d: text \"1.5\" is not a double");
  EXPECT_EQ(decode_one(kAll, R"({"t":5 })"), "t: \"5\" is not a text");
  EXPECT_EQ(decode_one(kAll, R"({"b":1})"), "b: \"1\" is not a bool");
  EXPECT_EQ(decode_one(kAll, R"({"b":{"x":1}})"), "b: an object is not a bool");
  EXPECT_EQ(decode_one(kAll, R"({"d":[1]})"), "d: an array is not a double");
}

TEST(JsonDecoder, WhatIsNotOneJsonObjectIsAnErrorOfTheRecord) {
  for (std::string_view value : {"", " ", "{", "{\"i\":", "{\"i\":1", "{\"i\":1}}", "{\"i\":1} x", "{\"i\":1}{\"i\":2}",
                                 "[1]", "5", "null", "{\"t\":\"\xff\"}", "{\"i\":nul}", "{\"b\":tru}", "{\"i\" 1}",
                                 "{i:1}", "{\"j\":[tru]}", "{\"t\":\"\\x\"}", "plain"}) {
    std::string error = decode_one(kAll, value);
    EXPECT_TRUE(error.starts_with(": ") || error.starts_with("b: ")) << value << " gave " << error;
  }
}

TEST(JsonDecoder, ABadRowIsLeftOutAndTheOthersGoOn) {
  auto decoder = json_decoder(kAll);
  EXPECT_EQ(error_of(*decoder, R"({"i":1})"), "taken");
  EXPECT_EQ(error_of(*decoder, R"({"t":"kept?","i":"x"})"), "i: text \"x\" is not a bigint");
  EXPECT_EQ(error_of(*decoder, "{\"i\":"),
            ": not valid JSON: JSON document ended early in the middle of an object or array.");
  EXPECT_EQ(error_of(*decoder, R"({"i":2})"), "taken");
  EXPECT_EQ(decoder->rows(), 2u);
  std::string rows = rows_of(*decoder, kAll);
  EXPECT_THAT(rows, testing::HasSubstr("\"i\":1"));
  EXPECT_THAT(rows, testing::HasSubstr("\"i\":2"));
  EXPECT_THAT(rows, testing::Not(testing::HasSubstr("kept")));
  EXPECT_EQ(decoder->rows(), 0u);
}

TEST(JsonDecoder, TruncatedAtEveryByteIsAnError) {
  std::string value = R"({"b":true,"i":-42,"d":1.5,"t":"x","at":1,"j":{"k":[1]},"other":{"deep":[1,2,{"x":"y"}]}})";
  auto decoder = json_decoder(kAll);
  for (size_t size = 0; size < value.size(); ++size) {
    std::string exact = value.substr(0, size);
    EXPECT_NE(error_of(*decoder, exact), "taken") << exact;
  }
  EXPECT_EQ(error_of(*decoder, value), "taken");
}

TEST(JsonDecoder, PathsReachIntoObjects) {
  Schema schema({{"temp", Type::kDouble, true, "engine.temp"},
                 {"oil", Type::kDouble, true, "engine.oil.pressure"},
                 {"dotted.name", Type::kInt64}});
  EXPECT_EQ(
      decode_one(schema, R"({"x":{"temp":1},"engine":{"y":[{}],"oil":{"pressure":2.5},"temp":90},"dotted.name":3})"),
      "{\"temp\":90,\"oil\":2.5,\"dotted.name\":3}\n");
  EXPECT_EQ(decode_one(schema, R"({"engine":5})"), "{\"temp\":null,\"oil\":null,\"dotted.name\":null}\n");
  EXPECT_EQ(decode_one(schema, R"({"engine":null})"), "{\"temp\":null,\"oil\":null,\"dotted.name\":null}\n");
}

TEST(JsonDecoder, KeysInAnyOrderEscapedOrTwice) {
  Schema schema({{"a", Type::kInt64}, {"b", Type::kInt64}, {"c", Type::kInt64}});
  auto decoder = json_decoder(schema);
  for (std::string_view value : {R"({"c":3,"b":2,"a":1})", R"({"b":2,"z":0,"a":1,"c":3})",
                                 R"({"\u0061":1,"b":9,"b":2,"c":3})", R"( { "a" : 1 , "b" : 2 , "c" : 3 } )"}) {
    EXPECT_EQ(error_of(*decoder, value), "taken");
  }
  std::string row = "{\"a\":1,\"b\":2,\"c\":3}\n";
  EXPECT_EQ(rows_of(*decoder, schema), row + row + row + row);
}

TEST(JsonDecoder, MetadataColumnsComeFromTheRecord) {
  Schema schema({{"_key", Type::kText},
                 {"_topic", Type::kText},
                 {"_partition", Type::kInt64},
                 {"_offset", Type::kInt64},
                 {"_timestamp", Type::kTimestamp}});
  auto decoder = json_decoder(schema);
  EXPECT_EQ(decoder->add(record_of("{}", "cab-7")), nullptr);
  EXPECT_EQ(decoder->add(record_of("{}")), nullptr);
  EXPECT_EQ(decoder->add(record_of("{}", "\xff"))->column, "_key");
  std::string rest = R"(,"_topic":"telemetry","_partition":3,"_offset":41,"_timestamp":"2026-01-01T00:00:00.123Z"})"
                     "\n";
  EXPECT_EQ(rows_of(*decoder, schema), "{\"_key\":\"cab-7\"" + rest + "{\"_key\":null" + rest);
}

TEST(JsonDecoder, NullInAColumnThatIsNotNullableIsAnError) {
  Schema schema({{"a", Type::kInt64, false}});
  EXPECT_EQ(decode_one(schema, "{}"), "a: NULL or missing, and the column is not nullable");
}

TEST(JsonDecoder, DeepAndLongRecordsAreTakenOrRefusedNotCrashedOn) {
  auto decoder = json_decoder(Schema({{"a", Type::kInt64}, {"j", Type::kJson}}));
  std::string deep(1'000'000, '[');
  EXPECT_NE(error_of(*decoder, "{\"j\":" + deep), "taken");
  EXPECT_NE(error_of(*decoder, "{\"j\":" + deep + std::string(1'000'000, ']') + "}"), "taken");
  std::string keys = "{";
  for (int i = 0; i < 100'000; ++i) keys += "\"k" + std::to_string(i) + "\":0,";
  EXPECT_EQ(error_of(*decoder, keys + "\"a\":5}"), "taken");
}

TEST(Decoder, BytesAreThoseOfTheTextsThatWereTaken) {
  Schema schema({{"t", Type::kText}, {"_key", Type::kText}});
  for (Format format : {Format::kJson, Format::kCsv}) {
    auto decoder = *make_decoder({.format = format, .schema = schema});
    EXPECT_EQ(decoder->add(record_of(format == Format::kJson ? R"({"t":"four","x":1})" : "four", "key")), nullptr);
    EXPECT_EQ(decoder->bytes(), 7u);
    EXPECT_NE(error_of(*decoder, "{\"t\":\"\xff\"}"), "taken");
    EXPECT_EQ(decoder->bytes(), 7u);
    decoder->finish();
    EXPECT_EQ(decoder->bytes(), 0u);
  }
}

TEST(Decoder, AnyNumberOfBytesThatAreNotTakenIsTurnedAway) {
  std::string bad(32 << 20, '\xff');
  for (Format format : {Format::kJson, Format::kCsv, Format::kRaw}) {
    auto decoder = *make_decoder({.format = format, .schema = Schema({{"t", Type::kText}})});
    for (size_t bytes = 0; bytes <= Decoder::kBatchBytesMax; bytes += bad.size()) {
      ASSERT_NE(error_of(*decoder, bad), "taken");
    }
    EXPECT_EQ(decoder->rows(), 0u);
  }
}

size_t allocated_bytes() {
  auto info = mallinfo2();
  return info.uordblks + info.hblkhd;
}

TEST(Decoder, WhatALargeRecordTookIsGivenBack) {
  const std::string text(8 << 20, 'x');
  const std::string json = R"({"t":"x","j":")" + text + "\"}";
  const std::pair<Format, std::string> values[] = {
      {Format::kJson, json}, {Format::kCsv, "x,\"\"\"" + text + "\"\"\""}, {Format::kRaw, json}};
  for (const auto& [format, value] : values) {
    Schema schema({{"j", Type::kJson}});
    if (format != Format::kRaw) schema.add({.name = "t", .type = Type::kText});
    auto decoder = *make_decoder({.format = format, .schema = schema, .csv_fields = {"t", "j"}});
    size_t before = allocated_bytes();
    EXPECT_EQ(error_of(*decoder, value), "taken");
    decoder->finish();
    (void)error_of(*decoder, "{}");
    EXPECT_LT(allocated_bytes(), before + (1 << 20)) << to_string(format);
  }
}

TEST(Decoder, SchemasThatContradictThemselvesAreRefused) {
  EXPECT_FALSE(make_decoder({.schema = Schema({{"a", Type::kJson}, {"b", Type::kText, true, "a.b"}})}).ok());
  EXPECT_FALSE(make_decoder({.schema = Schema({{"a", Type::kJson}, {"b", Type::kText, true, "a"}})}).ok());
  EXPECT_FALSE(make_decoder({.schema = Schema({{"a", Type::kInterval}})}).ok());
  EXPECT_FALSE(make_decoder({.schema = Schema({{"_offset", Type::kText}})}).ok());
  EXPECT_FALSE(make_decoder({.format = Format::kRaw, .schema = Schema({{"a", Type::kText}, {"b", Type::kText}})}).ok());
}

TEST(CsvDecoder, FieldsByPositionQuotesAndEmptyFields) {
  Schema schema({{"name", Type::kText}, {"speed", Type::kDouble}, {"_offset", Type::kInt64}});
  auto decoder = *make_decoder({.format = Format::kCsv, .schema = schema, .csv_fields = {"speed", "unused", "name"}});
  EXPECT_EQ(error_of(*decoder, "1.5,x,\"a \"\"b\"\", c\"\r\n"), "taken");
  EXPECT_EQ(error_of(*decoder, ",,"), "taken");
  EXPECT_EQ(error_of(*decoder, ",,\"\""), "taken");
  EXPECT_EQ(error_of(*decoder, "fast,,x"), "speed: \"fast\" is not a double");
  EXPECT_EQ(error_of(*decoder, "1,2"), ": 2 CSV fields where 3 are expected");
  EXPECT_EQ(error_of(*decoder, "1,2,3,4"), ": more than 3 CSV fields");
  EXPECT_EQ(error_of(*decoder, "1,2,\"x"), ": a quoted CSV field does not end");
  EXPECT_EQ(error_of(*decoder, "1,2,\"x\"y"), ": text after the closing quote of a CSV field");
  EXPECT_EQ(rows_of(*decoder, schema),
            "{\"name\":\"a \\\"b\\\", c\",\"speed\":1.5,\"_offset\":41}\n"
            "{\"name\":null,\"speed\":null,\"_offset\":41}\n{\"name\":\"\",\"speed\":null,\"_offset\":41}\n");
}

TEST(CsvDecoder, EveryTypeFromText) {
  auto decoder = *make_decoder({.format = Format::kCsv, .schema = kAll, .csv_delimiter = ';'});
  EXPECT_EQ(error_of(*decoder, "true;-42;1.5;x;2026-01-31 08:00:00;[1]"), "taken");
  EXPECT_EQ(error_of(*decoder, "f;7;2;y;1769846400000;null"), "taken");
  EXPECT_EQ(error_of(*decoder, ";;;;;{"), "j: \"{\" is not a json");
  EXPECT_THAT(rows_of(*decoder, kAll), testing::HasSubstr("\"at\":\"2026-01-31T08:00:00.000Z\",\"j\":[1]}"));
}

TEST(RawDecoder, TheValueIsOneColumn) {
  Schema schema({{"line", Type::kText}, {"_key", Type::kText}});
  auto decoder = *make_decoder({.format = Format::kRaw, .schema = schema});
  EXPECT_EQ(decoder->add(record_of("any {text", "k")), nullptr);
  EXPECT_EQ(error_of(*decoder, "\xff\xfe"), ": the value is not UTF-8 text");
  EXPECT_EQ(rows_of(*decoder, schema), "{\"line\":\"any {text\",\"_key\":\"k\"}\n");
  auto numbers = *make_decoder({.format = Format::kRaw, .schema = Schema({{"v", Type::kDouble}})});
  EXPECT_EQ(error_of(*numbers, "21.5"), "taken");
  EXPECT_EQ(error_of(*numbers, "warm"), "v: \"warm\" is not a double");
}

}  // namespace
}  // namespace headrace::columns
