#include <fmt/format.h>
#include <simdjson.h>

#include <cmath>

#include "base/check.h"
#include "columns/internal/row_builder.h"
#include "columns/timestamp.h"

namespace headrace::columns {

namespace {

namespace od = simdjson::ondemand;

constexpr size_t kNone = static_cast<size_t>(-1);

/// A wanted key of a JSON object: a column, or an object with wanted keys inside.
struct Field {
  std::string name;
  size_t column = kNone;
  std::vector<Field> children;
  size_t expected = 0;  ///< The child that probably comes next, as records tend to keep the order of their keys.
};

/// The child of that name, or null. Remembers that the one after it probably follows.
Field* find_child(Field& parent, std::string_view name) {
  size_t count = parent.children.size();
  for (size_t i = 0, at = parent.expected; i < count; ++i, at = at + 1 == count ? 0 : at + 1) {
    Field& child = parent.children[at];
    if (child.name.size() != name.size() || std::memcmp(child.name.data(), name.data(), name.size()) != 0) continue;
    parent.expected = at + 1 == count ? 0 : at + 1;
    return &child;
  }
  return nullptr;
}

Field& child_named(Field& parent, std::string_view name) {
  for (Field& child : parent.children) {
    if (child.name == name) return child;
  }
  parent.children.push_back(Field{.name = std::string(name)});
  return parent.children.back();
}

/// Walks a column's path from `root`, adding what is missing.
Field& field_at(Field& root, const Column& column) {
  if (column.path.empty()) return child_named(root, column.name);
  Field* at = &root;
  std::string_view rest = column.path;
  for (size_t dot; (dot = rest.find('.')) != std::string_view::npos; rest.remove_prefix(dot + 1)) {
    at = &child_named(*at, rest.substr(0, dot));
  }
  return child_named(*at, rest);
}

Status check_field(const Field& field, const std::string& path) {
  if (field.column != kNone && !field.children.empty()) {
    return Error{ErrorCode::kInvalidArgument,
                 fmt::format("path \"{}\" is read both as a column and as an object that holds columns", path)};
  }
  for (const Field& child : field.children) {
    RETURN_IF_ERROR(check_field(child, path.empty() ? child.name : path + "." + child.name));
  }
  return {};
}

Result<Field> build_fields(const Schema& schema) {
  Field root;
  for (size_t i = 0; i < schema.size(); ++i) {
    if (find_metadata(schema[i].name)) continue;
    Field& field = field_at(root, schema[i]);
    if (field.column != kNone) {
      return Error{ErrorCode::kInvalidArgument, fmt::format("columns \"{}\" and \"{}\" have the same path",
                                                            schema[field.column].name, schema[i].name)};
    }
    field.column = i;
  }
  RETURN_IF_ERROR(check_field(root, ""));
  return root;
}

class JsonDecoder : public Decoder {
 public:
  JsonDecoder(RowBuilder rows, Field root) : rows_(std::move(rows)), root_(std::move(root)) {}

  const RowError* add(const record::RecordView& record) override {
    bool taken = rows_.begin(record) && (!record.value || read_value(*record.value)) && rows_.commit();
    if (record.value && record.value->size() > kKeptValueBytesMax) release_memory();
    return taken ? nullptr : &rows_.error();
  }
  size_t rows() const override { return static_cast<size_t>(rows_.rows()); }
  size_t bytes() const override { return rows_.bytes(); }
  std::shared_ptr<arrow::RecordBatch> finish() override { return rows_.finish(); }

 private:
  void release_memory() {
    parser_ = od::parser();
    json_checker_ = simdjson::dom::parser();
    std::string().swap(padded_);
  }
  bool read_value(std::string_view json);
  bool read_object(od::object& object, Field& wanted);
  bool read_field(od::value& value, Field& field);
  bool read_column(od::value& value, size_t column);
  bool read_int64(od::value& value, size_t column);
  bool read_double(od::value& value, size_t column);
  bool read_text(od::value& value, size_t column, char first);
  bool read_timestamp(od::value& value, size_t column, char first);
  bool read_json(od::value& value, size_t column);
  bool malformed(simdjson::error_code error) {
    return rows_.fail(RowBuilder::kWholeRecord, fmt::format("not valid JSON: {}", simdjson::error_message(error)));
  }
  bool mismatch(od::value& value, size_t column);

  RowBuilder rows_;
  Field root_;
  od::parser parser_;
  simdjson::dom::parser json_checker_;  ///< For json columns, whose insides the on-demand parser would not look at.
  std::string padded_;
  std::string key_;
};

bool JsonDecoder::read_value(std::string_view json) {
  if (padded_.size() < json.size() + simdjson::SIMDJSON_PADDING)
    padded_.resize(2 * json.size() + simdjson::SIMDJSON_PADDING);
  std::memcpy(padded_.data(), json.data(), json.size());
  std::memset(padded_.data() + json.size(), ' ', simdjson::SIMDJSON_PADDING);
  od::document document;
  if (auto error = parser_.iterate(padded_.data(), json.size(), padded_.size()).get(document)) return malformed(error);
  od::object object;
  if (auto error = document.get_object().get(object)) {
    if (error != simdjson::INCORRECT_TYPE) return malformed(error);
    return rows_.fail(RowBuilder::kWholeRecord, "the value is JSON but not an object");
  }
  if (!read_object(object, root_)) return false;
  if (document.current_location().error() != simdjson::OUT_OF_BOUNDS)
    return rows_.fail(RowBuilder::kWholeRecord, "not valid JSON: more text after the object");
  return true;
}

bool JsonDecoder::read_object(od::object& object, Field& wanted) {
  wanted.expected = 0;
  for (auto entry : object) {
    od::field field;
    if (auto error = std::move(entry).get(field)) return malformed(error);
    const char* raw = field.key().raw();
    size_t size = 0;
    while (raw[size] != '"' && raw[size] != '\\') ++size;
    std::string_view key(raw, size);
    if (raw[size] == '\\') {
      if (auto error = field.unescaped_key().get(key)) return malformed(error);
    }
    Field* child = find_child(wanted, key);
    if (child && !read_field(field.value(), *child)) return false;
  }
  return true;
}

bool JsonDecoder::read_field(od::value& value, Field& field) {
  if (field.column != kNone) return read_column(value, field.column);
  od::object object;
  auto error = value.get_object().get(object);
  if (error == simdjson::INCORRECT_TYPE) return true;  // Not an object: what is wanted inside is missing.
  if (error) return malformed(error);
  return read_object(object, field);
}

bool JsonDecoder::read_column(od::value& value, size_t column) {
  Type type = rows_.schema()[column].type;
  char first = value.raw_json_token().front();
  if (first == 'n' && type != Type::kJson) {
    bool null = false;
    if (auto error = value.is_null().get(null)) return malformed(error);
    if (null) return rows_.set_null(column), true;
    return malformed(simdjson::N_ATOM_ERROR);
  }
  switch (type) {
    case Type::kBool: {
      bool truth;
      if (value.get_bool().get(truth)) return mismatch(value, column);
      return rows_.set_bool(column, truth), true;
    }
    case Type::kInt64: return read_int64(value, column);
    case Type::kDouble: return read_double(value, column);
    case Type::kText: return read_text(value, column, first);
    case Type::kTimestamp: return read_timestamp(value, column, first);
    case Type::kJson: return read_json(value, column);
    case Type::kInterval: break;
  }
  CHECK(false);
}

bool JsonDecoder::read_int64(od::value& value, size_t column) {
  int64_t whole;
  if (!value.get_int64().get(whole)) return rows_.set_int64(column, whole), true;
  double number;
  if (value.get_double().get(number)) return mismatch(value, column);
  if (std::trunc(number) != number || std::abs(number) >= 0x1p63) return mismatch(value, column);
  return rows_.set_int64(column, static_cast<int64_t>(number)), true;
}

bool JsonDecoder::read_double(od::value& value, size_t column) {
  double number;
  if (value.get_double().get(number)) return mismatch(value, column);
  return rows_.set_double(column, number), true;
}

bool JsonDecoder::read_text(od::value& value, size_t column, char first) {
  if (first != '"') return mismatch(value, column);
  std::string_view text;
  if (auto error = value.get_string().get(text)) return malformed(error);
  return rows_.set_text(column, text), true;
}

bool JsonDecoder::read_timestamp(od::value& value, size_t column, char first) {
  if (first != '"') {
    double number;
    int64_t whole;
    if (!value.get_int64().get(whole)) return rows_.set_int64(column, whole), true;
    if (value.get_double().get(number) || std::abs(number) >= 0x1p63) return mismatch(value, column);
    return rows_.set_int64(column, static_cast<int64_t>(std::floor(number))), true;
  }
  std::string_view text;
  if (auto error = value.get_string().get(text)) return malformed(error);
  auto ms = parse_timestamp(text);
  if (!ms) return rows_.fail(column, fmt::format("text {} is not a timestamp", quote_for_message(text)));
  return rows_.set_int64(column, *ms), true;
}

bool JsonDecoder::read_json(od::value& value, size_t column) {
  std::string_view text;
  if (auto error = simdjson::to_json_string(value).get(text)) return malformed(error);
  while (!text.empty() && std::strchr(" \t\r\n", text.back())) text.remove_suffix(1);
  if (auto error = json_checker_.parse(text.data(), text.size()).error()) return malformed(error);
  if (text == "null") return rows_.set_null(column), true;
  return rows_.set_text(column, text), true;
}

bool JsonDecoder::mismatch(od::value& value, size_t column) {
  std::string_view token = value.raw_json_token();
  while (!token.empty() && std::strchr(" \t\r\n", token.back())) token.remove_suffix(1);
  std::string_view type = to_string(rows_.schema()[column].type);
  switch (token.front()) {
    case '"':
      return rows_.fail(column,
                        fmt::format("text {} is not a {}", quote_for_message(token.substr(1, token.size() - 2)), type));
    case '{': return rows_.fail(column, fmt::format("an object is not a {}", type));
    case '[': return rows_.fail(column, fmt::format("an array is not a {}", type));
    default: return rows_.fail(column, fmt::format("{} is not a {}", quote_for_message(token), type));
  }
}

}  // namespace

Status check_json_paths(const Schema& schema) {
  Result<Field> fields = build_fields(schema);
  if (!fields.ok()) return fields.error();
  return {};
}

std::unique_ptr<Decoder> make_json_decoder(RowBuilder rows) {
  Field root = *build_fields(rows.schema());
  return std::make_unique<JsonDecoder>(std::move(rows), std::move(root));
}

}  // namespace headrace::columns
