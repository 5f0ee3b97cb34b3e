#include "stream/window_aggregator.h"

#include <arrow/api.h>

#include "columns/decoder.h"
#include "stream/testing/rig.h"

namespace headrace::stream {
namespace {

constexpr int64_t kWindowMs = 10'000;

class WindowAggregatorTest : public testing::Test {
 protected:
  void add(const std::vector<std::string>& events) {
    auto decoder = *columns::make_decoder({.schema = plan_.input});
    for (const auto& event : events) {
      record::RecordView record;
      record.value = event;
      ASSERT_EQ(decoder->add(record), nullptr);
    }
    auto batch = decoder->finish();
    EvalContext context(plan_.input);
    context.bind(*batch);
    windows_.add(context, {nullptr, context.rows()}, {.watermark_ms = -1, .latest_ms = 100 * kWindowMs});
    ASSERT_TRUE(context.failures().empty()) << context.failures().front().reason;
  }

  sql::Plan plan_ = plan_of("SELECT v, min(k) AS k FROM s GROUP BY v, tumble(at, interval '10 seconds')");
  WindowAggregator windows_{plan_, size_t{1} << 30};
};

TEST_F(WindowAggregatorTest, RowsOfLongTextsAreEmittedInSmallBatches) {
  std::string text(800 << 10, 'x');
  for (int64_t v = 0; v < 50; ++v) add({event(text, v, 0)});
  size_t rows = 0, batches = 0;
  windows_.close(kWindowMs, [&](const arrow::RecordBatch& batch, int64_t) {
    rows += static_cast<size_t>(batch.num_rows());
    ++batches;
    EXPECT_LE(static_cast<size_t>(batch.num_rows()) * text.size(), WindowAggregator::kEmitBytesMax);
  });
  EXPECT_EQ(rows, 50u);
  EXPECT_EQ(batches, 3u);
}

TEST_F(WindowAggregatorTest, BytesAndGroupsAreCountedUntilTheirWindowCloses) {
  add({event("a", 1, 0), event("a", 2, 0), event("a", 1, kWindowMs)});
  EXPECT_EQ(windows_.groups(), 3u);
  EXPECT_EQ(windows_.last_end_ms(kWindowMs - 1), kNoEventTime);
  EXPECT_EQ(windows_.last_end_ms(kWindowMs), kWindowMs);
  EXPECT_EQ(windows_.last_end_ms(100 * kWindowMs), 2 * kWindowMs);
  auto ignore = [](const arrow::RecordBatch&, int64_t) {};
  windows_.close(kWindowMs, ignore);
  EXPECT_EQ(windows_.groups(), 1u);
  windows_.close(2 * kWindowMs, ignore);
  EXPECT_EQ(windows_.groups(), 0u);
  EXPECT_EQ(windows_.bytes(), 0u);
}

}  // namespace
}  // namespace headrace::stream
