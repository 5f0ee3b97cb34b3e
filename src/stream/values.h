// Columns of values in memory while an expression runs over a batch, and which rows of it are wanted.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "columns/schema.h"
#include "sql/plan.h"

namespace arrow {
class Array;
}

namespace headrace::stream {

using columns::Type;

/// The values of one expression: element `row & mask` of the array that fits the type. `valid` has a byte per element,
/// null when no element is NULL. The value of a NULL element is unspecified but safe to read.
struct Values {
  Type type = Type::kText;
  size_t mask = ~size_t{0};                 ///< 0 for a constant.
  const int64_t* ints = nullptr;            ///< kInt64, kTimestamp, kInterval (milliseconds)
  const double* doubles = nullptr;          ///< kDouble
  const uint8_t* bools = nullptr;           ///< kBool, 0 or 1
  const std::string_view* texts = nullptr;  ///< kText, kJson
  const uint8_t* valid = nullptr;

  bool is_valid(size_t row) const { return !valid || valid[row & mask]; }
  bool is_true(size_t row) const { return bools[row & mask] && is_valid(row); }
};

/// How a type's values are held.
template <typename Rep>
const Rep* data_of(const Values& values);
template <>
inline const int64_t* data_of(const Values& values) {
  return values.ints;
}
template <>
inline const double* data_of(const Values& values) {
  return values.doubles;
}
template <>
inline const uint8_t* data_of(const Values& values) {
  return values.bools;
}
template <>
inline const std::string_view* data_of(const Values& values) {
  return values.texts;
}

/// Rows of a batch, ascending: all below `count`, or the `count` listed ones.
struct Selection {
  const uint32_t* rows = nullptr;
  size_t count = 0;

  uint32_t operator[](size_t i) const { return rows ? rows[i] : static_cast<uint32_t>(i); }
  template <typename F>
  void for_each(F&& f) const {
    if (rows) {
      for (size_t i = 0; i < count; ++i) f(size_t{rows[i]});
    } else {
      for (size_t i = 0; i < count; ++i) f(i);
    }
  }
};

/// Room for values that a node computes, kept from batch to batch.
class ValueBuffer {
 public:
  /// Room for rows 0..rows-1 of `type`, without NULLs until valid() is called.
  Values& prepare(Type type, size_t rows);
  /// Validity bytes to write; from then on part of the values. Their content is unspecified.
  uint8_t* valid();
  const Values& values() const { return values_; }
  Values& values() { return values_; }

  template <typename Rep>
  Rep* data() {
    return const_cast<Rep*>(data_of<Rep>(values_));
  }

 private:
  size_t rows_ = 0;
  std::vector<int64_t> ints_;
  std::vector<double> doubles_;
  std::vector<uint8_t> bools_;
  std::vector<std::string_view> texts_;
  std::vector<uint8_t> valid_;
  Values values_;
};

/// Memory for texts that live as long as a batch; reset() keeps it for the next.
class TextArena {
 public:
  /// `size` bytes that stay where they are until reset().
  char* allocate(size_t size);
  void reset();

 private:
  struct Chunk {
    std::unique_ptr<char[]> bytes;
    size_t size = 0;
  };
  std::vector<Chunk> chunks_;
  size_t chunk_ = 0;
  size_t used_ = 0;
};

/// The most bytes that one computed text may have, and all those of one batch together.
inline constexpr size_t kTextBytesMax = 1 << 20;
inline constexpr size_t kBatchTextBytesMax = 256 << 20;

/// Rows that an expression could not be computed for.
struct RowFailure {
  uint32_t row = 0;
  std::string reason;
};

/// The columns of a batch as Values, and what becomes of its rows while expressions run. Reused for the next batch.
class EvalContext {
 public:
  explicit EvalContext(const columns::Schema& schema);
  ~EvalContext();

  /// Starts on a batch, which must outlive its use. Columns are unpacked when first asked for.
  void bind(const arrow::RecordBatch& batch);
  /// Starts on `rows` rows without columns.
  void bind_rows(size_t rows);
  size_t rows() const { return rows_; }
  const arrow::RecordBatch& batch() const { return *batch_; }
  const Values& column(size_t index);
  /// Room for a text of `size` bytes that lives as long as the batch; null when the text is over kTextBytesMax or the
  /// batch over kBatchTextBytesMax, then `row` has failed.
  char* text_room(size_t row, size_t size);

  /// Marks a row as failed; the first reason stays.
  void fail(size_t row, std::string reason);
  bool has_failed(size_t row) const { return !failures_.empty() && failed_[row]; }
  /// In the order in which they happened.
  const std::vector<RowFailure>& failures() const { return failures_; }

 private:
  struct Column {
    Type type;
    bool bound = false;
    ValueBuffer buffer;
    Values values;
  };
  std::vector<Column> columns_;
  const arrow::RecordBatch* batch_ = nullptr;
  size_t rows_ = 0;
  TextArena arena_;
  size_t text_bytes_ = 0;
  std::vector<uint8_t> failed_;
  std::vector<RowFailure> failures_;
};

/// The selected rows of `values` as an Arrow array of its type.
std::shared_ptr<arrow::Array> to_array(const Values& values, Selection selection);

}  // namespace headrace::stream
