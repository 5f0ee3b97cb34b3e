#include "wire/kafka/encode.h"

#include "wire/kafka/decode.h"

namespace headrace::wire::kafka {
namespace {

/// Memory beyond its bytes that a frame may hold.
constexpr size_t kFrameSlackBytesMax = 16 << 10;

}  // namespace

void Encoder::splice(SharedBytes bytes) {
  if (bytes.size() < kSpliceBytesMin) return writer().write_bytes(bytes.view());
  splices_.push_back({buffer_.size(), std::move(bytes)});
}

void Encoder::splice(FileRange range) {
  if (!range.empty()) splices_.push_back({buffer_.size(), std::move(range)});
}

// What grew by doubling gives back what it did not need, as the frame may wait long for its reader.
std::vector<Sendable> Encoder::finish() {
  if (buffer_.capacity() - buffer_.size() > kFrameSlackBytesMax) buffer_.shrink_to_fit();
  size_t size = buffer_.size() - 4;
  for (const auto& splice : splices_) size += size_of(splice.bytes);
  writer().patch<int32_t>(0, static_cast<int32_t>(size));

  SharedBytes whole(std::exchange(buffer_, Bytes(4)));
  std::vector<Sendable> pieces;
  size_t from = 0;
  for (auto& splice : splices_) {
    if (splice.at > from) pieces.push_back(whole.slice(from, splice.at - from));
    from = splice.at;
    pieces.push_back(std::move(splice.bytes));
  }
  if (whole.size() > from) pieces.push_back(whole.slice(from, whole.size() - from));
  splices_.clear();
  return pieces;
}

Bytes Encoder::finish_frame() {
  Bytes frame;
  for (const auto& piece : finish()) {
    const auto* bytes = std::get_if<SharedBytes>(&piece);
    CHECK(bytes);
    frame.insert(frame.end(), bytes->view().begin(), bytes->view().end());
  }
  return frame;
}

Bytes Encoder::finish_body() {
  Bytes body = finish_frame();
  body.erase(body.begin(), body.begin() + 4);
  return body;
}

namespace internal {

void encode_length(Encoder& out, bool compact, size_t fixed_bytes, size_t length) {
  if (compact) return out.writer().write_unsigned_varint(length + 1);
  fixed_bytes == 2 ? out.writer().write(static_cast<int16_t>(length))
                   : out.writer().write(static_cast<int32_t>(length));
}

void encode_null(Encoder& out, bool compact, size_t fixed_bytes) {
  if (compact) return out.writer().write_unsigned_varint(0);
  fixed_bytes == 2 ? out.writer().write(int16_t{-1}) : out.writer().write(int32_t{-1});
}

void encode_value(Encoder& out, const EncodeContext& at, const std::string& value) {
  std::string_view text = std::string_view(value).substr(0, kStringBytesMax);
  encode_length(out, at.compact, 2, text.size());
  out.writer().write_text(text);
}

void encode_value(Encoder& out, const EncodeContext& at, const std::optional<std::string>& value) {
  if (value) return encode_value(out, at, *value);
  at.nullable ? encode_null(out, at.compact, 2) : encode_length(out, at.compact, 2, 0);
}

void encode_value(Encoder& out, const EncodeContext&, const Uuid& value) { out.writer().write_bytes(value.bytes); }

void encode_value(Encoder& out, const EncodeContext& at, const Bytes& value) {
  encode_length(out, at.compact, 4, value.size());
  out.writer().write_bytes(value);
}

void encode_value(Encoder& out, const EncodeContext& at, const Records& value) {
  if (value.null && at.nullable) return encode_null(out, at.compact, 4);
  encode_length(out, at.compact, 4, value.size());
  for (const auto& part : value.parts) out.splice(part);
  out.splice(value.file);
}

}  // namespace internal
}  // namespace headrace::wire::kafka
