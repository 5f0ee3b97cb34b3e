// Requests that name a partition more than once, or more than one write can take, by the APIs of committed offsets.
#include <malloc.h>

#include "kafka/kafka_server_test_support.h"
#include "wire/kafka/all_messages.h"

namespace headrace::kafka {
namespace {

using namespace wire::kafka;  // NOLINT: the messages are what this file is about

constexpr int16_t kNoMemberEpochs = 5;
constexpr size_t kRepeats = 65600;
constexpr int16_t kInvalidCommitOffsetSize = 28;

class CommittedOffsets : public KafkaServerTest {
 protected:
  void SetUp() override { create("t", 4); }

  static OffsetCommitRequest commit_request(const std::string& group) {
    OffsetCommitRequest request;
    request.group_id = group;
    request.generation_id_or_member_epoch = -1;
    request.topics.emplace_back().name = "t";
    return request;
  }
  void commit_one(const std::string& group) {
    OffsetCommitRequest request = commit_request(group);
    request.topics[0].partitions.push_back({.partition_index = 0, .committed_offset = 5});
    ASSERT_EQ(client().call<8>(request, kNoMemberEpochs).topics.at(0).partitions.at(0).error_code, 0);
  }
  /// Of a new producer: what it has to say, but for the topics.
  TxnOffsetCommitRequest begin_transaction(const std::string& group) {
    auto producer = client().call<22>({.transactional_id = "tx", .transaction_timeout_ms = 60000}, 4);
    EXPECT_EQ(producer.error_code, 0);
    TxnOffsetCommitRequest request;
    request.transactional_id = "tx";
    request.group_id = group;
    request.producer_id = producer.producer_id;
    request.producer_epoch = producer.producer_epoch;
    return request;
  }
  static OffsetDeleteRequest delete_request(const std::string& group) {
    OffsetDeleteRequest request;
    request.group_id = group;
    request.topics.emplace_back().name = "t";
    return request;
  }
  int64_t committed(const std::string& group, int32_t partition) {
    OffsetFetchRequest request;
    request.group_id = group;
    request.topics.emplace();
    request.topics->push_back({.name = "t", .partition_indexes = {partition}});
    return client().call<9>(request, 5).topics.at(0).partitions.at(0).committed_offset;
  }
  const std::string long_id_ = std::string(32767, 'g');
};

TEST_F(CommittedOffsets, OfOnePartitionNamedOverAndOverTheLastCounts) {
  OffsetCommitRequest request = commit_request(long_id_);
  for (size_t i = 1; i <= kRepeats; ++i) {
    request.topics[0].partitions.push_back({.partition_index = 0, .committed_offset = static_cast<int64_t>(i)});
  }
  auto c = client();
  auto answer = c.call<8>(request, kNoMemberEpochs);
  ASSERT_EQ(answer.topics.size(), 1u);
  ASSERT_EQ(answer.topics[0].partitions.size(), 1u);
  EXPECT_EQ(answer.topics[0].partitions[0].error_code, 0);
  EXPECT_EQ(committed(long_id_, 0), static_cast<int64_t>(kRepeats));
}

TEST_F(CommittedOffsets, ATopicNamedTwiceIsOneTopic) {
  OffsetCommitRequest request = commit_request("g");
  request.topics[0].partitions = {{.partition_index = 0, .committed_offset = 1},
                                  {.partition_index = 1, .committed_offset = 2}};
  request.topics.push_back({.name = "t", .partitions = {{.partition_index = 0, .committed_offset = 3}}});
  auto answer = client().call<8>(request, kNoMemberEpochs);
  ASSERT_EQ(answer.topics.size(), 2u);
  ASSERT_EQ(answer.topics[0].partitions.size(), 1u);
  EXPECT_EQ(answer.topics[0].partitions[0].partition_index, 1);
  EXPECT_EQ(answer.topics[1].partitions.at(0).partition_index, 0);
  EXPECT_EQ(committed("g", 0), 3);
  EXPECT_EQ(committed("g", 1), 2);
}

TEST_F(CommittedOffsets, MoreThanAWriteMayTakeIsRefused) {
  ASSERT_TRUE(broker_->alter_configs("__consumer_offsets", {{"max.message.bytes", "100000"}}).ok());
  OffsetCommitRequest request = commit_request(long_id_);
  for (int32_t p = 0; p < 4; ++p) request.topics[0].partitions.push_back({.partition_index = p, .committed_offset = 1});
  auto c = client();
  auto answer = c.call<8>(request, kNoMemberEpochs);
  ASSERT_EQ(answer.topics[0].partitions.size(), 4u);
  for (const auto& partition : answer.topics[0].partitions) {
    EXPECT_EQ(partition.error_code, kInvalidCommitOffsetSize);
  }
  request.topics[0].partitions.resize(2);
  EXPECT_EQ(c.call<8>(request, kNoMemberEpochs).topics[0].partitions[0].error_code, 0);
}

TEST_F(CommittedOffsets, OfOnePartitionNamedOverAndOverInATransactionTheLastCounts) {
  auto c = client();
  TxnOffsetCommitRequest request = begin_transaction(long_id_);
  request.topics.emplace_back().name = "t";
  for (size_t i = 1; i <= kRepeats; ++i) {
    request.topics[0].partitions.push_back({.partition_index = 0, .committed_offset = static_cast<int64_t>(i)});
  }
  auto answer = c.call<28>(request, 5);
  ASSERT_EQ(answer.topics.at(0).partitions.size(), 1u);
  EXPECT_EQ(answer.topics[0].partitions[0].error_code, 0);
  EndTxnRequest end;
  end.transactional_id = "tx";
  end.producer_id = request.producer_id;
  end.producer_epoch = request.producer_epoch;
  end.committed = true;
  ASSERT_EQ(c.call<26>(end, 4).error_code, 0);
  EXPECT_EQ(committed(long_id_, 0), static_cast<int64_t>(kRepeats));
}

TEST_F(CommittedOffsets, APartitionNamedOverAndOverIsForgottenOnce) {
  auto c = client();
  commit_one(long_id_);
  OffsetDeleteRequest request = delete_request(long_id_);
  request.topics[0].partitions.assign(kRepeats, {.partition_index = 0});
  auto answer = c.call<47>(request, 0);
  ASSERT_EQ(answer.topics.at(0).partitions.size(), 1u);
  EXPECT_EQ(answer.topics[0].partitions[0].error_code, 0);
  EXPECT_EQ(committed(long_id_, 0), -1);
}

TEST_F(CommittedOffsets, WhatWasNeverCommittedCostsNoTombstone) {
  auto c = client();
  commit_one(long_id_);
  OffsetDeleteRequest request = delete_request(long_id_);
  for (int32_t p = 0; p < 1000; ++p) request.topics[0].partitions.push_back({p});
  auto log = broker_->topic("__consumer_offsets")->partitions.at(0);
  Offset before = log->readable_end(bus::Isolation::kReadUncommitted);
  ASSERT_EQ(c.call<47>(request, 0).topics.at(0).partitions.size(), 1000u);
  EXPECT_EQ(log->readable_end(bus::Isolation::kReadUncommitted).value, before.value + 1);
}

TEST_F(CommittedOffsets, APositionThatATransactionSetsAgainAndAgainIsKeptOnce) {
  auto c = client();
  TxnOffsetCommitRequest request = begin_transaction("g");
  request.topics.push_back(
      {.name = "t", .partitions = {{.committed_offset = 1, .committed_metadata = std::string(4096, 'm')}}});
  auto commit = [&](int times) {
    for (int i = 0; i < times; ++i) {
      ++request.topics[0].partitions[0].committed_offset;
      EXPECT_EQ(c.call<28>(request, 5).topics.at(0).partitions.at(0).error_code, 0);
    }
  };
  commit(10);
  size_t before = mallinfo2().uordblks;
  commit(1000);
  EXPECT_LT(mallinfo2().uordblks, before + (1 << 20)) << "4 MiB of metadata were sent";
}

}  // namespace
}  // namespace headrace::kafka
