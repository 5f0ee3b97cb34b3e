// GROUP BY keys as bytes: compact, equal exactly when the keys are equal (NULL groups with NULL, -0 with 0, NaN with
// NaN), and ordered as the keys are, NULL first.
//
//   key   := part*                       one for each GROUP BY expression, in order
//   part  := 0x00                        NULL
//          | 0x01 value
//   value := u8                          bool
//          | u64 BE, sign bit flipped    bigint, timestamp, interval
//          | u64 BE                      double: its bits, all flipped when negative, else the sign bit flipped
//          | (byte | 0x00 0xff)* 0x00 0x00     text: a zero byte is written as 00 ff, the end is 00 00
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "stream/values.h"

namespace headrace::stream {

/// Appends row `row` of `values` to `key`.
void append_key_part(std::string& key, const Values& values, size_t row);

/// Reads the parts of keys back into columns of values.
class GroupKeyReader {
 public:
  explicit GroupKeyReader(std::vector<Type> types);

  /// Room for `rows` keys; what was read before is gone.
  void start(size_t rows);
  /// Reads `key` as row `row`; false when it is not a key of these types.
  bool read(std::string_view key, size_t row);
  const Values& column(size_t part) const { return columns_[part].buffer.values(); }

 private:
  struct Column {
    Type type;
    ValueBuffer buffer;
    uint8_t* valid = nullptr;
  };
  bool read_part(std::string_view& key, Column& column, size_t row);

  std::vector<Column> columns_;
  TextArena arena_;
};

}  // namespace headrace::stream
