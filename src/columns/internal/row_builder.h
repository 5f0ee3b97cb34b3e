// Where decoders put a row's values: staged until the whole row is known to be good, then appended to Arrow builders.
#pragma once

#include <arrow/api.h>

#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "columns/decoder.h"
#include "columns/schema.h"
#include "record/batch.h"

namespace headrace::columns {

/// Parsers and buffers keep the memory that values up to this size need; what a larger one took is given back.
inline constexpr size_t kKeptValueBytesMax = 256 << 10;

/// Builds a batch row by row. Staged texts are views that must live until commit().
class RowBuilder {
 public:
  RowBuilder(Schema schema, TopicPartition source);

  const Schema& schema() const { return schema_; }
  int64_t rows() const { return rows_; }
  /// Bytes of the texts in the rows so far.
  size_t bytes() const { return bytes_; }

  /// Starts a row: everything NULL, metadata filled from `record`. False: error() tells.
  bool begin(const record::RecordView& record);

  void set_null(size_t column) { slots_[column].set = false; }
  void set_bool(size_t column, bool value) { set_int64(column, value); }
  void set_int64(size_t column, int64_t value) {
    slots_[column].set = true;
    slots_[column].bits = value;
  }
  void set_double(size_t column, double value) {
    slots_[column].set = true;
    std::memcpy(&slots_[column].bits, &value, sizeof(value));
  }
  void set_text(size_t column, std::string_view value) {
    slots_[column].set = true;
    slots_[column].text = value;
  }
  /// Converts a text of CSV or raw records to the column's type. False: error() tells.
  bool set_from_text(size_t column, std::string_view text);

  /// Appends the staged row. False: a column that is not nullable is NULL, or the texts would pass
  /// Decoder::kBatchBytesMax; error() tells.
  bool commit();

  /// Sets error() and gives false. A column of npos means the record as a whole.
  bool fail(size_t column, std::string reason);
  static constexpr size_t kWholeRecord = static_cast<size_t>(-1);
  const RowError& error() const { return error_; }

  std::shared_ptr<arrow::RecordBatch> finish();

 private:
  struct Slot {
    bool set = false;
    int64_t bits = 0;
    std::string_view text;
  };
  struct MetadataColumn {
    size_t column;
    Metadata metadata;
  };

  bool set_metadata(const MetadataColumn& target, const record::RecordView& record);
  void append(size_t column, const Slot& slot);

  Schema schema_;
  TopicPartition source_;
  std::shared_ptr<arrow::Schema> arrow_schema_;
  std::vector<std::unique_ptr<arrow::ArrayBuilder>> builders_;
  std::vector<MetadataColumn> metadata_;
  std::vector<Slot> slots_;
  int64_t rows_ = 0;
  size_t bytes_ = 0;
  RowError error_;
};

/// A piece of input for a message: cut when long, unprintable bytes shown as ?.
std::string quote_for_message(std::string_view text);

std::unique_ptr<Decoder> make_json_decoder(RowBuilder rows);
std::unique_ptr<Decoder> make_csv_decoder(RowBuilder rows, const DecoderOptions& options);
std::unique_ptr<Decoder> make_raw_decoder(RowBuilder rows);

/// Whether no two paths of the schema contradict each other as JSON.
Status check_json_paths(const Schema& schema);

}  // namespace headrace::columns
