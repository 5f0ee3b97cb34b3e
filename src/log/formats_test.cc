// The readers of the files beside the log: what was written is read back, and nothing shorter or changed is believed.
#include "log/checkpoint_file.h"
#include "log/file_names.h"
#include "log/log_test_support.h"
#include "log/offset_index.h"
#include "log/producer_snapshot.h"
#include "log/time_index.h"
#include "log/transaction_index.h"

namespace headrace::log {
namespace {

TEST(FileNames, RoundTrip) {
  EXPECT_EQ(file_name(Offset(42), kLogSuffix), "00000000000000000042.log");
  EXPECT_EQ(offset_of_name("00000000000000000042.log", kLogSuffix), Offset(42));
  for (const char* wrong :
       {"42.log", "0000000000000000004x.log", "00000000000000000042.index", "99999999999999999999.log"}) {
    EXPECT_FALSE(offset_of_name(wrong, kLogSuffix)) << wrong;
  }
}

TEST(OffsetIndex, RoundTripsAndRefusesPartsOfEntries) {
  std::vector<OffsetIndexEntry> entries = {{5, 4100}, {9, 9000}, {2000, 100000}};
  Bytes bytes = encode_offset_index(entries);
  EXPECT_EQ(*decode_offset_index(bytes, 200000), entries);
  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_EQ(decode_offset_index(BytesView(bytes).first(size), 200000).ok(), size % kOffsetIndexEntryBytes == 0);
  }
  EXPECT_FALSE(decode_offset_index(bytes, 100000).ok()) << "a position outside of the segment";
  std::swap(entries[0], entries[1]);
  EXPECT_FALSE(decode_offset_index(encode_offset_index(entries), 200000).ok());
}

TEST(OffsetIndex, FloorIsTheLastEntryAtOrBelow) {
  OffsetIndex index({{5, 100}, {9, 200}});
  EXPECT_EQ(index.floor(4), nullptr);
  EXPECT_EQ(index.floor(5)->position, 100);
  EXPECT_EQ(index.floor(8)->position, 100);
  EXPECT_EQ(index.floor(100)->position, 200);
}

TEST(TimeIndex, RoundTripsAndRefusesPartsOfEntries) {
  std::vector<TimeIndexEntry> entries = {{1000, 5}, {1001, 9}, {5000, 12}};
  Bytes bytes = encode_time_index(entries);
  EXPECT_EQ(*decode_time_index(bytes), entries);
  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_EQ(decode_time_index(BytesView(bytes).first(size)).ok(), size % kTimeIndexEntryBytes == 0);
  }
  std::swap(entries[0], entries[1]);
  EXPECT_FALSE(decode_time_index(encode_time_index(entries)).ok());
}

TEST(TimeIndex, KeepsOnlyEntriesThatGrow) {
  TimeIndex index;
  index.add(1000, 5);
  index.add(1000, 9);
  index.add(999, 12);
  index.add(1002, 15);
  EXPECT_THAT(index.entries(), ::testing::ElementsAre(TimeIndexEntry{1000, 5}, TimeIndexEntry{1002, 15}));
  EXPECT_EQ(index.before(1000), nullptr);
  EXPECT_EQ(index.before(1001)->relative_offset, 5);
}

TEST(TransactionIndex, RoundTripsAndRefusesPartsOfEntries) {
  std::vector<TransactionIndexEntry> entries = {{ProducerId(1), Offset(3), Offset(9), Offset(10)},
                                                {ProducerId(2), Offset(1), Offset(12), Offset(13)}};
  Bytes bytes = encode_transaction_index(entries);
  EXPECT_EQ(*decode_transaction_index(bytes), entries);
  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_EQ(decode_transaction_index(BytesView(bytes).first(size)).ok(), size % kTransactionIndexEntryBytes == 0);
  }
}

ProducerStates some_producers() {
  ProducerStates states;
  for (int64_t id = 1; id <= 3; ++id) {
    ProducerState state{.epoch = 4, .coordinator_epoch = 2, .last_timestamp_ms = 77};
    for (int i = 0; i < id * 2; ++i) state.retain({i, Offset(10 * id + i), 0, 77});
    if (id == 2) state.transaction_first_offset = Offset(21);
    states.restore(ProducerId(id), state);
  }
  return states;
}

TEST(ProducerSnapshot, RoundTripsWithAllRetainedBatches) {
  ProducerStates states = some_producers();
  auto decoded = decode_producer_snapshot(encode_producer_snapshot(states));
  ASSERT_OK(decoded);
  ASSERT_EQ(decoded->all().size(), 3u);
  for (const auto& [id, state] : states.all()) {
    const ProducerState* read = decoded->find(id);
    ASSERT_NE(read, nullptr);
    EXPECT_EQ(read->epoch, 4);
    EXPECT_EQ(read->coordinator_epoch, 2);
    EXPECT_EQ(read->transaction_first_offset, state.transaction_first_offset);
    EXPECT_TRUE(
        std::equal(state.retained().begin(), state.retained().end(), read->retained().begin(), read->retained().end()));
  }
  EXPECT_EQ(decoded->last_stable(Offset(100), Offset(100)).value, 21);
}

TEST(ProducerSnapshot, NothingShorterOrFlippedIsRead) {
  Bytes bytes = encode_producer_snapshot(some_producers());
  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_FALSE(decode_producer_snapshot(BytesView(bytes).first(size)).ok()) << size;
  }
  for (size_t at = 0; at < bytes.size(); ++at) {
    bytes[at] ^= 0x10;
    EXPECT_FALSE(decode_producer_snapshot(bytes).ok()) << at;
    bytes[at] ^= 0x10;
  }
}

Checkpoint some_checkpoint(int64_t offset) {
  return {.log_start = Offset(2),
          .durable = {Offset(offset), Offset(0), 900},
          .checkpoint = {Offset(5), Offset(0), 300},
          .index_entries = 4,
          .time_entries = 3,
          .transaction_entries = 1,
          .leader_epoch = 6,
          .no_producers = true,
          .has_gaps = true};
}

TEST(CheckpointSlot, RoundTripsAndNothingShorterOrFlippedIsRead) {
  Bytes bytes = encode_checkpoint(some_checkpoint(9), 17);
  auto decoded = decode_checkpoint(bytes);
  ASSERT_OK(decoded);
  EXPECT_EQ(decoded->first, some_checkpoint(9));
  EXPECT_EQ(decoded->second, 17u);
  for (size_t size = 0; size < bytes.size(); ++size) EXPECT_FALSE(decode_checkpoint(BytesView(bytes).first(size)).ok());
  for (size_t at = 0; at < bytes.size(); ++at) {
    bytes[at] ^= 0x10;
    EXPECT_FALSE(decode_checkpoint(bytes).ok()) << at;
    bytes[at] ^= 0x10;
  }
}

TEST(CheckpointFile, ATornWriteLeavesTheOneBefore) {
  os::SimulatedFileSystem disk;
  auto file = CheckpointFile::open(disk, "/cp");
  ASSERT_OK(file);
  EXPECT_FALSE((*file)->read());
  for (int64_t i = 1; i <= 5; ++i) ASSERT_OK((*file)->write(some_checkpoint(i), /*synced=*/true));
  Bytes whole = disk.content("/cp");
  EXPECT_EQ((*CheckpointFile::open(disk, "/cp"))->read()->durable.offset.value, 5);
  whole[512 + 20] ^= 1;  // Generation 5 is in the second slot.
  disk.set_content("/cp", whole);
  EXPECT_EQ((*CheckpointFile::open(disk, "/cp"))->read()->durable.offset.value, 4);
}

TEST(ProducerBatch, FirstSequenceWrapsBelowZero) {
  EXPECT_EQ((ProducerBatch{.last_sequence = 1, .offset_delta = 3}).first_sequence(), INT32_MAX - 1);
  EXPECT_EQ((ProducerBatch{.last_sequence = 7, .offset_delta = 3}).first_sequence(), 4);
}

}  // namespace
}  // namespace headrace::log
