// Bounds-checked reading and growing writing of big-endian wire formats.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <type_traits>

#include "base/bytes.h"

namespace headrace::codec {

template <typename T>
inline T big_endian(T value) {
  if constexpr (sizeof(T) == 2) return static_cast<T>(__builtin_bswap16(static_cast<uint16_t>(value)));
  if constexpr (sizeof(T) == 4) return static_cast<T>(__builtin_bswap32(static_cast<uint32_t>(value)));
  if constexpr (sizeof(T) == 8) return static_cast<T>(__builtin_bswap64(static_cast<uint64_t>(value)));
  return value;
}

/// Reads from a view. A read past the end (or a malformed varint) fails the reader: from then on every read gives zero
/// or empty and ok() is false, so a decoder checks once, at its end or before it trusts a length.
class Reader {
 public:
  explicit Reader(BytesView bytes) : at_(bytes.data()), end_(bytes.data() + bytes.size()) {}

  bool ok() const { return ok_; }
  size_t remaining() const { return static_cast<size_t>(end_ - at_); }
  const uint8_t* position() const { return at_; }
  void fail() {
    ok_ = false;
    at_ = end_;
  }

  /// A big-endian integer of T's size.
  template <typename T>
  T read() {
    static_assert(std::is_integral_v<T>);
    if (remaining() < sizeof(T)) return fail(), T{};
    T value;
    std::memcpy(&value, at_, sizeof(T));
    at_ += sizeof(T);
    return big_endian(value);
  }

  /// An unsigned LEB128 of at most 64 bits.
  uint64_t read_unsigned_varint() {
    uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      if (at_ == end_) break;
      uint8_t byte = *at_++;
      value |= static_cast<uint64_t>(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    return fail(), 0;
  }
  /// A zigzag varint, as in Kafka's records.
  int64_t read_varint() {
    uint64_t raw = read_unsigned_varint();
    return static_cast<int64_t>(raw >> 1) ^ -static_cast<int64_t>(raw & 1);
  }

  BytesView read_bytes(size_t size) {
    if (remaining() < size) return fail(), BytesView();
    BytesView view(at_, size);
    at_ += size;
    return view;
  }
  std::string_view read_text(size_t size) { return as_text(read_bytes(size)); }
  void skip(size_t size) { read_bytes(size); }

 private:
  const uint8_t* at_;
  const uint8_t* end_;
  bool ok_ = true;
};

/// Appends to a byte vector that the caller owns.
class Writer {
 public:
  explicit Writer(Bytes& out) : out_(out) {}

  size_t size() const { return out_.size(); }

  template <typename T>
  void write(T value) {
    static_assert(std::is_integral_v<T>);
    value = big_endian(value);
    append(&value, sizeof(T));
  }
  void write_unsigned_varint(uint64_t value) {
    while (value >= 0x80) {
      out_.push_back(static_cast<uint8_t>(value | 0x80));
      value >>= 7;
    }
    out_.push_back(static_cast<uint8_t>(value));
  }
  void write_varint(int64_t value) {
    write_unsigned_varint((static_cast<uint64_t>(value) << 1) ^ static_cast<uint64_t>(value >> 63));
  }
  void write_bytes(BytesView bytes) { append(bytes.data(), bytes.size()); }
  void write_text(std::string_view text) { append(text.data(), text.size()); }

  /// Overwrites what was written at `offset` (a length or checksum known later).
  template <typename T>
  void patch(size_t offset, T value) {
    value = big_endian(value);
    std::memcpy(out_.data() + offset, &value, sizeof(T));
  }

 private:
  void append(const void* data, size_t size) {
    auto* bytes = static_cast<const uint8_t*>(data);
    out_.insert(out_.end(), bytes, bytes + size);
  }
  Bytes& out_;
};

/// Bytes that `value` takes as an unsigned varint.
inline size_t unsigned_varint_size(uint64_t value) {
  return static_cast<size_t>((64 - std::countl_zero(value | 1) + 6) / 7);
}
/// Bytes that `value` takes as a zigzag varint.
inline size_t varint_size(int64_t value) {
  return unsigned_varint_size((static_cast<uint64_t>(value) << 1) ^ static_cast<uint64_t>(value >> 63));
}

}  // namespace headrace::codec
