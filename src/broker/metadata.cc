#include "broker/metadata.h"

#include <algorithm>
#include <random>

#include "base/logging.h"
#include "codec/cursor.h"

namespace headrace::broker {
namespace {

constexpr std::string_view kClusterKey = "cluster";
constexpr std::string_view kProducerIdsKey = "producer-ids";
constexpr std::string_view kLeaderEpochKey = "leader-epoch";
constexpr std::string_view kTopicPrefix = "topic/";
constexpr std::string_view kSettingsPrefixes[] = {"quota/", "config/"};
constexpr int8_t kVersion = 0;
constexpr int8_t kInternalFlag = 1, kDeletingFlag = 2;
/// The log is written anew when it is this large: a few thousand topics take less.
constexpr int64_t kRewriteBytes = 8 << 20;

void write_text(codec::Writer& writer, std::string_view text) {
  writer.write(static_cast<int32_t>(text.size()));
  writer.write_text(text);
}

std::string read_text(codec::Reader& reader) {
  auto size = reader.read<int32_t>();
  if (size < 0) reader.fail();
  return std::string(reader.read_text(static_cast<size_t>(std::max(size, 0))));
}

void write_configs(codec::Writer& writer, const ConfigMap& configs) {
  writer.write(static_cast<int32_t>(configs.size()));
  for (const auto& [name, value] : configs) {
    write_text(writer, name);
    write_text(writer, value);
  }
}

ConfigMap read_configs(codec::Reader& reader) {
  ConfigMap configs;
  auto count = reader.read<int32_t>();
  for (int32_t i = 0; i < count && reader.ok(); ++i) {
    std::string name = read_text(reader);
    configs[std::move(name)] = read_text(reader);
  }
  return configs;
}

bool is_settings_key(std::string_view key) {
  return std::any_of(std::begin(kSettingsPrefixes), std::end(kSettingsPrefixes),
                     [&](std::string_view prefix) { return key.starts_with(prefix); });
}

Bytes encode(const ConfigMap& settings) {
  Bytes out;
  codec::Writer writer(out);
  writer.write(kVersion);
  write_configs(writer, settings);
  return out;
}

Bytes encode(const StoredTopic& topic) {
  Bytes out;
  codec::Writer writer(out);
  writer.write(kVersion);
  writer.write(static_cast<int8_t>((topic.internal ? kInternalFlag : 0) | (topic.deleting ? kDeletingFlag : 0)));
  writer.write_bytes(topic.id.bytes);
  writer.write(topic.partitions);
  write_configs(writer, topic.configs);
  return out;
}

std::optional<StoredTopic> decode_topic(std::string_view value) {
  codec::Reader reader(as_bytes(value));
  StoredTopic topic;
  if (reader.read<int8_t>() != kVersion) return std::nullopt;
  auto flags = reader.read<int8_t>();
  topic.internal = flags & kInternalFlag;
  topic.deleting = flags & kDeletingFlag;
  BytesView id = reader.read_bytes(topic.id.bytes.size());
  if (reader.ok()) std::copy(id.begin(), id.end(), topic.id.bytes.begin());
  topic.partitions = reader.read<int32_t>();
  topic.configs = read_configs(reader);
  if (!reader.ok() || topic.partitions <= 0) return std::nullopt;
  return topic;
}

Bytes encode_cluster(std::string_view cluster_id) {
  Bytes out;
  codec::Writer writer(out);
  writer.write(kVersion);
  write_text(writer, cluster_id);
  return out;
}

Bytes encode_leader_epoch(LeaderEpoch last) {
  Bytes out;
  codec::Writer writer(out);
  writer.write(kVersion);
  writer.write(last.value);
  return out;
}

Bytes encode_producer_ids(int64_t next) {
  Bytes out;
  codec::Writer writer(out);
  writer.write(kVersion);
  writer.write(next);
  return out;
}

}  // namespace

Uuid random_uuid() {
  std::random_device random;
  Uuid id;
  for (size_t i = 0; i < id.bytes.size(); i += 4) {
    uint32_t word = random();
    std::memcpy(&id.bytes[i], &word, 4);
  }
  id.bytes[6] = static_cast<uint8_t>((id.bytes[6] & 0x0f) | 0x40);
  id.bytes[8] = static_cast<uint8_t>((id.bytes[8] & 0x3f) | 0x80);
  return id;
}

std::string to_string(const Uuid& id) {
  constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  std::string out;
  for (size_t i = 0; i < id.bytes.size(); i += 3) {
    size_t have = std::min<size_t>(3, id.bytes.size() - i);
    uint32_t bits = 0;
    for (size_t k = 0; k < 3; ++k) bits = bits << 8 | (k < have ? id.bytes[i + k] : 0u);
    for (size_t k = 0; k <= have; ++k) out += kAlphabet[bits >> (18 - 6 * k) & 63];
  }
  return out;
}

Result<std::unique_ptr<Metadata>> Metadata::open(os::FileSystem& files, os::Clock& clock, const std::string& directory,
                                                 std::shared_ptr<log::HealthListener> health) {
  std::unique_ptr<Metadata> metadata(new Metadata());
  auto replay = [&](std::string_view key, std::optional<std::string_view> value) {
    return metadata->replay(key, value);
  };
  ASSIGN_OR_RETURN(metadata->log_, StateLog::open(files, clock, directory, replay, std::move(health)));
  if (metadata->cluster_id_.empty()) {
    metadata->cluster_id_ = to_string(random_uuid());
    StateLog::Entry cluster{std::string(kClusterKey), encode_cluster(metadata->cluster_id_)};
    RETURN_IF_ERROR(metadata->write({&cluster, 1}));
  }
  return metadata;
}

Status Metadata::replay(std::string_view key, std::optional<std::string_view> value) {
  Error damaged{ErrorCode::kCorrupt, "the record of '" + std::string(key) + "' is not of a known form"};
  if (key.starts_with(kTopicPrefix)) {
    std::string name(key.substr(kTopicPrefix.size()));
    if (!value) return topics_.erase(name), Status();
    auto topic = decode_topic(*value);
    if (!topic) return damaged;
    topics_[name] = *topic;
    return {};
  }
  if (is_settings_key(key) && !value) return settings_.erase(std::string(key)), Status();
  if (!value) return {};
  codec::Reader reader(as_bytes(*value));
  if (reader.read<int8_t>() != kVersion) return damaged;
  if (is_settings_key(key)) settings_[std::string(key)] = read_configs(reader);
  if (key == kClusterKey) cluster_id_ = read_text(reader);
  if (key == kProducerIdsKey) next_producer_id_ = reader.read<int64_t>();
  if (key == kLeaderEpochKey) leader_epoch_ = LeaderEpoch(reader.read<int32_t>());
  return reader.ok() ? Status() : Status(damaged);
}

std::vector<StateLog::Entry> Metadata::state() const {
  std::vector<StateLog::Entry> all;
  all.push_back({std::string(kClusterKey), encode_cluster(cluster_id_)});
  all.push_back({std::string(kProducerIdsKey), encode_producer_ids(next_producer_id_)});
  all.push_back({std::string(kLeaderEpochKey), encode_leader_epoch(leader_epoch_)});
  for (const auto& [name, topic] : topics_) all.push_back({std::string(kTopicPrefix) + name, encode(topic)});
  for (const auto& [key, configs] : settings_) all.push_back({key, encode(configs)});
  return all;
}

Status Metadata::write(std::span<const StateLog::Entry> entries) {
  RETURN_IF_ERROR(log_->write(entries));
  if (log_->size_bytes() < kRewriteBytes) return {};
  // The entries are durable whatever becomes of this.
  if (Status status = log_->rewrite(state()); !status.ok())
    log_warn("shortening the metadata log: {}", status.error().message);
  return {};
}

// Sets or removes what stands under a name, in memory first: a log that is written anew is made of that.
template <typename T>
Status Metadata::change(std::map<std::string, T, std::less<>>& all, std::string_view prefix, const std::string& name,
                        std::optional<T> value) {
  StateLog::Entry entry{std::string(prefix) + name, value ? std::optional(encode(*value)) : std::nullopt};
  auto before = all.extract(name);
  if (value) all.emplace(name, *std::move(value));
  Status status = write({&entry, 1});
  if (status.ok()) return status;
  all.erase(name);
  all.insert(std::move(before));
  return status;
}

Status Metadata::put_topic(const std::string& name, const StoredTopic& topic) {
  return change(topics_, kTopicPrefix, name, std::optional(topic));
}

Status Metadata::put_topics(const std::map<std::string, StoredTopic, std::less<>>& topics) {
  std::vector<StateLog::Entry> entries;
  auto changed = topics_;
  for (const auto& [name, topic] : topics) {
    entries.push_back({std::string(kTopicPrefix) + name, encode(topic)});
    changed[name] = topic;
  }
  topics_.swap(changed);  // In memory first: a log that is written anew is made of that.
  Status status = write(entries);
  if (!status.ok()) topics_.swap(changed);
  return status;
}

Status Metadata::remove_topic(std::string_view name) {
  if (!topics_.contains(name)) return {};
  return change(topics_, kTopicPrefix, std::string(name), std::optional<StoredTopic>());
}

Status Metadata::put_settings(const std::string& key, const ConfigMap& settings) {
  CHECK(is_settings_key(key));
  return change(settings_, "", key, settings.empty() ? std::nullopt : std::optional(settings));
}

Result<int64_t> Metadata::reserve_producer_ids(int64_t count) {
  int64_t first = next_producer_id_;
  next_producer_id_ += count;
  StateLog::Entry entry{std::string(kProducerIdsKey), encode_producer_ids(next_producer_id_)};
  RETURN_IF_ERROR(write({&entry, 1}));
  return first;
}

Result<LeaderEpoch> Metadata::next_leader_epoch(LeaderEpoch after) {
  leader_epoch_ = LeaderEpoch(std::max(leader_epoch_, after).value + 1);
  StateLog::Entry entry{std::string(kLeaderEpochKey), encode_leader_epoch(leader_epoch_)};
  RETURN_IF_ERROR(write({&entry, 1}));
  return leader_epoch_;
}

}  // namespace headrace::broker
