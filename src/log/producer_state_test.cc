#include "log/producer_state.h"

#include <gtest/gtest.h>

namespace headrace::log {
namespace {

constexpr size_t kMax = 100;

record::BatchHeader batch_of(int64_t producer, int64_t offset, bool transactional = false) {
  record::BatchHeader header;
  header.base_offset = Offset(offset);
  header.producer_id = ProducerId(producer);
  header.producer_epoch = 0;
  header.base_sequence = 0;
  header.record_count = 1;
  if (transactional) header.attributes |= record::kTransactionalBit;
  return header;
}

TEST(ProducerStates, OfTooManyThoseThatWroteLongestAgoAreForgotten) {
  ProducerStates states(kMax);
  for (int64_t id = 0; id < 1000; ++id) {
    states.apply(batch_of(id, id), std::nullopt, /*now_ms=*/id);
    ASSERT_LE(states.all().size(), kMax);
    ASSERT_NE(states.find(ProducerId(id)), nullptr);
  }
  EXPECT_GE(states.all().size(), kMax * 7 / 10);
  for (int64_t id = 1000 - static_cast<int64_t>(kMax * 7 / 10); id < 1000; ++id)
    EXPECT_NE(states.find(ProducerId(id)), nullptr) << id;
}

TEST(ProducerStates, ThoseThatAreKnownCostNobodyHisPlace) {
  ProducerStates states(kMax);
  for (int64_t id = 0; id < static_cast<int64_t>(kMax); ++id) states.apply(batch_of(id, id), std::nullopt, 0);
  for (int64_t id = 0; id < static_cast<int64_t>(kMax); ++id) states.apply(batch_of(id, 1000 + id), std::nullopt, 1);
  EXPECT_EQ(states.all().size(), kMax);
}

TEST(ProducerStates, OpenTransactionsAreNeverForgotten) {
  ProducerStates states(kMax);
  for (int64_t id = 0; id < 50; ++id) states.apply(batch_of(id, id, /*transactional=*/true), std::nullopt, 0);
  for (int64_t id = 50; id < 1000; ++id) states.apply(batch_of(id, id), std::nullopt, id);
  for (int64_t id = 0; id < 50; ++id) EXPECT_NE(states.find(ProducerId(id)), nullptr) << id;
  EXPECT_LE(states.all().size(), kMax);
  EXPECT_EQ(states.last_stable(Offset(1000), Offset(1000)), Offset(0));
}

}  // namespace
}  // namespace headrace::log
