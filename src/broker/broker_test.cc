#include "broker/broker.h"

#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "broker/broker_test_support.h"
#include "broker/offsets_schema.h"
#include "codec/crc32c.h"
#include "record/batch_builder.h"
#include "record/producer_fields.h"

namespace headrace::broker {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class BrokerTest : public testing::Test {
 protected:
  void SetUp() override { open(); }
  void open() {
    auto opened = Broker::open(options_, metrics_);
    ASSERT_TRUE(opened.ok()) << opened.error().message;
    broker_ = *std::move(opened);
  }
  void restart() {
    broker_.reset();
    open();
  }
  std::shared_ptr<Partition> topic(const std::string& name, std::map<std::string, std::string> configs = {}) {
    auto created = broker_->create_topic({.name = name, .partitions = 1, .configs = std::move(configs)});
    EXPECT_TRUE(created.ok()) << created.error().message;
    return created.ok() ? (*created)->partitions[0] : nullptr;
  }
  std::shared_ptr<Partition> partition(const std::string& name) { return broker_->partition({name, PartitionId(0)}); }
  CommitAnswer commit(const std::string& group, const std::string& topic, int64_t offset) {
    return answer_of<CommitAnswer>([&](auto done) {
      broker_->groups().commit({.group_id = group},
                               {{{topic, PartitionId(0)}, {.offset = Offset(offset), .metadata = "m"}}}, done);
    });
  }
  int64_t committed(const std::string& group, const std::string& topic) {
    return broker_->groups().fetch(group, {{{topic, PartitionId(0)}}}, false)[0].offset.offset.value;
  }

  TempDirectory directory_;
  flow::MetricsRegistry metrics_;
  BrokerOptions options_ = options_in(directory_.path());
  std::unique_ptr<Broker> broker_;
};

TEST_F(BrokerTest, TopicsRecordsAndConfigsSurviveARestart) {
  ASSERT_TRUE(
      produce(*topic("t", {{"retention.ms", "1h"}, {"message.timestamp.type", "LogAppendTime"}}), batch_of({"a", "b"}))
          .ok());
  Uuid id = broker_->topic("t")->id;
  std::string cluster = broker_->cluster_id();
  EXPECT_EQ(cluster.size(), 22u);
  restart();
  EXPECT_EQ(broker_->cluster_id(), cluster);
  auto again = broker_->topic(id);
  ASSERT_TRUE(again);
  EXPECT_EQ(again->name, "t");
  EXPECT_EQ(again->configs.at("retention.ms"), "3600000");
  EXPECT_THAT(values_in(*again->partitions[0]), ElementsAre("a", "b"));
}

TEST_F(BrokerTest, ADeletedTopicStaysDeletedAndItsNameStartsAfresh) {
  ASSERT_TRUE(produce(*topic("t"), batch_of({"old"})).ok());
  commit("g", "t", 1);
  Uuid old_id = broker_->topic("t")->id;
  auto held = partition("t");
  ASSERT_TRUE(broker_->delete_topic("t").ok());
  EXPECT_EQ(produce(*held, batch_of({"late"})).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(held->read(Offset(0), 1000, bus::Isolation::kReadCommitted).error().code, ErrorCode::kNotFound);
  topic("t");
  EXPECT_NE(broker_->topic("t")->id, old_id);
  EXPECT_THAT(values_in(*partition("t")), IsEmpty());
  restart();
  EXPECT_THAT(values_in(*partition("t")), IsEmpty());
  EXPECT_EQ(committed("g", "t"), -1);
}

TEST_F(BrokerTest, TheMetricsOfADeletedTopicGoWithIt) {
  auto shown = [&](const std::string& topic) {
    auto samples = metrics_.samples();
    return std::count_if(samples.begin(), samples.end(), [&](const flow::MetricsRegistry::Sample& sample) {
      return sample.labels == flow::Labels{{"topic", topic}};
    });
  };
  topic("kept");
  topic("t");
  EXPECT_EQ(shown("t"), shown("kept"));
  ASSERT_GT(shown("t"), 0);
  ASSERT_TRUE(broker_->delete_topic("t").ok());
  EXPECT_EQ(shown("t"), 0);
  EXPECT_GT(shown("kept"), 0);
}

TEST_F(BrokerTest, ATopicIsFoundByItsIdAsItIsNow) {
  topic("other");
  topic("t");
  Uuid other = broker_->topic("other")->id, id = broker_->topic("t")->id;
  ASSERT_TRUE(broker_->create_partitions("t", 3).ok());
  ASSERT_TRUE(broker_->alter_configs("t", {{"retention.ms", "1000"}}).ok());
  EXPECT_EQ(broker_->topic(id), broker_->topic("t"));
  EXPECT_EQ(broker_->topic(id)->partitions.size(), 3u);
  ASSERT_TRUE(broker_->delete_topic("t").ok());
  EXPECT_EQ(broker_->topic(id), nullptr);
  topic("t");
  EXPECT_EQ(broker_->topic(id), nullptr);
  EXPECT_EQ(broker_->topic(broker_->topic("t")->id), broker_->topic("t"));
  EXPECT_EQ(broker_->topic(other)->name, "other");
}

TEST_F(BrokerTest, PartitionsAreAddedForGood) {
  topic("t");
  ASSERT_TRUE(broker_->create_partitions("t", 3, /*validate_only=*/true).ok());
  EXPECT_EQ(broker_->topic("t")->partitions.size(), 1u);
  ASSERT_TRUE(broker_->create_partitions("t", 3).ok());
  restart();
  EXPECT_EQ(broker_->topic("t")->partitions.size(), 3u);
}

TEST_F(BrokerTest, ConfigsChangeForGoodOrNotAtAll) {
  auto p = topic("t");
  EXPECT_FALSE(broker_->alter_configs("t", {{"max.message.bytes", "100"}, {"retention.ms", "soon"}}).ok());
  EXPECT_TRUE(produce(*p, batch_of({std::string(200, 'x')})).ok());
  ASSERT_TRUE(broker_->alter_configs("t", {{"max.message.bytes", "100"}}).ok());
  EXPECT_EQ(produce(*p, batch_of({std::string(200, 'x')})).error().code, ErrorCode::kTooLarge);
  restart();
  EXPECT_EQ(produce(*partition("t"), batch_of({std::string(200, 'x')})).error().code, ErrorCode::kTooLarge);
  ASSERT_TRUE(broker_->alter_configs("t", {{"max.message.bytes", std::nullopt}}).ok());
  EXPECT_TRUE(produce(*partition("t"), batch_of({std::string(200, 'x')})).ok());
}

TEST_F(BrokerTest, WhatReadersSawStaysWhenTheTopicIsFlushedFromThenOn) {
  ASSERT_TRUE(broker_->create_topic({.name = "lazy", .partitions = 1, .configs = {{"flush", "os"}}}).ok());
  auto p = partition("lazy");
  ASSERT_TRUE(produce(*p, batch_of({"a", "b"})).ok());
  ASSERT_EQ(p->high_watermark(), Offset(2));
  ASSERT_TRUE(broker_->alter_configs("lazy", {{"flush", "commit"}}).ok());
  EXPECT_EQ(p->high_watermark(), Offset(2));
  EXPECT_EQ(p->log().durable_end(), Offset(2));
}

TEST_F(BrokerTest, FewBytesHoldNoBillionRecords) {
  auto p = topic("t");
  for (auto codec : {codec::Compression::kNone, codec::Compression::kGzip, codec::Compression::kZstd}) {
    record::BatchBuilder builder(codec);
    for (int i = 0; i < 10'000; ++i) builder.add(1000, std::nullopt, std::nullopt);
    record::Batch honest = builder.finish();
    EXPECT_TRUE(produce(*p, honest).ok()) << codec::to_string(codec);
    Bytes bytes(honest.bytes().view().begin(), honest.bytes().view().end());
    record::BatchHeader header = honest.header();
    header.record_count = INT32_MAX;
    header.last_offset_delta = INT32_MAX - 1;
    record::write_header(header, bytes);
    header.crc = codec::crc32c(BytesView(bytes).subspan(record::kBatchCrcFrom));
    record::write_header(header, bytes);
    auto forged = record::Batch::parse(SharedBytes(bytes));
    ASSERT_TRUE(forged.ok()) << forged.error().message;
    EXPECT_EQ(produce(*p, *forged).error().code, ErrorCode::kInvalidArgument) << codec::to_string(codec);
  }
}

TEST_F(BrokerTest, TopicsOfTheLongestNamesAreDeletedAndMadeAnew) {
  const std::string name(249, 'n');
  for (int i = 0; i < 2; ++i) {
    ASSERT_TRUE(produce(*topic(name), batch_of({"a"})).ok());
    ASSERT_TRUE(broker_->delete_topic(name).ok());
    EXPECT_FALSE(std::filesystem::exists(directory_.path() + "/" + name + "-0"));
  }
}

TEST_F(BrokerTest, FilesOfADeletedTopicGoInTheBackground) {
  ASSERT_TRUE(broker_->create_topic({.name = "wide", .partitions = 50}).ok());
  ASSERT_TRUE(broker_->delete_topic("wide").ok());
  auto folders = [&] {
    std::filesystem::directory_iterator entries(directory_.path());
    return std::count_if(begin(entries), end(entries),
                         [](const auto& entry) { return entry.path().filename().string().starts_with("wide-"); });
  };
  auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (folders() > 0 && std::chrono::steady_clock::now() < deadline) std::this_thread::yield();
  EXPECT_EQ(folders(), 0);
}

TEST_F(BrokerTest, UnknownTopicsAreCreatedWhenAskedFor) {
  auto made = broker_->topic_or_create("auto");
  ASSERT_TRUE(made.ok());
  EXPECT_EQ((*made)->partitions.size(), 1u);
  EXPECT_FALSE(broker_->topic_or_create("not/ok").ok());
  options_.auto_create_topics = false;
  restart();
  EXPECT_TRUE(broker_->topic_or_create("auto").ok());
  EXPECT_EQ(broker_->topic_or_create("other").error().code, ErrorCode::kNotFound);
}

TEST_F(BrokerTest, ASecondInstanceIsRefusedWithTheReason) {
  flow::MetricsRegistry metrics;
  auto second = Broker::open(options_, metrics);
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.error().code, ErrorCode::kUnavailable);
  EXPECT_THAT(second.error().message, HasSubstr("another instance"));
}

TEST_F(BrokerTest, ADirectoryThatCantBeUsedIsNamed) {
  flow::MetricsRegistry metrics;
  auto file_in_the_way = Broker::open(options_in("/dev/null/data"), metrics);
  ASSERT_FALSE(file_in_the_way.ok());
  EXPECT_THAT(file_in_the_way.error().message, HasSubstr("/dev/null/data"));
  if (geteuid() == 0) return;  // root may read everything
  TempDirectory closed;
  chmod(closed.path().c_str(), 0);
  auto unreadable = Broker::open(options_in(closed.path()), metrics);
  chmod(closed.path().c_str(), 0700);
  ASSERT_FALSE(unreadable.ok());
  EXPECT_EQ(unreadable.error().code, ErrorCode::kPermissionDenied);
}

TEST_F(BrokerTest, NonsenseIsNotAppended) {
  auto p = topic("t", {{"max.message.bytes", "1000"}, {"message.timestamp.before.max.ms", "1h"}});
  auto code = [&](const record::Batch& batch) {
    auto result = produce(*p, batch);
    return result.ok() ? std::nullopt : std::optional(result.error().code);
  };
  int64_t now_ms = os::system_clock().wall_ms();
  EXPECT_EQ(code(batch_of({"x"}, now_ms)), std::nullopt);
  EXPECT_EQ(code(batch_of({std::string(2000, 'x')}, now_ms)), ErrorCode::kTooLarge);
  EXPECT_EQ(code(batch_of({"x"}, now_ms + 7200000)), ErrorCode::kOutOfRange);
  EXPECT_EQ(code(batch_of({"x"}, now_ms - 7200000)), ErrorCode::kOutOfRange);
  EXPECT_EQ(code(record::end_transaction_marker(record::ControlType::kCommit, ProducerId(1), 0, 0, now_ms)),
            ErrorCode::kInvalidArgument);
  record::BatchBuilder gap;
  gap.add_at(Offset(0), now_ms, "k", "v");
  gap.add_at(Offset(5), now_ms, "k", "v");
  EXPECT_EQ(code(gap.finish()), ErrorCode::kInvalidArgument);
  EXPECT_EQ(answer_of<Result<Produced>>([&](auto done) { p->produce({}, done); }).error().code,
            ErrorCode::kInvalidArgument);
  EXPECT_EQ(p->high_watermark(), Offset(1));
}

/// The latest time that the header of what `partition` stores of `batch` tells.
int64_t stored_max_timestamp(Partition& partition, const record::Batch& batch) {
  auto produced = produce(partition, batch);
  EXPECT_TRUE(produced.ok());
  auto data = partition.read(produced->base_offset, 1 << 20, bus::Isolation::kReadUncommitted);
  auto stored = record::split_batches(data->batches, false);
  EXPECT_TRUE(stored->at(0).check_crc().ok());
  return stored->at(0).header().max_timestamp_ms;
}

record::Batch batch_at(const std::vector<int64_t>& times_ms, codec::Compression codec = codec::Compression::kNone) {
  record::BatchBuilder builder(codec);
  for (int64_t time_ms : times_ms) builder.add(time_ms, "key", "value");
  return builder.finish();
}

TEST_F(BrokerTest, ABatchTellsTheLatestTimeOfItsRecordsWhateverItsProducerSays) {
  auto p = topic("t");
  auto batch = batch_at({5000, 9000, 7000});
  for (int64_t told : {5000, 9000, 0, -1, 12000})
    EXPECT_EQ(stored_max_timestamp(*p, record::with_max_timestamp(batch, told)), 9000) << told;
  EXPECT_EQ(stored_max_timestamp(*p, record::with_max_timestamp(batch_at({-7, -1}), 8000)), -1);
  auto found = p->log().offset_for_timestamp(8000);
  ASSERT_TRUE(found.ok());
  EXPECT_EQ((*found)->offset, Offset(1)) << "in the first batch";
  EXPECT_EQ(values_in(*p).size(), 17u);
}

TEST_F(BrokerTest, ACompressedBatchIsNotOpenedForItsTimesAlone) {
  auto understated = record::with_max_timestamp(batch_at({5000, 9000}, codec::Compression::kLz4), 5000);
  EXPECT_EQ(stored_max_timestamp(*topic("believed"), understated), 5000);
  EXPECT_EQ(stored_max_timestamp(*topic("compacted", {{"cleanup.policy", "compact"}}), understated), 9000);
  EXPECT_EQ(stored_max_timestamp(*topic("plain", {{"compression.type", "uncompressed"}}), understated), 9000);
}

TEST_F(BrokerTest, ACompactedTopicWantsKeys) {
  auto p = topic("t", {{"cleanup.policy", "compact"}});
  record::BatchBuilder builder;
  builder.add(1700000000000, std::nullopt, "v");
  EXPECT_EQ(produce(*p, builder.finish()).error().code, ErrorCode::kInvalidArgument);
  EXPECT_TRUE(produce(*p, batch_of({"v"})).ok());
}

/// A small batch that decompresses to more than the broker opens.
record::Batch bomb(codec::Compression codec, int64_t timestamp_ms) {
  record::BatchBuilder builder(codec);
  builder.add(timestamp_ms, "key", std::string(65 << 20, '0'));
  return builder.finish();
}

TEST_F(BrokerTest, BombsAreRefusedWhereTheirRecordsHaveToBeRead) {
  int64_t now_ms = os::system_clock().wall_ms();
  std::vector<std::shared_ptr<Partition>> topics = {
      topic("compacted", {{"cleanup.policy", "compact"}, {"max.message.bytes", "10000000"}}),
      topic("recompressed", {{"compression.type", "snappy"}, {"max.message.bytes", "10000000"}}),
      topic("timed", {{"message.timestamp.before.max.ms", "3600000"}, {"max.message.bytes", "10000000"}})};
  for (auto codec : {codec::Compression::kGzip, codec::Compression::kLz4, codec::Compression::kZstd}) {
    record::Batch batch = bomb(codec, now_ms);
    for (const auto& p : topics) {
      auto result = produce(*p, batch);
      ASSERT_FALSE(result.ok()) << to_string(p->tp()) << " " << codec::to_string(codec);
      EXPECT_EQ(result.error().code, ErrorCode::kTooLarge) << result.error().message;
    }
  }
}

TEST_F(BrokerTest, ABombThatNobodyHasToReadIsKeptAsItCame) {
  auto p = topic("t");
  record::Batch batch = bomb(codec::Compression::kZstd, 1'700'000'000'000);
  ASSERT_TRUE(produce(*p, batch).ok());
  auto data = p->read(Offset(0), 1 << 20, bus::Isolation::kReadCommitted);
  ASSERT_TRUE(data.ok());
  EXPECT_EQ(data->batches.size(), batch.size());
}

TEST_F(BrokerTest, AnAcknowledgedBatchIsBelowTheHighWatermark) {
  auto p = topic("t");
  for (int i = 0; i < 20; ++i) {
    auto answer = produce(*p, batch_of({"x"}));
    ASSERT_TRUE(answer.ok());
    EXPECT_GT(p->high_watermark(), answer->base_offset);
    EXPECT_GE(p->log().durable_end(), p->high_watermark());
  }
}

TEST_F(BrokerTest, ManyProducersShareAFlush) {
  auto p = topic("t");
  constexpr int kThreads = 8, kEach = 100;
  std::atomic<int> acknowledged{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      std::vector<std::future<Result<Produced>>> answers;
      for (int i = 0; i < kEach; ++i) {
        auto promise = std::make_shared<std::promise<Result<Produced>>>();
        answers.push_back(promise->get_future());
        record::Batch batch = batch_of({"x"});
        p->produce(std::span(&batch, 1), [promise](Result<Produced> r) { promise->set_value(std::move(r)); });
      }
      for (auto& answer : answers) acknowledged += answer.get().ok();
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(acknowledged, kThreads * kEach);
  EXPECT_EQ(p->high_watermark(), Offset(kThreads * kEach));
  EXPECT_LT(p->log().stats().flushes, kThreads * kEach);
}

TEST_F(BrokerTest, FlushOsAnswersInsideTheCall) {
  auto p = topic("t", {{"flush", "os"}});
  bool answered = false;
  record::Batch batch = batch_of({"x"});
  p->produce(std::span(&batch, 1), [&](Result<Produced> r) { answered = r.ok(); });
  EXPECT_TRUE(answered);
  EXPECT_EQ(p->high_watermark(), Offset(1));
}

TEST_F(BrokerTest, RecordsOfTransactionsAreOnTheDiskBeforeTheyAreAcknowledgedWhateverTheTopicSays) {
  auto p = topic("t", {{"flush", "os"}});
  auto identity = broker_->transactions().new_producer_id();
  ASSERT_TRUE(identity.ok());
  auto batch = record::with_producer(batch_of({"x"}),
                                     {.id = identity->id, .epoch = 0, .base_sequence = 0, .transactional = true});
  ASSERT_TRUE(produce(*p, batch).ok());
  EXPECT_EQ(p->log().durable_end(), Offset(1));
}

TEST_F(BrokerTest, WhatCoordinatorsPromiseIsAlwaysOnTheDisk) {
  for (std::string_view internal : {kOffsetsTopic, kTransactionsTopic}) {
    EXPECT_EQ(broker_->alter_configs(internal, {{"flush", "os"}}).error().code, ErrorCode::kInvalidArgument);
    EXPECT_TRUE(broker_->alter_configs(internal, {{"flush", "commit"}}).ok());
  }
}

TEST_F(BrokerTest, FlushIntervalReachesTheDiskByItself) {
  auto p = topic("t", {{"flush", "interval"}, {"flush.ms", "20"}});
  ASSERT_TRUE(produce(*p, batch_of({"x"})).ok());
  auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (p->log().durable_end() < Offset(1)) {
    ASSERT_LT(std::chrono::steady_clock::now(), deadline);
    std::this_thread::yield();
  }
}

TEST_F(BrokerTest, AnIdempotentProducersRetryIsNotAppendedTwice) {
  auto p = topic("t");
  auto identity = broker_->transactions().new_producer_id();
  ASSERT_TRUE(identity.ok());
  auto numbered = [&](int32_t sequence) {
    return record::with_producer(batch_of({"x"}), {.id = identity->id, .epoch = 0, .base_sequence = sequence});
  };
  ASSERT_TRUE(produce(*p, numbered(0)).ok());
  auto again = produce(*p, numbered(0));
  ASSERT_TRUE(again.ok());
  EXPECT_TRUE(again->duplicate);
  EXPECT_EQ(again->base_offset, Offset(0));
  EXPECT_EQ(produce(*p, numbered(5)).error().code, ErrorCode::kOutOfOrder);
  restart();
  EXPECT_TRUE(produce(*partition("t"), numbered(0))->duplicate);
  EXPECT_TRUE(produce(*partition("t"), numbered(1)).ok());
}

TEST_F(BrokerTest, ProducerIdsAreNeverGivenTwice) {
  std::set<int64_t> ids;
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 1500; ++i) EXPECT_TRUE(ids.insert(broker_->transactions().new_producer_id()->id.value).second);
    restart();
  }
}

TEST_F(BrokerTest, AWaiterFiresOnceWhenEnoughIsThere) {
  auto p = topic("t");
  std::promise<void> one;
  std::atomic<int> fired{0};
  auto waiter = std::make_shared<DataWaiter>(1, [&] {
    ++fired;
    one.set_value();
  });
  p->add_waiter(waiter, Offset(0), bus::Isolation::kReadUncommitted);
  EXPECT_EQ(fired, 0);
  ASSERT_TRUE(produce(*p, batch_of({"x"})).ok());
  one.get_future().wait();
  ASSERT_TRUE(produce(*p, batch_of({"x"})).ok());
  EXPECT_EQ(fired, 1);

  std::promise<void> late;
  p->add_waiter(std::make_shared<DataWaiter>(1, [&] { late.set_value(); }), Offset(0), bus::Isolation::kReadCommitted);
  late.get_future().wait();  // what it waits for is there already

  std::promise<void> large;
  std::atomic<bool> large_fired{false};
  p->add_waiter(std::make_shared<DataWaiter>(10000, [&] { large_fired = true, large.set_value(); }), Offset(2),
                bus::Isolation::kReadUncommitted);
  ASSERT_TRUE(produce(*p, batch_of({"small"})).ok());
  EXPECT_FALSE(large_fired);
  ASSERT_TRUE(produce(*p, batch_of({std::string(10000, 'x')})).ok());
  large.get_future().wait();
}

TEST_F(BrokerTest, DeletingATopicFreesWhoWaits) {
  auto p = topic("t");
  std::promise<void> freed;
  p->add_waiter(std::make_shared<DataWaiter>(1, [&] { freed.set_value(); }), Offset(0), bus::Isolation::kReadCommitted);
  ASSERT_TRUE(broker_->delete_topic("t").ok());
  freed.get_future().wait();
}

TEST_F(BrokerTest, CommittedOffsetsSurviveARestart) {
  topic("t");
  EXPECT_THAT(commit("g", "t", 5), ElementsAre(CoordinatorError::kNone));
  EXPECT_THAT(commit("g", "t", 6), ElementsAre(CoordinatorError::kNone));
  EXPECT_THAT(commit("g", "nowhere", 6), ElementsAre(CoordinatorError::kUnknownTopicOrPartition));
  restart();
  EXPECT_EQ(committed("g", "t"), 6);
  EXPECT_EQ(broker_->groups().fetch("g", {{{"t", PartitionId(0)}}}, false)[0].offset.metadata, "m");
  EXPECT_EQ(broker_->groups().fetch("g", std::nullopt, false).size(), 1u);
  EXPECT_EQ(broker_->groups().describe("g").state, GroupState::kEmpty);
  EXPECT_EQ(broker_->groups().list().size(), 1u);
}

TEST_F(BrokerTest, DeletedGroupsAndOffsetsStayDeleted) {
  topic("t");
  commit("a", "t", 1);
  commit("b", "t", 2);
  EXPECT_THAT(answer_of<CommitAnswer>([&](auto done) {
                broker_->groups().delete_offsets("b", {{"t", PartitionId(0)}}, done);
              }),
              ElementsAre(CoordinatorError::kNone));
  auto remove = [&](const char* group) {
    return answer_of<CoordinatorError>([&](auto done) { broker_->groups().remove(group, done); });
  };
  EXPECT_EQ(remove("a"), CoordinatorError::kNone);
  EXPECT_EQ(remove("never"), CoordinatorError::kGroupIdNotFound);
  restart();
  EXPECT_EQ(committed("a", "t"), -1);
  EXPECT_EQ(committed("b", "t"), -1);
}

TEST_F(BrokerTest, AMembersGroupSurvivesARestart) {
  topic("t");
  JoinGroupRequest request{.group_id = "g", .protocol_type = "consumer", .protocols = {{"range", {1}}}};
  request.require_known_member_id = false;
  auto joined = answer_of<JoinGroupAnswer>([&](auto done) { broker_->groups().join(request, done); });
  ASSERT_EQ(joined.error, CoordinatorError::kNone);
  auto synced = answer_of<SyncGroupAnswer>([&](auto done) {
    broker_->groups().sync({.group_id = "g",
                            .generation = joined.generation,
                            .member_id = joined.member_id,
                            .assignments = {{joined.member_id, {7}}}},
                           done);
  });
  EXPECT_THAT(synced.assignment, ElementsAre(7));
  restart();
  EXPECT_EQ(broker_->groups().describe("g").state, GroupState::kStable);
  GroupCaller caller{"g", joined.generation, joined.member_id, std::nullopt};
  EXPECT_EQ(broker_->groups().heartbeat(caller), CoordinatorError::kNone);
  auto committed_by_member = answer_of<CommitAnswer>([&](auto done) {
    broker_->groups().commit(caller, {{{"t", PartitionId(0)}, {.offset = Offset(3)}}}, done);
  });
  EXPECT_THAT(committed_by_member, ElementsAre(CoordinatorError::kNone));
  EXPECT_EQ(commit("g", "t", 1)[0], CoordinatorError::kUnknownMember);
}

TEST_F(BrokerTest, TheOffsetsLogIsWrittenAnewWhenItHasGrown) {
  topic("t");
  auto log_size = [&] { return broker_->topic("__consumer_offsets")->partitions[0]->log().size_bytes(); };
  std::vector<OffsetToCommit> many(400,
                                   {{"t", PartitionId(0)}, {.offset = Offset(1), .metadata = std::string(4000, 'm')}});
  int64_t largest = 0;
  for (int i = 0; i < 30; ++i) {
    many.back().offset.offset = Offset(i);
    answer_of<CommitAnswer>([&](auto done) { broker_->groups().commit({.group_id = "g"}, many, done); });
    largest = std::max(largest, log_size());
  }
  EXPECT_GT(largest, 16 << 20);
  EXPECT_LT(largest, 40 << 20);
  restart();
  EXPECT_EQ(committed("g", "t"), 29);
}

TEST_F(BrokerTest, AnOpenTransactionHoldsUpTheLogOfItsOwnGroupOnly) {
  TempDirectory fresh;
  options_.data_directory = fresh.path();
  options_.offsets_partitions = 2;
  options_.coordinator_rewrite_bytes_min = 6000;
  restart();
  topic("t");
  std::string groups[2];
  for (char name = 'a'; groups[0].empty() || groups[1].empty(); ++name) {
    groups[coordinator_partition(std::string(1, name), 2)] = name;
  }
  auto me = answer_of<IdentityAnswer>([&](auto done) {
              broker_->transactions().init("tx", std::chrono::minutes(1), std::nullopt, done);
            }).producer;
  ASSERT_EQ(answer_of<CoordinatorError>(
                [&](auto done) { broker_->transactions().add_offsets("tx", me, groups[0], Joined::kOnDisk, done); }),
            CoordinatorError::kNone);
  auto pending = answer_of<CommitAnswer>([&](auto done) {
    broker_->groups().commit_in_transaction({.group_id = groups[0]}, "tx", {.id = me.id, .epoch = me.epoch},
                                            {{{"t", PartitionId(0)}, {.offset = Offset(1)}}}, done);
  });
  ASSERT_EQ(pending[0], CoordinatorError::kNone);
  for (int i = 0; i < 200; ++i) {
    for (const std::string& group : groups) ASSERT_EQ(commit(group, "t", i)[0], CoordinatorError::kNone);
  }
  EXPECT_EQ(broker_->partition({"__consumer_offsets", PartitionId(0)})->log_start(), Offset(0));
  EXPECT_GT(broker_->partition({"__consumer_offsets", PartitionId(1)})->log_start(), Offset(0));
  broker_.reset();
}

TEST_F(BrokerTest, RetentionRemovesWhatIsOld) {
  auto p = topic("t", {{"segment.bytes", "4096"}, {"retention.bytes", "8192"}});
  for (int i = 0; i < 50; ++i) ASSERT_TRUE(produce(*p, batch_of({std::string(1000, 'x')})).ok());
  EXPECT_GT(broker_->apply_retention(), 0);
  EXPECT_GT(p->log_start(), Offset(0));
  EXPECT_LT(p->log().size_bytes(), 20000);
}

TEST_F(BrokerTest, MetricsCountRecordsAndBytes) {
  record::Batch batch = batch_of({"a", "b", "c"});
  ASSERT_TRUE(produce(*topic("t"), batch).ok());
  auto value_of = [&](std::string_view name) -> int64_t {
    for (const auto& sample : metrics_.samples()) {
      auto label = sample.labels.find("topic");
      if (sample.name == name && label != sample.labels.end() && label->second == "t") return sample.value;
    }
    return -1;
  };
  EXPECT_EQ(value_of("headrace_topic_records_in_total"), 3);
  EXPECT_EQ(value_of("headrace_topic_in_bytes_total"), static_cast<int64_t>(batch.size()));
}

TEST_F(BrokerTest, ClosingAnswersEverybody) {
  auto p = topic("t");
  std::atomic<int> answered{0};
  for (int i = 0; i < 100; ++i) {
    record::Batch batch = batch_of({"x"});
    p->produce(std::span(&batch, 1), [&](Result<Produced>) { ++answered; });
  }
  broker_.reset();
  EXPECT_EQ(answered, 100);
  EXPECT_EQ(produce(*p, batch_of({"late"})).error().code, ErrorCode::kClosed);
}

}  // namespace
}  // namespace headrace::broker
