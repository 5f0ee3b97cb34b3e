// A range of an open file that goes to a socket without passing through this process's memory.
#pragma once

#include <cstdint>
#include <memory>
#include <variant>

#include "base/bytes.h"

namespace headrace {

/// Bytes [offset, offset + size) of a file. Whoever made it promises that nobody changes them while it is held.
struct FileRange {
  std::shared_ptr<const void> owner;  ///< Keeps the descriptor open.
  int descriptor = -1;
  uint64_t offset = 0;
  size_t size = 0;

  bool empty() const { return size == 0; }
};

/// What a connection can send.
using Sendable = std::variant<SharedBytes, FileRange>;

inline size_t size_of(const Sendable& sendable) {
  if (const auto* range = std::get_if<FileRange>(&sendable)) return range->size;
  return std::get<SharedBytes>(sendable).size();
}

}  // namespace headrace
