#include "columns/schema.h"

#include <arrow/type.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <utility>

#include "base/check.h"

namespace headrace::columns {

namespace {

using Named = std::pair<std::string_view, Type>;
constexpr std::array kTypeNames = {
    Named{"bool", Type::kBool},
    Named{"boolean", Type::kBool},
    Named{"bigint", Type::kInt64},
    Named{"int", Type::kInt64},
    Named{"integer", Type::kInt64},
    Named{"smallint", Type::kInt64},
    Named{"int2", Type::kInt64},
    Named{"int4", Type::kInt64},
    Named{"int8", Type::kInt64},
    Named{"int64", Type::kInt64},
    Named{"double", Type::kDouble},
    Named{"double precision", Type::kDouble},
    Named{"float", Type::kDouble},
    Named{"float4", Type::kDouble},
    Named{"float8", Type::kDouble},
    Named{"real", Type::kDouble},
    Named{"numeric", Type::kDouble},
    Named{"decimal", Type::kDouble},
    Named{"text", Type::kText},
    Named{"string", Type::kText},
    Named{"varchar", Type::kText},
    Named{"timestamp", Type::kTimestamp},
    Named{"timestamptz", Type::kTimestamp},
    Named{"json", Type::kJson},
    Named{"jsonb", Type::kJson},
};

}  // namespace

std::string_view to_string(Type type) {
  switch (type) {
    case Type::kBool: return "bool";
    case Type::kInt64: return "bigint";
    case Type::kDouble: return "double";
    case Type::kText: return "text";
    case Type::kTimestamp: return "timestamp";
    case Type::kInterval: return "interval";
    case Type::kJson: return "json";
  }
  CHECK(false);
}

std::optional<Type> parse_type(std::string_view name) {
  std::string lower(name);
  std::transform(lower.begin(), lower.end(), lower.begin(), [](unsigned char c) { return std::tolower(c); });
  auto found = std::find_if(kTypeNames.begin(), kTypeNames.end(), [&](const Named& n) { return n.first == lower; });
  if (found == kTypeNames.end()) return std::nullopt;
  return found->second;
}

std::string_view type_names() {
  static const std::string names = [] {
    std::string all;
    for (const Named& named : kTypeNames) all.append(all.empty() ? "" : ", ").append(named.first);
    return all;
  }();
  return names;
}

std::optional<size_t> Schema::find(std::string_view name) const {
  for (size_t i = 0; i < columns_.size(); ++i) {
    if (columns_[i].name == name) return i;
  }
  return std::nullopt;
}

std::span<const Column> metadata_columns() {
  static const std::array<Column, 5> columns = {
      Column{"_key", Type::kText, true, ""},
      Column{"_topic", Type::kText, false, ""},
      Column{"_partition", Type::kInt64, false, ""},
      Column{"_offset", Type::kInt64, false, ""},
      Column{"_timestamp", Type::kTimestamp, false, ""},
  };
  return columns;
}

std::optional<Metadata> find_metadata(std::string_view name) {
  auto columns = metadata_columns();
  for (size_t i = 0; i < columns.size(); ++i) {
    if (columns[i].name == name) return static_cast<Metadata>(i);
  }
  return std::nullopt;
}

std::shared_ptr<arrow::DataType> to_arrow(Type type) {
  switch (type) {
    case Type::kBool: return arrow::boolean();
    case Type::kInt64: return arrow::int64();
    case Type::kDouble: return arrow::float64();
    case Type::kText: return arrow::utf8();
    case Type::kTimestamp: return arrow::timestamp(arrow::TimeUnit::MILLI, "UTC");
    case Type::kInterval: return arrow::duration(arrow::TimeUnit::MILLI);
    case Type::kJson: return arrow::utf8();
  }
  CHECK(false);
}

std::shared_ptr<arrow::Schema> to_arrow(const Schema& schema) {
  arrow::FieldVector fields;
  for (const Column& column : schema)
    fields.push_back(arrow::field(column.name, to_arrow(column.type), column.nullable));
  return arrow::schema(std::move(fields));
}

}  // namespace headrace::columns
