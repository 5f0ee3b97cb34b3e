#include "broker/transaction_schema.h"

#include <map>

#include "broker/schema_cursor.h"

namespace headrace::broker {
namespace {

constexpr int16_t kVersion = 0;
/// Kafka's status numbers; 6 (Dead) and 7 (PrepareEpochFence) are never written.
constexpr int8_t kStatusMax = 5;

Error damaged(std::string_view what) {
  return {ErrorCode::kCorrupt, "__transaction_state: " + std::string(what) + " can't be read"};
}

}  // namespace

std::string_view to_string(TransactionState state) {
  switch (state) {
    case TransactionState::kEmpty: return "Empty";
    case TransactionState::kOngoing: return "Ongoing";
    case TransactionState::kPrepareCommit: return "PrepareCommit";
    case TransactionState::kPrepareAbort: return "PrepareAbort";
    case TransactionState::kCompleteCommit: return "CompleteCommit";
    case TransactionState::kCompleteAbort: return "CompleteAbort";
  }
  return "Unknown";
}

std::string encode_transaction_key(std::string_view transactional_id) {
  Bytes out;
  codec::Writer writer(out);
  writer.write(kVersion);
  write_string(writer, transactional_id);
  return std::string(as_text(out));
}

Bytes encode_transaction_value(const StoredTransaction& transaction) {
  Bytes out;
  codec::Writer writer(out);
  writer.write(kVersion);
  writer.write(transaction.producer.id.value);
  writer.write(transaction.producer.epoch);
  writer.write(transaction.timeout_ms);
  writer.write(static_cast<int8_t>(transaction.state));
  std::map<std::string_view, std::vector<int32_t>> topics;
  for (const TopicPartition& tp : transaction.partitions) topics[tp.topic].push_back(tp.partition.value);
  writer.write(transaction.state == TransactionState::kEmpty ? int32_t{-1} : static_cast<int32_t>(topics.size()));
  for (const auto& [topic, partitions] : topics) {
    write_string(writer, topic);
    writer.write(static_cast<int32_t>(partitions.size()));
    for (int32_t partition : partitions) writer.write(partition);
  }
  writer.write(transaction.update_time_ms);
  writer.write(transaction.start_time_ms);
  return out;
}

Result<std::optional<std::string>> decode_transaction_key(std::string_view key) {
  codec::Reader reader(as_bytes(key));
  auto version = reader.read<int16_t>();
  if (reader.ok() && version != kVersion) return std::optional<std::string>();
  std::string id = read_string(reader);
  if (!reader.ok()) return damaged("a key");
  return std::optional(std::move(id));
}

Result<StoredTransaction> decode_transaction_value(std::string_view value) {
  codec::Reader reader(as_bytes(value));
  auto version = reader.read<int16_t>();
  if (version != kVersion) return damaged("a transaction of version " + std::to_string(version));
  StoredTransaction transaction;
  transaction.producer.id = ProducerId(reader.read<int64_t>());
  transaction.producer.epoch = reader.read<int16_t>();
  transaction.timeout_ms = reader.read<int32_t>();
  auto status = reader.read<int8_t>();
  if (status < 0 || status > kStatusMax) return damaged("a transaction of status " + std::to_string(status));
  transaction.state = static_cast<TransactionState>(status);
  auto topics = reader.read<int32_t>();
  for (int32_t i = 0; i < topics && reader.ok(); ++i) {
    std::string topic = read_string(reader);
    auto partitions = reader.read<int32_t>();
    for (int32_t k = 0; k < partitions && reader.ok(); ++k) {
      transaction.partitions.insert({topic, PartitionId(reader.read<int32_t>())});
    }
  }
  transaction.update_time_ms = reader.read<int64_t>();
  transaction.start_time_ms = reader.read<int64_t>();
  if (!reader.ok()) return damaged("a transaction");
  return transaction;
}

}  // namespace headrace::broker
