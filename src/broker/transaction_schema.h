// The records of __transaction_state, as Apache Kafka writes them (TransactionLogKey and TransactionLogValue, version
// 0).
//
//   key   := version:i16(=0) transactional_id:string
//   value := version:i16(=0) producer_id:i64 producer_epoch:i16 timeout_ms:i32 status:i8 count:i32 (-1: none)
//            (topic:string count:i32 partition:i32*)* update_time_ms:i64 start_time_ms:i64
#pragma once

#include <set>
#include <string>
#include <string_view>

#include "broker/transactions.h"

namespace headrace::broker {

/// What is durable of a transactional id.
struct StoredTransaction {
  ProducerIdentity producer;
  int32_t timeout_ms = 0;
  TransactionState state = TransactionState::kEmpty;
  std::set<TopicPartition> partitions;  ///< While the transaction is open or being ended.
  int64_t update_time_ms = -1;
  int64_t start_time_ms = -1;
  friend bool operator==(const StoredTransaction&, const StoredTransaction&) = default;
};

std::string encode_transaction_key(std::string_view transactional_id);
Bytes encode_transaction_value(const StoredTransaction& transaction);
/// The transactional id; nothing for keys of another version.
Result<std::optional<std::string>> decode_transaction_key(std::string_view key);
Result<StoredTransaction> decode_transaction_value(std::string_view value);

}  // namespace headrace::broker
