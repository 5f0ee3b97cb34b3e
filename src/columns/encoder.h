// Arrow -> records: rows of a batch as JSON objects, straight into record batches.
#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "columns/schema.h"
#include "record/batch_builder.h"

namespace headrace::columns {

struct EncoderOptions {
  Schema schema;           ///< Of the batches to come; no interval columns.
  std::string key_column;  ///< Its text becomes the record's key (NULL: no key). Empty: no keys.
  /// A timestamp column that becomes the record's timestamp where it is not NULL. Empty: the caller's time.
  std::string timestamp_column;
  /// A row with a longer text is not written, as that can take many times its memory.
  size_t text_bytes_max = std::numeric_limits<size_t>::max();
};

/// A row as a record. The views are valid until the encoder's next call.
struct EncodedRow {
  std::optional<std::string_view> key;
  std::string_view value;
  int64_t timestamp_ms = 0;
  bool too_large = false;  ///< There is no value: a text is over EncoderOptions::text_bytes_max.
};

/// Writes rows as JSON objects with the columns in order: NULL as null, timestamps as RFC 3339 in UTC with milliseconds
/// ("2026-01-31T08:00:00.250Z"), doubles as the shortest text that reads back the same (NaN and infinities, which JSON
/// lacks, as null), json columns as they are. One thread at a time.
class Encoder {
 public:
  virtual ~Encoder() = default;

  /// Sets the batch whose rows row() gives. CHECKs that its columns have the schema's types.
  virtual void bind(const arrow::RecordBatch& batch, int64_t now_ms) = 0;
  /// The row of the bound batch as a record; for callers that choose a partition per row by its key.
  virtual EncodedRow row(int64_t index) = 0;

  /// Adds rows of the bound batch from `first` on to `builder` until it has at least `bytes_max` bytes; returns the
  /// index of the first row not added (the number of rows when all are).
  int64_t encode(int64_t first, size_t bytes_max, record::BatchBuilder& builder);

 protected:
  virtual int64_t bound_rows() const = 0;
};

/// kInvalidArgument: an interval column, or a key or timestamp column that does not exist or does not fit.
Result<std::unique_ptr<Encoder>> make_encoder(EncoderOptions options);

}  // namespace headrace::columns
