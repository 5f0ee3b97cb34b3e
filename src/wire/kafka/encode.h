// Messages to bytes, driven by the field tables. Record batches are not copied when they are large: an encoded frame is
// a list of slices.
#pragma once

#include <algorithm>
#include <string_view>
#include <utility>
#include <vector>

#include "base/check.h"
#include "codec/cursor.h"
#include "wire/kafka/schema.h"

namespace headrace::wire::kafka {

/// Record bytes from this size on are sent from where they lie; shorter ones are copied into the frame.
inline constexpr size_t kSpliceBytesMin = 4096;

/// Writes a frame: a four-byte size, put in by finish(), and what is encoded after it.
class Encoder {
 public:
  Encoder() { buffer_.resize(4); }

  codec::Writer writer() { return codec::Writer(buffer_); }
  void splice(SharedBytes bytes);
  void splice(FileRange range);
  /// Writes what `encode_into(Encoder&)` encodes, after its size as a varint.
  template <typename EncodeInto>
  void sized(EncodeInto&& encode_into) {
    Encoder inner;
    encode_into(inner);
    BytesView body = BytesView(inner.buffer_).subspan(4);
    writer().write_unsigned_varint(body.size());
    writer().write_bytes(body);
  }

  /// The frame with its size, in pieces to be sent in turn. The encoder is empty afterwards.
  std::vector<Sendable> finish();
  /// The same in one piece. CHECKs that all of it is in memory.
  Bytes finish_frame();
  /// The same without the size, for messages inside of records.
  Bytes finish_body();

 private:
  struct Splice {
    size_t at;  ///< Bytes of buffer_ before it.
    Sendable bytes;
  };
  Bytes buffer_;
  std::vector<Splice> splices_;
};

namespace internal {

struct EncodeContext {
  int16_t version;
  bool flexible;
  bool compact;
  bool nullable;
};

void encode_length(Encoder& out, bool compact, size_t fixed_bytes, size_t length);
void encode_null(Encoder& out, bool compact, size_t fixed_bytes);

template <Declared S>
void encode_struct(Encoder& out, int16_t version, bool flexible, const S& value);

template <typename T>
requires std::is_integral_v<T>
void encode_value(Encoder& out, const EncodeContext&, T value) {
  if constexpr (std::is_same_v<T, bool>) {
    out.writer().write<int8_t>(value);
  } else {
    out.writer().write<T>(value);
  }
}
inline void encode_value(Encoder& out, const EncodeContext&, double value) {
  out.writer().write(std::bit_cast<int64_t>(value));
}
void encode_value(Encoder& out, const EncodeContext& at, const std::string& value);
void encode_value(Encoder& out, const EncodeContext& at, const std::optional<std::string>& value);
void encode_value(Encoder& out, const EncodeContext& at, const Uuid& value);
void encode_value(Encoder& out, const EncodeContext& at, const Bytes& value);
void encode_value(Encoder& out, const EncodeContext& at, const Records& value);

template <Declared S>
void encode_value(Encoder& out, const EncodeContext& at, const S& value) {
  encode_struct(out, at.version, at.flexible, value);
}
template <Declared S>
void encode_value(Encoder& out, const EncodeContext& at, const std::optional<S>& value) {
  if (at.nullable) out.writer().write<int8_t>(value ? 1 : -1);
  if (value) return encode_struct(out, at.version, at.flexible, *value);
  if (!at.nullable) encode_struct(out, at.version, at.flexible, S());
}
template <typename T>
requires(!std::is_same_v<T, uint8_t>) void encode_value(Encoder& out, const EncodeContext& at,
                                                        const std::vector<T>& value) {
  encode_length(out, at.compact, 4, value.size());
  EncodeContext element = at;
  element.nullable = false;
  for (const auto& item : value) encode_value(out, element, item);
}
template <typename T>
void encode_value(Encoder& out, const EncodeContext& at, const std::optional<std::vector<T>>& value) {
  if (value) return encode_value(out, at, *value);
  at.nullable ? encode_null(out, at.compact, 4) : encode_length(out, at.compact, 4, 0);
}

template <typename F>
EncodeContext encode_context_of(const F& f, int16_t version, bool flexible) {
  return {version, flexible, flexible && !f.options.never_compact, f.options.nullable.contains(version)};
}

/// Writes the tagged fields that differ from their defaults, in the order of their tags.
template <Declared S>
void encode_tags(Encoder& out, int16_t version, const S& value) {
  [[maybe_unused]] static const S kDefaults{};
  int16_t count = 0;
  int16_t last_tag = -1;
  auto is_set = [&](const auto& f) {
    return f.options.tagged.contains(version) && !equal(value.*f.member, kDefaults.*f.member);
  };
  for_each_field<S>([&](const auto& f) {
    if (!is_set(f)) return;
    ++count;
    last_tag = std::max(last_tag, f.options.tag);
  });
  out.writer().write_unsigned_varint(static_cast<uint64_t>(count));
  for (int16_t tag = 0; tag <= last_tag; ++tag) {
    for_each_field<S>([&](const auto& f) {
      if (f.options.tag != tag || !is_set(f)) return;
      out.writer().write_unsigned_varint(static_cast<uint64_t>(tag));
      out.sized([&](Encoder& inner) { encode_value(inner, encode_context_of(f, version, true), value.*f.member); });
    });
  }
}

template <Declared S>
void encode_struct(Encoder& out, int16_t version, bool flexible, const S& value) {
  for_each_field<S>([&](const auto& f) {
    if (!f.versions.contains(version) || f.options.tagged.contains(version)) return;
    encode_value(out, encode_context_of(f, version, flexible), value.*f.member);
  });
  if (flexible) encode_tags(out, version, value);
}

}  // namespace internal

/// Writes one message as `version` has it; fields that it lacks are left out. Null where a version has none is written
/// as empty, and a string over 32767 bytes is cut there. CHECKs that the message has the version.
template <Declared M>
void encode(Encoder& out, int16_t version, const M& message) {
  CHECK(M::kSpec.versions.contains(version));
  internal::encode_struct(out, version, M::kSpec.flexible.contains(version), message);
}

}  // namespace headrace::wire::kafka
