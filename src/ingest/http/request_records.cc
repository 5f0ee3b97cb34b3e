#include "ingest/http/request_records.h"

#include <fmt/format.h>

#include <charconv>

#include "ingest/http/json_scanner.h"

namespace headrace::ingest {
namespace {

Error too_many() {
  return {ErrorCode::kTooLarge, fmt::format("more than {} records in one request", kRequestRecordsMax)};
}

template <typename T>
bool parse_integer(std::string_view text, T& value) {
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size();
}

/// Reads the {"records": [...]} form.
class EnvelopeReader {
 public:
  EnvelopeReader(std::string_view body, RequestRecords& out) : scanner_(body), out_(out) {}

  Status read() {
    scanner_.expect('{');
    bool seen = false;
    do {
      std::string name;
      if (!scanner_.string(name) || !scanner_.expect(':')) break;
      if (name != "records" || std::exchange(seen, true)) {
        scanner_.fail(fmt::format("unexpected member \"{}\"; a request has \"records\" alone", name));
        break;
      }
      RETURN_IF_ERROR(read_list());
    } while (scanner_.accept(','));
    scanner_.expect('}');
    scanner_.end();
    return scanner_.ok() ? Status() : Status(scanner_.error());
  }

 private:
  Status read_list() {
    scanner_.expect('[');
    if (scanner_.accept(']')) return {};
    do {
      if (out_.records.size() == kRequestRecordsMax) return too_many();
      read_record();
    } while (scanner_.accept(','));
    scanner_.expect(']');
    return {};
  }

  void read_record() {
    RequestRecord& record = out_.records.emplace_back();
    bool has_value = false;
    if (!scanner_.expect('{')) return;
    if (!scanner_.accept('}')) {
      do {
        read_member(record, has_value);
      } while (scanner_.accept(','));
      if (!scanner_.expect('}')) return;
    }
    if (!has_value) scanner_.fail("the record that ends here has no \"value\" (null is one)");
  }

  void read_member(RequestRecord& record, bool& has_value) {
    std::string name;
    if (!scanner_.string(name) || !scanner_.expect(':')) return;
    if (name == "value") {
      has_value = true;
      record.value = read_value();
    } else if (name == "key") {
      record.key = scanner_.peek() == '"' ? read_string() : read_value();
    } else if (name == "partition") {
      record.partition = read_integer<int32_t>("partition");
    } else if (name == "timestamp") {
      record.timestamp_ms = read_integer<int64_t>("timestamp (ms since 1970)");
    } else if (name == "headers") {
      read_headers(record);
    } else {
      scanner_.fail(fmt::format("unexpected member \"{}\"; allowed: value, key, partition, timestamp, headers", name));
    }
  }

  std::optional<std::string_view> read_value() {
    std::string_view raw;
    if (!scanner_.value(raw) || raw == "null") return std::nullopt;
    return raw;
  }

  std::optional<std::string_view> read_string() {
    std::string& text = out_.texts.emplace_back();
    if (!scanner_.string(text)) return std::nullopt;
    return text;
  }

  template <typename T>
  std::optional<T> read_integer(std::string_view what) {
    auto raw = read_value();
    if (!raw) return std::nullopt;
    T value{};
    if (!parse_integer(*raw, value) || value < 0) {
      scanner_.fail(fmt::format("{}: expected a whole number from 0 on", what));
      return std::nullopt;
    }
    return value;
  }

  void read_headers(RequestRecord& record) {
    if (scanner_.peek() == 'n' && !read_value()) return;
    if (!scanner_.expect('{') || scanner_.accept('}')) return;
    do {
      auto name = read_string();
      if (!name || !scanner_.expect(':')) return;
      auto value = read_string();
      if (!value) return;
      record.headers.emplace_back(*name, *value);
    } while (scanner_.accept(','));
    scanner_.expect('}');
  }

  JsonScanner scanner_;
  RequestRecords& out_;
};

/// Whether a valid JSON text is an object with a member "records".
bool is_envelope(std::string_view body) {
  JsonScanner scanner(body);
  if (!scanner.accept('{') || scanner.peek() == '}') return false;
  do {
    std::string name;
    std::string_view raw;
    if (!scanner.string(name) || !scanner.expect(':')) return false;
    if (name == "records") return scanner.peek() == '[';
    if (!scanner.value(raw)) return false;
  } while (scanner.accept(','));
  return false;
}

Status read_json(std::string_view body, RequestRecords& out) {
  if (is_envelope(body)) return EnvelopeReader(body, out).read();
  JsonScanner scanner(body);
  std::string_view raw;
  if (scanner.value(raw)) scanner.end();
  if (!scanner.ok()) return scanner.error();
  out.records.push_back({.value = raw});
  return {};
}

Status read_lines(std::string_view body, RequestRecords& out) {
  for (size_t number = 1; !body.empty(); ++number) {
    size_t newline = body.find('\n');
    std::string_view line = body.substr(0, newline);
    body.remove_prefix(newline == std::string_view::npos ? body.size() : newline + 1);
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    if (out.records.size() == kRequestRecordsMax) return too_many();
    JsonScanner scanner(line, number);
    std::string_view raw;
    if (scanner.value(raw)) scanner.end();
    if (!scanner.ok()) return scanner.error();
    out.records.push_back({.value = raw});
  }
  return {};
}

Status apply_query(const std::map<std::string, std::string>& query, RequestRecords& out) {
  if (auto key = query.find("key"); key != query.end()) {
    std::string_view text = out.texts.emplace_back(key->second);
    for (RequestRecord& record : out.records) {
      if (!record.key) record.key = text;
    }
  }
  auto partition = query.find("partition");
  if (partition == query.end()) return {};
  int32_t number = 0;
  if (!parse_integer(partition->second, number) || number < 0) {
    return Error{ErrorCode::kInvalidArgument, "the query's partition: expected a whole number from 0 on"};
  }
  for (RequestRecord& record : out.records) {
    if (!record.partition) record.partition = number;
  }
  return {};
}

std::string media_type(std::string_view content_type) {
  std::string type(content_type.substr(0, content_type.find(';')));
  while (!type.empty() && type.back() == ' ') type.pop_back();
  for (char& c : type) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  return type;
}

}  // namespace

Result<RequestRecords> read_records(std::string_view content_type, std::string_view body,
                                    const std::map<std::string, std::string>& query) {
  RequestRecords out;
  std::string type = media_type(content_type);
  if (type == "application/json") {
    RETURN_IF_ERROR(read_json(body, out));
  } else if (type == "application/x-ndjson" || type == "application/jsonl") {
    RETURN_IF_ERROR(read_lines(body, out));
  } else if (type == "application/octet-stream") {
    out.records.push_back({.value = body});
  } else {
    return Error{ErrorCode::kUnsupported,
                 fmt::format("content type \"{}\"; taken are application/json, application/x-ndjson and "
                             "application/octet-stream",
                             type)};
  }
  if (out.records.empty()) return Error{ErrorCode::kInvalidArgument, "the body holds no record"};
  RETURN_IF_ERROR(apply_query(query, out));
  return out;
}

}  // namespace headrace::ingest
