// How the records of a batch are read, byte by byte.
#pragma once

#include <optional>
#include <string_view>

#include "codec/cursor.h"

namespace headrace::record {

/// A cursor whose short varints, nearly all of a record's, cost a comparison or two. After a failure nothing is left.
struct RecordCursor {
  const uint8_t* at;
  const uint8_t* end;
  bool ok = true;

  int64_t varint() {
    if (at < end && *at < 0x80) [[likely]]
      return unzigzag(*at++);
    if (end - at >= 2 && at[1] < 0x80) [[likely]] {
      uint64_t raw = (at[0] & 0x7fu) | static_cast<uint64_t>(at[1]) << 7;
      at += 2;
      return unzigzag(raw);
    }
    return long_varint();
  }
  /// A length and so many bytes; a length of -1 is null.
  std::optional<std::string_view> nullable_text() {
    int64_t size = varint();
    if (size == -1) return std::nullopt;
    if (size < 0 || size > end - at) return ok = false, std::nullopt;
    std::string_view text(reinterpret_cast<const char*>(at), static_cast<size_t>(size));
    at += size;
    return text;
  }

 private:
  static int64_t unzigzag(uint64_t raw) { return static_cast<int64_t>(raw >> 1) ^ -static_cast<int64_t>(raw & 1); }
  struct Long {
    int64_t value;
    const uint8_t* end;  ///< Null where there is none.
  };
  /// Given and given back by value, so that a cursor can stay in registers.
  [[gnu::noinline]] static Long read_long(const uint8_t* at, const uint8_t* end) {
    codec::Reader reader(BytesView(at, end));
    int64_t value = reader.read_varint();
    return reader.ok() ? Long{value, reader.position()} : Long{0, nullptr};
  }
  int64_t long_varint() {
    Long read = read_long(at, end);
    if (read.end == nullptr) return ok = false, at = end, 0;
    at = read.end;
    return read.value;
  }
};

}  // namespace headrace::record
