// Strings and byte strings as Kafka's schemas write them, for the records of internal topics: of non-flexible versions,
// and in the compact forms of flexible ones (KIP-482).
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "codec/cursor.h"

namespace headrace::broker {

inline void write_string(codec::Writer& writer, std::string_view text) {
  writer.write(static_cast<int16_t>(text.size()));
  writer.write_text(text);
}
inline void write_nullable_string(codec::Writer& writer, const std::optional<std::string>& text) {
  if (text)
    write_string(writer, *text);
  else
    writer.write<int16_t>(-1);
}
inline void write_sized_bytes(codec::Writer& writer, BytesView bytes) {
  writer.write(static_cast<int32_t>(bytes.size()));
  writer.write_bytes(bytes);
}

inline std::optional<std::string> read_nullable_string(codec::Reader& reader) {
  auto size = reader.read<int16_t>();
  if (size == -1) return std::nullopt;
  if (size < 0) return reader.fail(), std::nullopt;
  return std::string(reader.read_text(static_cast<size_t>(size)));
}
inline std::string read_string(codec::Reader& reader) {
  auto text = read_nullable_string(reader);
  if (!text) reader.fail();
  return text.value_or("");
}
inline Bytes read_sized_bytes(codec::Reader& reader) {
  auto size = reader.read<int32_t>();
  if (size < 0) return reader.fail(), Bytes();
  BytesView view = reader.read_bytes(static_cast<size_t>(size));
  return Bytes(view.begin(), view.end());
}

inline void write_compact_string(codec::Writer& writer, std::string_view text) {
  writer.write_unsigned_varint(text.size() + 1);
  writer.write_text(text);
}
inline void write_compact_nullable_string(codec::Writer& writer, const std::optional<std::string>& text) {
  if (text)
    write_compact_string(writer, *text);
  else
    writer.write_unsigned_varint(0);
}
inline void write_compact_bytes(codec::Writer& writer, BytesView bytes) {
  writer.write_unsigned_varint(bytes.size() + 1);
  writer.write_bytes(bytes);
}
inline void write_no_tags(codec::Writer& writer) { writer.write_unsigned_varint(0); }

inline std::optional<std::string> read_compact_nullable_string(codec::Reader& reader) {
  uint64_t size = reader.read_unsigned_varint();
  if (size == 0) return std::nullopt;
  return std::string(reader.read_text(size - 1));
}
inline std::string read_compact_string(codec::Reader& reader) {
  auto text = read_compact_nullable_string(reader);
  if (!text) reader.fail();
  return text.value_or("");
}
inline Bytes read_compact_bytes(codec::Reader& reader) {
  uint64_t size = reader.read_unsigned_varint();
  if (size == 0) return reader.fail(), Bytes();
  BytesView view = reader.read_bytes(size - 1);
  return Bytes(view.begin(), view.end());
}
/// Calls `visit(tag, reader of its bytes)` for each tagged field; a field that ends before what `visit` reads is an
/// error of `reader`.
template <typename Visit>
void read_tags(codec::Reader& reader, Visit visit) {
  for (uint64_t left = reader.read_unsigned_varint(); left > 0 && reader.ok(); --left) {
    uint64_t tag = reader.read_unsigned_varint();
    codec::Reader field(reader.read_bytes(reader.read_unsigned_varint()));
    if (reader.ok()) visit(tag, field);
    if (!field.ok()) reader.fail();
  }
}
inline void skip_tags(codec::Reader& reader) {
  read_tags(reader, [](uint64_t, codec::Reader&) {});
}

}  // namespace headrace::broker
