#include "kafka/fetch_session.h"

#include <set>
#include <vector>

#include "kafka/kafka_server_test_support.h"
#include "wire/kafka/all_messages.h"

namespace headrace::kafka {
namespace {

using namespace std::chrono_literals;
using wire::kafka::FetchRequest;
using wire::kafka::FetchResponse;

constexpr int16_t kByName = 12;
constexpr int16_t kById = 17;

class FetchSessionCacheTest : public ::testing::Test {
 protected:
  FetchSessionCache cache(FetchSessionLimits limits) { return {limits, clock_, &metrics_}; }
  /// Whether the cache still has the session.
  static bool has(FetchSessionCache& cache, int32_t id) {
    FetchRequest request;
    request.session_id = id;
    request.session_epoch = 1000;
    return cache.resume(request, false).error != KafkaError::kFetchSessionIdNotFound;
  }

  os::ManualClock clock_;
  flow::MetricsRegistry metrics_;
};

TEST_F(FetchSessionCacheTest, NewSessionDoesNotEvictWhatWasUsedLately) {
  auto sessions = cache({.sessions_max = 2});
  auto first = sessions.create(1, false);
  auto second = sessions.create(1, false);
  clock_.advance(120'000ms);
  EXPECT_EQ(sessions.create(1, false), nullptr);
  EXPECT_TRUE(has(sessions, first->id));
  EXPECT_TRUE(has(sessions, second->id));
}

TEST_F(FetchSessionCacheTest, TheSessionUnusedForLongestMakesRoom) {
  auto sessions = cache({.sessions_max = 2});
  auto first = sessions.create(5, false);
  clock_.advance(1ms);
  auto second = sessions.create(1, false);
  clock_.advance(120'000ms);
  auto third = sessions.create(1, false);
  ASSERT_NE(third, nullptr);
  EXPECT_FALSE(has(sessions, first->id));
  EXPECT_TRUE(has(sessions, second->id));
}

TEST_F(FetchSessionCacheTest, ASmallSessionMakesRoomForALargerOneWhenItIsOldEnough) {
  auto sessions = cache({.sessions_max = 1});
  auto small = sessions.create(2, false);
  clock_.advance(120'001ms);
  FetchRequest request;
  request.session_id = small->id;
  request.session_epoch = 1;
  request.topics.push_back({.topic = "t", .topic_id = {}, .partitions = {{.partition = 0}, {.partition = 1}}});
  ASSERT_NE(sessions.resume(request, false).session, nullptr) << "it is in use";
  EXPECT_EQ(sessions.create(2, false), nullptr) << "as large as the old one";
  EXPECT_NE(sessions.create(3, false), nullptr);
  EXPECT_FALSE(has(sessions, small->id));
}

TEST_F(FetchSessionCacheTest, PartitionsOfAllSessionsHaveALimit) {
  auto sessions = cache({.session_partitions_max = 6, .partitions_max = 10});
  EXPECT_EQ(sessions.create(7, false), nullptr);
  EXPECT_NE(sessions.create(6, false), nullptr);
  EXPECT_EQ(sessions.create(5, false), nullptr);
  EXPECT_NE(sessions.create(4, false), nullptr);
}

TEST_F(FetchSessionCacheTest, ASessionThatGrowsOverItsLimitIsGone) {
  auto sessions = cache({.session_partitions_max = 2});
  auto session = sessions.create(1, false);
  FetchRequest request;
  request.session_id = session->id;
  request.session_epoch = 1;
  for (int i = 0; i < 3; ++i) request.topics.push_back({.topic = std::to_string(i), .partitions = {{}}});
  EXPECT_EQ(sessions.resume(request, false).error, KafkaError::kFetchSessionIdNotFound);
  EXPECT_FALSE(has(sessions, session->id));
}

TEST_F(FetchSessionCacheTest, EpochFollowsTheLargestWithOne) {
  auto sessions = cache({});
  auto session = sessions.create(1, false);
  session->epoch = INT32_MAX;
  FetchRequest request;
  request.session_id = session->id;
  request.session_epoch = INT32_MAX;
  request.topics.push_back({.topic = "t", .topic_id = {}, .partitions = {{}}});
  ASSERT_NE(sessions.resume(request, false).session, nullptr);
  EXPECT_EQ(session->epoch, 1);
}

/// Sessions over sockets.
class FetchSessionTest : public KafkaServerTest {
 protected:
  void append(const std::string& topic, int32_t partition, const std::string& value = "v") {
    auto c = client();
    ASSERT_EQ(produce_error(c.call<0>(produce_request(topic, partition, batch_of({value}).bytes()), 9)), 0);
  }
  static FetchRequest full(const std::string& topic, int32_t partitions, int32_t bytes_max = 1 << 20) {
    FetchRequest request;
    request.session_epoch = kInitialFetchEpoch;
    auto& wanted = request.topics.emplace_back();
    wanted.topic = topic;
    for (int32_t i = 0; i < partitions; ++i) {
      wanted.partitions.push_back({.partition = i, .partition_max_bytes = bytes_max});
    }
    return request;
  }
  static FetchRequest incremental(int32_t session, int32_t epoch) {
    FetchRequest request;
    request.session_id = session;
    request.session_epoch = epoch;
    return request;
  }
  /// Partitions in the order of the answer, of whatever topic.
  static std::vector<int32_t> partitions_of(const FetchResponse& response) {
    std::vector<int32_t> indexes;
    for (const auto& topic : response.responses) {
      for (const auto& partition : topic.partitions) indexes.push_back(partition.partition_index);
    }
    return indexes;
  }
};

TEST_F(FetchSessionTest, OnlyPartitionsWithNewsAreAnswered) {
  create("t", 3);
  auto c = client();
  auto opened = c.call<1>(full("t", 3), kByName);
  ASSERT_NE(opened.session_id, 0);
  EXPECT_EQ(partitions_of(opened), (std::vector{0, 1, 2}));
  append("t", 1);
  auto second = c.call<1>(incremental(opened.session_id, 1), kByName);
  EXPECT_EQ(second.session_id, opened.session_id);
  EXPECT_EQ(partitions_of(second), std::vector{1});
  auto read_on = incremental(opened.session_id, 2);
  read_on.topics.push_back({.topic = "t", .partitions = {{.partition = 1, .fetch_offset = 1}}});
  EXPECT_EQ(partitions_of(c.call<1>(read_on, kByName)), std::vector<int32_t>());
  EXPECT_EQ(metric("headrace_kafka_fetch_sessions"), 1);
  EXPECT_EQ(metric("headrace_kafka_fetch_session_partitions"), 3);
}

TEST_F(FetchSessionTest, WaitingRequestsAreWokenAndAnswerNewsOnly) {
  create("t", 2);
  auto c = client();
  auto opened = c.call<1>(full("t", 2), kByName);
  auto waiting = incremental(opened.session_id, 1);
  waiting.max_wait_ms = 30'000;
  waiting.min_bytes = 1;
  c.send(waiting, kByName, 5);
  append("t", 0);
  EXPECT_EQ(partitions_of(c.receive<FetchResponse>(kByName, 5)), std::vector{0});
}

TEST_F(FetchSessionTest, ForgottenPartitionsAreNotRead) {
  create("t", 2);
  auto c = client();
  auto opened = c.call<1>(full("t", 2), kByName);
  append("t", 0);
  append("t", 1);
  auto request = incremental(opened.session_id, 1);
  request.forgotten_topics_data.push_back({.topic = "t", .partitions = {0}});
  EXPECT_EQ(partitions_of(c.call<1>(request, kByName)), std::vector{1});
  auto last = incremental(opened.session_id, 2);
  last.forgotten_topics_data.push_back({.topic = "t", .partitions = {1}});
  auto ended = c.call<1>(last, kByName);
  EXPECT_EQ(ended.error_code, 0);
  EXPECT_EQ(ended.session_id, 0) << "a session without partitions ends";
}

TEST_F(FetchSessionTest, EveryPartitionGetsItsTurn) {
  constexpr int32_t kPartitions = 4;
  create("t", kPartitions);
  for (int32_t i = 0; i < kPartitions; ++i) append("t", i, std::string(1000, 'x'));
  auto c = client();
  auto request = full("t", kPartitions);
  request.max_bytes = 1;  // One batch an answer.
  auto opened = c.call<1>(request, kByName);
  std::set<int32_t> served;
  for (int32_t epoch = 1; epoch <= kPartitions; ++epoch) {
    auto again = incremental(opened.session_id, epoch);
    again.max_bytes = 1;
    auto response = c.call<1>(again, kByName);
    for (const auto& topic : response.responses) {
      for (const auto& partition : topic.partitions) {
        if (partition.records.size() > 0) served.insert(partition.partition_index);
      }
    }
  }
  EXPECT_EQ(served.size(), static_cast<size_t>(kPartitions)) << "though no offset moved";
}

TEST_F(FetchSessionTest, WrongEpochsAndUnknownSessionsAreRefused) {
  create("t");
  auto c = client();
  auto opened = c.call<1>(full("t", 1), kByName);
  auto wrong_epoch = c.call<1>(incremental(opened.session_id, 2), kByName);
  EXPECT_EQ(wrong_epoch.error_code, wire_code(KafkaError::kInvalidFetchSessionEpoch));
  EXPECT_EQ(wrong_epoch.session_id, 0);
  auto unknown = c.call<1>(incremental(opened.session_id ^ 1, 1), kByName);
  EXPECT_EQ(unknown.error_code, wire_code(KafkaError::kFetchSessionIdNotFound));
  auto other_names = c.call<1>(incremental(opened.session_id, 1), kById);
  EXPECT_EQ(other_names.error_code, wire_code(KafkaError::kFetchSessionTopicIdError));
  EXPECT_EQ(c.call<1>(incremental(opened.session_id, 1), kByName).error_code, 0) << "the session itself is well";
}

TEST_F(FetchSessionTest, TopicsAreNamedById) {
  create("t", 2);
  auto c = client();
  auto request = full("", 2);
  request.topics[0].topic_id = {broker_->topic("t")->id.bytes};
  auto opened = c.call<1>(request, kById);
  ASSERT_NE(opened.session_id, 0);
  append("t", 1);
  auto response = c.call<1>(incremental(opened.session_id, 1), kById);
  EXPECT_EQ(partitions_of(response), std::vector{1});
  EXPECT_EQ(response.responses[0].topic_id, request.topics[0].topic_id);
}

TEST_F(FetchSessionTest, ErrorsAreToldEachTimeAndTheirEndOnce) {
  create("t");
  auto c = client();
  auto request = full("t", 1);
  request.topics[0].partitions[0].fetch_offset = 1;
  auto opened = c.call<1>(request, kByName);
  ASSERT_NE(opened.session_id, 0);
  EXPECT_EQ(opened.responses[0].partitions[0].error_code, wire_code(KafkaError::kOffsetOutOfRange));
  auto still = c.call<1>(incremental(opened.session_id, 1), kByName);
  EXPECT_EQ(still.responses.at(0).partitions[0].error_code, wire_code(KafkaError::kOffsetOutOfRange));
  append("t", 0);
  auto passed = c.call<1>(incremental(opened.session_id, 2), kByName);
  EXPECT_EQ(passed.responses.at(0).partitions[0].error_code, 0);
  EXPECT_EQ(partitions_of(c.call<1>(incremental(opened.session_id, 3), kByName)), std::vector<int32_t>());
}

TEST_F(FetchSessionTest, TheFinalEpochEndsTheSession) {
  create("t");
  auto c = client();
  auto opened = c.call<1>(full("t", 1), kByName);
  auto ended = c.call<1>(incremental(opened.session_id, kFinalFetchEpoch), kByName);
  EXPECT_EQ(ended.error_code, 0);
  EXPECT_EQ(ended.session_id, 0);
  auto gone = c.call<1>(incremental(opened.session_id, 1), kByName);
  EXPECT_EQ(gone.error_code, wire_code(KafkaError::kFetchSessionIdNotFound));
}

TEST_F(FetchSessionTest, NamesThatNoTopicCanHaveAreNotRemembered) {
  create("t");
  auto c = client();
  auto opened = c.call<1>(full(std::string(30'000, 'n'), 1), kByName);
  EXPECT_EQ(opened.session_id, 0);
  EXPECT_EQ(opened.responses.at(0).partitions.at(0).error_code, wire_code(KafkaError::kUnknownTopicOrPartition));
  auto sound = c.call<1>(full("t", 1), kByName);
  auto more = full(std::string(30'000, 'n'), 1);
  more.session_id = sound.session_id;
  more.session_epoch = 1;
  EXPECT_EQ(c.call<1>(more, kByName).error_code, wire_code(KafkaError::kInvalidRequest));
  EXPECT_EQ(metric("headrace_kafka_fetch_session_partitions"), 1);
}

TEST_F(FetchSessionTest, AFullCacheServesWithoutASession) {
  start({.port = 0, .fetch_sessions_max = 1});
  create("t");
  auto c = client();
  EXPECT_NE(c.call<1>(full("t", 1), kByName).session_id, 0);
  auto second = c.call<1>(full("t", 1), kByName);
  EXPECT_EQ(second.session_id, 0);
  EXPECT_EQ(partitions_of(second), std::vector{0});
}

}  // namespace
}  // namespace headrace::kafka
