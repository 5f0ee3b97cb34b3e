#include "broker/transaction_schema.h"

#include <map>

#include "broker/schema_cursor.h"

namespace headrace::broker {
namespace {

constexpr int16_t kKeyVersion = 0;
constexpr int16_t kVersion = 0;
constexpr int16_t kFlexibleVersion = 1;
constexpr uint64_t kPreviousProducerIdTag = 0;
constexpr uint64_t kNextProducerIdTag = 1;
constexpr uint64_t kClientTransactionVersionTag = 2;
constexpr int16_t kEpochBumpingVersion = 2;  ///< The transaction version whose ends bump the epoch.
/// Kafka's status numbers; 6 (Dead) and 7 (PrepareEpochFence) are never written.
constexpr int8_t kStatusMax = 5;

Error damaged(std::string_view what) {
  return {ErrorCode::kCorrupt, "__transaction_state: " + std::string(what) + " can't be read"};
}

/// Strings, counts and tags of either version.
class ValueWriter {
 public:
  ValueWriter(codec::Writer& writer, bool flexible) : writer_(writer), flexible_(flexible) {}

  void count(size_t count) {
    if (flexible_)
      writer_.write_unsigned_varint(count + 1);
    else
      writer_.write(static_cast<int32_t>(count));
  }
  void no_array() {
    if (flexible_)
      writer_.write_unsigned_varint(0);
    else
      writer_.write(int32_t{-1});
  }
  void text(std::string_view text) {
    return flexible_ ? write_compact_string(writer_, text) : write_string(writer_, text);
  }
  void no_tags() {
    if (flexible_) write_no_tags(writer_);
  }
  template <typename T>
  void tag(uint64_t number, T value) {
    writer_.write_unsigned_varint(number);
    writer_.write_unsigned_varint(sizeof(T));
    writer_.write(value);
  }

 private:
  codec::Writer& writer_;
  const bool flexible_;
};

class ValueReader {
 public:
  ValueReader(codec::Reader& reader, bool flexible) : reader_(reader), flexible_(flexible) {}

  /// -1: no array.
  int64_t count() {
    return flexible_ ? static_cast<int64_t>(reader_.read_unsigned_varint()) - 1 : reader_.read<int32_t>();
  }
  std::string text() { return flexible_ ? read_compact_string(reader_) : read_string(reader_); }
  /// Calls take(number, reader of the tag's bytes) for each tag.
  template <typename Take>
  void tags(Take take) {
    if (flexible_) read_tags(reader_, take);
  }

 private:
  codec::Reader& reader_;
  const bool flexible_;
};

/// The identity that an end with a bump replaced: one epoch less, or the last one of the id before.
ProducerIdentity identity_before(const ProducerIdentity& producer, ProducerId previous_id) {
  int16_t epoch = previous_id == producer.id ? static_cast<int16_t>(producer.epoch - 1) : kProducerEpochMax;
  return {previous_id, epoch};
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
  writer.write(kKeyVersion);
  write_string(writer, transactional_id);
  return std::string(as_text(out));
}

Bytes encode_transaction_value(const StoredTransaction& transaction) {
  bool flexible = transaction.previous.id != kNoProducerId;
  Bytes out;
  codec::Writer writer(out);
  ValueWriter values(writer, flexible);
  writer.write(flexible ? kFlexibleVersion : kVersion);
  writer.write(transaction.producer.id.value);
  writer.write(transaction.producer.epoch);
  writer.write(transaction.timeout_ms);
  writer.write(static_cast<int8_t>(transaction.state));
  std::map<std::string_view, std::vector<int32_t>> topics;
  for (const TopicPartition& tp : transaction.partitions) topics[tp.topic].push_back(tp.partition.value);
  if (transaction.state == TransactionState::kEmpty)
    values.no_array();
  else
    values.count(topics.size());
  for (const auto& [topic, partitions] : topics) {
    values.text(topic);
    values.count(partitions.size());
    for (int32_t partition : partitions) writer.write(partition);
    values.no_tags();
  }
  writer.write(transaction.update_time_ms);
  writer.write(transaction.start_time_ms);
  if (flexible) {
    bool has_next = transaction.next_id != kNoProducerId;
    writer.write_unsigned_varint(has_next ? 3 : 2);
    values.tag(kPreviousProducerIdTag, transaction.previous.id.value);
    if (has_next) values.tag(kNextProducerIdTag, transaction.next_id.value);
    values.tag(kClientTransactionVersionTag, kEpochBumpingVersion);
  }
  return out;
}

Result<std::optional<std::string>> decode_transaction_key(std::string_view key) {
  codec::Reader reader(as_bytes(key));
  auto version = reader.read<int16_t>();
  if (reader.ok() && version != kKeyVersion) return std::optional<std::string>();
  std::string id = read_string(reader);
  if (!reader.ok()) return damaged("a key");
  return std::optional(std::move(id));
}

Result<StoredTransaction> decode_transaction_value(std::string_view value) {
  codec::Reader reader(as_bytes(value));
  auto version = reader.read<int16_t>();
  if (version != kVersion && version != kFlexibleVersion) {
    return damaged("a transaction of version " + std::to_string(version));
  }
  ValueReader values(reader, version == kFlexibleVersion);
  auto no_tags = [](uint64_t, codec::Reader&) {};
  StoredTransaction transaction;
  transaction.producer.id = ProducerId(reader.read<int64_t>());
  transaction.producer.epoch = reader.read<int16_t>();
  transaction.timeout_ms = reader.read<int32_t>();
  auto status = reader.read<int8_t>();
  if (status < 0 || status > kStatusMax) return damaged("a transaction of status " + std::to_string(status));
  transaction.state = static_cast<TransactionState>(status);
  for (int64_t topics = values.count(); topics > 0 && reader.ok(); --topics) {
    std::string topic = values.text();
    for (int64_t partitions = values.count(); partitions > 0 && reader.ok(); --partitions) {
      transaction.partitions.insert({topic, PartitionId(reader.read<int32_t>())});
    }
    values.tags(no_tags);
  }
  transaction.update_time_ms = reader.read<int64_t>();
  transaction.start_time_ms = reader.read<int64_t>();
  ProducerId previous = kNoProducerId;
  int16_t client_version = 0;
  values.tags([&](uint64_t number, codec::Reader& bytes) {
    if (number == kPreviousProducerIdTag) previous = ProducerId(bytes.read<int64_t>());
    if (number == kNextProducerIdTag) transaction.next_id = ProducerId(bytes.read<int64_t>());
    if (number == kClientTransactionVersionTag) client_version = bytes.read<int16_t>();
  });
  if (!reader.ok()) return damaged("a transaction");
  if (previous != kNoProducerId && client_version >= kEpochBumpingVersion) {
    transaction.previous = identity_before(transaction.producer, previous);
  }
  return transaction;
}

}  // namespace headrace::broker
