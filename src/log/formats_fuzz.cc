// Any bytes may stand in the files beside the log: their readers answer or refuse, and what they accept they write
// back.
#include <algorithm>
#include <cstdint>

#include "base/check.h"
#include "log/checkpoint_file.h"
#include "log/offset_index.h"
#include "log/producer_snapshot.h"
#include "log/time_index.h"
#include "log/transaction_index.h"

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
  if (auto states = decode_producer_snapshot(bytes); states.ok()) {
    CHECK(decode_producer_snapshot(encode_producer_snapshot(*states)).ok());
  }
  (void)decode_checkpoint(bytes);
  return 0;
}
