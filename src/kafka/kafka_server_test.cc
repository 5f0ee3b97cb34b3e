// The server over real sockets, with a broker on a folder of its own.
#include "kafka/kafka_server.h"

#include <fstream>
#include <future>
#include <random>

#include "kafka/api.h"
#include "kafka/features.h"
#include "kafka/kafka_server_test_support.h"
#include "kafka/session.h"
#include "wire/kafka/all_messages.h"
#include "wire/kafka/sample.h"

namespace headrace::kafka {
namespace {

using namespace wire::kafka;  // NOLINT: the messages are what this file is about

TEST_F(KafkaServerTest, ApiVersionsTellsTheDispatchTable) {
  auto response = client().call<18>({.client_software_name = "test", .client_software_version = "1"}, 4);
  EXPECT_EQ(response.error_code, 0);
  ASSERT_EQ(response.api_keys.size(), api_table().size());
  EXPECT_EQ(response.api_keys[0].api_key, 0);
  EXPECT_EQ(response.api_keys[0].min_version, 0);
  EXPECT_EQ(response.api_keys[0].max_version, 13);
  ASSERT_EQ(response.finalized_features.size(), std::size(kFeatures));
}

TEST_F(KafkaServerTest, UnknownApiVersionsVersionIsAnsweredInVersion0) {
  auto c = client();
  std::string frame = KafkaTestClient::frame(ApiVersionsRequest(), 3, 7);
  frame[7] = 99;
  c.socket().send(frame);
  auto response = c.receive<ApiVersionsResponse>(0, 7);
  EXPECT_EQ(response.error_code, wire_code(KafkaError::kUnsupportedVersion));
  ASSERT_EQ(response.api_keys.size(), 1u);
  EXPECT_EQ(response.api_keys[0].max_version, 4);
  EXPECT_EQ(c.call<18>({}, 0).error_code, 0) << "the connection goes on";
}

TEST_F(KafkaServerTest, ProducedBatchesAreFetchedAsTheyWere) {
  create("t");
  auto c = client();
  record::Batch batch = batch_of({"a", "b", "c"});
  auto produced = c.call<0>(produce_request("t", 0, batch.bytes()), 9);
  EXPECT_EQ(produce_error(produced), 0);
  EXPECT_EQ(produced.responses[0].partition_responses[0].base_offset, 0);
  EXPECT_EQ(c.call<0>(produce_request("t", 0, batch.bytes()), 3).responses[0].partition_responses[0].base_offset, 3);

  auto fetched = c.call<1>(fetch_request("t", 0), 12);
  const auto& partition = fetched.responses.at(0).partitions.at(0);
  EXPECT_EQ(partition.error_code, 0);
  EXPECT_EQ(partition.high_watermark, 6);
  EXPECT_EQ(partition.last_stable_offset, 6);
  auto batches = record::split_batches(partition.records.parts.at(0), false);
  ASSERT_TRUE(batches.ok());
  ASSERT_EQ(batches->size(), 2u);
  EXPECT_EQ((*batches)[1].header().base_offset, Offset(3));
  EXPECT_EQ((*batches)[1].header().crc, batch.header().crc);
}

TEST_F(KafkaServerTest, PipelinedProduceIsAnsweredInOrder) {
  create("t", 4);
  auto c = client();
  std::string frames;
  for (int i = 0; i < 200; ++i) {
    frames += KafkaTestClient::frame(produce_request("t", i % 4, batch_of({"v"}).bytes()), 9, i);
  }
  c.socket().send(frames);
  for (int i = 0; i < 200; ++i) {
    auto response = c.receive<ProduceResponse>(9, i);
    ASSERT_EQ(produce_error(response), 0);
    ASSERT_EQ(response.responses[0].partition_responses[0].base_offset, i / 4);
  }
}

TEST_F(KafkaServerTest, OtherRequestsWaitForThoseBeforeThem) {
  create("t");
  auto c = client();
  std::string frames;
  for (int i = 0; i < 50; ++i) {
    frames += KafkaTestClient::frame(produce_request("t", 0, batch_of({"v"}).bytes()), 9, 2 * i);
    frames += KafkaTestClient::frame(fetch_request("t", i), 11, 2 * i + 1);
  }
  c.socket().send(frames);
  for (int i = 0; i < 50; ++i) {
    c.receive<ProduceResponse>(9, 2 * i);
    auto fetched = c.receive<FetchResponse>(11, 2 * i + 1);
    EXPECT_EQ(fetched.responses[0].partitions[0].high_watermark, i + 1);
    EXPECT_GT(fetched.responses[0].partitions[0].records.size(), 0u);
  }
}

TEST_F(KafkaServerTest, AcksZeroGetsNoResponseAndKeepsItsPlace) {
  create("t");
  auto c = client();
  c.send(produce_request("t", 0, batch_of({"quiet"}).bytes(), 0), 9, 1);
  EXPECT_EQ(
      c.call<0>(produce_request("t", 0, batch_of({"loud"}).bytes()), 9).responses[0].partition_responses[0].base_offset,
      1);
}

TEST_F(KafkaServerTest, AcksZeroErrorClosesTheConnection) {
  auto c = client();
  c.send(produce_request("missing", 0, batch_of({"x"}).bytes(), 0), 9);
  EXPECT_TRUE(c.socket().wait_closed());
}

TEST_F(KafkaServerTest, BadBatchesHaveDefinedErrors) {
  create("t");
  auto c = client();
  auto error_of = [&](Bytes bytes, int16_t version = 9) {
    return static_cast<KafkaError>(
        produce_error(c.call<0>(produce_request("t", 0, SharedBytes(std::move(bytes))), version)));
  };
  record::Batch batch = batch_of({"value"});
  Bytes good(batch.bytes().view().begin(), batch.bytes().view().end());

  Bytes flipped = good;
  flipped.back() ^= 1;
  EXPECT_EQ(error_of(flipped), KafkaError::kCorruptMessage);
  EXPECT_EQ(error_of(Bytes(good.begin(), good.end() - 3)), KafkaError::kCorruptMessage);
  EXPECT_EQ(error_of(Bytes(good.begin(), good.begin() + 20)), KafkaError::kCorruptMessage);
  for (size_t bit = 8 * record::kBatchCrcFrom; bit < 8 * record::kBatchHeaderBytes;
       ++bit) {  // What the checksum covers of the header.
    Bytes damaged = good;
    damaged[bit / 8] ^= static_cast<uint8_t>(1u << (bit % 8));
    EXPECT_EQ(error_of(damaged), KafkaError::kCorruptMessage) << bit;
    EXPECT_EQ(error_of(damaged, 12), KafkaError::kCorruptMessage) << bit;
  }
  EXPECT_EQ(error_of({}), KafkaError::kInvalidRecord);
  Bytes old_format = good;
  old_format[16] = 1;
  EXPECT_EQ(error_of(old_format), KafkaError::kInvalidRecord);
  Bytes two = good;
  two.insert(two.end(), good.begin(), good.end());
  EXPECT_EQ(error_of(two), KafkaError::kInvalidRecord);
  EXPECT_EQ(produce_error(c.call<0>(produce_request("t", 0, batch.bytes(), 5), 9)),
            wire_code(KafkaError::kInvalidRequiredAcks));
  EXPECT_EQ(produce_error(c.call<0>(produce_request("none", 0, batch.bytes()), 9)),
            wire_code(KafkaError::kUnknownTopicOrPartition));
  EXPECT_EQ(produce_error(c.call<0>(produce_request("t", 9, batch.bytes()), 9)),
            wire_code(KafkaError::kUnknownTopicOrPartition));
  EXPECT_EQ(error_of(good), KafkaError::kNone) << "nothing of the above was appended";
  EXPECT_EQ(broker_->partition({"t", PartitionId(0)})->high_watermark(), Offset(1));
}

TEST_F(KafkaServerTest, FetchWaitsForRecords) {
  create("t");
  auto reader = client();
  auto writer = client();
  reader.send(fetch_request("t", 0, 10'000), 12, 1);
  writer.call<0>(produce_request("t", 0, batch_of({"late"}).bytes()), 9);
  auto fetched = reader.receive<FetchResponse>(12, 1);
  EXPECT_GT(fetched.responses[0].partitions[0].records.size(), 0u);
}

TEST_F(KafkaServerTest, FetchAnswersEmptyWhenItsTimeIsOver) {
  create("t");
  auto fetched = client().call<1>(fetch_request("t", 0, 20), 12);
  EXPECT_EQ(fetched.responses[0].partitions[0].error_code, 0);
  EXPECT_EQ(fetched.responses[0].partitions[0].records.size(), 0u);
}

TEST_F(KafkaServerTest, FetchErrorsAreAnsweredAtOnce) {
  create("t");
  auto c = client();
  EXPECT_EQ(c.call<1>(fetch_request("t", 5, 60'000), 12).responses[0].partitions[0].error_code,
            wire_code(KafkaError::kOffsetOutOfRange));
  EXPECT_EQ(c.call<1>(fetch_request("none", 0, 60'000), 12).responses[0].partitions[0].error_code,
            wire_code(KafkaError::kUnknownTopicOrPartition));
  EXPECT_EQ(c.call<1>(fetch_request("", 0, 60'000), 13).responses[0].partitions[0].error_code,
            wire_code(KafkaError::kUnknownTopicId));
  auto sessions = fetch_request("t", 0);
  sessions.session_id = 5;
  sessions.session_epoch = 1;
  EXPECT_EQ(c.call<1>(sessions, 12).error_code, wire_code(KafkaError::kFetchSessionIdNotFound));
  auto follower = fetch_request("t", 0);
  follower.replica_id = 2;
  EXPECT_EQ(c.call<1>(follower, 12).error_code, wire_code(KafkaError::kClusterAuthorizationFailed));
}

TEST_F(KafkaServerTest, FetchHonoursItsLimitsExceptForTheFirstBatch) {
  create("t", 2);
  auto c = client();
  for (int32_t partition : {0, 1}) {
    for (int i = 0; i < 3; ++i)
      c.call<0>(produce_request("t", partition, batch_of({std::string(1000, 'x')}).bytes()), 9);
  }
  auto request = fetch_request("t", 0);
  request.topics[0].partitions.push_back({.partition = 1, .fetch_offset = 0, .partition_max_bytes = 1 << 20});
  request.max_bytes = 10;
  auto small = c.call<1>(request, 12);
  EXPECT_GT(small.responses[0].partitions[0].records.size(), 1000u);
  EXPECT_LT(small.responses[0].partitions[0].records.size(), 2000u);
  EXPECT_EQ(small.responses[0].partitions[1].records.size(), 0u);
  EXPECT_EQ(small.responses[0].partitions[1].high_watermark, 3);
  request.max_bytes = 1 << 20;
  EXPECT_GT(c.call<1>(request, 12).responses[0].partitions[1].records.size(), 3000u);
}

TEST_F(KafkaServerTest, MetadataTellsTheAddressThatTheClientDialled) {
  auto response = client().call<3>({}, 12);
  ASSERT_EQ(response.brokers.size(), 1u);
  EXPECT_EQ(response.brokers[0].host, "127.0.0.1");
  EXPECT_EQ(response.brokers[0].port, server_->port());
  start({.port = 0, .advertised_host = "kafka.example", .advertised_port = 1234});
  auto told = client().call<3>({}, 12);
  EXPECT_EQ(told.brokers[0].host, "kafka.example");
  EXPECT_EQ(told.brokers[0].port, 1234);
}

TEST_F(KafkaServerTest, MetadataCreatesTopicsWhenAllowed) {
  auto c = client();
  MetadataRequest request;
  request.topics = {{.name = "fresh"}};
  request.allow_auto_topic_creation = false;
  EXPECT_EQ(c.call<3>(request, 12).topics.at(0).error_code, wire_code(KafkaError::kUnknownTopicOrPartition));
  request.allow_auto_topic_creation = true;
  auto created = c.call<3>(request, 12);
  EXPECT_EQ(created.topics.at(0).error_code, 0);
  EXPECT_EQ(created.topics.at(0).partitions.size(), 1u);
  EXPECT_FALSE(created.topics.at(0).topic_id.is_zero());
  request.topics = {{.topic_id = created.topics[0].topic_id, .name = std::nullopt}};
  EXPECT_EQ(c.call<3>(request, 12).topics.at(0).name, "fresh");
  request.topics = {{.name = "not/a/name"}};
  EXPECT_EQ(c.call<3>(request, 12).topics.at(0).error_code, wire_code(KafkaError::kInvalidTopic));
}

TEST_F(KafkaServerTest, TopicsAreCreatedChangedAndDeleted) {
  auto c = client();
  CreateTopicsRequest create;
  create.topics.push_back(
      {.name = "good", .num_partitions = 2, .replication_factor = 1, .configs = {{"retention.ms", "5000"}}});
  create.topics.push_back({.name = "bad name", .num_partitions = 1, .replication_factor = 1});
  create.topics.push_back({.name = "copies", .num_partitions = 1, .replication_factor = 3});
  create.topics.push_back(
      {.name = "option", .num_partitions = 1, .replication_factor = 1, .configs = {{"no.such", "1"}}});
  create.topics.push_back({.name = "none", .num_partitions = 0, .replication_factor = 1});
  auto created = c.call<19>(create, 7);
  auto error = [&](size_t i) { return static_cast<KafkaError>(created.topics.at(i).error_code); };
  EXPECT_EQ(error(0), KafkaError::kNone);
  EXPECT_EQ(error(1), KafkaError::kInvalidTopic);
  EXPECT_EQ(error(2), KafkaError::kInvalidReplicationFactor);
  EXPECT_EQ(error(3), KafkaError::kInvalidConfig);
  EXPECT_EQ(error(4), KafkaError::kInvalidPartitions);
  create.topics[0].replication_factor = 3;  // Those who create what may be there already do not look first.
  EXPECT_EQ(c.call<19>(create, 7).topics.at(0).error_code, wire_code(KafkaError::kTopicAlreadyExists));

  EXPECT_EQ(
      c.call<37>({.topics = {{.name = "good", .count = 5, .assignments = std::nullopt}}}, 3).results.at(0).error_code,
      0);
  EXPECT_EQ(broker_->topic("good")->partitions.size(), 5u);
  EXPECT_EQ(
      c.call<37>({.topics = {{.name = "good", .count = 4, .assignments = std::nullopt}}}, 3).results.at(0).error_code,
      wire_code(KafkaError::kInvalidPartitions));
  EXPECT_NE(c.call<37>({.topics = {{.name = "__consumer_offsets", .count = 50, .assignments = std::nullopt}}}, 3)
                .results.at(0)
                .error_code,
            0);
  EXPECT_EQ(broker_->topic("__consumer_offsets")->partitions.size(), 1u);

  IncrementalAlterConfigsRequest alter;
  alter.resources.push_back(
      {.resource_type = 2, .resource_name = "good", .configs = {{"cleanup.policy", 2, "compact"}}});
  EXPECT_EQ(c.call<44>(alter, 1).responses.at(0).error_code, 0);
  DescribeConfigsRequest describe;
  describe.resources.push_back(
      {.resource_type = 2, .resource_name = "good", .configuration_keys = {{"cleanup.policy", "retention.ms"}}});
  describe.include_synonyms = true;
  auto described = c.call<32>(describe, 4);
  ASSERT_EQ(described.results.at(0).configs.size(), 2u);
  EXPECT_EQ(described.results[0].configs[0].value, "delete,compact");
  EXPECT_EQ(described.results[0].configs[0].config_source, 1);
  EXPECT_EQ(described.results[0].configs[1].value, "5000");
  EXPECT_EQ(described.results[0].configs[1].synonyms.size(), 2u);

  EXPECT_EQ(c.call<20>({.topics = {{.name = "good"}}}, 6).responses.at(0).error_code, 0);
  EXPECT_EQ(c.call<20>({.topics = {{.name = "good"}}}, 6).responses.at(0).error_code,
            wire_code(KafkaError::kUnknownTopicOrPartition));
}

TEST_F(KafkaServerTest, BrokerConfigsAreReadOnly) {
  auto c = client();
  DescribeConfigsRequest describe;
  describe.resources.push_back({.resource_type = 4, .resource_name = "1", .configuration_keys = std::nullopt});
  auto described = c.call<32>(describe, 4);
  ASSERT_GT(described.results.at(0).configs.size(), 10u);
  for (const auto& config : described.results[0].configs) EXPECT_TRUE(config.read_only) << config.name;
}

TEST_F(KafkaServerTest, OffsetsAreListed) {
  create("t");
  auto c = client();
  c.call<0>(produce_request("t", 0, batch_of({"a"}, 1000).bytes()), 9);
  auto list = [&](int64_t timestamp, int16_t version) {
    ListOffsetsRequest request;
    request.topics.push_back({.name = "t", .partitions = {{.timestamp = timestamp}}});
    return c.call<2>(request, version).topics.at(0).partitions.at(0);
  };
  auto offset_at = [&](int64_t timestamp) { return list(timestamp, 9).offset; };
  EXPECT_EQ(offset_at(-2), 0);
  EXPECT_EQ(offset_at(-1), 1);
  EXPECT_EQ(offset_at(-3), 0);
  EXPECT_EQ(offset_at(500), 0);
  EXPECT_EQ(offset_at(5000), -1);
  for (auto [timestamp, since] : {std::pair<int64_t, int16_t>{-3, 7}, {-4, 8}, {-5, 9}, {-6, 11}}) {
    EXPECT_EQ(list(timestamp, since).error_code, 0) << timestamp;
    EXPECT_EQ(list(timestamp, static_cast<int16_t>(since - 1)).error_code, wire_code(KafkaError::kUnsupportedVersion));
  }
}

TEST_F(KafkaServerTest, GroupsJoinCommitAndLeave) {
  create("t");
  auto c = client();
  JoinGroupRequest join{.group_id = "g",
                        .session_timeout_ms = 10'000,
                        .rebalance_timeout_ms = 10'000,
                        .protocol_type = "consumer",
                        .protocols = {{"range", {1, 2}}}};
  auto first = c.call<11>(join, 9);
  ASSERT_EQ(first.error_code, wire_code(KafkaError::kMemberIdRequired));
  join.member_id = first.member_id;
  auto joined = c.call<11>(join, 9);
  ASSERT_EQ(joined.error_code, 0);
  EXPECT_EQ(joined.leader, joined.member_id);
  ASSERT_EQ(joined.members.size(), 1u);
  SyncGroupRequest sync{.group_id = "g",
                        .generation_id = joined.generation_id,
                        .member_id = joined.member_id,
                        .assignments = {{joined.member_id, {7}}}};
  EXPECT_EQ(c.call<14>(sync, 3).assignment, Bytes{7});
  EXPECT_EQ(c.call<12>({"g", joined.generation_id, joined.member_id, std::nullopt}, 4).error_code, 0);
  EXPECT_EQ(c.call<12>({"g", joined.generation_id + 1, joined.member_id, std::nullopt}, 4).error_code,
            wire_code(KafkaError::kIllegalGeneration));

  OffsetCommitRequest commit{
      .group_id = "g", .generation_id_or_member_epoch = joined.generation_id, .member_id = joined.member_id};
  commit.topics.push_back({.name = "t", .partitions = {{.committed_offset = 42, .committed_metadata = "m"}}});
  commit.topics.push_back({.name = "none", .partitions = {{.committed_offset = 1}}});
  auto committed = c.call<8>(commit, 9);
  EXPECT_EQ(committed.topics.at(0).partitions.at(0).error_code, 0);
  EXPECT_EQ(committed.topics.at(1).partitions.at(0).error_code, wire_code(KafkaError::kUnknownTopicOrPartition));

  OffsetFetchRequest fetch;
  fetch.groups.push_back({.group_id = "g", .topics = std::nullopt});
  auto fetched = c.call<9>(fetch, 9);
  EXPECT_EQ(fetched.groups.at(0).topics.at(0).partitions.at(0).committed_offset, 42);
  OffsetFetchRequest old{.group_id = "g", .topics = {{{.name = "t", .partition_indexes = {0, 3}}}}};
  auto old_answer = c.call<9>(old, 5);
  EXPECT_EQ(old_answer.topics.at(0).partitions.at(0).metadata, "m");
  EXPECT_EQ(old_answer.topics.at(0).partitions.at(1).committed_offset, -1);

  EXPECT_EQ(c.call<16>({}, 5).groups.at(0).group_state, "Stable");
  EXPECT_EQ(c.call<15>({.groups = {"g"}}, 6).groups.at(0).members.at(0).client_host, "/127.0.0.1");
  EXPECT_EQ(c.call<42>({.groups_names = {"g"}}, 2).results.at(0).error_code, wire_code(KafkaError::kNonEmptyGroup));
  EXPECT_EQ(c.call<13>({.group_id = "g", .members = {{.member_id = joined.member_id}}}, 5).members.at(0).error_code, 0);
  EXPECT_EQ(c.call<42>({.groups_names = {"g"}}, 2).results.at(0).error_code, 0);
  EXPECT_EQ(c.call<15>({.groups = {"g"}}, 6).groups.at(0).error_code, wire_code(KafkaError::kGroupIdNotFound));
}

TEST_F(KafkaServerTest, PartitionsAreDescribedInPages) {
  create("a", 3);
  create("b", 3);
  auto c = client();
  DescribeTopicPartitionsRequest request;
  request.response_partition_limit = 2;
  std::vector<std::string> seen;
  while (true) {
    auto page = c.call<75>(request, 0);
    for (const auto& topic : page.topics) {
      if (topic.is_internal) continue;
      for (const auto& partition : topic.partitions)
        seen.push_back(*topic.name + std::to_string(partition.partition_index));
    }
    if (!page.next_cursor) break;
    request.cursor = {page.next_cursor->topic_name, page.next_cursor->partition_index};
  }
  EXPECT_EQ(seen, (std::vector<std::string>{"a0", "a1", "a2", "b0", "b1", "b2"}));
}

TEST_F(KafkaServerTest, GarbageClosesTheConnectionAndNothingElse) {
  auto steady = client();
  std::string unknown_key = KafkaTestClient::frame(HeartbeatRequest(), 4);
  unknown_key[5] = 99;
  std::string unknown_version = KafkaTestClient::frame(HeartbeatRequest(), 4);
  unknown_version[7] = 50;
  std::string old_produce = KafkaTestClient::frame(ProduceRequest(), 3);
  old_produce[7] = 2;
  std::string cut = KafkaTestClient::frame(JoinGroupRequest{.group_id = "group"}, 5);
  cut = cut.substr(0, cut.size() - 3);
  cut[3] = static_cast<char>(cut.size() - 4);
  std::vector<std::string> cases = {std::string("\xff\xff\xff\xff", 4),
                                    std::string("\x80\x00\x00\x00", 4),
                                    std::string("\x00\x00\x00\x00", 4),
                                    std::string("\x00\x00\x00\x03xyz", 7),
                                    "GET / HTTP/1.1\r\n\r\n",
                                    std::string("\x00\x08\x00\x01GET / HT", 12),
                                    unknown_key,
                                    unknown_version,
                                    old_produce,
                                    cut};
  for (size_t i = 0; i < cases.size(); ++i) {
    auto c = client();
    c.socket().send(cases[i]);
    EXPECT_TRUE(c.socket().wait_closed()) << "case " << i;
  }
  EXPECT_EQ(metric("headrace_kafka_refused_requests_total"), static_cast<int64_t>(cases.size()));
  EXPECT_EQ(steady.call<18>({}, 0).error_code, 0);
}

TEST_F(KafkaServerTest, BytesBehindARequestAreIgnored) {
  std::string longer = KafkaTestClient::frame(MetadataRequest(), 13, 5) + "xyz";
  longer[3] = static_cast<char>(longer.size() - 4);
  auto c = client();
  c.socket().send(longer);
  EXPECT_EQ(c.receive<MetadataResponse>(13, 5).brokers.size(), 1u);
}

// KafkaJS asks for the versions once, not on each of its connections.
TEST_F(KafkaServerTest, AFirstRequestMayBeLargeIfItsHeaderIsOne) {
  create("t");
  std::string frame =
      KafkaTestClient::frame(produce_request("t", 0, batch_of({std::string(600 << 10, 'x')}).bytes()), 9);
  auto eager = client();
  eager.socket().send(frame.substr(0, 6));
  eager.socket().send(frame.substr(6));
  EXPECT_EQ(produce_error(eager.receive<ProduceResponse>(9)), 0);
  auto stranger = client();
  frame[4] = 'G';
  stranger.socket().send(std::string_view(frame).substr(0, 100));
  EXPECT_TRUE(stranger.socket().wait_closed());
}

TEST_F(KafkaServerTest, RequestsOverTheLimitCloseTheConnection) {
  start({.port = 0, .request_bytes_max = 10'000});
  auto c = client();
  c.call<18>({}, 0);
  c.socket().send(std::string("\x00\x00\x27\x11", 4));
  EXPECT_TRUE(c.socket().wait_closed());
}

TEST_F(KafkaServerTest, IdleConnectionsAreClosedButNotThoseThatWait) {
  start({.port = 0, .connection_idle_max = std::chrono::seconds(1)});
  create("t");
  auto idle = client();
  auto waiting = client();
  waiting.send(fetch_request("t", 0, 2500), 12, 1);
  EXPECT_TRUE(idle.socket().wait_closed());
  EXPECT_EQ(waiting.receive<FetchResponse>(12, 1).responses.size(), 1u);
}

TEST_F(KafkaServerTest, BytesMayComeOneByOne) {
  auto c = client();
  std::string frame =
      KafkaTestClient::frame(ApiVersionsRequest(), 0, 9) + KafkaTestClient::frame(ApiVersionsRequest(), 0, 10);
  for (char byte : frame) c.socket().send(std::string_view(&byte, 1));
  EXPECT_EQ(c.receive<ApiVersionsResponse>(0, 9).error_code, 0);
  EXPECT_EQ(c.receive<ApiVersionsResponse>(0, 10).error_code, 0);
}

TEST_F(KafkaServerTest, SlowReadersArePaused) {
  create("t");
  auto c = client();
  for (int i = 0; i < 8; ++i) c.call<0>(produce_request("t", 0, batch_of({std::string(400'000, 'x')}).bytes()), 9);
  constexpr int kFetches = 60;
  auto request = fetch_request("t", 0);
  request.topics[0].partitions[0].partition_max_bytes = 8 << 20;
  std::string frames;
  for (int i = 0; i < kFetches; ++i) frames += KafkaTestClient::frame(request, 12, i);
  c.socket().send(frames);
  for (int i = 0; i < kFetches; ++i) {
    EXPECT_GT(c.receive<FetchResponse>(12, i).responses[0].partitions[0].records.size(), 3'000'000u);
  }
}

/// Every API in every version it serves, with messages from a seed: each is answered or closes its connection.
TEST_F(KafkaServerTest, RandomRequestsAreAnsweredOrRefused) {
  auto try_api = [&]<int16_t key>() {
    using Request = typename Messages<key>::Request;
    const Api* api = find_api(key);
    ASSERT_NE(api, nullptr);
    for (int16_t version = api->versions.min; version <= api->versions.max; ++version) {
      for (uint64_t seed = 0; seed < 4; ++seed) {
        auto request = Sampler(seed).message<Request>(version);
        if constexpr (key == 1) request.max_wait_ms = 1;
        if constexpr (key == 11) request.session_timeout_ms = request.rebalance_timeout_ms = 200;
        auto c = client();
        c.send(request, version, 1);
        c.socket().shutdown_send();
        c.socket().wait_closed();
      }
    }
  };
  [&]<int16_t... keys>(std::integer_sequence<int16_t, keys...>) { (try_api.template operator()<keys>(), ...); }
  (AllApiKeys());
  EXPECT_EQ(client().call<18>({}, 0).error_code, 0);
}

TEST_F(KafkaServerTest, MutatedRequestsAreAnsweredOrRefused) {
  create("t");
  std::vector<std::string> originals = {
      KafkaTestClient::frame(produce_request("t", 0, batch_of({"a", "b"}).bytes()), 9),
      KafkaTestClient::frame(fetch_request("t", 0), 12), KafkaTestClient::frame(MetadataRequest(), 12),
      KafkaTestClient::frame(JoinGroupRequest{.group_id = "g", .session_timeout_ms = 1000, .protocols = {{"p", {1}}}},
                             9),
      KafkaTestClient::frame(ApiVersionsRequest(), 4)};
  std::mt19937 random(20'26);
  for (int i = 0; i < 300; ++i) {
    std::string bytes = originals[random() % originals.size()];
    for (int flips = 1 + static_cast<int>(random() % 4); flips > 0; --flips) {
      bytes[4 + random() % (bytes.size() - 4)] = static_cast<char>(random());
    }
    auto c = client();
    c.socket().send(bytes);
    c.socket().reset();
  }
  EXPECT_EQ(client().call<18>({}, 0).error_code, 0);
}

TEST_F(KafkaServerTest, RequestsAreCounted) {
  client().call<18>({}, 0);
  EXPECT_EQ(metric("headrace_kafka_requests_total", "ApiVersions"), 1);
  EXPECT_GT(metric("headrace_kafka_response_bytes_total", "ApiVersions"), 0);
}

TEST_F(KafkaServerTest, StopsWhileRequestsWait) {
  create("t");
  auto c = client();
  c.send(fetch_request("t", 0, 60'000), 12, 1);
  server_.reset();
  EXPECT_TRUE(c.socket().wait_closed());
}

TEST_F(KafkaServerTest, FetchesThatWaitDoNotReadFromAClosedBroker) {
  create("t");
  auto c = client();
  for (int i = 0; i < 3; ++i) client().send(fetch_request("t", 0, 60'000), 12, i);
  c.send(fetch_request("t", 0, 60'000), 12, 9);
  c.socket().shutdown_send();
  client().call<18>({}, 0);
  server_.reset();
  broker_.reset();  // Wakes who waits; what they do then is done on the loops.
  for (size_t i = 0; i < loops_->size(); ++i) {
    std::promise<void> idle;
    loops_->loop(i).post([&] { idle.set_value(); });
    idle.get_future().wait();
  }
}

TEST(ReferencePage, NamesEveryApi) {
  std::string page = reference_page();
  for (const Api* api : api_table()) EXPECT_NE(page.find(std::string(api->name)), std::string::npos);
  EXPECT_NE(page.find("| 18 | ApiVersions | 0-4 | 3 |"), std::string::npos);
}

}  // namespace
}  // namespace headrace::kafka
