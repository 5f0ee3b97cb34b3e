#include "stream/state_store.h"

#include <fstream>
#include <map>

#include "base/temp_directory.h"

namespace headrace::stream {
namespace {

class StateStoreTest : public testing::Test {
 protected:
  std::string path() const { return dir_.path() + "/s"; }
  std::unique_ptr<StateStore> open() {
    auto store = StateStore::open(path());
    EXPECT_TRUE(store.ok()) << store.error().message;
    return *std::move(store);
  }
  static std::map<std::string, std::string> content(const StateStore& store) {
    std::map<std::string, std::string> all;
    EXPECT_TRUE(store
                    .scan([&](std::string_view key, BytesView value) -> Status {
                      all[std::string(key)] = as_text(value);
                      return {};
                    })
                    .ok());
    return all;
  }
  TempDirectory dir_;
};

TEST_F(StateStoreTest, KeepsValuesAndTheChangelogOffsetTogether) {
  {
    auto store = open();
    EXPECT_FALSE(store->mark());
    StateBatch batch;
    batch.put("ga", as_bytes("1"));
    batch.put("gb", as_bytes("2"));
    batch.remove("ga");
    ASSERT_TRUE(store->write(batch, Offset(42), 1000).ok());
  }
  auto store = open();
  ASSERT_TRUE(store->mark());
  EXPECT_EQ(store->mark()->changelog, Offset(42));
  EXPECT_EQ(store->mark()->written_ms, 1000);
  EXPECT_EQ(content(*store), (std::map<std::string, std::string>{{"gb", "2"}}));
}

TEST_F(StateStoreTest, ASecondOwnerIsTurnedAway) {
  auto store = open();
  auto second = StateStore::open(path());
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.error().code, ErrorCode::kUnavailable);
}

TEST_F(StateStoreTest, ADamagedStoreIsSetAsideAndBegunAnew) {
  { open(); }
  std::ofstream(path() + "/CURRENT") << "nonsense";
  auto store = open();
  EXPECT_FALSE(store->mark());
  EXPECT_TRUE(std::filesystem::exists(path() + ".damaged"));
}

TEST_F(StateStoreTest, ClearForgetsEverything) {
  auto store = open();
  StateBatch batch;
  batch.put("ga", as_bytes("1"));
  ASSERT_TRUE(store->write(batch, Offset(1), 0).ok());
  ASSERT_TRUE(store->clear().ok());
  EXPECT_FALSE(store->mark());
  EXPECT_TRUE(content(*store).empty());
}

}  // namespace
}  // namespace headrace::stream
