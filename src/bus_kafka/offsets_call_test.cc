// Positions in a transaction while their group's coordinator is down, on librdkafka's own mock cluster.
#include "bus_kafka/internal/offsets_call.h"

#include <gtest/gtest.h>

#include <thread>

#include "bus_kafka/internal/mock_cluster_test_support.h"
#include "bus_kafka/internal/parts.h"

namespace headrace::bus_kafka {
namespace {

using std::chrono_literals::operator""ms;

std::unique_ptr<bus::TransactionalProducer> make_producer_of(const MockCluster& cluster) {
  auto producer =
      make_transactional_producer({{"bootstrap.servers", cluster.servers()}, {"reconnect.backoff.max.ms", "100"}}, "tx",
                                  {.step = 2000ms, .offsets_grace = 100ms});
  if (!producer.ok()) ADD_FAILURE() << producer.error().message;
  return producer.ok() ? std::move(*producer) : nullptr;
}

Status copy_positions(bus::TransactionalProducer& producer) {
  RETURN_IF_ERROR(producer.begin());
  RETURN_IF_ERROR(producer.commit_positions("g", {{{"t", PartitionId(0)}, Offset(7)}}));
  return producer.commit();
}

TEST(OffsetsCall, AGroupWithoutItsCoordinatorHoldsNobodyForEver) {
  MockCluster cluster;
  auto producer = make_producer_of(cluster);
  ASSERT_TRUE(producer);
  cluster.stop(MockCluster::kGroupBroker);
  Status copied = copy_positions(*producer);
  ASSERT_FALSE(copied.ok());
  ASSERT_EQ(abandoned_clients(), 1u) << "librdkafka came back by itself: " << copied.error().message;
  EXPECT_EQ(copied.error().code, ErrorCode::kUnavailable);
  for (const Status& status : {producer->abort(), producer->begin(), producer->commit()}) {
    ASSERT_FALSE(status.ok());
    EXPECT_EQ(status.error().code, ErrorCode::kUnavailable);
  }
  producer.reset();
  cluster.start(MockCluster::kGroupBroker);
  // The call comes back now, and its client goes; a test that hangs here is stopped by its runner.
  while (abandoned_clients() > 0) std::this_thread::yield();
  auto next = make_producer_of(cluster);
  ASSERT_TRUE(next);
  copied = copy_positions(*next);
  EXPECT_TRUE(copied.ok()) << copied.error().message;
}

}  // namespace
}  // namespace headrace::bus_kafka
