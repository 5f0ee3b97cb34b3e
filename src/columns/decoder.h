// Records -> Arrow: one decoder per partition and schema, fed record by record, giving batches of columns.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "columns/schema.h"
#include "record/batch.h"

namespace headrace::columns {

enum class Format { kJson, kCsv, kRaw };

std::string_view to_string(Format format);
std::optional<Format> parse_format(std::string_view name);

/// Why a record is not in the batch. It goes to the dead-letter topic as it is; the others go on.
struct RowError {
  std::string column;  ///< Empty where the record as a whole does not parse.
  std::string reason;  ///< For people: "text \"abc\" is not a bigint".
};

struct DecoderOptions {
  Format format = Format::kJson;
  /// The columns to fill, and no others are decoded: the input schema of a plan. Metadata columns are known by name.
  Schema schema;
  TopicPartition source;  ///< For `_topic` and `_partition`.
  /// CSV: the fields of a line in order, by column path; a header record is not expected. Empty: the schema's columns
  /// (metadata aside) in order.
  std::vector<std::string> csv_fields;
  char csv_delimiter = ',';
};

/// Turns records into Arrow batches. One thread at a time.
///
///   if (const RowError* error = decoder->add(record)) ... dead letter of `record` ...
///   if (decoder->rows() > 0) auto batch = decoder->finish();
///
/// Values: a missing field, JSON null and a null record value are NULL. A whole number widens to double; a double with
/// an integral value is taken as bigint; a timestamp is a number (milliseconds since 1970) or a text as RFC 3339 or
/// `YYYY-MM-DD HH:MM:SS[.fff]` (UTC where it names no zone). Nothing else converts: a value of another type is a
/// RowError, as is NULL in a column that is not nullable. Parts of a JSON record that no column needs are not looked at
/// beyond finding where they end.
class Decoder {
 public:
  virtual ~Decoder() = default;

  /// Adds one record as a row; null when it was taken, else what is wrong with it (valid until the next call) and the
  /// row is left out. The record may go away after the call.
  virtual const RowError* add(const record::RecordView& record) = 0;
  /// Rows since the last finish().
  virtual size_t rows() const = 0;
  /// Bytes of the texts in those rows, keys and topics included. A row that would take them over kBatchBytesMax is
  /// left out with an error: the caller finishes long before.
  virtual size_t bytes() const = 0;
  /// The rows so far (possibly none) as columns in the order of the schema; the decoder is empty afterwards.
  virtual std::shared_ptr<arrow::RecordBatch> finish() = 0;

  /// Text columns have 32-bit offsets.
  static constexpr size_t kBatchBytesMax = size_t{1} << 30;
};

/// kInvalidArgument: the schema can't be decoded from the format (an interval column, a raw schema with more than one
/// value column, a path that is both a value and an object).
Result<std::unique_ptr<Decoder>> make_decoder(DecoderOptions options);

}  // namespace headrace::columns
