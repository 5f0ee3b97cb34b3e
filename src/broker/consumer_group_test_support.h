// Topics by hand and short ways to say common things, for the tests of consumer groups.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "broker/consumer_group_machine.h"

namespace headrace::broker {

inline Uuid topic_id(int number) {
  Uuid id;
  id.bytes[0] = static_cast<uint8_t>(number);
  return id;
}

class FakeTopics final : public TopicView {
 public:
  /// Creates a topic or changes its partition count.
  void set(const std::string& name, int32_t partitions) {
    auto [topic, created] = topics_.try_emplace(name);
    if (created) topic->second.id = topic_id(next_id_++);
    topic->second.partitions = partitions;
    ++version_;
  }
  void remove(const std::string& name) {
    topics_.erase(name);
    ++version_;
  }
  /// All partitions of a topic.
  PartitionSet all(const std::string& name) const {
    std::vector<TopicIdPartition> items;
    auto topic = topics_.find(name);
    if (topic == topics_.end()) return {};
    for (int32_t p = 0; p < topic->second.partitions; ++p) items.push_back({topic->second.id, p});
    return PartitionSet(std::move(items));
  }

  uint64_t version() const override { return version_; }
  std::optional<Entry> find_entry(std::string_view name) const override {
    auto topic = topics_.find(std::string(name));
    if (topic == topics_.end()) return std::nullopt;
    return topic->second;
  }
  std::optional<std::string> find_name(const Uuid& id) const override {
    for (const auto& [name, entry] : topics_) {
      if (entry.id == id) return name;
    }
    return std::nullopt;
  }
  std::vector<std::string> names() const override {
    std::vector<std::string> names;
    for (const auto& [name, entry] : topics_) names.push_back(name);
    return names;
  }

 private:
  std::map<std::string, Entry> topics_;
  uint64_t version_ = 1;
  int next_id_ = 1;
};

/// Replays stored records, as a start does.
inline std::map<std::string, StoredConsumerGroup> replay(const std::vector<StateLog::Entry>& records) {
  std::map<std::string, StoredConsumerGroup> groups;
  for (const StateLog::Entry& record : records) {
    auto key = decode_consumer_key(record.key);
    CHECK(key.ok() && key->has_value());
    std::optional<std::string_view> value;
    if (record.value) value = as_text(*record.value);
    CHECK(replay_consumer_record(**key, value, groups).ok());
  }
  return groups;
}

}  // namespace headrace::broker
