// What one connection has still to send.
#pragma once

#include <array>
#include <boost/asio/buffer.hpp>
#include <span>
#include <vector>

#include "base/bytes.h"

namespace headrace::net::internal {

/// A queue of slices. Small copied sends share one slice until it is full or another kind of send comes.
class SendQueue {
 public:
  static constexpr size_t kSlicesPerSendMax = 64;
  using Slices = std::array<boost::asio::const_buffer, kSlicesPerSendMax>;

  size_t bytes() const { return bytes_; }

  void push(SharedBytes bytes) {
    if (bytes.empty()) return;
    seal();
    bytes_ += bytes.size();
    slices_.push_back(std::move(bytes));
  }

  void push_copy(BytesView bytes) {
    bytes_ += bytes.size();
    open_.insert(open_.end(), bytes.begin(), bytes.end());
  }

  /// The next slices to send, at most kSlicesPerSendMax.
  std::span<const boost::asio::const_buffer> front(Slices& out) {
    seal();
    size_t count = std::min(slices_.size() - head_, out.size());
    for (size_t i = 0; i < count; ++i) {
      const SharedBytes& slice = slices_[head_ + i];
      size_t skip = i == 0 ? head_sent_ : 0;
      out[i] = {slice.data() + skip, slice.size() - skip};
    }
    return {out.data(), count};
  }

  /// Drops `sent` bytes from the front.
  void pop(size_t sent) {
    bytes_ -= sent;
    sent += head_sent_;
    while (head_ < slices_.size() && sent >= slices_[head_].size()) {
      sent -= slices_[head_].size();
      slices_[head_++] = {};
    }
    head_sent_ = sent;
    if (head_ == slices_.size()) reset();
    if (head_ > 1024) compact();
  }

 private:
  void seal() {
    if (open_.empty()) return;
    slices_.emplace_back(std::exchange(open_, {}));
  }
  // An idle connection keeps no memory here, except a slot or two.
  void reset() {
    head_ = 0;
    if (slices_.capacity() > 16) {
      std::vector<SharedBytes>().swap(slices_);
    } else {
      slices_.clear();
    }
  }
  void compact() {
    slices_.erase(slices_.begin(), slices_.begin() + static_cast<ptrdiff_t>(head_));
    head_ = 0;
  }

  std::vector<SharedBytes> slices_;
  size_t head_ = 0;       ///< Index of the first slice that is not wholly sent.
  size_t head_sent_ = 0;  ///< Bytes of it that are.
  size_t bytes_ = 0;
  Bytes open_;  ///< Copied bytes that more may join.
};

}  // namespace headrace::net::internal
