// Columns and their types, as streams, pipelines and sinks speak of them; Arrow stays in the .cc files.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace arrow {
class DataType;
class RecordBatch;
class Schema;
}  // namespace arrow

namespace headrace::columns {

/// The types of columns and expressions, with their Arrow type.
enum class Type : uint8_t {
  kBool,       ///< arrow::boolean()
  kInt64,      ///< arrow::int64()
  kDouble,     ///< arrow::float64()
  kText,       ///< arrow::utf8()
  kTimestamp,  ///< arrow::timestamp(MILLI, "UTC"): milliseconds since 1970
  kInterval,   ///< arrow::duration(MILLI); inside expressions only, never a column of a stream
  kJson,       ///< arrow::utf8(): one JSON value as it was written
};

/// "bool", "bigint", "double", "text", "timestamp", "interval", "json": the name in messages and documentation.
std::string_view to_string(Type type);
/// The type that a name in a configuration file or a cast means ("int", "bigint", "float8", "string", ...), in any
/// case. Interval is not among them.
std::optional<Type> parse_type(std::string_view name);
/// Every name that parse_type() takes, for messages.
std::string_view type_names();

struct Column {
  std::string name;
  Type type = Type::kText;
  bool nullable = true;
  /// Where the decoder finds the value: in JSON a dotted path ("engine.temp"), in CSV the header's name. Empty: `name`.
  std::string path;

  friend bool operator==(const Column&, const Column&) = default;
};

/// Ordered columns with unique names.
class Schema {
 public:
  Schema() = default;
  explicit Schema(std::vector<Column> columns) : columns_(std::move(columns)) {}

  size_t size() const { return columns_.size(); }
  bool empty() const { return columns_.empty(); }
  const Column& operator[](size_t index) const { return columns_[index]; }
  auto begin() const { return columns_.begin(); }
  auto end() const { return columns_.end(); }
  /// The index of the column of that name.
  std::optional<size_t> find(std::string_view name) const;
  void add(Column column) { columns_.push_back(std::move(column)); }

  friend bool operator==(const Schema&, const Schema&) = default;

 private:
  std::vector<Column> columns_;
};

/// What every record carries besides its value; a decoder fills those that its schema names.
enum class Metadata : uint8_t { kKey, kTopic, kPartition, kOffset, kTimestamp };

/// The metadata columns: `_key` (text), `_topic` (text), `_partition` (bigint), `_offset` (bigint) and `_timestamp`
/// (timestamp), in the order of Metadata.
std::span<const Column> metadata_columns();
/// Which metadata a column of that name means.
std::optional<Metadata> find_metadata(std::string_view name);

/// The same types in Arrow.
std::shared_ptr<arrow::DataType> to_arrow(Type type);
std::shared_ptr<arrow::Schema> to_arrow(const Schema& schema);

}  // namespace headrace::columns
