// The records of __transaction_state, as Apache Kafka writes them (TransactionLogKey version 0, TransactionLogValue
// versions 0 and 1).
//
//   key   := version:i16(=0) transactional_id:string
//   value := version:i16 producer_id:i64 producer_epoch:i16 timeout_ms:i32 status:i8 count (none: -1, or null)
//            (topic count partition:i32* [tags])* update_time_ms:i64 start_time_ms:i64 [tags]
//
// Version 1 is flexible: compact strings and counts, and tags; it is written when there is something to tag: 0, the
// producer id of the transaction that ended last (i64), 1, the one that its producer goes on with (i64; only of an end
// that is decided and used the id's last epoch up), and 2, its producer's transaction version (i16). Version 2
// (KIP-890) means that the end bumped the epoch.
#pragma once

#include <set>
#include <string>
#include <string_view>

#include "broker/transactions.h"

namespace headrace::broker {

constexpr bool has_ended(TransactionState state) {
  return state == TransactionState::kCompleteCommit || state == TransactionState::kCompleteAbort;
}

/// What is durable of a transactional id.
struct StoredTransaction {
  ProducerIdentity producer;
  /// The identity before the last end, when that bumped the epoch (KIP-890): it tells who asks for that end again.
  ProducerIdentity previous{};
  /// Under kPrepare*, where that used the last epoch up: what the producer goes on with. It is told before Complete* is
  /// on the disk, so that a start which goes on with the end has to give the same one.
  ProducerId next_id = kNoProducerId;
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
