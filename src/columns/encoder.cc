#include "columns/encoder.h"

#include <arrow/api.h>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>
#include <vector>

#include "base/check.h"
#include "columns/timestamp.h"

namespace headrace::columns {

namespace {

constexpr size_t kNone = static_cast<size_t>(-1);
/// Room for a number, a timestamp with its quotes, true, false or null.
constexpr size_t kScalarBytesMax = 32;

/// Appends to memory that is reused and grows; what is written must have been made room for.
class Scratch {
 public:
  void clear() { size_ = 0; }
  /// Where the next bytes go, with room for `bytes`.
  char* room(size_t bytes) {
    if (buffer_.size() < size_ + bytes) [[unlikely]]
      grow(size_ + bytes);
    return buffer_.data() + size_;
  }
  void wrote_to(const char* end) { size_ = static_cast<size_t>(end - buffer_.data()); }
  void append(std::string_view text) {
    std::memcpy(room(text.size()), text.data(), text.size());
    size_ += text.size();
  }
  std::string_view view() const { return {buffer_.data(), size_}; }

 private:
  void grow(size_t bytes) { buffer_.resize(std::max(2 * buffer_.size(), bytes)); }

  std::vector<char> buffer_ = std::vector<char>(1024);
  size_t size_ = 0;
};

bool must_escape(char c) { return static_cast<unsigned char>(c) < 0x20 || c == '"' || c == '\\'; }

char* put_escaped(char* out, char c) {
  static constexpr char kHex[] = "0123456789abcdef";
  *out++ = '\\';
  switch (c) {
    case '"':
    case '\\': *out++ = c; return out;
    case '\n': *out++ = 'n'; return out;
    case '\r': *out++ = 'r'; return out;
    case '\t': *out++ = 't'; return out;
    default: break;
  }
  std::memcpy(out, "u00", 3);
  out[3] = kHex[static_cast<unsigned char>(c) >> 4];
  out[4] = kHex[c & 0xf];
  return out + 5;
}

void put_json_text(Scratch& out, std::string_view text) {
  char* at = out.room(6 * text.size() + 2);
  *at++ = '"';
  for (char c : text) {
    if (must_escape(c)) {
      at = put_escaped(at, c);
    } else {
      *at++ = c;
    }
  }
  *at++ = '"';
  out.wrote_to(at);
}

char* put_timestamp(char* out, int64_t ms) {
  if (ms < kTimestampMinMs || ms > kTimestampMaxMs) return std::to_chars(out, out + kScalarBytesMax, ms).ptr;
  *out++ = '"';
  format_timestamp(ms, out);
  out += kTimestampTextBytes;
  *out++ = '"';
  return out;
}

char* put_text(char* out, std::string_view text) {
  std::memcpy(out, text.data(), text.size());
  return out + text.size();
}

/// A column of the bound batch.
struct BoundColumn {
  Type type = Type::kText;
  std::string prefix;  ///< What comes before the value: `,"name":`.
  std::shared_ptr<arrow::Array> array;

  std::string_view text(int64_t row) const { return static_cast<const arrow::StringArray&>(*array).GetView(row); }
  int64_t timestamp(int64_t row) const { return static_cast<const arrow::TimestampArray&>(*array).Value(row); }
};

char* put_scalar(char* out, const BoundColumn& column, int64_t row) {
  const arrow::Array& array = *column.array;
  switch (column.type) {
    case Type::kBool:
      return put_text(out, static_cast<const arrow::BooleanArray&>(array).Value(row) ? "true" : "false");
    case Type::kInt64:
      return std::to_chars(out, out + kScalarBytesMax, static_cast<const arrow::Int64Array&>(array).Value(row)).ptr;
    case Type::kDouble: {
      double value = static_cast<const arrow::DoubleArray&>(array).Value(row);
      return std::isfinite(value) ? std::to_chars(out, out + kScalarBytesMax, value).ptr : put_text(out, "null");
    }
    case Type::kTimestamp: return put_timestamp(out, column.timestamp(row));
    default: CHECK(false);
  }
}

/// False when it is a text of more than `text_bytes_max`, which is not written.
bool put_value(Scratch& out, const BoundColumn& column, int64_t row, size_t text_bytes_max) {
  if (column.array->IsNull(row)) {
    out.append("null");
  } else if (column.type == Type::kText || column.type == Type::kJson) {
    std::string_view text = column.text(row);
    if (text.size() > text_bytes_max) return false;
    column.type == Type::kText ? put_json_text(out, text) : out.append(text);
  } else {
    char* at = out.room(kScalarBytesMax);
    out.wrote_to(put_scalar(at, column, row));
  }
  return true;
}

class JsonEncoder : public Encoder {
 public:
  JsonEncoder(const Schema& schema, size_t key, size_t timestamp, size_t text_bytes_max)
      : arrow_schema_(to_arrow(schema)), key_(key), timestamp_(timestamp), text_bytes_max_(text_bytes_max) {
    for (size_t i = 0; i < schema.size(); ++i) {
      Scratch prefix;
      prefix.append(i == 0 ? "{" : ",");
      put_json_text(prefix, schema[i].name);
      prefix.append(":");
      columns_.push_back({.type = schema[i].type, .prefix = std::string(prefix.view())});
    }
  }

  void bind(const arrow::RecordBatch& batch, int64_t now_ms) override {
    CHECK(batch.num_columns() == static_cast<int>(columns_.size()));
    for (size_t i = 0; i < columns_.size(); ++i) {
      columns_[i].array = batch.column(static_cast<int>(i));
      CHECK(columns_[i].array->type()->Equals(*arrow_schema_->field(static_cast<int>(i))->type()));
    }
    rows_ = batch.num_rows();
    now_ms_ = now_ms;
  }

  EncodedRow row(int64_t index) override {
    CHECK(index >= 0 && index < rows_);
    value_.clear();
    for (const BoundColumn& column : columns_) {
      value_.append(column.prefix);
      if (!put_value(value_, column, index, text_bytes_max_)) return {.too_large = true};
    }
    value_.append(columns_.empty() ? "{}" : "}");
    return {.key = key(index), .value = value_.view(), .timestamp_ms = timestamp(index)};
  }

 protected:
  int64_t bound_rows() const override { return rows_; }

 private:
  std::optional<std::string_view> key(int64_t index) {
    if (key_ == kNone || columns_[key_].array->IsNull(index)) return std::nullopt;
    const BoundColumn& column = columns_[key_];
    if (column.type == Type::kText || column.type == Type::kJson) return column.text(index);
    key_text_.clear();
    put_value(key_text_, column, index, text_bytes_max_);
    std::string_view text = key_text_.view();
    return text.starts_with('"') ? text.substr(1, text.size() - 2) : text;
  }
  int64_t timestamp(int64_t index) const {
    bool from_column = timestamp_ != kNone && !columns_[timestamp_].array->IsNull(index);
    return from_column ? columns_[timestamp_].timestamp(index) : now_ms_;
  }

  std::shared_ptr<arrow::Schema> arrow_schema_;
  size_t key_;
  size_t timestamp_;
  size_t text_bytes_max_;
  std::vector<BoundColumn> columns_;
  int64_t rows_ = 0;
  int64_t now_ms_ = 0;
  Scratch value_;
  Scratch key_text_;
};

Result<size_t> find_option(const Schema& schema, const std::string& name, std::string_view what) {
  if (name.empty()) return kNone;
  if (auto found = schema.find(name)) return *found;
  return Error{ErrorCode::kInvalidArgument, fmt::format("{} column \"{}\" is not in the output", what, name)};
}

}  // namespace

int64_t Encoder::encode(int64_t first, size_t bytes_max, record::BatchBuilder& builder) {
  int64_t index = first;
  for (; index < bound_rows() && builder.bytes() < bytes_max; ++index) {
    EncodedRow encoded = row(index);
    builder.add(encoded.timestamp_ms, encoded.key, encoded.value);
  }
  return index;
}

Result<std::unique_ptr<Encoder>> make_encoder(EncoderOptions options) {
  for (const Column& column : options.schema) {
    if (column.type != Type::kInterval) continue;
    return Error{ErrorCode::kInvalidArgument, fmt::format("column \"{}\": JSON has no intervals", column.name)};
  }
  ASSIGN_OR_RETURN(size_t key, find_option(options.schema, options.key_column, "key"));
  ASSIGN_OR_RETURN(size_t timestamp, find_option(options.schema, options.timestamp_column, "timestamp"));
  if (timestamp != kNone && options.schema[timestamp].type != Type::kTimestamp) {
    return Error{ErrorCode::kInvalidArgument, fmt::format("timestamp column \"{}\" is a {}", options.timestamp_column,
                                                          to_string(options.schema[timestamp].type))};
  }
  return std::unique_ptr<Encoder>(
      std::make_unique<JsonEncoder>(options.schema, key, timestamp, options.text_bytes_max));
}

}  // namespace headrace::columns
