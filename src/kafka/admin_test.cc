// The administrative APIs over sockets, as far as one broker has anything to tell.
#include <algorithm>
#include <future>
#include <set>

#include "kafka/kafka_server_test_support.h"
#include "kafka/topics.h"
#include "record/producer_fields.h"
#include "wire/kafka/all_messages.h"

namespace headrace::kafka {
namespace {

using namespace wire::kafka;  // NOLINT: the messages are what this file is about

class AdminTest : public KafkaServerTest {};

TEST_F(AdminTest, AclsAreAnsweredAsWithoutAnAuthorizer) {
  auto c = client();
  auto code = wire_code(KafkaError::kSecurityDisabled);
  EXPECT_EQ(c.call<29>({}, 3).error_code, code);
  CreateAclsRequest create;
  create.creations.resize(2);
  auto created = c.call<30>(create, 3);
  ASSERT_EQ(created.results.size(), 2u);
  EXPECT_EQ(created.results[1].error_code, code);
  DeleteAclsRequest remove;
  remove.filters.resize(1);
  EXPECT_EQ(c.call<31>(remove, 3).filter_results.at(0).error_code, code);
}

TEST_F(AdminTest, LogDirsTellBytesOfPartitionsAndTheDisk) {
  create("t", 2);
  auto c = client();
  auto batch = batch_of({"some", "records"});
  ASSERT_EQ(produce_error(c.call<0>(produce_request("t", 1, batch.bytes()), 9)), 0);
  DescribeLogDirsRequest request;
  request.topics->push_back({"t", {0, 1, 7}});
  request.topics->push_back({"none", {0}});
  auto directory = c.call<35>(request, 4).results.at(0);
  EXPECT_EQ(directory.log_dir, directory_.path());
  EXPECT_GT(directory.usable_bytes, 0);
  EXPECT_GE(directory.total_bytes, directory.usable_bytes);
  ASSERT_EQ(directory.topics.size(), 1u);
  ASSERT_EQ(directory.topics[0].partitions.size(), 2u);
  EXPECT_EQ(directory.topics[0].partitions[0].partition_size, 0);
  EXPECT_EQ(directory.topics[0].partitions[1].partition_size, static_cast<int64_t>(batch.size()));
  request.topics.reset();
  std::set<std::string> all;
  auto whole = c.call<35>(request, 5);
  for (const auto& topic : whole.results.at(0).topics) all.insert(topic.name);
  EXPECT_EQ(all, (std::set<std::string>{"__consumer_offsets", "__transaction_state", "t"}));
}

TEST_F(AdminTest, LogDirsTellWhatIsNamedTwiceOnce) {
  create("t", 3);
  DescribeLogDirsRequest request;
  request.topics->push_back({"t", {2, 0, 2, 2}});
  request.topics->push_back({"t", {0, 1}});
  request.topics->push_back({"t", {}});
  auto topics = client().call<35>(request, 4).results.at(0).topics;
  ASSERT_EQ(topics.size(), 1u);
  std::vector<int32_t> told;
  for (const auto& partition : topics[0].partitions) told.push_back(partition.partition_index);
  EXPECT_EQ(told, (std::vector<int32_t>{0, 1, 2}));
  request.topics->assign(1, {"t", {7}});
  EXPECT_TRUE(client().call<35>(request, 4).results.at(0).topics.empty()) << "as a topic that there is not";
}

TEST_F(AdminTest, ReplicasAreInTheOneDirectory) {
  create("t");
  AlterReplicaLogDirsRequest request;
  request.dirs.push_back({directory_.path(), {{"t", {0, 1}}}});
  request.dirs.push_back({"/elsewhere", {{"t", {0}}}});
  auto response = client().call<34>(request, 2);
  ASSERT_EQ(response.results.size(), 2u);
  EXPECT_EQ(response.results[0].partitions[0].error_code, 0);
  EXPECT_EQ(response.results[0].partitions[1].error_code, wire_code(KafkaError::kUnknownTopicOrPartition));
  EXPECT_EQ(response.results[1].partitions[0].error_code, wire_code(KafkaError::kLogDirNotFound));
}

TEST_F(AdminTest, LeadersNeedNoElection) {
  create("t");
  auto c = client();
  ElectLeadersRequest request;
  request.topic_partitions->push_back({"t", {0, 1}});
  auto response = c.call<43>(request, 2);
  EXPECT_EQ(response.error_code, 0);
  ASSERT_EQ(response.replica_election_results.size(), 1u);
  const auto& results = response.replica_election_results[0].partition_result;
  EXPECT_EQ(results.at(0).error_code, wire_code(KafkaError::kElectionNotNeeded));
  EXPECT_EQ(results.at(1).error_code, wire_code(KafkaError::kUnknownTopicOrPartition));
  request.topic_partitions.reset();
  EXPECT_TRUE(c.call<43>(request, 2).replica_election_results.empty());
  request.election_type = 2;
  EXPECT_EQ(c.call<43>(request, 2).error_code, wire_code(KafkaError::kInvalidRequest));
}

TEST_F(AdminTest, PartitionsStayOnTheOneBroker) {
  create("t", 3);
  auto c = client();
  AlterPartitionReassignmentsRequest request;
  auto& topic = request.topics.emplace_back();
  topic.name = "t";
  topic.partitions.push_back({0, std::vector<int32_t>{1}});
  topic.partitions.push_back({1, std::vector<int32_t>{2}});
  topic.partitions.push_back({2, std::nullopt});
  topic.partitions.push_back({5, std::vector<int32_t>{1}});
  auto response = c.call<45>(request, 1);
  const auto& results = response.responses.at(0).partitions;
  EXPECT_EQ(results.at(1).error_message, "the only broker is 1");
  EXPECT_EQ(results.at(0).error_code, 0);
  EXPECT_EQ(results.at(1).error_code, wire_code(KafkaError::kInvalidReplicaAssignment));
  EXPECT_EQ(results.at(2).error_code, wire_code(KafkaError::kNoReassignmentInProgress));
  EXPECT_EQ(results.at(3).error_code, wire_code(KafkaError::kUnknownTopicOrPartition));
  EXPECT_EQ(results.at(3).error_message, "there is no partition t-5");
  topic.partitions.assign(1'000, {5, std::vector<int32_t>{1}});
  EXPECT_EQ(c.call<45>(request, 1).responses.at(0).partitions.size(), 1u);
  auto listed = c.call<46>({}, 0);
  EXPECT_EQ(listed.error_code, 0);
  EXPECT_TRUE(listed.topics.empty());
}

TEST_F(AdminTest, WhatIsNamedTwiceIsToldOnce) {
  namespace wire = wire::kafka;
  create("t", 3);
  auto c = client();
  wire::MetadataRequest metadata;
  for (const char* name : {"t", "t", "u"}) {
    if (!metadata.topics) metadata.topics.emplace();
    metadata.topics->emplace_back().name = name;
  }
  metadata.allow_auto_topic_creation = false;
  EXPECT_EQ(c.call<3>(metadata, 9).topics.size(), 2u);
  wire::DescribeConfigsRequest configs;
  configs.resources.resize(3);
  for (auto& resource : configs.resources) resource = {.resource_type = 2, .resource_name = "t"};
  configs.resources[2].resource_name = "u";
  EXPECT_EQ(c.call<32>(configs, 4).results.size(), 2u);
  wire::ListConfigResourcesRequest kinds;
  kinds.resource_types = {2, 4, 2};
  auto resources = c.call<74>(kinds, 1).config_resources;
  EXPECT_EQ(std::count_if(resources.begin(), resources.end(), [](const auto& one) { return one.resource_name == "t"; }),
            1);
  EXPECT_EQ(c.call<15>(wire::DescribeGroupsRequest{.groups = {"g", "g"}}, 5).groups.size(), 1u);
  EXPECT_EQ(c.call<69>(wire::ConsumerGroupDescribeRequest{.group_ids = {"g", "g"}}, 1).groups.size(), 1u);
  EXPECT_EQ(c.call<65>(wire::DescribeTransactionsRequest{{"x", "x"}}, 0).transaction_states.size(), 1u);
  EXPECT_EQ(c.call<42>(wire::DeleteGroupsRequest{{"g", "g"}}, 2).results.size(), 1u);
  wire::FindCoordinatorRequest coordinators;
  coordinators.coordinator_keys = {"", "g", "", ""};
  EXPECT_EQ(c.call<10>(coordinators, 4).coordinators.size(), 2u);
  wire::UpdateFeaturesRequest features;
  features.feature_updates.resize(3);
  EXPECT_EQ(c.call<57>(features, 1).results.size(), 1u);
  wire::AlterClientQuotasRequest quotas;
  quotas.entries.resize(3);
  EXPECT_EQ(c.call<49>(quotas, 1).entries.size(), 1u);
}

TEST_F(AdminTest, ATopicIsToldOnceUnderAnyNamesBesideItsId) {
  create("t", 3);
  auto c = client();
  MetadataRequest request;
  request.topics.emplace().resize(3);
  for (size_t i = 0; i < 3; ++i) {
    (*request.topics)[i].name = std::string(i, 'x');
    (*request.topics)[i].topic_id = to_wire(broker_->topic("t")->id);
  }
  EXPECT_EQ(c.call<3>(request, 12).topics.size(), 1u);
  for (size_t i = 0; i < 3; ++i) {
    (*request.topics)[i].name = "t";
    (*request.topics)[i].topic_id.bytes[0] = static_cast<uint8_t>(i);
  }
  EXPECT_EQ(c.call<3>(request, 11).topics.size(), 1u) << "ids count from version 12 on";
}

TEST_F(AdminTest, ChangesOfOneQuotaInTwoPlacesAreBothMade) {
  auto c = client();
  AlterClientQuotasRequest request;
  for (const char* key : {"producer_byte_rate", "consumer_byte_rate", "no_such_rate"}) {
    auto& entry = request.entries.emplace_back();
    entry.entity.push_back({"user", "ann"});
    entry.ops.push_back({key, 1000, false});
  }
  auto told = c.call<49>(request, 1).entries;
  ASSERT_EQ(told.size(), 1u);
  EXPECT_EQ(told[0].error_code, wire_code(KafkaError::kInvalidRequest));
  EXPECT_EQ(c.call<48>({}, 1).entries->at(0).values.size(), 2u);
}

TEST_F(AdminTest, ControllersAreAskedElsewhere) {
  auto c = client();
  DescribeClusterRequest request;
  EXPECT_EQ(c.call<60>(request, 1).brokers.size(), 1u);
  request.endpoint_type = 2;
  EXPECT_EQ(c.call<60>(request, 1).error_code, wire_code(KafkaError::kMismatchedEndpointType));
  request.endpoint_type = 3;
  EXPECT_EQ(c.call<60>(request, 1).error_code, wire_code(KafkaError::kUnsupportedEndpointType));
}

TEST_F(AdminTest, RepeatedPartitionsAreToldOnce) {
  namespace wire = wire::kafka;
  create("t", 3);
  auto c = client();
  wire::DescribeProducersRequest producers;
  producers.topics.resize(2);
  for (auto& topic : producers.topics) topic = {.name = "t", .partition_indexes = {0, 2, 0}};
  auto described = c.call<61>(producers, 0);
  ASSERT_EQ(described.topics.size(), 1u);
  EXPECT_EQ(described.topics[0].partitions.size(), 2u);
  wire::OffsetFetchRequest offsets;
  offsets.groups.resize(2);
  for (auto& group : offsets.groups) {
    group.group_id = "g";
    group.topics.emplace().push_back({.name = "t", .partition_indexes = {1, 1}});
  }
  auto fetched = c.call<9>(offsets, 8);
  ASSERT_EQ(fetched.groups.size(), 1u);
  ASSERT_EQ(fetched.groups[0].topics.size(), 1u);
  EXPECT_EQ(fetched.groups[0].topics[0].partitions.size(), 1u);
}

TEST_F(AdminTest, NobodyHasScramCredentials) {
  auto c = client();
  DescribeUserScramCredentialsRequest request;
  EXPECT_TRUE(c.call<50>(request, 0).results.empty());
  request.users->push_back({"ann"});
  EXPECT_EQ(c.call<50>(request, 0).results.at(0).error_code, wire_code(KafkaError::kResourceNotFound));
}

TEST_F(AdminTest, TransactionsAndTheirProducersAreTold) {
  create("t", 2);
  auto c = client();
  InitProducerIdRequest init;
  init.transactional_id = "tx";
  init.transaction_timeout_ms = 60'000;
  auto producer = c.call<22>(init, 4);
  AddPartitionsToTxnRequest add;
  add.v3_and_below_transactional_id = "tx";
  add.v3_and_below_producer_id = producer.producer_id;
  add.v3_and_below_producer_epoch = producer.producer_epoch;
  add.v3_and_below_topics.push_back({"t", {1}});
  ASSERT_EQ(c.call<24>(add, 3).results_by_topic_v3_and_below.at(0).results_by_partition.at(0).partition_error_code, 0);

  DescribeTransactionsRequest describe;
  describe.transactional_ids = {"tx", "none"};
  auto states = c.call<65>(describe, 0).transaction_states;
  ASSERT_EQ(states.size(), 2u);
  EXPECT_EQ(states[0].transaction_state, "Ongoing");
  EXPECT_EQ(states[0].producer_id, producer.producer_id);
  EXPECT_EQ(states[0].transaction_timeout_ms, 60'000);
  ASSERT_EQ(states[0].topics.size(), 1u);
  EXPECT_EQ(states[0].topics[0].partitions, std::vector<int32_t>{1});
  EXPECT_EQ(states[1].error_code, wire_code(KafkaError::kTransactionalIdNotFound));

  auto listed = [&](ListTransactionsRequest request) { return c.call<66>(request, 1).transaction_states.size(); };
  EXPECT_EQ(listed({}), 1u);
  EXPECT_EQ(listed({.state_filters = {"Ongoing"}}), 1u);
  EXPECT_EQ(listed({.state_filters = {"Empty"}}), 0u);
  EXPECT_EQ(listed({.producer_id_filters = {producer.producer_id + 1}}), 0u);
  EXPECT_EQ(listed({.duration_filter = 3'600'000}), 0u);
  init.transactional_id = "idle";
  ASSERT_EQ(c.call<22>(init, 4).error_code, 0);
  EXPECT_EQ(listed({.duration_filter = 3'600'000}), 1u) << "one that never began";
  EXPECT_EQ(listed({.state_filters = {"Ongoing"}, .duration_filter = 3'600'000}), 0u);
  auto matching = [&](const char* pattern) {
    ListTransactionsRequest request;
    request.transactional_id_pattern = pattern;
    return c.call<66>(request, 2);
  };
  EXPECT_EQ(matching("t.").transaction_states.size(), 1u);
  EXPECT_EQ(matching("").transaction_states.size(), 2u);
  EXPECT_EQ(matching("t").transaction_states.size(), 0u);
  EXPECT_EQ(matching("t(").error_code, wire_code(KafkaError::kInvalidRegularExpression));
  auto unknown = c.call<66>({.state_filters = {"Sleeping"}}, 1);
  EXPECT_EQ(unknown.unknown_state_filters, std::vector<std::string>{"Sleeping"});

  DescribeProducersRequest producers;
  producers.topics.push_back({"t", {0, 1, 9}});
  auto partitions = c.call<61>(producers, 0).topics.at(0).partitions;
  EXPECT_EQ(partitions.at(0).error_code, 0);
  EXPECT_TRUE(partitions.at(0).active_producers.empty());
  EXPECT_EQ(partitions.at(2).error_code, wire_code(KafkaError::kUnknownTopicOrPartition));
}

// Transactions that partitions have open and no coordinator knows.
class HangingTransactionTest : public AdminTest {
 protected:
  static constexpr int64_t kProducer = 4711;
  static constexpr int16_t kEpoch = 3;

  void hang(const TopicPartition& tp) {
    auto batch = record::with_producer(batch_of({"open"}), {ProducerId(kProducer), kEpoch, 0, true});
    std::promise<bool> appended;
    broker_->partition(tp)->produce(std::span(&batch, 1), [&](auto produced) { appended.set_value(produced.ok()); });
    ASSERT_TRUE(appended.get_future().get());
  }
  int16_t end(WriteTxnMarkersRequest::WritableTxnMarker marker, int32_t partition = 0) {
    marker.producer_id = kProducer;
    marker.topics.push_back({"t", {partition}});
    auto response = client().call<27>({.markers = {marker}}, 2);
    EXPECT_EQ(response.markers.at(0).producer_id, kProducer);
    return response.markers[0].topics.at(0).partitions.at(0).error_code;
  }
  bool is_open() { return broker_->partition({"t", PartitionId(0)})->last_stable() == Offset(0); }
};

TEST_F(HangingTransactionTest, IsEndedByAMarkerOfItsEpoch) {
  create("t");
  hang({"t", PartitionId(0)});
  EXPECT_TRUE(is_open());
  EXPECT_EQ(end({.producer_epoch = kEpoch}), 0);
  EXPECT_FALSE(is_open());
  auto aborted = broker_->partition({"t", PartitionId(0)})->log().aborted_transactions(Offset(0), Offset(9));
  ASSERT_TRUE(aborted.ok());
  EXPECT_EQ(aborted->size(), 1u);
  EXPECT_EQ(end({.producer_epoch = kEpoch}, 7), wire_code(KafkaError::kUnknownTopicOrPartition));
}

TEST_F(HangingTransactionTest, TheBrokersOwnTopicsAreNotForTransactions) {
  create("t");
  auto c = client();
  AddPartitionsToTxnRequest add;
  add.v3_and_below_topics = {{"__transaction_state", {0}}, {"__consumer_offsets", {0}}, {"t", {0, 1}}};
  auto added = c.call<24>(add, 3).results_by_topic_v3_and_below;
  auto error = [&](size_t topic, size_t partition = 0) {
    return static_cast<KafkaError>(added.at(topic).results_by_partition.at(partition).partition_error_code);
  };
  EXPECT_EQ(error(0), KafkaError::kTopicAuthorizationFailed);
  EXPECT_EQ(error(1), KafkaError::kTopicAuthorizationFailed);
  EXPECT_EQ(error(2), KafkaError::kOperationNotAttempted);
  EXPECT_EQ(error(2, 1), KafkaError::kUnknownTopicOrPartition);
  WriteTxnMarkersRequest::WritableTxnMarker marker{.producer_id = kProducer, .producer_epoch = kEpoch};
  marker.topics = {{"__transaction_state", {0}}, {"__consumer_offsets", {0}}};
  auto marked = c.call<27>({.markers = {marker}}, 1).markers.at(0).topics;
  EXPECT_EQ(marked.at(0).partitions.at(0).error_code, wire_code(KafkaError::kInvalidTopic));
  EXPECT_EQ(marked.at(1).partitions.at(0).error_code, 0);
}

TEST_F(HangingTransactionTest, OldProducersAndCoordinatorsAreFenced) {
  create("t");
  hang({"t", PartitionId(0)});
  EXPECT_EQ(end({.producer_epoch = kEpoch - 1}), wire_code(KafkaError::kInvalidProducerEpoch));
  EXPECT_TRUE(is_open());
  EXPECT_EQ(end({.producer_epoch = kEpoch, .coordinator_epoch = 5}), 0);
  EXPECT_EQ(end({.producer_epoch = kEpoch, .coordinator_epoch = 4}),
            wire_code(KafkaError::kTransactionCoordinatorFenced));
}

// KIP-1228: a marker of transaction version 2 brings a new epoch.
TEST_F(HangingTransactionTest, MarkersOfVersionTwoEndNothingOfTheirOwnEpoch) {
  create("t");
  hang({"t", PartitionId(0)});
  EXPECT_EQ(end({.producer_epoch = kEpoch, .transaction_version = 2}), wire_code(KafkaError::kInvalidProducerEpoch));
  EXPECT_TRUE(is_open());
  EXPECT_EQ(end({.producer_epoch = kEpoch + 1, .transaction_version = 2}), 0);
  EXPECT_FALSE(is_open());
  Offset before = broker_->partition({"t", PartitionId(0)})->high_watermark();
  EXPECT_EQ(end({.producer_epoch = kEpoch + 1, .transaction_version = 2}), 0);  // Asked again: it is done.
  EXPECT_EQ(broker_->partition({"t", PartitionId(0)})->high_watermark(), before);
}

}  // namespace
}  // namespace headrace::kafka
