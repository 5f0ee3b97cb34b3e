#include "app/feed/recording.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <charconv>
#include <cmath>

#include "app/feed/byte_source.h"
#include "columns/timestamp.h"
#include "flow/spec_json_schema.h"

namespace headrace::app {
namespace {

Error wrong(const std::string& path, int64_t line, int64_t column, std::string_view what) {
  return {ErrorCode::kCorrupt, fmt::format("{}:{}:{}: {}", path, line, column, what)};
}

/// Whether a CSV value can stand in JSON without quotes.
bool is_json_number(std::string_view text) {
  if (text.empty() || text.size() > 40) return false;
  size_t digits = text[0] == '-' ? 1 : 0;
  if (digits == text.size() || text[digits] < '0' || text[digits] > '9') return false;
  if (text[digits] == '0' && digits + 1 < text.size() && text[digits + 1] >= '0' && text[digits + 1] <= '9')
    return false;
  double value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() && std::isfinite(value) && text.back() != '.';
}

/// CSV as RFC 4180 has it: quoted fields may hold commas, quotes (doubled) and line ends. The first row names the
/// fields.
class CsvRecording final : public Recording {
 public:
  CsvRecording(std::string path, std::unique_ptr<ByteSource> source)
      : path_(std::move(path)), source_(std::move(source)) {}

  Result<std::optional<Row>> next() override {
    if (names_.empty()) {
      ASSIGN_OR_RETURN(bool any, read_record(names_));
      if (!any) return std::optional<Row>();
      if (names_[0].starts_with("\xef\xbb\xbf")) names_[0].erase(0, 3);
    }
    Row row;
    std::vector<std::string> values;
    do {
      row.line = line_;
      values.clear();
      ASSIGN_OR_RETURN(bool any, read_record(values));
      if (!any) return std::optional<Row>();
    } while (values.size() == 1 && values[0].empty());  // A blank line.
    if (values.size() != names_.size()) {
      return wrong(path_, row.line, 1, fmt::format("{} fields, and the header names {}", values.size(), names_.size()));
    }
    fill(row, values);
    return std::optional<Row>(std::move(row));
  }
  double progress() const override { return source_->progress(); }

 private:
  void fill(Row& row, std::vector<std::string>& values) {
    row.json += '{';
    for (size_t i = 0; i < values.size(); ++i) {
      if (i > 0) row.json += ',';
      row.json += flow::json_quoted(names_[i]) + ":";
      row.json += is_json_number(values[i]) ? values[i] : values[i].empty() ? "null" : flow::json_quoted(values[i]);
      row.fields.emplace_back(names_[i], std::move(values[i]));
    }
    row.json += "}";
  }

  /// False at the end of the file.
  Result<bool> read_record(std::vector<std::string>& values) {
    if (source_->peek() < 0) {
      RETURN_IF_ERROR(source_->status());
      return false;
    }
    size_t bytes = 0;
    bool quoted = false, was_quoted = false;
    int64_t column = 0, quote_column = 0, quote_line = line_;
    values.emplace_back();
    for (;;) {
      int c = source_->get();
      ++column;
      if (++bytes > kRowBytesMax)
        return wrong(path_, line_, column, fmt::format("a row of over {} bytes", kRowBytesMax));
      if (c < 0) {
        RETURN_IF_ERROR(source_->status());
        if (quoted) return wrong(path_, quote_line, quote_column, "a quote that is never closed");
        return true;
      }
      if (quoted) {
        if (c == '\n') ++line_, column = 0;
        if (c != '"')
          values.back().push_back(static_cast<char>(c));
        else if (source_->peek() == '"')
          values.back().push_back(static_cast<char>(source_->get())), ++column;
        else
          quoted = false;
      } else if (c == '\n') {
        ++line_;
        if (!was_quoted && values.back().ends_with('\r')) values.back().pop_back();
        return true;
      } else if (c == ',') {
        values.emplace_back();
        was_quoted = false;
      } else if (c == '"' && values.back().empty() && !was_quoted) {
        quoted = was_quoted = true;
        quote_line = line_, quote_column = column;
      } else if (was_quoted && c != '\r') {
        return wrong(path_, line_, column, "text behind a closing quote");
      } else if (!was_quoted) {
        values.back().push_back(static_cast<char>(c));
      }
    }
  }

  std::string path_;
  std::unique_ptr<ByteSource> source_;
  std::vector<std::string> names_;
  int64_t line_ = 1;
};

/// One JSON object a line; its scalar members are the row's fields.
class JsonRecording final : public Recording {
 public:
  JsonRecording(std::string path, std::unique_ptr<ByteSource> source)
      : path_(std::move(path)), source_(std::move(source)) {}

  Result<std::optional<Row>> next() override {
    Row row;
    do {
      row.json.clear();
      row.line = ++line_;
      ASSIGN_OR_RETURN(bool any, read_line(row.json));
      if (!any) return std::optional<Row>();
    } while (row.json.find_first_not_of(" \t\r") == std::string::npos);
    RETURN_IF_ERROR(read_fields(row));
    return std::optional<Row>(std::move(row));
  }
  double progress() const override { return source_->progress(); }

 private:
  Result<bool> read_line(std::string& line) {
    int c = source_->get();
    if (c < 0) {
      RETURN_IF_ERROR(source_->status());
      return false;
    }
    for (; c >= 0 && c != '\n'; c = source_->get()) {
      line.push_back(static_cast<char>(c));
      if (line.size() > kRowBytesMax)
        return wrong(path_, line_, 1, fmt::format("a line of over {} bytes", kRowBytesMax));
    }
    RETURN_IF_ERROR(source_->status());
    return true;
  }

  Status read_fields(Row& row) try {
    simdjson::dom::object object = parser_.parse(row.json).get_object();
    for (auto [name, value] : object) {
      if (value.is_object() || value.is_array()) continue;
      std::string text = value.is_string() ? std::string(std::string_view(value)) : simdjson::minify(value);
      row.fields.emplace_back(std::string(name), std::move(text));
    }
    return {};
  } catch (const simdjson::simdjson_error& e) {
    return wrong(path_, row.line, 1, fmt::format("not a JSON object: {}", e.what()));
  }

  std::string path_;
  std::unique_ptr<ByteSource> source_;
  simdjson::dom::parser parser_;
  int64_t line_ = 0;
};

}  // namespace

Result<std::unique_ptr<Recording>> Recording::open(const std::string& path) {
  std::string_view name = path;
  if (name.ends_with(".gz")) name.remove_suffix(3);
  bool csv = name.ends_with(".csv"), json = name.ends_with(".ndjson") || name.ends_with(".jsonl");
  if (!csv && !json) {
    return Error{ErrorCode::kInvalidArgument, path + ": must be .csv, .ndjson or .jsonl, each with .gz or without"};
  }
  ASSIGN_OR_RETURN(auto source, ByteSource::open(path));
  if (csv) return std::unique_ptr<Recording>(std::make_unique<CsvRecording>(path, std::move(source)));
  return std::unique_ptr<Recording>(std::make_unique<JsonRecording>(path, std::move(source)));
}

std::optional<int64_t> parse_recorded_time(std::string_view text) {
  double number = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return columns::parse_timestamp(text);
  // Seconds stay below 1e11 until the year 5138; each finer unit is a thousand times larger.
  double ms = number < 1e11 ? number * 1000 : number < 1e14 ? number : number < 1e17 ? number / 1e3 : number / 1e6;
  if (!(number >= 0) || ms > 9e15) return std::nullopt;
  return static_cast<int64_t>(std::llround(ms));
}

}  // namespace headrace::app
