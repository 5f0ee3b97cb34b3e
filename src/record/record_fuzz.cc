// Any bytes as batches, with and without the checksum, and their records.
#include "record/batch.h"
#include "record/producer_fields.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace headrace;
  SharedBytes bytes(Bytes(data, data + size));
  (void)record::split_batches(bytes, true);
  auto batch = record::Batch::parse_trusted(bytes);
  if (!batch.ok()) return 0;
  (void)record::control_type(*batch);
  record::RecordReader reader(*batch, 1 << 16);
  while (reader.next()) {
  }
  return 0;
}
