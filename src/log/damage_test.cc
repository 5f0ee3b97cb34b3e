// Bit rot: every byte of a small log's files flipped, zeroed to the end of its sector, or cut off. Whatever is
// read is right or missing with an error that names file and position, never other records; offsets never go back; the
// log goes on.
#include <map>

#include "log/log_test_support.h"

namespace headrace::log {
namespace {

using ::testing::HasSubstr;

enum class Damage { kFlip, kZero, kCut };
constexpr size_t kSectorBytes = 512;
constexpr int64_t kEnd = 35;  // Of the log that is damaged.

struct Subject {
  const char* name;
  bool closed;  ///< Stopped cleanly, not killed.
};

class DamagedLog : public ::testing::TestWithParam<std::tuple<Subject, Damage>>, public TestLog {
 protected:
  // 16 data batches and a transaction in several segments, with a checkpoint amid them.
  void SetUp() override {
    set_log_level(LogLevel::kError);
    config.preallocate_bytes_max = 0;
    config.segment_bytes = 700;
    config.index_interval_bytes = 100;
    ASSERT_OK(open());
    for (int i = 0; i < 16; ++i) {
      ASSERT_OK(append(*log, make_batch(std::to_string(i), 2)));
      if (i == 9) ASSERT_OK(log->checkpoint());
    }
    ASSERT_OK(append(*log, of_producer(make_batch("p", 2), 5, 0, 0, true)));
    ASSERT_OK(
        append(*log, record::end_transaction_marker(record::ControlType::kAbort, ProducerId(5), 0, 1, kTestTimeMs)));
    ASSERT_OK(log->flush());
    ASSERT_EQ(log->log_end_offset().value, kEnd);
    if (std::get<Subject>(GetParam()).closed) ASSERT_OK(log->close());
    log.reset();
    for (const std::string& name : names()) good_[name] = disk.content(directory + "/" + name);
    ASSERT_GT(good_.size(), 8u);
  }
  void TearDown() override { set_log_level(LogLevel::kInfo); }

  std::vector<std::string> names() { return *disk.list(directory); }

  void damage(const std::string& damaged, size_t at) {
    for (const std::string& name : names()) ASSERT_OK(disk.remove(directory + "/" + name));
    for (const auto& [name, content] : good_) disk.set_content(directory + "/" + name, content);
    Bytes bytes = good_[damaged];
    switch (std::get<Damage>(GetParam())) {
      case Damage::kFlip: bytes[at] ^= static_cast<uint8_t>(1u << (at % 8)); break;
      case Damage::kZero: {
        size_t border = std::min(bytes.size(), (at / kSectorBytes + 1) * kSectorBytes);
        std::fill(bytes.begin() + static_cast<ptrdiff_t>(at), bytes.begin() + static_cast<ptrdiff_t>(border), 0);
        break;
      }
      case Damage::kCut: bytes.resize(at); break;
    }
    disk.set_content(directory + "/" + damaged, bytes);
  }

  // Reads every data batch; how many are lost.
  int check_reads(const std::string& damaged) {
    int lost = 0;
    for (int64_t i = 0; i < 16; ++i) {
      auto read = log->read(Offset(2 * i), 1, log->log_end_offset());
      if (!read.ok()) {
        EXPECT_EQ(read.error().code, ErrorCode::kCorrupt) << read.error().message;
        EXPECT_THAT(read.error().message, HasSubstr(damaged));
        EXPECT_THAT(read.error().message, HasSubstr("at byte"));
        ++lost;
        continue;
      }
      auto batch = record::Batch::parse(read->batches);
      if (!batch.ok()) {
        ADD_FAILURE() << batch.error().message;
        continue;
      }
      EXPECT_EQ(batch->header().base_offset.value, 2 * i);
      record::RecordReader reader(*batch, 1 << 20);
      EXPECT_EQ(*reader.next()->value, std::to_string(i) + "-0");
    }
    return lost;
  }

  std::map<std::string, Bytes> good_;
};

TEST_P(DamagedLog, NeverServesWrongRecordsAndGoesOn) {
  int cases = 0, unopened = 0;
  for (const auto& [damaged, bytes] : good_) {
    bool of_batches = damaged.ends_with(".log");
    for (size_t at = 0; at < bytes.size(); ++at, ++cases) {
      SCOPED_TRACE(damaged + " byte " + std::to_string(at));
      damage(damaged, at);
      Status opened = open();
      if (!opened.ok()) {
        ASSERT_TRUE(of_batches) << opened.error().message;
        ASSERT_EQ(opened.error().code, ErrorCode::kCorrupt) << opened.error().message;
        ++unopened;
        continue;
      }
      ASSERT_EQ(log->log_end_offset().value, kEnd);
      int lost = check_reads(damaged);
      if (!of_batches) {
        ASSERT_EQ(lost, 0);
      }
      auto appended = append(*log, make_batch("next"));
      ASSERT_OK(appended);
      ASSERT_EQ(appended->base_offset.value, kEnd);
      ASSERT_OK(log->flush());
      ASSERT_OK(open());
      ASSERT_LE(check_reads(damaged), lost);  // A batch that lost only zeros at its end gets them back.
      Error error{ErrorCode::kIo, ""};
      ASSERT_THAT(read_values(*log, Offset(kEnd), &error), ::testing::ElementsAre("next-0")) << error.message;
      if (HasFailure()) return;
    }
  }
  RecordProperty("cases", cases);
  EXPECT_GT(cases, 2000);  // Of each of the six kinds.
  EXPECT_EQ(unopened, 0);
}

// A damaged batch whose first bytes, before a sector's border, are the zeros of its base offset is not taken for one
// that was never written, even where no checkpoint says so: all behind it stays.
TEST(DamagedBatch, ThatBeginsShortlyBeforeASectorsBorderIsNotATornTail) {
  set_log_level(LogLevel::kError);
  size_t bare = make_batch("").size();
  for (size_t before = 1; before <= 20; ++before) {
    SCOPED_TRACE(before);
    TestLog test;
    test.config.preallocate_bytes_max = 0;
    ASSERT_OK(test.open());
    size_t lengths = 2;  // Of the record and its value: varints that take a byte more in a long record.
    ASSERT_OK(append(*test.log, make_batch(std::string(2 * kSectorBytes - before - bare - lengths, 'x'))));
    uint64_t at = test.disk.content(test.file(0, ".log")).size();
    ASSERT_EQ(at % kSectorBytes, kSectorBytes - before);
    for (int i = 0; i < 10; ++i) ASSERT_OK(append(*test.log, make_batch(std::string(200, 'y'))));
    ASSERT_OK(test.log->close());
    test.log.reset();
    Bytes bytes = test.disk.content(test.file(0, ".log"));
    bytes[at + 100] ^= 1;
    test.disk.set_content(test.file(0, ".log"), bytes);
    ASSERT_OK(test.disk.remove(test.directory + "/headrace.checkpoint"));
    ASSERT_OK(test.open());
    EXPECT_EQ(test.log->log_end_offset(), Offset(11));
    ASSERT_EQ(test.log->damaged_ranges().size(), 1u);
    EXPECT_EQ(test.log->damaged_ranges()[0].from, Offset(1));
    EXPECT_EQ(test.log->damaged_ranges()[0].to, Offset(2));
  }
  set_log_level(LogLevel::kInfo);
}

std::string case_name(const ::testing::TestParamInfo<std::tuple<Subject, Damage>>& info) {
  constexpr std::string_view kKinds[] = {"Flipped", "Zeroed", "Cut"};
  auto [subject, damage] = info.param;
  return std::string(kKinds[static_cast<size_t>(damage)]) + subject.name;
}

INSTANTIATE_TEST_SUITE_P(All, DamagedLog,
                         ::testing::Combine(::testing::Values(Subject{"AfterACleanStop", true},
                                                              Subject{"AfterAKill", false}),
                                            ::testing::Values(Damage::kFlip, Damage::kZero, Damage::kCut)),
                         case_name);

}  // namespace
}  // namespace headrace::log
