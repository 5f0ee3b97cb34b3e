#include "codec/compression.h"

#include <lz4frame.h>
#include <snappy.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <limits>
#include <memory>

#include "base/check.h"
#include "codec/cursor.h"

namespace headrace::codec {
namespace {

constexpr std::array<std::string_view, 5> kNames = {"none", "gzip", "snappy", "lz4", "zstd"};

Error corrupt(std::string_view codec, std::string_view what) {
  return {ErrorCode::kCorrupt, std::string(codec) + " data is damaged: " + std::string(what)};
}
Error too_large(std::string_view codec, size_t max) {
  return {ErrorCode::kTooLarge,
          std::string(codec) + " data decompresses to more than " + std::to_string(max) + " bytes"};
}

/// A buffer that a streaming decoder fills; it grows with what was produced, never with what was claimed, and holds one
/// byte over the cap at the most, by which too much output is noticed.
class Output {
 public:
  Output(size_t input_bytes, size_t max) : max_(std::min(max, std::numeric_limits<size_t>::max() - 1)) {
    bytes_.resize(std::min(max_ + 1, std::max<size_t>(input_bytes * 4, 512)));
  }
  uint8_t* free_space() { return bytes_.data() + used_; }
  size_t free_bytes() const { return bytes_.size() - used_; }
  void advance(size_t n) {
    used_ += n;
    if (used_ == bytes_.size() && used_ <= max_) bytes_.resize(std::min(max_ + 1, bytes_.size() * 2));
  }
  bool over() const { return used_ > max_; }
  size_t size() const { return used_; }
  Bytes take() {
    bytes_.resize(used_);
    return std::move(bytes_);
  }

 private:
  size_t max_;
  size_t used_ = 0;
  Bytes bytes_;
};

// --- gzip (RFC 1952), several members one after another as Java's GZIPInputStream reads them.

constexpr int kGzipWindowBits = 15 + 16;

class Inflater {
 public:
  Inflater() { CHECK(inflateInit2(&stream, kGzipWindowBits) == Z_OK); }
  ~Inflater() { inflateEnd(&stream); }
  z_stream stream{};
};

Result<Bytes> gunzip(BytesView input, size_t max) {
  thread_local Inflater inflater;
  z_stream& stream = inflater.stream;
  CHECK(inflateReset(&stream) == Z_OK);
  Output output(input.size(), max);
  stream.next_in = const_cast<Bytef*>(input.data());
  stream.avail_in = static_cast<uInt>(input.size());
  while (true) {
    size_t room = std::min<size_t>(output.free_bytes(), 1u << 30);
    stream.next_out = output.free_space();
    stream.avail_out = static_cast<uInt>(room);
    int code = inflate(&stream, Z_NO_FLUSH);
    output.advance(room - stream.avail_out);
    if (output.over()) return too_large("gzip", max);
    if (code == Z_STREAM_END) {
      if (stream.avail_in == 0) return output.take();
      CHECK(inflateReset(&stream) == Z_OK);
    } else if (code == Z_BUF_ERROR || (code == Z_OK && stream.avail_in == 0 && stream.avail_out != 0)) {
      return corrupt("gzip", "it ends early");
    } else if (code != Z_OK) {
      return corrupt("gzip", stream.msg ? stream.msg : "bad stream");
    }
  }
}

Result<Bytes> gzip(BytesView input) {
  z_stream stream{};
  CHECK(deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, kGzipWindowBits, 8, Z_DEFAULT_STRATEGY) == Z_OK);
  Bytes out(deflateBound(&stream, input.size()));
  stream.next_in = const_cast<Bytef*>(input.data());
  stream.avail_in = static_cast<uInt>(input.size());
  stream.next_out = out.data();
  stream.avail_out = static_cast<uInt>(out.size());
  int code = deflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  CHECK(code == Z_STREAM_END);
  return out;
}

// --- snappy: raw, or xerial's frame := magic version:i32 compatible:i32 (size:i32 raw_block)*

constexpr uint8_t kXerialMagic[] = {0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0};
constexpr size_t kXerialBlockBytes = 32 << 10;
/// A snappy element of three bytes copies 64 at the most, so a block that claims more than this lies.
constexpr size_t kSnappyRatioMax = 64;

Status append_snappy_block(BytesView block, size_t max, Bytes& out) {
  auto* data = reinterpret_cast<const char*>(block.data());
  size_t size = 0;
  if (!snappy::GetUncompressedLength(data, block.size(), &size)) return corrupt("snappy", "bad length");
  if (size > max - out.size()) return too_large("snappy", max);
  if (size > block.size() * kSnappyRatioMax) return corrupt("snappy", "it claims more than it can hold");
  size_t before = out.size();
  out.resize(before + size);
  if (!snappy::RawUncompress(data, block.size(), reinterpret_cast<char*>(out.data() + before))) {
    return corrupt("snappy", "bad block");
  }
  return {};
}

Result<Bytes> unsnappy(BytesView input, size_t max) {
  Bytes out;
  bool xerial = input.size() >= sizeof kXerialMagic &&
                std::equal(std::begin(kXerialMagic), std::end(kXerialMagic), input.begin());
  if (!xerial) {
    RETURN_IF_ERROR(append_snappy_block(input, max, out));
    return out;
  }
  Reader reader(input);
  reader.skip(sizeof kXerialMagic + 8);
  while (reader.ok() && reader.remaining() > 0) {
    auto size = reader.read<int32_t>();
    BytesView block = size < 0 ? (reader.fail(), BytesView()) : reader.read_bytes(static_cast<size_t>(size));
    if (!reader.ok()) break;
    RETURN_IF_ERROR(append_snappy_block(block, max, out));
  }
  if (!reader.ok()) return corrupt("snappy", "it ends early");
  return out;
}

Result<Bytes> snappy_xerial(BytesView input) {
  Bytes out;
  Writer writer(out);
  writer.write_bytes(kXerialMagic);
  writer.write<int32_t>(1);
  writer.write<int32_t>(1);
  for (size_t at = 0; at < input.size(); at += kXerialBlockBytes) {
    size_t size = std::min(kXerialBlockBytes, input.size() - at);
    size_t start = out.size();
    out.resize(start + 4 + snappy::MaxCompressedLength(size));
    size_t written = 0;
    snappy::RawCompress(reinterpret_cast<const char*>(input.data() + at), size,
                        reinterpret_cast<char*>(out.data() + start + 4), &written);
    writer.patch(start, static_cast<int32_t>(written));
    out.resize(start + 4 + written);
  }
  return out;
}

// --- LZ4 frames

struct Lz4Free {
  void operator()(LZ4F_dctx* context) const { LZ4F_freeDecompressionContext(context); }
};

std::unique_ptr<LZ4F_dctx, Lz4Free> make_lz4_context() {
  LZ4F_dctx* context = nullptr;
  CHECK(!LZ4F_isError(LZ4F_createDecompressionContext(&context, LZ4F_VERSION)));
  return std::unique_ptr<LZ4F_dctx, Lz4Free>(context);
}

Result<Bytes> unlz4(BytesView input, size_t max) {
  thread_local auto context = make_lz4_context();
  LZ4F_resetDecompressionContext(context.get());
  Output output(input.size(), max);
  size_t at = 0;
  while (true) {
    size_t room = output.free_bytes();
    size_t taken = input.size() - at;
    size_t hint = LZ4F_decompress(context.get(), output.free_space(), &room, input.data() + at, &taken, nullptr);
    if (LZ4F_isError(hint)) return corrupt("lz4", LZ4F_getErrorName(hint));
    at += taken;
    output.advance(room);
    if (output.over()) return too_large("lz4", max);
    if (hint == 0 && at == input.size()) return output.take();
    if (taken == 0 && room == 0) return corrupt("lz4", "it ends early");
  }
}

Result<Bytes> lz4(BytesView input) {
  LZ4F_preferences_t preferences{};
  // Java's reader refuses dependent blocks.
  preferences.frameInfo.blockMode = LZ4F_blockIndependent;
  preferences.frameInfo.blockSizeID = LZ4F_max64KB;
  Bytes out(LZ4F_compressFrameBound(input.size(), &preferences));
  size_t size = LZ4F_compressFrame(out.data(), out.size(), input.data(), input.size(), &preferences);
  if (LZ4F_isError(size)) return Error{ErrorCode::kIo, std::string("compressing lz4: ") + LZ4F_getErrorName(size)};
  out.resize(size);
  return out;
}

// --- zstd (RFC 8878)

struct ZstdFree {
  void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
  void operator()(ZSTD_CCtx* context) const { ZSTD_freeCCtx(context); }
};

/// The largest window that a frame may ask for: what fits the cap, and always what the default levels use.
int zstd_window_log_max(size_t output_bytes_max) {
  int needed = static_cast<int>(std::bit_width(output_bytes_max));
  return std::clamp(needed, 23, 27);
}

Result<Bytes> unzstd(BytesView input, size_t max) {
  thread_local std::unique_ptr<ZSTD_DCtx, ZstdFree> context(ZSTD_createDCtx());
  ZSTD_DCtx_reset(context.get(), ZSTD_reset_session_only);
  ZSTD_DCtx_setParameter(context.get(), ZSTD_d_windowLogMax, zstd_window_log_max(max));
  Output output(input.size(), max);
  ZSTD_inBuffer in{input.data(), input.size(), 0};
  while (true) {
    ZSTD_outBuffer out{output.free_space(), output.free_bytes(), 0};
    size_t before = in.pos;
    size_t hint = ZSTD_decompressStream(context.get(), &out, &in);
    if (ZSTD_isError(hint)) return corrupt("zstd", ZSTD_getErrorName(hint));
    output.advance(out.pos);
    if (output.over()) return too_large("zstd", max);
    if (hint == 0 && in.pos == in.size) return output.take();
    if (in.pos == before && out.pos == 0) return corrupt("zstd", "it ends early");
  }
}

Result<Bytes> zstd(BytesView input) {
  thread_local std::unique_ptr<ZSTD_CCtx, ZstdFree> context(ZSTD_createCCtx());
  Bytes out(ZSTD_compressBound(input.size()));
  size_t size =
      ZSTD_compressCCtx(context.get(), out.data(), out.size(), input.data(), input.size(), ZSTD_CLEVEL_DEFAULT);
  if (ZSTD_isError(size)) return Error{ErrorCode::kIo, std::string("compressing zstd: ") + ZSTD_getErrorName(size)};
  out.resize(size);
  return out;
}

}  // namespace

std::string_view to_string(Compression codec) {
  auto index = static_cast<size_t>(codec);
  return index < kNames.size() ? kNames[index] : "unknown";
}

Result<Compression> parse_compression(std::string_view name) {
  auto found = std::find(kNames.begin(), kNames.end(), name);
  if (found != kNames.end()) return static_cast<Compression>(found - kNames.begin());
  return Error{ErrorCode::kInvalidArgument,
               "unknown compression '" + std::string(name) + "'; allowed are none, gzip, snappy, lz4, zstd"};
}

Result<Bytes> decompress(Compression codec, BytesView input, size_t output_bytes_max) {
  switch (codec) {
    case Compression::kNone:
      if (input.size() > output_bytes_max) return too_large("plain", output_bytes_max);
      return Bytes(input.begin(), input.end());
    case Compression::kGzip: return gunzip(input, output_bytes_max);
    case Compression::kSnappy: return unsnappy(input, output_bytes_max);
    case Compression::kLz4: return unlz4(input, output_bytes_max);
    case Compression::kZstd: return unzstd(input, output_bytes_max);
  }
  return Error{ErrorCode::kUnsupported, "unknown compression codec " + std::to_string(static_cast<int>(codec))};
}

Result<Bytes> compress(Compression codec, BytesView input) {
  switch (codec) {
    case Compression::kNone: return Bytes(input.begin(), input.end());
    case Compression::kGzip: return gzip(input);
    case Compression::kSnappy: return snappy_xerial(input);
    case Compression::kLz4: return lz4(input);
    case Compression::kZstd: return zstd(input);
  }
  return Error{ErrorCode::kUnsupported, "unknown compression codec " + std::to_string(static_cast<int>(codec))};
}

}  // namespace headrace::codec
