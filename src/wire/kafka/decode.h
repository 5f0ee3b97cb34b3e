// Bytes to messages, driven by the field tables. Strings and byte fields are copied, record batches are slices of the
// frame. Nothing is allocated that the received bytes do not pay for: a length over what is left fails before it is
// used, and the arrays of one message take at most a multiple of the frame's size together.
#pragma once

#include <algorithm>
#include <string>
#include <utility>

#include "base/result.h"
#include "codec/cursor.h"
#include "wire/kafka/schema.h"

namespace headrace::wire::kafka {

/// Memory that the arrays of one message may take in all (elements times the size of their structs): this much whatever
/// the frame's size is, and for each of its bytes as much again, up to the maximum.
inline constexpr size_t kDecodedArrayBytesFree = 1 << 20;
inline constexpr size_t kDecodedArrayBytesPerByte = 16;
inline constexpr size_t kDecodedArrayBytesMax = 64 << 20;
/// The longest string that Kafka's own implementation accepts, in bytes.
inline constexpr size_t kStringBytesMax = 32767;

/// Reads primitives from a frame. The first mistake is remembered with the field where it happened; after it every read
/// gives zero or empty.
class Decoder {
 public:
  explicit Decoder(SharedBytes frame);

  bool ok() const { return reader_.ok(); }
  size_t remaining() const { return reader_.remaining(); }
  void fail(std::string_view field, std::string_view what);
  Error error(std::string_view message, int16_t version) const;

  template <typename T>
  T integer(std::string_view field) {
    if (reader_.remaining() < sizeof(T)) return fail(field, "the frame ends early"), T{};
    return reader_.read<T>();
  }
  /// An unsigned varint of at most 31 bits.
  uint32_t varint(std::string_view field);
  /// A length, -1 for null, checked against what is left.
  int64_t length(std::string_view field, bool compact, size_t fixed_bytes);
  BytesView view(size_t size) { return reader_.read_bytes(size); }
  SharedBytes slice(size_t size);
  /// Takes `bytes` from what arrays may allocate; false (and a failure) when it is used up.
  bool charge_array(std::string_view field, size_t bytes);

 private:
  SharedBytes frame_;
  codec::Reader reader_;
  size_t array_bytes_left_;
  std::string_view failed_field_;
  std::string_view failure_;
};

namespace internal {

struct Context {
  std::string_view field;
  int16_t version;
  bool flexible;
  bool compact;
  bool nullable;
};

template <Declared S>
void decode_struct(Decoder& in, int16_t version, bool flexible, S& out);

inline void decode_value(Decoder& in, const Context& at, bool& out) { out = in.integer<int8_t>(at.field) != 0; }
template <typename T>
requires std::is_integral_v<T>
void decode_value(Decoder& in, const Context& at, T& out) { out = in.integer<T>(at.field); }
inline void decode_value(Decoder& in, const Context& at, double& out) {
  out = std::bit_cast<double>(in.integer<int64_t>(at.field));
}
void decode_value(Decoder& in, const Context& at, std::string& out);
void decode_value(Decoder& in, const Context& at, std::optional<std::string>& out);
void decode_value(Decoder& in, const Context& at, Uuid& out);
void decode_value(Decoder& in, const Context& at, Bytes& out);
void decode_value(Decoder& in, const Context& at, Records& out);

template <Declared S>
void decode_value(Decoder& in, const Context& at, S& out) {
  decode_struct(in, at.version, at.flexible, out);
}
template <Declared S>
void decode_value(Decoder& in, const Context& at, std::optional<S>& out) {
  if (at.nullable && in.integer<int8_t>(at.field) < 0) return out.reset();
  decode_struct(in, at.version, at.flexible, out.emplace());
}

/// False for null.
template <typename T>
bool decode_array(Decoder& in, const Context& at, std::vector<T>& out) {
  int64_t count = in.length(at.field, at.compact, 4);
  if (count < 0) return false;
  if (!in.charge_array(at.field, static_cast<size_t>(count) * sizeof(T))) return true;
  out.reserve(static_cast<size_t>(count));
  Context element = at;
  element.nullable = false;
  for (int64_t i = 0; i < count && in.ok(); ++i) decode_value(in, element, out.emplace_back());
  return true;
}
template <typename T>
requires(!std::is_same_v<T, uint8_t>) void decode_value(Decoder& in, const Context& at, std::vector<T>& out) {
  if (!decode_array(in, at, out)) in.fail(at.field, "null where this version has none");
}
template <typename T>
void decode_value(Decoder& in, const Context& at, std::optional<std::vector<T>>& out) {
  if (decode_array(in, at, out.emplace())) return;
  out.reset();
  if (!at.nullable) in.fail(at.field, "null where this version has none");
}

template <typename F>
Context context_of(const F& f, int16_t version, bool flexible) {
  return {f.name, version, flexible, flexible && !f.options.never_compact, f.options.nullable.contains(version)};
}

/// Reads the tagged fields at the end of a struct; unknown tags are skipped (KIP-482).
template <Declared S>
void decode_tags(Decoder& in, int16_t version, S& out) {
  uint32_t count = in.varint("tagged fields");
  for (uint32_t i = 0; i < count && in.ok(); ++i) {
    uint32_t tag = in.varint("tag");
    uint32_t size = in.varint("tag size");
    if (size > in.remaining()) return in.fail("tag size", "the frame ends early");
    size_t end = in.remaining() - size;
    for_each_field<S>([&](const auto& f) {
      if (!f.options.tagged.contains(version) || f.options.tag != static_cast<int64_t>(tag)) return;
      decode_value(in, context_of(f, version, true), out.*f.member);
      if (in.ok() && in.remaining() != end) in.fail(f.name, "its size differs from what its tag says");
    });
    if (in.ok()) in.view(in.remaining() - end);
  }
}

template <Declared S>
void decode_struct(Decoder& in, int16_t version, bool flexible, S& out) {
  for_each_field<S>([&](const auto& f) {
    if (!f.versions.contains(version) || f.options.tagged.contains(version) || !in.ok()) return;
    decode_value(in, context_of(f, version, flexible), out.*f.member);
  });
  if (flexible && in.ok()) decode_tags(in, version, out);
}

Error unsupported_version(std::string_view message, int16_t version);

}  // namespace internal

/// Reads one message; fields that `version` lacks keep their defaults. What follows the message is left in `in`.
/// kUnsupported: a version outside of the message's; kCorrupt: the error names message, version and field.
template <Declared M>
Result<M> decode(Decoder& in, int16_t version) {
  if (!M::kSpec.versions.contains(version)) {
    return internal::unsupported_version(M::kSpec.name, version);
  }
  M message;
  internal::decode_struct(in, version, M::kSpec.flexible.contains(version), message);
  if (!in.ok()) return in.error(M::kSpec.name, version);
  return message;
}

}  // namespace headrace::wire::kafka
