// The bytes of one connection that its session has not consumed yet.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "base/bytes.h"
#include "base/check.h"

namespace headrace::net::internal {

/// A contiguous buffer that grows at its end and is consumed at its front. It holds no memory while empty, and gives
/// back what a large frame needed once a small rest is left.
class ReceiveBuffer {
 public:
  ReceiveBuffer() = default;
  ReceiveBuffer(const ReceiveBuffer&) = delete;
  ReceiveBuffer& operator=(const ReceiveBuffer&) = delete;
  ~ReceiveBuffer() { std::free(data_); }

  bool empty() const { return size_ == 0; }
  size_t size() const { return size_; }
  size_t capacity() const { return capacity_; }
  BytesView view() const { return {data_ + start_, size_}; }

  /// Replaces the content. `bytes` must not be part of this buffer.
  void assign(BytesView bytes) {
    clear();
    if (bytes.empty()) return;
    reallocate(bytes.size());
    std::memcpy(data_, bytes.data(), bytes.size());
    size_ = bytes.size();
  }

  /// Room for `bytes` more behind the content, and for more after them as long as all is at most `useful_bytes`;
  /// commit() says how many were written there.
  uint8_t* reserve_tail(size_t bytes, size_t useful_bytes) {
    if (start_ + size_ + bytes > capacity_) {
      compact();
      if (size_ + bytes > capacity_) reallocate(std::max(size_ + bytes, std::min(capacity_ * 2, useful_bytes)));
    }
    return data_ + start_ + size_;
  }
  void commit(size_t bytes) { size_ += bytes; }

  void consume(size_t bytes) {
    CHECK(bytes <= size_);
    start_ += bytes;
    size_ -= bytes;
    if (size_ == 0) return clear();
    if (capacity_ > kShrinkOverBytes && size_ < capacity_ / 4) {
      compact();
      reallocate(size_);
    }
  }

  void clear() {
    std::free(data_);
    data_ = nullptr;
    start_ = size_ = capacity_ = 0;
  }

 private:
  static constexpr size_t kShrinkOverBytes = 64 << 10;

  void compact() {
    if (start_ > 0) std::memmove(data_, data_ + start_, size_);
    start_ = 0;
  }
  void reallocate(size_t capacity) {
    data_ = static_cast<uint8_t*>(std::realloc(data_, capacity));
    CHECK(data_ != nullptr);
    capacity_ = capacity;
  }

  uint8_t* data_ = nullptr;
  size_t start_ = 0;
  size_t size_ = 0;
  size_t capacity_ = 0;
};

}  // namespace headrace::net::internal
