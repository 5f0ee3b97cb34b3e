#include "wire/kafka/decode.h"

#include <fmt/format.h>

#include <cstring>
#include <limits>

namespace headrace::wire::kafka {

Decoder::Decoder(SharedBytes frame)
    : frame_(std::move(frame)),
      reader_(frame_.view()),
      array_bytes_left_(
          std::min(kDecodedArrayBytesMax, kDecodedArrayBytesFree + kDecodedArrayBytesPerByte * frame_.size())) {}

void Decoder::fail(std::string_view field, std::string_view what) {
  if (failure_.empty()) {
    failed_field_ = field;
    failure_ = what;
  }
  reader_.fail();
}

Error Decoder::error(std::string_view message, int16_t version) const {
  return {ErrorCode::kCorrupt, fmt::format("{} v{}: {}: {}", message, version, failed_field_, failure_)};
}

uint32_t Decoder::varint(std::string_view field) {
  uint64_t value = reader_.read_unsigned_varint();
  if (!reader_.ok() || value > std::numeric_limits<int32_t>::max()) return fail(field, "not a length"), 0;
  return static_cast<uint32_t>(value);
}

int64_t Decoder::length(std::string_view field, bool compact, size_t fixed_bytes) {
  int64_t value = compact            ? static_cast<int64_t>(varint(field)) - 1
                  : fixed_bytes == 2 ? int64_t{integer<int16_t>(field)}
                                     : int64_t{integer<int32_t>(field)};
  if (!reader_.ok()) return 0;
  if (value < -1) return fail(field, "a negative length"), 0;
  if (value > static_cast<int64_t>(remaining())) return fail(field, "a length beyond the end of the frame"), 0;
  return value;
}

SharedBytes Decoder::slice(size_t size) {
  if (remaining() < size) return reader_.fail(), SharedBytes();
  auto offset = static_cast<size_t>(reader_.position() - frame_.data());
  reader_.skip(size);
  return frame_.slice(offset, size);
}

bool Decoder::charge_array(std::string_view field, size_t bytes) {
  if (bytes > array_bytes_left_) return fail(field, "more array elements than one message may have"), false;
  array_bytes_left_ -= bytes;
  return true;
}

namespace internal {

Error unsupported_version(std::string_view message, int16_t version) {
  return {ErrorCode::kUnsupported, fmt::format("{}: version {}", message, version)};
}

void decode_value(Decoder& in, const Context& at, std::optional<std::string>& out) {
  int64_t size = in.length(at.field, at.compact, 2);
  if (size < 0) {
    out.reset();
    if (!at.nullable) in.fail(at.field, "null where this version has none");
    return;
  }
  if (static_cast<size_t>(size) > kStringBytesMax) return in.fail(at.field, "a string over 32767 bytes");
  out.emplace(as_text(in.view(static_cast<size_t>(size))));
}

void decode_value(Decoder& in, const Context& at, std::string& out) {
  int64_t size = in.length(at.field, at.compact, 2);
  if (size < 0) return in.fail(at.field, "null where this version has none");
  if (static_cast<size_t>(size) > kStringBytesMax) return in.fail(at.field, "a string over 32767 bytes");
  out = as_text(in.view(static_cast<size_t>(size)));
}

void decode_value(Decoder& in, const Context& at, Uuid& out) {
  if (in.remaining() < out.bytes.size()) return in.fail(at.field, "the frame ends early");
  std::memcpy(out.bytes.data(), in.view(out.bytes.size()).data(), out.bytes.size());
}

void decode_value(Decoder& in, const Context& at, Bytes& out) {
  int64_t size = in.length(at.field, at.compact, 4);
  if (size < 0) return in.fail(at.field, "null where this version has none");
  BytesView view = in.view(static_cast<size_t>(size));
  out.assign(view.begin(), view.end());
}

void decode_value(Decoder& in, const Context& at, Records& out) {
  int64_t size = in.length(at.field, at.compact, 4);
  if (size >= 0) {
    out = Records(in.slice(static_cast<size_t>(size)));
    return;
  }
  out = Records();
  if (!at.nullable) in.fail(at.field, "null where this version has none");
}

}  // namespace internal
}  // namespace headrace::wire::kafka
