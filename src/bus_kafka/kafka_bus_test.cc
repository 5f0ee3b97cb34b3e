#include "bus_kafka/kafka_bus.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <future>
#include <random>
#include <thread>

#include "bus_kafka/internal/handle.h"
#include "record/batch_builder.h"

namespace headrace::bus_kafka {
namespace {

using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""s;
using std::chrono_literals::operator""min;

record::Batch batch_of(std::vector<std::string> values) {
  record::BatchBuilder builder;
  for (const std::string& value : values) builder.add(1'700'000'000'000, "key of " + value, value);
  return builder.finish();
}

TEST(KafkaBusProperties, AnUnknownOneIsNamed) {
  auto bus = connect({{"bootstrap.servers", "localhost:1"}, {"no.such.property", "1"}});
  ASSERT_FALSE(bus.ok());
  EXPECT_EQ(bus.error().code, ErrorCode::kInvalidArgument);
  EXPECT_NE(bus.error().message.find("no.such.property"), std::string::npos) << bus.error().message;
}

TEST(KafkaBusProperties, AWrongValueIsNamed) {
  auto bus = connect({{"bootstrap.servers", "localhost:1"}, {"linger.ms", "soon"}});
  ASSERT_FALSE(bus.ok());
  EXPECT_NE(bus.error().message.find("linger.ms"), std::string::npos) << bus.error().message;
}

TEST(KafkaBusProperties, BootstrapServersAreRequired) {
  auto bus = connect({});
  ASSERT_FALSE(bus.ok());
  EXPECT_NE(bus.error().message.find("bootstrap.servers"), std::string::npos);
}

TEST(KafkaBusErrors, EveryCodeOfTheLibraryHasOneOfOurs) {
  const rd_kafka_err_desc* descriptions = nullptr;
  size_t count = 0;
  rd_kafka_get_err_descs(&descriptions, &count);
  ASSERT_GT(count, 100u);
  for (size_t i = 0; i < count; ++i)
    EXPECT_NE(to_string(error_code(descriptions[i].code)), "unknown") << descriptions[i].name;
  EXPECT_EQ(error_code(RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART), ErrorCode::kNotFound);
  EXPECT_EQ(error_code(RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION), ErrorCode::kUnavailable);
  EXPECT_EQ(error_code(RD_KAFKA_RESP_ERR_PRODUCER_FENCED), ErrorCode::kFenced);
}

/// Tests on the cluster that HEADRACE_TEST_KAFKA names as host:port[,host:port...]; tests/servers/test_kafka_bus.py
/// starts one and runs them.
class KafkaBus : public testing::Test {
 protected:
  void SetUp() override {
    const char* servers = std::getenv("HEADRACE_TEST_KAFKA");
    if (servers == nullptr) GTEST_SKIP() << "HEADRACE_TEST_KAFKA names no cluster";
    auto bus = connect({{"bootstrap.servers", servers}});
    ASSERT_TRUE(bus.ok()) << bus.error().message;
    bus_ = *std::move(bus);
    topic_ = "t-" + std::to_string(std::random_device()());
  }

  void create(int32_t partitions, std::map<std::string, std::string> configs = {}) {
    auto status = bus_->admin().create_topic({.name = topic_, .partitions = partitions, .configs = std::move(configs)});
    ASSERT_TRUE(status.ok()) << status.error().message;
  }
  Result<bus::Appended> produce(bus::Producer& producer, PartitionId partition, record::Batch batch,
                                std::string topic = "") {
    auto answered = std::make_shared<std::promise<Result<bus::Appended>>>();
    producer.produce({topic.empty() ? topic_ : topic, partition}, std::move(batch),
                     [answered](Result<bus::Appended> answer) { answered->set_value(std::move(answer)); });
    return answered->get_future().get();
  }
  std::unique_ptr<bus::Producer> producer(bus::ProducerOptions options = {}) {
    auto made = bus_->producer(options);
    EXPECT_TRUE(made.ok());
    return *std::move(made);
  }
  std::unique_ptr<bus::Consumer> consumer(bus::Isolation isolation = bus::Isolation::kReadCommitted) {
    auto made = bus_->consumer({.isolation = isolation});
    EXPECT_TRUE(made.ok());
    return *std::move(made);
  }

  struct Read {
    std::vector<std::pair<int64_t, std::string>> records;  ///< Offset and value.
    std::map<TopicPartition, Offset> positions;
    std::vector<std::pair<TopicPartition, int64_t>> skipped;
  };
  /// Polls until `enough` or the patience of a test ends.
  template <typename Enough>
  Read read(bus::Consumer& consumer, Enough enough) {
    Read read;
    auto deadline = std::chrono::steady_clock::now() + 30s;
    while (!enough(read) && std::chrono::steady_clock::now() < deadline) {
      auto polled = consumer.poll(500ms);
      if (!polled.ok()) continue;
      for (const bus::FetchedBatch& fetched : polled->batches) {
        record::RecordReader reader(fetched.batch, 1 << 20);
        while (const auto* record = reader.next())
          read.records.emplace_back(record->offset.value, std::string(record->value.value_or("null")));
        EXPECT_TRUE(reader.status().ok());
      }
      for (const auto& position : polled->positions) read.positions[position.tp] = position.next;
      for (const auto& skipped : polled->skipped) read.skipped.push_back(skipped);
    }
    return read;
  }

  std::unique_ptr<bus::Bus> bus_;
  std::string topic_;
};

TEST_F(KafkaBus, AnswersABatchWithTheOffsetOfItsFirstRecord) {
  create(2);
  auto p = producer();
  auto first = produce(*p, PartitionId(1), batch_of({"a", "b", "c"}));
  auto second = produce(*p, PartitionId(1), batch_of({"d"}));
  ASSERT_TRUE(first.ok() && second.ok());
  EXPECT_EQ(first->base_offset, Offset(0));
  EXPECT_EQ(second->base_offset, Offset(3));
}

TEST_F(KafkaBus, KeepsKeysValuesTimestampsHeadersAndOffsets) {
  create(1);
  record::BatchBuilder builder;
  std::vector<record::Header> headers{{"h", "v"}, {"null", std::nullopt}, {"empty", ""}};
  builder.add(1'700'000'000'123, std::nullopt, "no key");
  builder.add(1'700'000'000'124, "tombstone", std::nullopt, headers);
  builder.add(1'700'000'000'125, "", "");
  auto p = producer();
  ASSERT_TRUE(produce(*p, PartitionId(0), builder.finish()).ok());
  auto c = consumer();
  ASSERT_TRUE(c->assign({{{topic_, PartitionId(0)}, Offset(0)}}).ok());
  std::vector<record::Batch> batches;
  int64_t count = 0;
  for (int i = 0; i < 60 && count < 3; ++i) {
    auto polled = c->poll(500ms);
    ASSERT_TRUE(polled.ok()) << polled.error().message;
    for (auto& fetched : polled->batches) {
      count += fetched.batch.header().record_count;
      batches.push_back(std::move(fetched.batch));
    }
  }
  ASSERT_EQ(batches.size(), 1u);
  record::RecordReader reader(batches[0], 1 << 20);
  const auto* record = reader.next();
  ASSERT_NE(record, nullptr);
  EXPECT_EQ(record->offset, Offset(0));
  EXPECT_EQ(record->timestamp_ms, 1'700'000'000'123);
  EXPECT_FALSE(record->key);
  EXPECT_EQ(record->value, "no key");
  record = reader.next();
  ASSERT_NE(record, nullptr);
  EXPECT_EQ(record->key, "tombstone");
  EXPECT_FALSE(record->value);
  ASSERT_EQ(record->headers.size(), 3u);
  EXPECT_EQ(record->headers[0].value, "v");
  EXPECT_FALSE(record->headers[1].value);
  EXPECT_EQ(record->headers[2].value, "");
  record = reader.next();
  ASSERT_NE(record, nullptr);
  EXPECT_EQ(record->offset, Offset(2));
  EXPECT_EQ(record->timestamp_ms, 1'700'000'000'125);
  EXPECT_EQ(record->key, "");
  EXPECT_EQ(record->value, "");
}

TEST_F(KafkaBus, AnUnknownTopicOrPartitionIsNotFoundAndNotCreated) {
  create(1);
  auto p = producer();
  auto partition = produce(*p, PartitionId(7), batch_of({"a"}));
  ASSERT_FALSE(partition.ok());
  EXPECT_EQ(partition.error().code, ErrorCode::kNotFound) << partition.error().message;
  std::string other = topic_ + "-unknown";
  auto topic = produce(*p, PartitionId(0), batch_of({"a"}), other);
  ASSERT_FALSE(topic.ok());
  EXPECT_EQ(topic.error().code, ErrorCode::kNotFound) << topic.error().message;
  auto count = bus_->admin().partition_count(other);
  ASSERT_FALSE(count.ok());
  EXPECT_EQ(count.error().code, ErrorCode::kNotFound) << count.error().message;
}

TEST_F(KafkaBus, RefusesAtOnceWhatIsOverItsBoundInFlight) {
  create(1);
  auto p = producer({.in_flight_bytes_max = 1});
  std::atomic<int> accepted{0}, refused{0};
  for (int i = 0; i < 200; ++i) {
    p->produce({topic_, PartitionId(0)}, batch_of({"x"}), [&](Result<bus::Appended> answer) {
      if (answer.ok()) {
        ++accepted;
      } else {
        EXPECT_EQ(answer.error().code, ErrorCode::kUnavailable);
        ++refused;
      }
    });
  }
  p.reset();
  EXPECT_EQ(accepted + refused, 200);
  EXPECT_GT(accepted, 0);
  EXPECT_GT(refused, 0);
}

TEST_F(KafkaBus, ARecordOverTheTopicsLimitIsTooLargeAndOthersGoOn) {
  create(1, {{"max.message.bytes", "10000"}});
  auto p = producer();
  auto large = produce(*p, PartitionId(0), batch_of({std::string(20'000, 'x')}));
  ASSERT_FALSE(large.ok());
  EXPECT_EQ(large.error().code, ErrorCode::kTooLarge) << large.error().message;
  auto small = produce(*p, PartitionId(0), batch_of({"x"}));
  EXPECT_TRUE(small.ok()) << small.error().message;
}

TEST_F(KafkaBus, ReadCommittedSeesWholeTransactionsAndItsPositionPassesTheirMarkers) {
  create(1);
  TopicPartition tp{topic_, PartitionId(0)};
  auto made = bus_->transactional_producer("txn-" + topic_);
  ASSERT_TRUE(made.ok()) << made.error().message;
  bus::TransactionalProducer& txn = **made;
  auto uncommitted = consumer(bus::Isolation::kReadUncommitted);
  ASSERT_TRUE(uncommitted->assign({{tp, Offset(0)}}).ok());
  ASSERT_TRUE(txn.begin().ok());
  ASSERT_TRUE(txn.produce(tp, batch_of({"kept"})).ok());
  ASSERT_TRUE(txn.commit().ok());
  ASSERT_TRUE(txn.begin().ok());
  ASSERT_TRUE(txn.produce(tp, batch_of({"dropped"})).ok());
  Read all = read(*uncommitted, [](const Read& r) { return r.records.size() >= 2; });
  EXPECT_THAT(all.records, testing::ElementsAre(testing::Pair(0, "kept"), testing::Pair(2, "dropped")));
  auto status = txn.abort();
  ASSERT_TRUE(status.ok()) << status.error().message;
  auto c = consumer();
  ASSERT_TRUE(c->assign({{tp, Offset(0)}}).ok());
  // kept at 0, its commit marker at 1, dropped at 2, its abort marker at 3.
  Read committed = read(*c, [&](const Read& r) { return r.positions.contains(tp) && r.positions.at(tp) == Offset(4); });
  EXPECT_EQ(committed.positions.at(tp), Offset(4));
  EXPECT_THAT(committed.records, testing::ElementsAre(testing::Pair(0, "kept")));
}

TEST_F(KafkaBus, PositionsCommitWithTheTransactionOrNotAtAll) {
  create(1);
  TopicPartition tp{topic_, PartitionId(0)};
  std::string group = "g-" + topic_;
  auto made = bus_->transactional_producer("txn-" + topic_);
  ASSERT_TRUE(made.ok()) << made.error().message;
  auto positions = [&] {
    auto committed = bus_->admin().committed(group, {tp});
    EXPECT_TRUE(committed.ok()) << committed.error().message;
    return *std::move(committed);
  };
  auto run = [&](int64_t offset, bool commit) {
    ASSERT_TRUE((*made)->begin().ok());
    ASSERT_TRUE((*made)->produce(tp, batch_of({"x"})).ok());
    auto added = (*made)->commit_positions(group, {{tp, Offset(offset)}});
    ASSERT_TRUE(added.ok()) << added.error().message;
    auto status = commit ? (*made)->commit() : (*made)->abort();
    ASSERT_TRUE(status.ok()) << status.error().message;
  };
  EXPECT_TRUE(positions().empty());
  run(5, false);
  EXPECT_TRUE(positions().empty());
  run(7, true);
  EXPECT_THAT(positions(), testing::ElementsAre(bus::Position{tp, Offset(7)}));
}

TEST_F(KafkaBus, ANewerProducerWithTheSameIdFencesTheOlder) {
  create(1);
  TopicPartition tp{topic_, PartitionId(0)};
  auto older = bus_->transactional_producer("txn-" + topic_);
  ASSERT_TRUE(older.ok());
  ASSERT_TRUE((*older)->begin().ok());
  ASSERT_TRUE((*older)->produce(tp, batch_of({"old"})).ok());
  auto newer = bus_->transactional_producer("txn-" + topic_);
  ASSERT_TRUE(newer.ok());
  auto status = (*older)->commit();
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().code, ErrorCode::kFenced) << status.error().message;
  ASSERT_TRUE((*newer)->begin().ok());
  ASSERT_TRUE((*newer)->produce(tp, batch_of({"new"})).ok());
  EXPECT_TRUE((*newer)->commit().ok());
}

TEST_F(KafkaBus, ATransactionThatTimedOutIsDoneAgainByANewProducer) {
  create(1);
  TopicPartition tp{topic_, PartitionId(0)};
  auto bus = connect({{"bootstrap.servers", std::getenv("HEADRACE_TEST_KAFKA")},
                      {"transaction.timeout.ms", "1000"},
                      {"message.timeout.ms", "1000"}});
  ASSERT_TRUE(bus.ok()) << bus.error().message;
  auto late = (*bus)->transactional_producer("txn-" + topic_);
  ASSERT_TRUE(late.ok()) << late.error().message;
  ASSERT_TRUE((*late)->begin().ok());
  ASSERT_TRUE((*late)->produce(tp, batch_of({"late"})).ok());
  auto committed = consumer();
  ASSERT_TRUE(committed->assign({{tp, Offset(0)}}).ok());
  // The record at 0 and the marker with which the cluster aborts at 1; it looks every ten seconds.
  read(*committed, [&](const Read& r) { return r.positions.contains(tp) && r.positions.at(tp) == Offset(2); });
  auto status = (*late)->commit();
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().code, ErrorCode::kUnavailable) << status.error().message;
  auto next = bus_->transactional_producer("txn-" + topic_);
  ASSERT_TRUE(next.ok()) << next.error().message;
  ASSERT_TRUE((*next)->begin().ok());
  ASSERT_TRUE((*next)->produce(tp, batch_of({"again"})).ok());
  EXPECT_TRUE((*next)->commit().ok());
  Read all = read(*committed, [](const Read& r) { return !r.records.empty(); });
  EXPECT_THAT(all.records, testing::ElementsAre(testing::Pair(2, "again")));
}

TEST_F(KafkaBus, TopicsAreCreatedDescribedGrownAndDeleted) {
  create(2, {{"retention.ms", "3600000"}});
  bus::Admin& admin = bus_->admin();
  auto again = admin.create_topic({.name = topic_});
  ASSERT_FALSE(again.ok());
  EXPECT_EQ(again.error().code, ErrorCode::kAlreadyExists) << again.error().message;
  auto wrong = admin.create_topic({.name = topic_ + "x", .configs = {{"retention.ms", "often"}}});
  ASSERT_FALSE(wrong.ok());
  EXPECT_EQ(wrong.error().code, ErrorCode::kInvalidArgument) << wrong.error().message;
  auto info = admin.topic(topic_);
  ASSERT_TRUE(info.ok()) << info.error().message;
  EXPECT_EQ(info->partitions.size(), 2u);
  EXPECT_EQ(info->configs.at("retention.ms"), "3600000");
  ASSERT_TRUE(admin.create_partitions(topic_, 4).ok());
  EXPECT_EQ(*admin.partition_count(topic_), 4);
  auto all = admin.topics();
  ASSERT_TRUE(all.ok()) << all.error().message;
  EXPECT_TRUE(std::any_of(all->begin(), all->end(), [&](const auto& t) { return t.name == topic_; }));
  ASSERT_TRUE(admin.delete_topic(topic_).ok());
  auto gone = admin.delete_topic(topic_);
  ASSERT_FALSE(gone.ok());
  EXPECT_EQ(gone.error().code, ErrorCode::kNotFound) << gone.error().message;
}

TEST_F(KafkaBus, OffsetsAreFoundByTheirEndsAndByTime) {
  create(2);
  auto p = producer();
  record::BatchBuilder builder;
  for (int i = 0; i < 5; ++i) builder.add(1'700'000'000'000 + i * 1000, std::nullopt, "v");
  ASSERT_TRUE(produce(*p, PartitionId(1), builder.finish()).ok());
  std::vector<TopicPartition> both{{topic_, PartitionId(0)}, {topic_, PartitionId(1)}};
  using Kind = bus::OffsetQuery::Kind;
  auto offsets = [&](bus::OffsetQuery query) {
    auto found = bus_->admin().offsets(both, query);
    EXPECT_TRUE(found.ok()) << found.error().message;
    return std::vector<int64_t>{found->at(0).next.value, found->at(1).next.value};
  };
  EXPECT_THAT(offsets({Kind::kEarliest}), testing::ElementsAre(0, 0));
  EXPECT_THAT(offsets({Kind::kLatest}), testing::ElementsAre(0, 5));
  EXPECT_THAT(offsets({Kind::kTimestamp, 1'700'000'002'500}), testing::ElementsAre(0, 3));
  EXPECT_THAT(offsets({Kind::kTimestamp, 1'800'000'000'000}), testing::ElementsAre(0, 5));
}

TEST_F(KafkaBus, PositionsOfAGroupWithoutMembersAreKept) {
  create(2);
  TopicPartition first{topic_, PartitionId(0)}, second{topic_, PartitionId(1)};
  std::string group = "g-" + topic_;
  auto status = bus_->admin().commit(group, {{first, Offset(3)}});
  ASSERT_TRUE(status.ok()) << status.error().message;
  auto committed = bus_->admin().committed(group, {first, second});
  ASSERT_TRUE(committed.ok()) << committed.error().message;
  EXPECT_THAT(*committed, testing::ElementsAre(bus::Position{first, Offset(3)}));
}

TEST_F(KafkaBus, APositionOutsideOfTheLogIsSetToItsStartAndTold) {
  create(1);
  TopicPartition tp{topic_, PartitionId(0)};
  auto p = producer();
  ASSERT_TRUE(produce(*p, PartitionId(0), batch_of({"a", "b"})).ok());
  auto c = consumer();
  ASSERT_TRUE(c->assign({{tp, Offset(50)}}).ok());
  Read found = read(*c, [](const Read& r) { return r.records.size() >= 2; });
  EXPECT_THAT(found.records, testing::ElementsAre(testing::Pair(0, "a"), testing::Pair(1, "b")));
  ASSERT_EQ(found.skipped.size(), 1u);
}

TEST_F(KafkaBus, ANewAssignmentReplacesTheOldOne) {
  create(2);
  auto p = producer();
  for (int i = 0; i < 2; ++i) ASSERT_TRUE(produce(*p, PartitionId(i), batch_of({"a", "b", "c"})).ok());
  auto c = consumer();
  ASSERT_TRUE(c->assign({{{topic_, PartitionId(0)}, Offset(0)}}).ok());
  EXPECT_EQ(read(*c, [](const Read& r) { return r.records.size() >= 3; }).records.size(), 3u);
  ASSERT_TRUE(c->assign({{{topic_, PartitionId(0)}, Offset(1)}, {{topic_, PartitionId(1)}, Offset(2)}}).ok());
  Read second = read(*c, [](const Read& r) { return r.records.size() >= 3; });
  EXPECT_THAT(second.records,
              testing::UnorderedElementsAre(testing::Pair(1, "b"), testing::Pair(2, "c"), testing::Pair(2, "c")));
  ASSERT_TRUE(c->assign({}).ok());
  auto nothing = c->poll(10ms);
  ASSERT_TRUE(nothing.ok());
  EXPECT_TRUE(nothing->batches.empty());
}

TEST_F(KafkaBus, WakeEndsAWaitingPollAndTheNextOne) {
  create(1);
  auto c = consumer();
  ASSERT_TRUE(c->assign({{{topic_, PartitionId(0)}, Offset(0)}}).ok());
  c->wake();
  EXPECT_TRUE(c->poll(10min).ok());
  std::thread waker([&] { c->wake(); });
  EXPECT_TRUE(c->poll(10min).ok());
  waker.join();
}

TEST_F(KafkaBus, ManyBatchesArriveInOrderWithinTheBytesOfAPoll) {
  create(1);
  auto p = producer();
  std::atomic<int> answered{0};
  constexpr int kBatches = 400;
  for (int i = 0; i < kBatches; ++i) {
    p->produce({topic_, PartitionId(0)}, batch_of({std::string(50'000, 'x'), std::to_string(i)}),
               [&](Result<bus::Appended> answer) {
                 EXPECT_TRUE(answer.ok());
                 ++answered;
               });
  }
  p.reset();
  ASSERT_EQ(answered, kBatches);
  auto made = bus_->consumer({.fetch_bytes_max = 1 << 20, .queue_bytes_max = 4 << 20});
  ASSERT_TRUE(made.ok());
  ASSERT_TRUE((*made)->assign({{{topic_, PartitionId(0)}, Offset(0)}}).ok());
  int64_t next = 0;
  auto deadline = std::chrono::steady_clock::now() + 30s;
  while (next < 2 * kBatches && std::chrono::steady_clock::now() < deadline) {
    auto polled = (*made)->poll(500ms);
    ASSERT_TRUE(polled.ok());
    for (const auto& fetched : polled->batches) {
      EXPECT_LE(fetched.batch.size(), 2u << 20);
      record::RecordReader reader(fetched.batch, 8 << 20);
      while (const auto* record = reader.next()) {
        ASSERT_EQ(record->offset.value, next);
        ++next;
      }
    }
  }
  EXPECT_EQ(next, 2 * kBatches);
}

}  // namespace
}  // namespace headrace::bus_kafka
