#include "columns/internal/row_builder.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <charconv>

#include "base/check.h"
#include "columns/timestamp.h"

namespace headrace::columns {

namespace {

std::optional<int64_t> parse_bool(std::string_view text) {
  if (text == "true" || text == "t" || text == "1") return 1;
  if (text == "false" || text == "f" || text == "0") return 0;
  return std::nullopt;
}

template <typename T>
std::optional<T> parse_number(std::string_view text) {
  T value{};
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<int64_t> parse_timestamp_or_ms(std::string_view text) {
  if (auto ms = parse_timestamp(text)) return ms;
  return parse_number<int64_t>(text);
}

bool is_json(std::string_view text) {
  thread_local simdjson::dom::parser parser;
  bool valid = parser.parse(text.data(), text.size()).error() == simdjson::SUCCESS;
  if (text.size() > kKeptValueBytesMax) parser = simdjson::dom::parser();
  return valid;
}

}  // namespace

std::string quote_for_message(std::string_view text) {
  constexpr size_t kShown = 40;
  std::string shown = "\"";
  for (char c : text.substr(0, kShown)) shown += (c >= 0x20 && c < 0x7f) ? c : '?';
  shown += text.size() > kShown ? "...\"" : "\"";
  return shown;
}

RowBuilder::RowBuilder(Schema schema, TopicPartition source)
    : schema_(std::move(schema)), source_(std::move(source)), arrow_schema_(to_arrow(schema_)), slots_(schema_.size()) {
  for (size_t i = 0; i < schema_.size(); ++i) {
    auto builder = arrow::MakeBuilder(arrow_schema_->field(static_cast<int>(i))->type());
    CHECK(builder.ok());
    builders_.push_back(std::move(builder).ValueUnsafe());
    if (auto metadata = find_metadata(schema_[i].name)) metadata_.push_back({i, *metadata});
  }
}

bool RowBuilder::begin(const record::RecordView& record) {
  for (Slot& slot : slots_) slot.set = false;
  for (const MetadataColumn& target : metadata_) {
    if (!set_metadata(target, record)) return false;
  }
  return true;
}

bool RowBuilder::set_metadata(const MetadataColumn& target, const record::RecordView& record) {
  switch (target.metadata) {
    case Metadata::kKey:
      if (!record.key) return true;
      if (!simdjson::validate_utf8(record.key->data(), record.key->size())) {
        return fail(target.column, "the key is not UTF-8 text");
      }
      set_text(target.column, *record.key);
      return true;
    case Metadata::kTopic: set_text(target.column, source_.topic); return true;
    case Metadata::kPartition: set_int64(target.column, source_.partition.value); return true;
    case Metadata::kOffset: set_int64(target.column, record.offset.value); return true;
    case Metadata::kTimestamp: set_int64(target.column, record.timestamp_ms); return true;
  }
  CHECK(false);
}

bool RowBuilder::set_from_text(size_t column, std::string_view text) {
  std::optional<int64_t> value;
  switch (schema_[column].type) {
    case Type::kBool: value = parse_bool(text); break;
    case Type::kInt64: value = parse_number<int64_t>(text); break;
    case Type::kTimestamp: value = parse_timestamp_or_ms(text); break;
    case Type::kDouble:
      if (auto number = parse_number<double>(text)) return set_double(column, *number), true;
      break;
    case Type::kText: set_text(column, text); return true;
    case Type::kJson:
      if (is_json(text)) return set_text(column, text), true;
      break;
    case Type::kInterval: CHECK(false);
  }
  if (!value)
    return fail(column, fmt::format("{} is not a {}", quote_for_message(text), to_string(schema_[column].type)));
  set_int64(column, *value);
  return true;
}

bool RowBuilder::commit() {
  size_t bytes = bytes_;
  for (size_t i = 0; i < slots_.size(); ++i) {
    if (slots_[i].set) {
      bytes += slots_[i].text.size();
    } else if (!schema_[i].nullable) {
      return fail(i, "NULL or missing, and the column is not nullable");
    }
  }
  if (bytes > Decoder::kBatchBytesMax) {
    return fail(kWholeRecord, fmt::format("the texts of a batch would be over {} bytes", Decoder::kBatchBytesMax));
  }
  for (size_t i = 0; i < slots_.size(); ++i) append(i, slots_[i]);
  bytes_ = bytes;
  ++rows_;
  return true;
}

void RowBuilder::append(size_t column, const Slot& slot) {
  arrow::ArrayBuilder* builder = builders_[column].get();
  arrow::Status status;
  if (!slot.set) {
    status = builder->AppendNull();
  } else {
    switch (schema_[column].type) {
      case Type::kBool: status = static_cast<arrow::BooleanBuilder*>(builder)->Append(slot.bits != 0); break;
      case Type::kInt64: status = static_cast<arrow::Int64Builder*>(builder)->Append(slot.bits); break;
      case Type::kTimestamp: status = static_cast<arrow::TimestampBuilder*>(builder)->Append(slot.bits); break;
      case Type::kDouble: {
        double value;
        std::memcpy(&value, &slot.bits, sizeof(value));
        status = static_cast<arrow::DoubleBuilder*>(builder)->Append(value);
        break;
      }
      case Type::kText:
      case Type::kJson: status = static_cast<arrow::StringBuilder*>(builder)->Append(slot.text); break;
      case Type::kInterval: CHECK(false);
    }
  }
  CHECK(status.ok());  // Only memory could fail it.
}

bool RowBuilder::fail(size_t column, std::string reason) {
  error_.column = column == kWholeRecord ? std::string() : schema_[column].name;
  error_.reason = std::move(reason);
  return false;
}

std::shared_ptr<arrow::RecordBatch> RowBuilder::finish() {
  arrow::ArrayVector arrays(builders_.size());
  for (size_t i = 0; i < builders_.size(); ++i) CHECK(builders_[i]->Finish(&arrays[i]).ok());
  auto batch = arrow::RecordBatch::Make(arrow_schema_, rows_, std::move(arrays));
  for (auto& builder : builders_) CHECK(builder->Reserve(rows_).ok());  // The next batch is about as large.
  rows_ = 0;
  bytes_ = 0;
  return batch;
}

}  // namespace headrace::columns
