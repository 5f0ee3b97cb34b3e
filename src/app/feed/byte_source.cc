#include "app/feed/byte_source.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

namespace headrace::app {

Result<std::unique_ptr<ByteSource>> ByteSource::open(const std::string& path) {
  std::error_code error;
  auto bytes = std::filesystem::file_size(path, error);
  gzFile file = error ? nullptr : gzopen(path.c_str(), "rb");
  if (!file) {
    return Error{ErrorCode::kInvalidArgument,
                 fmt::format("{}: can't be read: {}", path, error ? error.message() : std::strerror(errno))};
  }
  gzbuffer(file, 256 << 10);
  return std::unique_ptr<ByteSource>(new ByteSource(path, file, static_cast<int64_t>(bytes)));
}

bool ByteSource::fill() {
  int n = status_.ok() ? gzread(file_.get(), buffer_, sizeof(buffer_)) : 0;
  int code = Z_OK;
  const char* why = gzerror(file_.get(), &code);
  if (n < 0 || (n == 0 && code != Z_OK && code != Z_STREAM_END)) {
    status_ = Error{ErrorCode::kCorrupt, fmt::format("{}: {}", path_, why)};
  }
  at_ = 0;
  size_ = static_cast<size_t>(std::max(0, n));
  return n > 0;
}

double ByteSource::progress() const {
  return file_bytes_ == 0 ? 1 : static_cast<double>(gzoffset(file_.get())) / static_cast<double>(file_bytes_);
}

}  // namespace headrace::app
