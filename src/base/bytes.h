// Views of bytes, and a slice that keeps its memory alive.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace headrace {

using Bytes = std::vector<uint8_t>;
using BytesView = std::span<const uint8_t>;

inline BytesView as_bytes(std::string_view text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}
inline std::string_view as_text(BytesView bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

/// An immutable slice of memory that somebody owns (a heap buffer, a mapped file); copying it copies no bytes.
class SharedBytes {
 public:
  SharedBytes() = default;
  explicit SharedBytes(Bytes bytes) {
    auto owner = std::make_shared<const Bytes>(std::move(bytes));
    view_ = *owner;
    owner_ = std::move(owner);
  }
  SharedBytes(std::shared_ptr<const void> owner, BytesView view) : owner_(std::move(owner)), view_(view) {}

  BytesView view() const { return view_; }
  const uint8_t* data() const { return view_.data(); }
  size_t size() const { return view_.size(); }
  bool empty() const { return view_.empty(); }

  /// The part [offset, offset + size) of this slice, sharing its owner.
  SharedBytes slice(size_t offset, size_t size) const { return {owner_, view_.subspan(offset, size)}; }

 private:
  std::shared_ptr<const void> owner_;
  BytesView view_;
};

}  // namespace headrace
