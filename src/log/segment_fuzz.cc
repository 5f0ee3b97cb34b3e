// Any bytes may stand in a segment file: opening the log and reading all of it serves valid batches or errors.
#include <cstdint>

#include "base/check.h"
#include "base/logging.h"
#include "log/partition_log.h"
#include "os/simulated_file_system.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace headrace;
  set_log_level(LogLevel::kError);
  os::SimulatedFileSystem disk;
  os::ManualClock clock(1'700'000'000'000);
  CHECK(disk.make_directories("/data/t-0").ok());
  disk.set_content("/data/t-0/00000000000000000000.log", Bytes(data, data + size));
  auto opened = log::PartitionLog::open(disk, clock, "/data/t-0", {.preallocate_bytes_max = 0});
  if (!opened.ok()) return 0;
  log::PartitionLog& log = **opened;
  Offset offset = log.log_start_offset();
  while (offset < log.log_end_offset()) {
    auto read = log.read(offset, 1 << 16, log.log_end_offset());
    if (!read.ok() || read->batches.empty()) break;
    CHECK(record::split_batches(read->batches, /*allow_partial_tail=*/false).ok());
    CHECK(read->next_offset > offset);
    offset = read->next_offset;
  }
  (void)log.offset_for_timestamp(0);
  return 0;
}
