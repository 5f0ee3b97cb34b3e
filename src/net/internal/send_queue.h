// What one connection has still to send.
#pragma once

#include <array>
#include <boost/asio/buffer.hpp>
#include <optional>
#include <span>
#include <vector>

#include "base/file_range.h"

namespace headrace::net::internal {

/// A queue of slices of memory and ranges of files. Small copied sends share one slice until it is full or another kind
/// of send comes.
class SendQueue {
 public:
  static constexpr size_t kSlicesPerSendMax = 64;
  using Slices = std::array<boost::asio::const_buffer, kSlicesPerSendMax>;

  size_t bytes() const { return bytes_; }
  /// Those of them that are in memory: what is left of a slice counts whole.
  size_t memory_bytes() const { return memory_bytes_; }

  void push(Sendable bytes) {
    size_t size = size_of(bytes);
    if (size == 0) return;
    seal();
    bytes_ += size;
    memory_bytes_ += memory_of(bytes);
    slices_.push_back(std::move(bytes));
  }

  void push_copy(BytesView bytes) {
    bytes_ += bytes.size();
    memory_bytes_ += bytes.size();
    open_.insert(open_.end(), bytes.begin(), bytes.end());
  }

  /// What is left of the file range at the front; nothing when there are slices of memory.
  std::optional<FileRange> front_range() const {
    const auto* range = head_ < slices_.size() ? std::get_if<FileRange>(&slices_[head_]) : nullptr;
    if (!range) return std::nullopt;
    return FileRange{range->owner, range->descriptor, range->offset + head_sent_, range->size - head_sent_};
  }

  /// The next slices of memory to send, at most kSlicesPerSendMax, up to a file range.
  std::span<const boost::asio::const_buffer> front(Slices& out) {
    seal();
    size_t most = std::min(slices_.size() - head_, out.size());
    size_t count = 0;
    for (; count < most; ++count) {
      const auto* slice = std::get_if<SharedBytes>(&slices_[head_ + count]);
      if (!slice) break;
      size_t skip = count == 0 ? head_sent_ : 0;
      out[count] = {slice->data() + skip, slice->size() - skip};
    }
    return {out.data(), count};
  }
  /// Whether something follows the first `count` slices.
  bool more_than(size_t count) const { return head_ + count < slices_.size(); }

  /// Drops `sent` bytes from the front.
  void pop(size_t sent) {
    bytes_ -= sent;
    sent += head_sent_;
    while (head_ < slices_.size() && sent >= size_of(slices_[head_])) {
      sent -= size_of(slices_[head_]);
      memory_bytes_ -= memory_of(slices_[head_]);
      slices_[head_++] = {};
    }
    head_sent_ = sent;
    if (head_ == slices_.size()) reset();
    if (head_ > 1024) compact();
  }

 private:
  static size_t memory_of(const Sendable& bytes) {
    const auto* slice = std::get_if<SharedBytes>(&bytes);
    return slice ? slice->size() : 0;
  }
  void seal() {
    if (open_.empty()) return;
    slices_.emplace_back(SharedBytes(std::exchange(open_, {})));
  }
  // An idle connection keeps no memory here, except a slot or two.
  void reset() {
    head_ = 0;
    if (slices_.capacity() > 16) {
      std::vector<Sendable>().swap(slices_);
    } else {
      slices_.clear();
    }
  }
  void compact() {
    slices_.erase(slices_.begin(), slices_.begin() + static_cast<ptrdiff_t>(head_));
    head_ = 0;
  }

  std::vector<Sendable> slices_;
  size_t head_ = 0;       ///< Index of the first slice that is not wholly sent.
  size_t head_sent_ = 0;  ///< Bytes of it that are.
  size_t bytes_ = 0;
  size_t memory_bytes_ = 0;
  Bytes open_;  ///< Copied bytes that more may join.
};

}  // namespace headrace::net::internal
