// The bytes of a file, decompressed where it is gzip.
#pragma once

#include <zlib.h>

#include <memory>
#include <string>

#include "base/result.h"

namespace headrace::app {

class ByteSource {
 public:
  static Result<std::unique_ptr<ByteSource>> open(const std::string& path);
  /// The next byte, or -1 at the end or at an error (see status()).
  int get() {
    if (at_ == size_ && !fill()) return -1;
    return buffer_[at_++];
  }
  int peek() {
    if (at_ == size_ && !fill()) return -1;
    return buffer_[at_];
  }
  const Status& status() const { return status_; }
  /// Compressed bytes read so far, as a fraction of the file.
  double progress() const;

 private:
  ByteSource(std::string path, gzFile file, int64_t file_bytes)
      : path_(std::move(path)), file_(file, gzclose), file_bytes_(file_bytes) {}
  bool fill();

  std::string path_;
  std::unique_ptr<gzFile_s, int (*)(gzFile)> file_;
  int64_t file_bytes_;
  unsigned char buffer_[64 << 10];
  size_t at_ = 0, size_ = 0;
  Status status_;
};

}  // namespace headrace::app
