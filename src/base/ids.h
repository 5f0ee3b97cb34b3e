// The domain's identifiers, each a type of its own.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <string>

namespace headrace {

/// An integer that does not mix with other integers. `Tag` makes the type unique.
template <typename Tag, typename Rep>
struct StrongId {
  using rep = Rep;
  Rep value{};

  constexpr StrongId() = default;
  constexpr explicit StrongId(Rep v) : value(v) {}
  friend constexpr auto operator<=>(StrongId, StrongId) = default;
};

/// A record's position in its partition. -1 where Kafka says "none".
struct Offset : StrongId<struct OffsetTag, int64_t> {
  using StrongId::StrongId;
  friend constexpr Offset operator+(Offset a, int64_t n) { return Offset(a.value + n); }
  friend constexpr Offset operator-(Offset a, int64_t n) { return Offset(a.value - n); }
  friend constexpr int64_t operator-(Offset a, Offset b) { return a.value - b.value; }
};

/// A partition's index in its topic, from 0.
struct PartitionId : StrongId<struct PartitionIdTag, int32_t> {
  using StrongId::StrongId;
};
/// KIP-98: identifies an idempotent or transactional producer; -1 for none.
struct ProducerId : StrongId<struct ProducerIdTag, int64_t> {
  using StrongId::StrongId;
};
/// KIP-101: the number of a partition leader's reign.
struct LeaderEpoch : StrongId<struct LeaderEpochTag, int32_t> {
  using StrongId::StrongId;
};

inline constexpr ProducerId kNoProducerId{-1};
inline constexpr Offset kNoOffset{-1};

/// A partition of a topic.
struct TopicPartition {
  std::string topic;
  PartitionId partition;
  friend auto operator<=>(const TopicPartition&, const TopicPartition&) = default;
};

/// "topic-3", as Kafka's tools print it.
std::string to_string(const TopicPartition& tp);

}  // namespace headrace

template <>
struct std::hash<headrace::TopicPartition> {
  size_t operator()(const headrace::TopicPartition& tp) const noexcept {
    return std::hash<std::string>()(tp.topic) * 31 + static_cast<size_t>(tp.partition.value);
  }
};
template <>
struct std::hash<headrace::ProducerId> {
  size_t operator()(headrace::ProducerId id) const noexcept { return std::hash<int64_t>()(id.value); }
};
