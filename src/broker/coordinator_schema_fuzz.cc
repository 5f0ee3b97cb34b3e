// Any bytes as keys and values of the internal topics.
#include "broker/consumer_group_schema.h"
#include "broker/offsets_schema.h"
#include "broker/transaction_schema.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace headrace;
  std::string_view text = as_text({data, size});
  (void)broker::decode_offsets_key(text);
  (void)broker::decode_offset_value(text);
  (void)broker::decode_group_value("g", text);
  (void)broker::decode_consumer_epoch(text);
  (void)broker::decode_consumer_member(text);
  (void)broker::decode_target_epoch(text);
  (void)broker::decode_target_member(text);
  (void)broker::decode_current_member(text);
  (void)broker::decode_transaction_key(text);
  (void)broker::decode_transaction_value(text);
  return 0;
}
