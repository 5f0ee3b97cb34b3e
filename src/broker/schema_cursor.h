// Strings and byte strings as Kafka's non-flexible schemas write them, for the records of internal topics.
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

}  // namespace headrace::broker
