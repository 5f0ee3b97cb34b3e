// The decoders of values that are text: CSV lines (RFC 4180) and the raw value as one column.
#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>

#include "columns/internal/row_builder.h"

namespace headrace::columns {

namespace {

constexpr size_t kNone = static_cast<size_t>(-1);

class TextDecoder : public Decoder {
 public:
  explicit TextDecoder(RowBuilder rows) : rows_(std::move(rows)) {}

  const RowError* add(const record::RecordView& record) override {
    bool taken = rows_.begin(record) && (!record.value || read_text(*record.value)) && rows_.commit();
    return taken ? nullptr : &rows_.error();
  }
  size_t rows() const override { return static_cast<size_t>(rows_.rows()); }
  size_t bytes() const override { return rows_.bytes(); }
  std::shared_ptr<arrow::RecordBatch> finish() override { return rows_.finish(); }

 protected:
  virtual bool read_value(std::string_view text) = 0;
  RowBuilder rows_;

 private:
  bool read_text(std::string_view text) {
    if (!simdjson::validate_utf8(text.data(), text.size())) {
      return rows_.fail(RowBuilder::kWholeRecord, "the value is not UTF-8 text");
    }
    return read_value(text);
  }
};

class RawDecoder : public TextDecoder {
 public:
  RawDecoder(RowBuilder rows, size_t column) : TextDecoder(std::move(rows)), column_(column) {}

 private:
  bool read_value(std::string_view text) override { return column_ == kNone || rows_.set_from_text(column_, text); }
  size_t column_;
};

class CsvDecoder : public TextDecoder {
 public:
  CsvDecoder(RowBuilder rows, std::vector<size_t> columns, char delimiter)
      : TextDecoder(std::move(rows)), columns_(std::move(columns)), delimiter_(delimiter), unquoted_(columns_.size()) {}

 private:
  bool read_value(std::string_view line) override;
  /// Takes a field off the front of `rest`; texts with doubled quotes are rebuilt in `scratch`.
  bool take_field(std::string_view& rest, std::string& scratch, std::string_view& field, bool& quoted);

  std::vector<size_t> columns_;  ///< The column of each field, kNone where it is not wanted.
  char delimiter_;
  std::vector<std::string> unquoted_;
  bool more_ = false;
};

bool CsvDecoder::read_value(std::string_view line) {
  for (std::string& scratch : unquoted_) {
    if (scratch.capacity() > kKeptValueBytesMax) std::string().swap(scratch);
  }
  if (line.ends_with('\n')) line.remove_suffix(1);
  if (line.ends_with('\r')) line.remove_suffix(1);
  std::string_view rest = line;
  size_t count = 0;
  more_ = true;
  for (; more_; ++count) {
    if (count == columns_.size()) {
      return rows_.fail(RowBuilder::kWholeRecord, fmt::format("more than {} CSV fields", columns_.size()));
    }
    std::string_view field;
    bool quoted = false;
    if (!take_field(rest, unquoted_[count], field, quoted)) return false;
    if (columns_[count] == kNone || (field.empty() && !quoted)) continue;
    if (!rows_.set_from_text(columns_[count], field)) return false;
  }
  if (count == columns_.size()) return true;
  return rows_.fail(RowBuilder::kWholeRecord,
                    fmt::format("{} CSV fields where {} are expected", count, columns_.size()));
}

bool CsvDecoder::take_field(std::string_view& rest, std::string& scratch, std::string_view& field, bool& quoted) {
  quoted = rest.starts_with('"');
  if (!quoted) {
    size_t end = rest.find(delimiter_);
    more_ = end != std::string_view::npos;
    field = rest.substr(0, end);
    rest.remove_prefix(more_ ? end + 1 : rest.size());
    return true;
  }
  scratch.clear();
  rest.remove_prefix(1);
  for (;;) {
    size_t quote = rest.find('"');
    if (quote == std::string_view::npos) return rows_.fail(RowBuilder::kWholeRecord, "a quoted CSV field does not end");
    scratch.append(rest.substr(0, quote));
    rest.remove_prefix(quote + 1);
    if (!rest.starts_with('"')) break;
    scratch += '"';
    rest.remove_prefix(1);
  }
  field = scratch;
  more_ = !rest.empty();
  if (more_ && rest.front() != delimiter_) {
    return rows_.fail(RowBuilder::kWholeRecord, "text after the closing quote of a CSV field");
  }
  if (more_) rest.remove_prefix(1);
  return true;
}

bool is_value_column(const Column& column) { return !find_metadata(column.name); }

}  // namespace

std::unique_ptr<Decoder> make_csv_decoder(RowBuilder rows, const DecoderOptions& options) {
  const Schema& schema = rows.schema();
  std::vector<size_t> columns;
  for (const std::string& name : options.csv_fields) {
    auto wants = [&](const Column& c) { return is_value_column(c) && (c.path.empty() ? c.name : c.path) == name; };
    auto found = std::find_if(schema.begin(), schema.end(), wants);
    columns.push_back(found == schema.end() ? kNone : static_cast<size_t>(found - schema.begin()));
  }
  if (options.csv_fields.empty()) {
    for (size_t i = 0; i < schema.size(); ++i) {
      if (is_value_column(schema[i])) columns.push_back(i);
    }
  }
  return std::make_unique<CsvDecoder>(std::move(rows), std::move(columns), options.csv_delimiter);
}

std::unique_ptr<Decoder> make_raw_decoder(RowBuilder rows) {
  const Schema& schema = rows.schema();
  auto found = std::find_if(schema.begin(), schema.end(), is_value_column);
  size_t column = found == schema.end() ? kNone : static_cast<size_t>(found - schema.begin());
  return std::make_unique<RawDecoder>(std::move(rows), column);
}

}  // namespace headrace::columns
