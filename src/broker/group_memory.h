// What the members of all groups say of themselves and are assigned, in memory: so many bytes together at the most.
// What their regular expressions match counts too, but is refused to nobody who has a place.
#pragma once

#include <cstddef>
#include <utility>
#include <vector>

#include "broker/consumer_group_schema.h"
#include "broker/group_types.h"

namespace headrace::broker {

/// Of a member, beside its texts.
inline constexpr size_t kMemberBytes = 512;

inline size_t bytes_of(const std::vector<GroupProtocol>& protocols) {
  size_t bytes = 0;
  for (const GroupProtocol& protocol : protocols)
    bytes += sizeof(protocol) + protocol.name.size() + protocol.metadata.size();
  return bytes;
}

/// Each in a tree's node of its own.
template <typename Names>
size_t bytes_of_names(const Names& names) {
  size_t bytes = 0;
  for (const std::string& name : names) bytes += 64 + name.size();
  return bytes;
}

inline size_t bytes_of(const ConsumerMemberInfo& info) {
  size_t bytes = kMemberBytes + info.client_id.size() + bytes_of_names(info.topics);
  for (const auto* text : {&info.rack_id, &info.regex, &info.assignor}) bytes += *text ? (*text)->size() : 0;
  return info.classic ? bytes + bytes_of(info.classic->protocols) : bytes;
}

/// Under the lock of the groups.
class GroupMemory {
 public:
  explicit GroupMemory(size_t bytes_max) : bytes_max_(bytes_max) {}
  GroupMemory(const GroupMemory&) = delete;

  size_t used() const { return used_; }
  /// Whether `bytes` may be taken in the place of `instead`, which are given back. What is less always may.
  bool has_room(size_t bytes, size_t instead = 0) const {
    return bytes <= instead || used_ - instead + bytes <= bytes_max_;
  }

  /// A member's part.
  class Share {
   public:
    Share() = default;
    Share(const Share&) = delete;
    ~Share() {
      if (memory_) memory_->used_ -= bytes_;
    }
    /// Whether or not there is room.
    void set(GroupMemory& memory, size_t bytes) {
      memory_ = &memory;
      memory.used_ += bytes - std::exchange(bytes_, bytes);
    }
    size_t bytes() const { return bytes_; }

   private:
    GroupMemory* memory_ = nullptr;
    size_t bytes_ = 0;
  };

 private:
  const size_t bytes_max_;
  size_t used_ = 0;
};

}  // namespace headrace::broker
