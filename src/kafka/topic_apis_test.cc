// Topics that are created, looked up, emptied and deleted over sockets, where it does not go well.
#include "kafka/kafka_server_test_support.h"
#include "kafka/topics.h"
#include "os/simulated_file_system.h"
#include "wire/kafka/all_messages.h"

namespace headrace::kafka {
namespace {

using namespace wire::kafka;  // NOLINT: the messages are what this file is about

class TopicApisTest : public KafkaServerTest {
 protected:
  static CreateTopicsRequest::CreatableTopic topic(std::string name) {
    return {.name = std::move(name), .num_partitions = 1, .replication_factor = 1};
  }
  Uuid id_of(const std::string& topic) { return to_wire(broker_->topic(topic)->id); }
  /// The errors of a request to delete topics, in the order of the answers.
  std::vector<KafkaError> remove(const std::vector<DeleteTopicsRequest::DeleteTopicState>& topics) {
    DeleteTopicsRequest request;
    request.topics = topics;
    std::vector<KafkaError> errors;
    for (const auto& one : client().call<20>(request, 6).responses) {
      errors.push_back(static_cast<KafkaError>(one.error_code));
    }
    return errors;
  }
};

using Errors = std::vector<KafkaError>;

TEST_F(TopicApisTest, TheNameOfTheMetadataIsTaken) {
  CreateTopicsRequest request;
  request.topics.push_back(topic("__cluster_metadata"));
  auto c = client();
  EXPECT_EQ(c.call<19>(request, 7).topics.at(0).error_code, wire_code(KafkaError::kInvalidRequest));
  MetadataRequest metadata;
  metadata.topics.emplace().emplace_back().name = "__cluster_metadata";
  EXPECT_EQ(c.call<3>(metadata, 12).topics.at(0).error_code, wire_code(KafkaError::kUnknownTopicOrPartition));
}

TEST_F(TopicApisTest, TopicsThatAreNamedTwiceAreNeitherCreatedNorGrown) {
  auto c = client();
  CreateTopicsRequest request;
  for (const char* name : {"t", "u", "t"}) request.topics.push_back(topic(name));
  auto created = c.call<19>(request, 7).topics;
  ASSERT_EQ(created.size(), 2u);
  EXPECT_EQ(created[0].error_code, wire_code(KafkaError::kInvalidRequest));
  EXPECT_EQ(created[1].error_code, 0);
  EXPECT_EQ(broker_->topic("t"), nullptr);
  CreatePartitionsRequest grow;
  for (int32_t count : {2, 3}) grow.topics.push_back({.name = "u", .count = count, .assignments = std::nullopt});
  auto grown = c.call<37>(grow, 3).results;
  ASSERT_EQ(grown.size(), 1u);
  EXPECT_EQ(grown[0].error_code, wire_code(KafkaError::kInvalidRequest));
  EXPECT_EQ(broker_->topic("u")->partitions.size(), 1u);
}

TEST_F(TopicApisTest, PartitionsThatAreNamedAgainAreLookedAtOnce) {
  create("t", 2);
  auto c = client();
  ListOffsetsRequest offsets;
  OffsetForLeaderEpochRequest epochs;
  DeleteRecordsRequest records;
  for (int32_t partition : {0, 1, 0}) {  // A topic may come again, with others.
    offsets.topics.push_back({.name = "t", .partitions = {{.partition_index = 0}, {.partition_index = partition}}});
    epochs.topics.push_back({.topic = "t", .partitions = {{.partition = 0}, {.partition = partition}}});
    records.topics.push_back({.name = "t", .partitions = {{.partition_index = 0}, {.partition_index = partition}}});
  }
  auto answered = [](const auto& topics) {
    size_t partitions = 0;
    for (const auto& topic : topics) partitions += topic.partitions.size();
    return partitions;
  };
  EXPECT_EQ(answered(c.call<2>(offsets, 9).topics), 2u);
  EXPECT_EQ(answered(c.call<23>(epochs, 4).topics), 2u);
  EXPECT_EQ(answered(c.call<21>(records, 2).topics), 2u);
}

TEST_F(TopicApisTest, ATopicIsDeletedByItsNameOrItsId) {
  create("t");
  create("u");
  auto u = id_of("u");
  EXPECT_EQ(remove({{.name = "t", .topic_id = id_of("t")}}), Errors{KafkaError::kInvalidRequest});
  EXPECT_EQ(remove({DeleteTopicsRequest::DeleteTopicState{}}), Errors{KafkaError::kInvalidRequest});
  EXPECT_NE(broker_->topic("t"), nullptr);
  EXPECT_EQ(remove({{.name = "t"}, {.topic_id = u}}), (Errors{KafkaError::kNone, KafkaError::kNone}));
  EXPECT_EQ(remove({{.topic_id = u}}), Errors{KafkaError::kUnknownTopicId});
}

TEST_F(TopicApisTest, TopicsThatAreNamedTwiceAreNotDeleted) {
  for (const char* name : {"t", "u", "v"}) create(name);
  Errors refused = {KafkaError::kInvalidRequest, KafkaError::kNone};
  EXPECT_EQ(remove({{.name = "t"}, {.name = "v"}, {.name = "t"}}), refused);
  auto u = id_of("u");
  create("w");
  EXPECT_EQ(remove({{.topic_id = u}, {.name = "w"}, {.topic_id = u}}), refused);
  EXPECT_EQ(remove({{.topic_id = u}, {.name = "u"}}), Errors(2, KafkaError::kInvalidRequest));
  DeleteTopicsRequest by_name;
  by_name.topic_names = {"t", "t"};
  EXPECT_EQ(client().call<20>(by_name, 5).responses.at(0).error_code, wire_code(KafkaError::kInvalidRequest));
  EXPECT_NE(broker_->topic("t"), nullptr);
  EXPECT_NE(broker_->topic("u"), nullptr);
}

TEST_F(TopicApisTest, RecordsOfTheBrokersOwnTopicsStay) {
  create("t");
  DeleteRecordsRequest request;
  for (const char* name : {"__consumer_offsets", "t", "none"}) {
    auto& topic = request.topics.emplace_back();
    topic.name = name;
    topic.partitions.push_back({0, -1});
  }
  auto topics = client().call<21>(request, 2).topics;
  ASSERT_EQ(topics.size(), 3u);
  EXPECT_EQ(topics[0].partitions.at(0).error_code, wire_code(KafkaError::kInvalidTopic));
  EXPECT_EQ(topics[1].partitions.at(0).error_code, 0);
  EXPECT_EQ(topics[2].partitions.at(0).error_code, wire_code(KafkaError::kUnknownTopicOrPartition));
}

/// A broker that has no room for a partition beside those of its own topics and one more.
class FullBrokerTest : public TopicApisTest {
 protected:
  FullBrokerTest() {
    server_.reset();
    broker_.reset();
    auto opened = broker::Broker::open({.data_directory = directory_.path(), .partitions_max = 3}, metrics_);
    CHECK(opened.ok());
    broker_ = *std::move(opened);
    start({.port = 0, .metrics = &metrics_});
  }
};

TEST_F(FullBrokerTest, ANameIsNotBadForLackOfRoom) {
  MetadataRequest request;
  for (const char* name : {"fits", "too-many", "not/a/name"}) {
    if (!request.topics) request.topics.emplace();
    request.topics->emplace_back().name = name;
  }
  auto topics = client().call<3>(request, 12).topics;
  ASSERT_EQ(topics.size(), 3u);
  EXPECT_EQ(topics[0].error_code, 0);
  EXPECT_EQ(topics[1].error_code, wire_code(KafkaError::kUnknownTopicOrPartition));
  EXPECT_EQ(topics[2].error_code, wire_code(KafkaError::kInvalidTopic));
}

class FailingDiskTest : public KafkaServerTest {
 protected:
  FailingDiskTest() {
    server_.reset();
    auto opened = broker::Broker::open({.data_directory = "/data"}, metrics_, os::system_clock(), disk_);
    CHECK(opened.ok());
    broker_ = *std::move(opened);
    start({.port = 0, .metrics = &metrics_});
  }
  ~FailingDiskTest() override {
    server_.reset();
    broker_.reset();
  }
  static SharedBytes batch() {
    record::BatchBuilder builder;
    builder.add(1700000000000, "key", "value");
    return builder.finish().bytes();
  }

  os::SimulatedFileSystem disk_;
};

TEST_F(FailingDiskTest, APartitionOutOfServiceHasALeaderAndNoReplicaInSync) {
  create("t", 2);
  auto c = client();
  disk_.fail(os::DiskCall::kSync, 1, os::DiskFault::kIoError);
  EXPECT_EQ(produce_error(c.call<0>(produce_request("t", 0, batch()), 9)), wire_code(KafkaError::kKafkaStorageError));
  EXPECT_EQ(produce_error(c.call<0>(produce_request("t", 1, batch()), 9)), 0);
  using Ids = std::vector<int32_t>;
  MetadataRequest metadata;
  metadata.topics.emplace().emplace_back().name = "t";
  auto told = c.call<3>(metadata, 12).topics.at(0).partitions;
  DescribeTopicPartitionsRequest describe;
  describe.topics.push_back({"t"});
  describe.response_partition_limit = 10;
  auto described = c.call<75>(describe, 0).topics.at(0).partitions;
  for (size_t i : {0, 1}) {
    EXPECT_EQ(told.at(i).error_code, 0);
    EXPECT_EQ(told.at(i).leader_id, 1);
    EXPECT_EQ(told.at(i).replica_nodes, Ids{1});
    EXPECT_EQ(told.at(i).isr_nodes, i == 0 ? Ids{} : Ids{1});
    EXPECT_EQ(told.at(i).offline_replicas, Ids{});
    EXPECT_EQ(described.at(i).leader_id, 1);
    EXPECT_EQ(described.at(i).isr_nodes, told.at(i).isr_nodes);
  }
}

}  // namespace
}  // namespace headrace::kafka
