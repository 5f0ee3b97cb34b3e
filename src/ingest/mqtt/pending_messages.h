// The messages of one connection that the bus has not answered yet, in the order in which they came.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/check.h"

namespace headrace::ingest::mqtt {

/// A ring. Answers may come in any order (partitions differ), but acknowledgements leave in the order of the messages
/// [MQTT-4.6.0-2] [MQTT-4.6.0-3]. Adding allocates only when the ring grows.
class PendingMessages {
 public:
  struct Message {
    uint16_t packet_id = 0;
    uint8_t qos = 0;
    bool answered = false;
    uint32_t bytes = 0;
  };

  size_t size() const { return static_cast<size_t>(end_ - begin_); }
  size_t bytes() const { return bytes_; }
  /// The number that the next message gets.
  uint64_t next_number() const { return end_; }

  void add(uint16_t packet_id, uint8_t qos, size_t bytes) {
    if (size() == ring_.size()) grow();
    at(end_) = {packet_id, qos, false, static_cast<uint32_t>(bytes)};
    bytes_ += bytes;
    ++end_;
  }

  /// Marks `count` messages from `first` on and calls `acknowledge(message)` for all whose turn it is.
  template <typename F>
  void answer(uint64_t first, uint32_t count, F acknowledge) {
    CHECK(first >= begin_ && first + count <= end_);
    for (uint64_t number = first; number < first + count; ++number) at(number).answered = true;
    while (begin_ < end_ && at(begin_).answered) {
      Message message = at(begin_++);
      bytes_ -= message.bytes;
      acknowledge(message);
    }
    if (begin_ == end_ && ring_.size() > kKeptWhileIdle) std::vector<Message>().swap(ring_);
  }

 private:
  static constexpr size_t kKeptWhileIdle = 32;

  Message& at(uint64_t number) { return ring_[number & (ring_.size() - 1)]; }
  void grow() {
    std::vector<Message> larger(ring_.empty() ? 4 : ring_.size() * 2);
    for (uint64_t number = begin_; number < end_; ++number) larger[number & (larger.size() - 1)] = at(number);
    ring_ = std::move(larger);
  }

  std::vector<Message> ring_;  ///< A power of two, or empty.
  uint64_t begin_ = 0;
  uint64_t end_ = 0;
  size_t bytes_ = 0;
};

}  // namespace headrace::ingest::mqtt
