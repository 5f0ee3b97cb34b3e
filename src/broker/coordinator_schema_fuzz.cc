// Any bytes as keys and values of the internal topics. --seeds=DIRECTORY writes one of each.
#include "base/fuzzing.h"
#include "broker/consumer_group_schema.h"
#include "broker/offsets_schema.h"
#include "broker/transaction_schema.h"

namespace headrace::broker {
namespace {

void write_seeds(const std::string& directory) {
  auto write = [&](const char* name, const auto& bytes) {
    write_seed(directory, name, BytesView(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()));
  };
  write("offset-key", encode_offset_key({"g", {"t", PartitionId(1)}}));
  write("offset", encode_offset_value({Offset(42), 5, "meta", 1'700'000'000'000}));
  write("group-key", encode_group_key("g"));
  write("group", encode_group_value({.group_id = "g",
                                     .protocol_type = "consumer",
                                     .generation = 3,
                                     .protocol = "range",
                                     .leader = "m",
                                     .members = {{"m", "i", "client", "/127.0.0.1", 300000, 45000, {1, 2}, {3}}}}));
  write("consumer-key", encode_consumer_key({ConsumerRecordType::kMember, "g", "m"}));
  write("consumer-epoch", encode_consumer_epoch({.epoch = 3, .metadata_hash = 9}));
  write("consumer-member", encode_consumer_member({.instance_id = "i", .client_id = "c", .topics = {"t", "u"}}));
  write("target-epoch", encode_target_epoch(3));
  write("transaction-key", encode_transaction_key("x"));
  write("transaction", encode_transaction_value({.producer = {ProducerId(7), 1},
                                                 .timeout_ms = 1000,
                                                 .state = TransactionState::kOngoing,
                                                 .partitions = {{"t", PartitionId(1)}}}));
}

}  // namespace
}  // namespace headrace::broker

extern "C" int LLVMFuzzerInitialize(int* count, char*** arguments) {
  headrace::write_seeds_if_asked(*count, *arguments, headrace::broker::write_seeds);
  return 0;
}

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
