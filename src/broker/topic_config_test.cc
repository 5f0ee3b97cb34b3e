#include "broker/topic_config.h"

namespace headrace::broker {
namespace {

TEST(TopicConfig, DefaultsAreKafkas) {
  TopicConfig config = apply_topic_configs({});
  EXPECT_EQ(config.log.retention_ms, 604800000);
  EXPECT_EQ(config.log.segment_bytes, 1 << 30);
  EXPECT_EQ(config.max_message_bytes, 1048588);
  EXPECT_EQ(config.log.flush_policy, log::FlushPolicy::kBeforeAck);
  EXPECT_TRUE(config.log.delete_enabled);
  EXPECT_FALSE(config.log.compact_enabled);
}

TEST(TopicConfig, EveryDefaultIsAllowed) {
  for (const ConfigSpec& spec : topic_config_table()) {
    auto value = normalize_topic_config(spec.name, spec.fallback);
    ASSERT_TRUE(value.ok()) << spec.name << ": " << value.error().message;
    EXPECT_EQ(*value, spec.fallback);
    EXPECT_FALSE(spec.help.empty());
  }
}

TEST(TopicConfig, HumanUnitsBecomeKafkasNumbers) {
  EXPECT_EQ(*normalize_topic_config("retention.ms", "7d"), "604800000");
  EXPECT_EQ(*normalize_topic_config("segment.bytes", "64MiB"), "67108864");
  EXPECT_EQ(*normalize_topic_config("retention.bytes", "-1"), "-1");
  EXPECT_EQ(*normalize_topic_config("cleanup.policy", "compact, delete"), "compact,delete");
  EXPECT_EQ(*normalize_topic_config("cleanup.policy", "compact,,delete,"), "compact,delete");
}

TEST(TopicConfig, WrongValuesSayWhatIsAllowed) {
  const std::pair<const char*, const char*> wrong[] = {
      {"retention.ms", "soon"},         {"retention.ms", "-2"},
      {"segment.bytes", "5"},           {"cleanup.policy", "shred"},
      {"cleanup.policy", ""},           {"flush", "sometimes"},
      {"max.message.bytes", "7d"},      {"min.cleanable.dirty.ratio", "2"},
      {"no.such.thing", "1"},           {"min.insync.replicas", "0"},
      {"remote.storage.enable", "true"}};
  for (auto [name, value] : wrong) {
    auto result = normalize_topic_config(name, value);
    ASSERT_FALSE(result.ok()) << name;
    EXPECT_EQ(result.error().code, ErrorCode::kInvalidArgument);
    EXPECT_THAT(result.error().message, testing::HasSubstr(name));
  }
}

TEST(TopicConfig, DescriptionTellsDefaultsFromOverrides) {
  for (const ConfigEntry& entry : describe_topic_configs({{"flush", "os"}})) {
    EXPECT_EQ(entry.is_default, entry.name != "flush");
    if (entry.name == "flush") {
      EXPECT_EQ(entry.value, "os");
    }
  }
  EXPECT_EQ(apply_topic_configs({{"flush", "os"}}).log.flush_policy, log::FlushPolicy::kOs);
  EXPECT_TRUE(apply_topic_configs({{"flush", "interval"}}).flush_by_interval);
}

TEST(TopicConfig, WhatTheBrokerSetsHoldsWhereTheTopicDoesNot) {
  ConfigMap defaults{{"flush", "os"}, {"flush.ms", "50"}, {"retention.ms", "7000"}};
  TopicConfig config = apply_topic_configs({{"retention.ms", "9000"}}, defaults);
  EXPECT_EQ(config.log.retention_ms, 9000);
  EXPECT_EQ(config.log.flush_policy, log::FlushPolicy::kOs);
  EXPECT_EQ(config.flush_interval, std::chrono::milliseconds(50));
  EXPECT_EQ(apply_topic_configs({{"flush", "commit"}}, defaults).log.flush_policy, log::FlushPolicy::kBeforeAck);
  for (const ConfigEntry& entry : describe_topic_configs({{"retention.ms", "9000"}}, defaults)) {
    EXPECT_EQ(entry.is_default, entry.name != "retention.ms" && !defaults.contains(entry.name)) << entry.name;
    EXPECT_EQ(entry.broker_wide, entry.name.starts_with("flush") && !entry.is_default) << entry.name;
    EXPECT_EQ(entry.fallback, find_topic_config(entry.name)->fallback);
    if (entry.name == "retention.ms") {
      EXPECT_EQ(entry.value, "9000");
    }
    if (entry.name == "flush") {
      EXPECT_EQ(entry.value, "os");
    }
  }
}

TEST(TopicConfig, DroppingTheOldestByDefaultIsNotForTopicsThatAreOnlyCompacted) {
  ConfigMap defaults{{"on_disk_pressure", "drop_oldest"}};
  EXPECT_TRUE(apply_topic_configs({}, defaults).drops_oldest);
  EXPECT_TRUE(apply_topic_configs({{"cleanup.policy", "compact,delete"}}, defaults).drops_oldest);
  EXPECT_FALSE(apply_topic_configs({{"cleanup.policy", "compact"}}, defaults).drops_oldest);
  EXPECT_TRUE(apply_topic_configs({{"cleanup.policy", "compact"}, {"on_disk_pressure", "drop_oldest"}}).drops_oldest);
  EXPECT_FALSE(apply_topic_configs({{"on_disk_pressure", "refuse"}}, defaults).drops_oldest);
}

TEST(TopicConfig, CompactionLagsThatContradictEachOtherAreRefused) {
  EXPECT_TRUE(check_topic_configs({{"min.compaction.lag.ms", "5"}, {"max.compaction.lag.ms", "5"}}, {}).ok());
  Status both = check_topic_configs({{"min.compaction.lag.ms", "6"}, {"max.compaction.lag.ms", "5"}}, {});
  ASSERT_FALSE(both.ok());
  EXPECT_EQ(both.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(both.error().message, testing::HasSubstr("min.compaction.lag.ms: 6 is more than max.compaction.lag.ms"));
  EXPECT_FALSE(check_topic_configs({{"min.compaction.lag.ms", "6"}}, {{"max.compaction.lag.ms", "5"}}).ok());
  EXPECT_TRUE(check_topic_configs({{"max.compaction.lag.ms", "7"}}, {{"min.compaction.lag.ms", "6"}}).ok());
}

TEST(TopicConfig, WhatIsSetReachesTheLogAndThePartition) {
  TopicConfig config = apply_topic_configs({{"cleanup.policy", "compact,delete"},
                                            {"compression.type", "lz4"},
                                            {"delete.retention.ms", "1"},
                                            {"flush.messages", "2"},
                                            {"flush.ms", "3"},
                                            {"max.compaction.lag.ms", "4"},
                                            {"max.message.bytes", "5"},
                                            {"message.timestamp.after.max.ms", "6"},
                                            {"message.timestamp.before.max.ms", "7"},
                                            {"message.timestamp.type", "LogAppendTime"},
                                            {"min.cleanable.dirty.ratio", "0.25"},
                                            {"min.compaction.lag.ms", "8"},
                                            {"retention.bytes", "9"},
                                            {"retention.ms", "10"},
                                            {"segment.bytes", "2048"},
                                            {"segment.ms", "11"}});
  EXPECT_TRUE(config.log.compact_enabled);
  EXPECT_TRUE(config.log.delete_enabled);
  EXPECT_EQ(config.compression, codec::Compression::kLz4);
  EXPECT_EQ(config.log.delete_retention_ms, 1);
  EXPECT_EQ(config.flush_messages, 2);
  EXPECT_EQ(config.flush_interval, std::chrono::milliseconds(3));
  EXPECT_EQ(config.log.max_compaction_lag_ms, 4);
  EXPECT_EQ(config.max_message_bytes, 5);
  EXPECT_EQ(config.timestamp_after_max_ms, 6);
  EXPECT_EQ(config.timestamp_before_max_ms, 7);
  EXPECT_EQ(config.log.timestamp_type, log::TimestampType::kLogAppendTime);
  EXPECT_EQ(config.min_cleanable_dirty_ratio, 0.25);
  EXPECT_EQ(config.log.min_compaction_lag_ms, 8);
  EXPECT_EQ(config.log.retention_bytes, 9);
  EXPECT_EQ(config.log.retention_ms, 10);
  EXPECT_EQ(config.log.segment_bytes, 2048);
  EXPECT_EQ(config.log.segment_ms, 11);
  EXPECT_EQ(apply_topic_configs({{"compression.type", "uncompressed"}}).compression, codec::Compression::kNone);
  EXPECT_EQ(apply_topic_configs({}).compression, std::nullopt);
}

TEST(TopicName, FollowsKafkasRules) {
  for (const char* good : {"a", "cabs.telemetry_v1-x", "__consumer_offsets"}) EXPECT_TRUE(check_topic_name(good).ok());
  for (const std::string& bad : {std::string(), std::string("."), std::string(".."), std::string("a/b"),
                                 std::string("a b"), std::string("caf\xc3\xa9"), std::string(250, 'x')}) {
    EXPECT_FALSE(check_topic_name(bad).ok()) << bad;
  }
}

}  // namespace
}  // namespace headrace::broker
