// The contract of the bus, as tests. An implementation's test file includes this header and names its factory:
//
//   INSTANTIATE_TEST_SUITE_P(Embedded, BusContract, testing::Values(BusFactory{"embedded", make_my_bus}), bus_name);
//
// Topics get names of their own, so a cluster that is there already will do.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <functional>
#include <future>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "bus/bus.h"
#include "record/batch_builder.h"

namespace headrace::bus {

/// A bus with all that it stands on; destroyed at the end of each test.
class BusUnderTest {
 public:
  virtual ~BusUnderTest() = default;
  virtual Bus& bus() = 0;
};

struct BusFactory {
  std::string name;
  std::function<std::unique_ptr<BusUnderTest>()> make;
};

inline std::string bus_name(const testing::TestParamInfo<BusFactory>& info) { return info.param.name; }

class BusContract : public testing::TestWithParam<BusFactory> {
 protected:
  static constexpr std::chrono::seconds kPatience{30};

  void SetUp() override { under_test_ = GetParam().make(); }
  Bus& bus() { return under_test_->bus(); }
  Admin& admin() { return bus().admin(); }

  std::string unique(std::string_view stem) {
    static std::atomic<int> counter{0};
    static const std::string run = std::to_string(std::random_device{}());
    return std::string(stem) + "-" + run + "-" + std::to_string(counter++);
  }
  std::string topic(int32_t partitions = 1, std::map<std::string, std::string> configs = {}) {
    std::string name = unique("contract");
    configs.emplace("retention.ms", "-1");  // The records are of 2023: a cluster's retention would take them.
    Status created = admin().create_topic({.name = name, .partitions = partitions, .configs = std::move(configs)});
    EXPECT_TRUE(created.ok()) << created.error().message;
    return name;
  }
  static TopicPartition at(const std::string& topic, int32_t partition = 0) { return {topic, PartitionId(partition)}; }

  static record::Batch batch(const std::vector<std::string>& values, int64_t timestamp_ms = 1700000000000,
                             codec::Compression compression = codec::Compression::kNone) {
    record::BatchBuilder builder(compression);
    for (const std::string& value : values) builder.add(timestamp_ms, "key", value);
    return builder.finish();
  }
  static Result<Appended> produce(Producer& producer, const TopicPartition& tp, record::Batch batch) {
    auto promise = std::make_shared<std::promise<Result<Appended>>>();
    auto future = promise->get_future();
    producer.produce(tp, std::move(batch),
                     [promise](Result<Appended> answer) { promise->set_value(std::move(answer)); });
    if (future.wait_for(kPatience) != std::future_status::ready)
      return Error{ErrorCode::kTimedOut, "no acknowledgement"};
    return future.get();
  }
  Result<Appended> produce(const TopicPartition& tp, const std::vector<std::string>& values,
                           int64_t timestamp_ms = 1700000000000) {
    auto producer = bus().producer({});
    if (!producer.ok()) return producer.error();
    return produce(**producer, tp, batch(values, timestamp_ms));
  }
  std::unique_ptr<Consumer> consumer(std::vector<Position> positions, Isolation isolation = Isolation::kReadCommitted) {
    auto made = bus().consumer({.isolation = isolation});
    EXPECT_TRUE(made.ok());
    Status assigned = (*made)->assign(std::move(positions));
    EXPECT_TRUE(assigned.ok()) << assigned.error().message;
    return *std::move(made);
  }

  /// Reads until `count` records from the positions on have come; "offset:value" in the order of arrival.
  static std::vector<std::string> read(Consumer& consumer, size_t count, std::vector<Position>* positions = nullptr,
                                       Offset from = Offset(0)) {
    std::vector<std::string> values;
    auto deadline = std::chrono::steady_clock::now() + kPatience;
    while (values.size() < count && std::chrono::steady_clock::now() < deadline) {
      auto result = consumer.poll(std::chrono::milliseconds(500));
      EXPECT_TRUE(result.ok()) << result.error().message;
      if (!result.ok()) break;
      for (const FetchedBatch& fetched : result->batches) {
        record::RecordReader reader(fetched.batch, 64 << 20);
        while (const record::RecordView* record = reader.next()) {
          if (record->offset >= from)
            values.push_back(std::to_string(record->offset.value) + ":" + std::string(*record->value));
        }
      }
      if (positions && !result->positions.empty()) *positions = result->positions;
    }
    return values;
  }
  /// What comes in a short while, when nothing should.
  static std::vector<std::string> read_what_is_there(Consumer& consumer) {
    std::vector<std::string> values;
    auto result = consumer.poll(std::chrono::milliseconds(300));
    if (!result.ok()) return {"error: " + result.error().message};
    for (const FetchedBatch& fetched : result->batches) {
      record::RecordReader reader(fetched.batch, 64 << 20);
      while (const record::RecordView* record = reader.next()) values.emplace_back(*record->value);
    }
    return values;
  }
  Offset committed(const std::string& group, const TopicPartition& tp) {
    auto positions = admin().committed(group, {tp});
    EXPECT_TRUE(positions.ok());
    return positions.ok() && !positions->empty() ? positions->front().next : kNoOffset;
  }
  std::unique_ptr<TransactionalProducer> transactional(const std::string& id) {
    auto made = bus().transactional_producer(id);
    EXPECT_TRUE(made.ok()) << made.error().message;
    return made.ok() ? *std::move(made) : nullptr;
  }

 private:
  std::unique_ptr<BusUnderTest> under_test_;
};

#define EXPECT_OK(expression)                                       \
  do {                                                              \
    auto result_of_it = (expression);                               \
    EXPECT_TRUE(result_of_it.ok()) << result_of_it.error().message; \
  } while (false)
#define EXPECT_ERROR(expression, expected_code)                                          \
  do {                                                                                   \
    auto result_of_it = (expression);                                                    \
    ASSERT_FALSE(result_of_it.ok());                                                     \
    EXPECT_EQ(result_of_it.error().code, expected_code) << result_of_it.error().message; \
  } while (false)

using testing::ElementsAre;
using testing::IsEmpty;

TEST_P(BusContract, RecordsComeBackInOrderWithTheOffsetsThatWereAcknowledged) {
  TopicPartition tp = at(topic());
  auto producer = *bus().producer({});
  auto first = produce(*producer, tp, batch({"a", "b"}));
  auto second = produce(*producer, tp, batch({"c"}));
  ASSERT_TRUE(first.ok() && second.ok());
  EXPECT_EQ(first->base_offset, Offset(0));
  EXPECT_EQ(second->base_offset, Offset(2));
  auto reader = consumer({{tp, Offset(0)}});
  std::vector<Position> positions;
  EXPECT_THAT(read(*reader, 3, &positions), ElementsAre("0:a", "1:b", "2:c"));
  EXPECT_THAT(positions, ElementsAre(Position{tp, Offset(3)}));
}

TEST_P(BusContract, ProducesOfOneThreadStayInOrderWithoutWaiting) {
  TopicPartition tp = at(topic());
  auto producer = *bus().producer({});
  constexpr int kBatches = 200;
  std::atomic<int> answered{0};
  std::promise<void> all;
  for (int i = 0; i < kBatches; ++i) {
    producer->produce(tp, batch({std::to_string(i)}), [&](Result<Appended> answer) {
      EXPECT_TRUE(answer.ok());
      if (++answered == kBatches) all.set_value();
    });
  }
  ASSERT_EQ(all.get_future().wait_for(kPatience), std::future_status::ready);
  auto reader = consumer({{tp, Offset(0)}});
  auto values = read(*reader, kBatches);
  ASSERT_EQ(values.size(), static_cast<size_t>(kBatches));
  for (int i = 0; i < kBatches; ++i)
    EXPECT_EQ(values[static_cast<size_t>(i)], std::to_string(i) + ":" + std::to_string(i));
}

TEST_P(BusContract, EveryCompressionPassesThrough) {
  TopicPartition tp = at(topic());
  auto producer = *bus().producer({});
  for (int codec = 0; codec <= 4; ++codec) {
    EXPECT_OK(
        produce(*producer, tp, batch({std::to_string(codec)}, 1700000000000, static_cast<codec::Compression>(codec))));
  }
  auto reader = consumer({{tp, Offset(0)}});
  EXPECT_THAT(read(*reader, 5), ElementsAre("0:0", "1:1", "2:2", "3:3", "4:4"));
}

TEST_P(BusContract, AnUnknownTopicOrPartitionIsNotFound) {
  std::string name = topic();
  EXPECT_ERROR(produce(at(name, 5), {"x"}), ErrorCode::kNotFound);
  EXPECT_ERROR(produce(at(unique("nowhere")), {"x"}), ErrorCode::kNotFound);
  EXPECT_ERROR(admin().topic(unique("nowhere")), ErrorCode::kNotFound);
  EXPECT_ERROR(admin().partition_count(unique("nowhere")), ErrorCode::kNotFound);
  EXPECT_ERROR(admin().delete_topic(unique("nowhere")), ErrorCode::kNotFound);
}

TEST_P(BusContract, TopicsAreCreatedOnceAndCheckedFirst) {
  std::string name = topic(3, {{"retention.ms", "3600000"}});
  EXPECT_ERROR(admin().create_topic({.name = name, .partitions = 3}), ErrorCode::kAlreadyExists);
  EXPECT_ERROR(admin().create_topic({.name = "no/slashes", .partitions = 1}), ErrorCode::kInvalidArgument);
  EXPECT_ERROR(admin().create_topic({.name = unique("t"), .partitions = 1, .configs = {{"no.such.config", "1"}}}),
               ErrorCode::kInvalidArgument);
  EXPECT_ERROR(admin().create_topic({.name = unique("t"), .partitions = 1, .configs = {{"retention.ms", "soon"}}}),
               ErrorCode::kInvalidArgument);
  EXPECT_EQ(*admin().partition_count(name), 3);
  auto info = admin().topic(name);
  ASSERT_TRUE(info.ok());
  EXPECT_EQ(info->partitions.size(), 3u);
  EXPECT_EQ(info->configs["retention.ms"], "3600000");
  EXPECT_FALSE(info->internal);
  auto all = admin().topics();
  ASSERT_TRUE(all.ok());
  EXPECT_TRUE(std::any_of(all->begin(), all->end(), [&](const TopicInfo& t) { return t.name == name; }));
}

TEST_P(BusContract, PartitionsCanBeAddedButNotTaken) {
  std::string name = topic(1);
  EXPECT_OK(admin().create_partitions(name, 3));
  EXPECT_EQ(*admin().partition_count(name), 3);
  EXPECT_ERROR(admin().create_partitions(name, 2), ErrorCode::kInvalidArgument);
  EXPECT_OK(produce(at(name, 2), {"x"}));
}

TEST_P(BusContract, ADeletedTopicIsGone) {
  std::string name = topic();
  EXPECT_OK(produce(at(name), {"x"}));
  EXPECT_OK(admin().delete_topic(name));
  EXPECT_ERROR(admin().partition_count(name), ErrorCode::kNotFound);
}

TEST_P(BusContract, OffsetsAreFoundByEndAndByTime) {
  TopicPartition tp = at(topic());
  for (int i = 0; i < 3; ++i) EXPECT_OK(produce(tp, {"x"}, 1700000000000 + i * 1000));
  auto offset = [&](OffsetQuery query) { return admin().offsets({tp}, query)->front().next; };
  EXPECT_EQ(offset({OffsetQuery::Kind::kEarliest}), Offset(0));
  EXPECT_EQ(offset({OffsetQuery::Kind::kLatest}), Offset(3));
  EXPECT_EQ(offset({OffsetQuery::Kind::kTimestamp, 1700000000500}), Offset(1));
  EXPECT_EQ(offset({OffsetQuery::Kind::kTimestamp, 1700000002000}), Offset(2));
  EXPECT_EQ(offset({OffsetQuery::Kind::kTimestamp, 1700000009000}), Offset(3));
}

TEST_P(BusContract, AConsumerStartsWhereItIsTold) {
  TopicPartition tp = at(topic());
  EXPECT_OK(produce(tp, {"a", "b", "c"}));
  auto reader = consumer({{tp, Offset(2)}});
  EXPECT_THAT(read(*reader, 1, nullptr, Offset(2)), ElementsAre("2:c"));
}

TEST_P(BusContract, OneConsumerReadsManyPartitions) {
  std::string name = topic(4);
  std::vector<Position> positions;
  for (int32_t i = 0; i < 4; ++i) {
    EXPECT_OK(produce(at(name, i), {"p" + std::to_string(i)}));
    positions.push_back({at(name, i), Offset(0)});
  }
  auto reader = consumer(positions);
  auto values = read(*reader, 4);
  std::sort(values.begin(), values.end());
  EXPECT_THAT(values, ElementsAre("0:p0", "0:p1", "0:p2", "0:p3"));
}

TEST_P(BusContract, APollWaitsForRecordsThatComeLater) {
  TopicPartition tp = at(topic());
  auto reader = consumer({{tp, Offset(0)}});
  auto reading = std::async(std::launch::async, [&] { return read(*reader, 1); });
  EXPECT_OK(produce(tp, {"late"}));
  EXPECT_THAT(reading.get(), ElementsAre("0:late"));
}

TEST_P(BusContract, AnIdlePollEndsAtItsTimeout) {
  auto reader = consumer({{at(topic()), Offset(0)}});
  auto result = reader->poll(std::chrono::milliseconds(50));
  ASSERT_TRUE(result.ok());
  EXPECT_THAT(result->batches, IsEmpty());
}

TEST_P(BusContract, WakeEndsAWaitingPoll) {
  auto reader = consumer({{at(topic()), Offset(0)}});
  auto polling = std::async(std::launch::async, [&] { return reader->poll(kPatience * 10); });
  reader->wake();
  ASSERT_EQ(polling.wait_for(kPatience), std::future_status::ready);
  EXPECT_TRUE(polling.get().ok());
}

TEST_P(BusContract, CommittedPositionsAreKeptPerGroup) {
  TopicPartition tp = at(topic());
  EXPECT_OK(produce(tp, {"a", "b"}));
  std::string group = unique("group");
  EXPECT_EQ(committed(group, tp), kNoOffset);
  EXPECT_OK(admin().commit(group, {{tp, Offset(2)}}));
  EXPECT_EQ(committed(group, tp), Offset(2));
  EXPECT_EQ(committed(unique("other"), tp), kNoOffset);
  EXPECT_OK(admin().commit(group, {{tp, Offset(1)}}));
  EXPECT_EQ(committed(group, tp), Offset(1));
}

TEST_P(BusContract, ACommittedTransactionBecomesVisibleWithItsPositions) {
  std::string name = topic(2);
  std::string group = unique("group");
  auto producer = transactional(unique("tx"));
  EXPECT_OK(producer->begin());
  EXPECT_OK(producer->produce(at(name, 0), batch({"a"})));
  EXPECT_OK(producer->produce(at(name, 1), batch({"b"})));
  EXPECT_OK(producer->commit_positions(group, {{at(name, 0), Offset(1)}}));
  EXPECT_EQ(committed(group, at(name, 0)), kNoOffset);
  EXPECT_OK(producer->commit());
  EXPECT_EQ(committed(group, at(name, 0)), Offset(1));
  auto reader = consumer({{at(name, 0), Offset(0)}, {at(name, 1), Offset(0)}});
  auto values = read(*reader, 2);
  std::sort(values.begin(), values.end());
  EXPECT_THAT(values, ElementsAre("0:a", "0:b"));
}

TEST_P(BusContract, AnOpenTransactionIsSeenByReadUncommittedOnly) {
  TopicPartition tp = at(topic());
  auto producer = transactional(unique("tx"));
  EXPECT_OK(producer->begin());
  EXPECT_OK(producer->produce(tp, batch({"open"})));
  auto uncommitted = consumer({{tp, Offset(0)}}, Isolation::kReadUncommitted);
  EXPECT_THAT(read(*uncommitted, 1), ElementsAre("0:open"));
  auto committed_only = consumer({{tp, Offset(0)}});
  EXPECT_THAT(read_what_is_there(*committed_only), IsEmpty());
  EXPECT_OK(producer->commit());
  EXPECT_THAT(read(*committed_only, 1), ElementsAre("0:open"));
}

TEST_P(BusContract, AnAbortedTransactionIsNeverDeliveredToReadCommitted) {
  TopicPartition tp = at(topic());
  std::string group = unique("group");
  auto producer = transactional(unique("tx"));
  EXPECT_OK(producer->begin());
  EXPECT_OK(producer->produce(tp, batch({"no"})));
  EXPECT_OK(producer->commit_positions(group, {{tp, Offset(7)}}));
  EXPECT_OK(producer->abort());
  EXPECT_EQ(committed(group, tp), kNoOffset);
  EXPECT_OK(producer->begin());
  EXPECT_OK(producer->produce(tp, batch({"yes"})));
  EXPECT_OK(producer->commit());
  auto reader = consumer({{tp, Offset(0)}});
  auto values = read(*reader, 1);
  ASSERT_EQ(values.size(), 1u);  // At 2, or at 0 where a client drops what it had not sent before the abort.
  EXPECT_TRUE(values[0].ends_with(":yes")) << values[0];
}

TEST_P(BusContract, ManyTransactionsOneAfterAnother) {
  TopicPartition tp = at(topic());
  auto producer = transactional(unique("tx"));
  std::vector<std::string> wanted;
  for (int i = 0; i < 20; ++i) {
    EXPECT_OK(producer->begin());
    for (int k = 0; k < 3; ++k) EXPECT_OK(producer->produce(tp, batch({std::to_string(i) + "." + std::to_string(k)})));
    if (i % 3 == 1) {
      EXPECT_OK(producer->abort());
      continue;
    }
    EXPECT_OK(producer->commit());
    for (int k = 0; k < 3; ++k) wanted.push_back(std::to_string(i) + "." + std::to_string(k));
  }
  auto reader = consumer({{tp, Offset(0)}});
  std::vector<std::string> values = read(*reader, wanted.size());
  for (std::string& value : values) value = value.substr(value.find(':') + 1);
  EXPECT_EQ(values, wanted);
}

TEST_P(BusContract, AnEmptyTransactionMayBeCommittedAndAborted) {
  auto producer = transactional(unique("tx"));
  EXPECT_OK(producer->begin());
  EXPECT_OK(producer->commit());
  EXPECT_OK(producer->begin());
  EXPECT_OK(producer->abort());
}

TEST_P(BusContract, ANewerProducerFencesTheOlderAndEndsItsTransaction) {
  TopicPartition tp = at(topic());
  std::string id = unique("tx");
  auto older = transactional(id);
  EXPECT_OK(older->begin());
  EXPECT_OK(older->produce(tp, batch({"stale"})));
  auto newer = transactional(id);
  Status late = older->commit();
  ASSERT_FALSE(late.ok());
  EXPECT_EQ(late.error().code, ErrorCode::kFenced) << late.error().message;
  EXPECT_OK(newer->begin());
  EXPECT_OK(newer->produce(tp, batch({"fresh"})));
  EXPECT_OK(newer->commit());
  auto reader = consumer({{tp, Offset(0)}});
  auto values = read(*reader, 1);
  ASSERT_EQ(values.size(), 1u);
  EXPECT_TRUE(values[0].ends_with(":fresh")) << values[0];
}

TEST_P(BusContract, ProducersAndConsumersOfManyThreadsLoseNothing) {
  std::string name = topic(3);
  constexpr int kThreads = 4, kBatches = 50;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      auto producer = *bus().producer({});
      for (int i = 0; i < kBatches; ++i) {
        EXPECT_OK(produce(*producer, at(name, (t + i) % 3), batch({std::to_string(t) + "." + std::to_string(i)})));
      }
    });
  }
  auto reader = consumer({{at(name, 0), Offset(0)}, {at(name, 1), Offset(0)}, {at(name, 2), Offset(0)}});
  auto values = read(*reader, kThreads * kBatches);
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(values.size(), static_cast<size_t>(kThreads * kBatches));
}

}  // namespace headrace::bus
