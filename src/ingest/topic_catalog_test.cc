#include "ingest/topic_catalog.h"

#include <future>

#include "ingest/testing.h"

namespace headrace::ingest {
namespace {

void await_known(TopicCatalog& catalog, const std::shared_ptr<TopicCatalog::Topic>& topic) {
  std::promise<void> known;
  catalog.when_known(topic, [&] { known.set_value(); });
  known.get_future().wait();
}

TEST(TopicCatalog, InventedNamesLeaveRoomForTopics) {
  FakeBus bus;
  bus.add_topic("cabs", 3);
  TopicCatalog catalog(bus);
  auto held = catalog.find("held");
  for (size_t i = 0; i < 3 * TopicCatalog::kTopicsMax; ++i) {
    auto invented = catalog.find("invented-" + std::to_string(i));
    ASSERT_NE(invented, nullptr) << i;
    await_known(catalog, invented);
    EXPECT_EQ(invented->partitions, TopicCatalog::kMissing);
  }
  auto cabs = catalog.find("cabs");
  ASSERT_NE(cabs, nullptr);
  await_known(catalog, cabs);
  EXPECT_EQ(cabs->partitions, 3);
  EXPECT_EQ(catalog.find("held"), held) << "what somebody holds is looked up again and again: it stays";
}

}  // namespace
}  // namespace headrace::ingest
