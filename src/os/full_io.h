// Whole reads and writes out of system calls that may be short or interrupted.
#pragma once

#include <sys/uio.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <span>

#include "base/bytes.h"

namespace headrace::os {

inline constexpr int kIovecsMax = 1024;  ///< Linux's IOV_MAX.

/// Writes all of `parts` at `offset` through `raw_write(const iovec*, int count, uint64_t offset) -> ssize_t`, which
/// answers as pwritev does. Returns 0 or the errno.
template <typename RawWrite>
int write_fully(std::span<const BytesView> parts, uint64_t offset, RawWrite raw_write) {
  size_t part = 0;
  size_t skip = 0;  // Bytes of parts[part] that were written before.
  while (part < parts.size()) {
    iovec vectors[kIovecsMax];
    int count = 0;
    for (size_t i = part; i < parts.size() && count < kIovecsMax; ++i, ++count) {
      size_t begin = i == part ? skip : 0;
      vectors[count] = {const_cast<uint8_t*>(parts[i].data()) + begin, parts[i].size() - begin};
    }
    ssize_t written = raw_write(vectors, count, offset);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return errno;
    offset += static_cast<uint64_t>(written);
    bool advanced = written > 0;
    for (size_t left = static_cast<size_t>(written); part < parts.size();) {
      size_t rest = parts[part].size() - skip;
      if (left < rest) {
        skip += left;
        break;
      }
      left -= rest;
      ++part;
      skip = 0;
      advanced = true;
    }
    if (!advanced) return EIO;
  }
  return 0;
}

/// Reads at `offset` until `out` is full or the file ends, through `raw_read(uint8_t*, size_t, uint64_t) -> ssize_t`,
/// which answers as pread does. Returns 0 or the errno; `read` is the bytes read.
template <typename RawRead>
int read_fully(std::span<uint8_t> out, uint64_t offset, size_t& read, RawRead raw_read) {
  read = 0;
  while (read < out.size()) {
    ssize_t got = raw_read(out.data() + read, out.size() - read, offset + read);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return errno;
    if (got == 0) return 0;
    read += static_cast<size_t>(got);
  }
  return 0;
}

}  // namespace headrace::os
