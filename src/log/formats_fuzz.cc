// Any bytes may stand in the files beside the log: their readers answer or refuse, and what they accept they write
// back. Snapshots and checkpoints are tried with the checksum that they should have, too. --seeds=DIRECTORY writes one
// of each.
#include <algorithm>
#include <cstdint>

#include "base/fuzzing.h"
#include "codec/crc32c.h"
#include "codec/cursor.h"
#include "log/checkpoint_file.h"
#include "log/offset_index.h"
#include "log/producer_snapshot.h"
#include "log/time_index.h"
#include "log/transaction_index.h"

namespace headrace::log {
namespace {

constexpr size_t kSnapshotCrcAt = 2, kSnapshotBodyAt = 6, kCheckpointCrcAt = 96, kCrcBytes = 4;

void try_snapshot(BytesView bytes) {
  auto states = decode_producer_snapshot(bytes);
  if (states.ok()) CHECK(decode_producer_snapshot(encode_producer_snapshot(*states)).ok());
}

void try_checkpoint(BytesView bytes) {
  auto read = decode_checkpoint(bytes);
  if (!read.ok()) return;
  auto again = decode_checkpoint(encode_checkpoint(read->first, read->second));
  CHECK(again.ok() && *again == *read);
}

void try_sealed(BytesView bytes) {
  Bytes copy(bytes.begin(), bytes.end());
  if (copy.size() >= kSnapshotBodyAt) {
    codec::Writer(copy).patch(kSnapshotCrcAt, codec::crc32c(BytesView(copy).subspan(kSnapshotBodyAt)));
    try_snapshot(copy);
  }
  copy.assign(bytes.begin(), bytes.end());
  if (copy.size() >= kCheckpointCrcAt + kCrcBytes) {
    codec::Writer(copy).patch(kCheckpointCrcAt, codec::crc32c(BytesView(copy).first(kCheckpointCrcAt)));
    try_checkpoint(copy);
  }
}

void write_seeds(const std::string& directory) {
  const std::vector<OffsetIndexEntry> offsets = {{3, 0}, {7, 900}};
  const std::vector<TimeIndexEntry> times = {{1000, 3}, {2000, 7}};
  const std::vector<TransactionIndexEntry> transactions = {{ProducerId(1), Offset(3), Offset(9), Offset(10)}};
  ProducerStates states;
  for (int64_t id = 1; id <= 3; ++id) {
    ProducerState state{.epoch = 4, .coordinator_epoch = 2, .last_timestamp_ms = 77};
    for (int i = 0; i < id * 2; ++i) state.retain({i, Offset(10 * id + i), 0, 77});
    states.restore(ProducerId(id), state);
  }
  write_seed(directory, "offsets", encode_offset_index(offsets));
  write_seed(directory, "times", encode_time_index(times));
  write_seed(directory, "transactions", encode_transaction_index(transactions));
  write_seed(directory, "producers", encode_producer_snapshot(states));
  write_seed(directory, "checkpoint", encode_checkpoint({.durable = {Offset(9), Offset(0), 900}}, 7));
}

}  // namespace
}  // namespace headrace::log

extern "C" int LLVMFuzzerInitialize(int* count, char*** arguments) {
  headrace::write_seeds_if_asked(*count, *arguments, headrace::log::write_seeds);
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace headrace;
  using namespace headrace::log;
  BytesView bytes(data, size);
  auto same = [&](const Bytes& written) {
    return std::equal(written.begin(), written.end(), bytes.begin(), bytes.end());
  };
  if (auto offsets = decode_offset_index(bytes, INT32_MAX); offsets.ok()) CHECK(same(encode_offset_index(*offsets)));
  if (auto times = decode_time_index(bytes); times.ok()) CHECK(same(encode_time_index(*times)));
  if (auto entries = decode_transaction_index(bytes); entries.ok()) CHECK(same(encode_transaction_index(*entries)));
  try_snapshot(bytes);
  try_checkpoint(bytes);
  try_sealed(bytes);
  return 0;
}
