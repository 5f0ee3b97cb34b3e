// Everything that a pipeline writes, in one transaction at a time.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "bus/bus.h"
#include "flow/dead_letter.h"
#include "record/batch_builder.h"

namespace headrace::stream {

/// A batch goes to the bus when it has this many bytes.
inline constexpr size_t kOutputBatchBytes = 256 << 10;
/// The most bytes of a result's key and value, and of what a dead letter takes from the original: below Kafka's default
/// limit of a batch (1 MiB).
inline constexpr size_t kOutputRecordBytesMax = 900 << 10;

struct TransactionWriterOptions {
  std::string transactional_id;
  std::string target_topic;
  std::string dead_letter_topic;
  std::string changelog_topic;  ///< Empty: no state.
};

/// Gathers records into batches and writes them in a transaction that begins with the first and ends with commit().
/// After an error it is of no more use. One thread.
class TransactionWriter {
 public:
  /// Takes over the transactional id: whatever transaction was open under it is over.
  static Result<std::unique_ptr<TransactionWriter>> open(TransactionWriterOptions options, bus::Bus& bus);

  /// A result. Keyed records go where Kafka's partitioner puts them, others to a partition that changes by the batch.
  Status add_result(int64_t timestamp_ms, std::optional<std::string_view> key, std::string_view value);
  /// A dead letter. Key and value above kOutputRecordBytesMax are left out, with their size in the header
  /// `dlq.value.omitted.bytes`; so are headers that would take it above, with their number in `dlq.headers.omitted`.
  Status add_dead_letter(const flow::DeadLetter& letter, const record::RecordView& original, int64_t now_ms);
  /// A change of the state; no value removes the key.
  Status add_change(int64_t timestamp_ms, std::string_view key, std::optional<std::string_view> value);

  /// Whether anything was added since the last commit.
  bool has_output() const { return outputs_ > 0; }
  /// Writes what is left and commits it with `positions`.
  Status commit(std::string_view group, const std::vector<bus::Position>& positions);
  Status abort();

 private:
  struct Topic {
    std::string name;
    std::vector<record::BatchBuilder> builders;  ///< By partition.
  };
  explicit TransactionWriter(TransactionWriterOptions options) : options_(std::move(options)) {}

  Status add(Topic& topic, size_t partition, int64_t timestamp_ms, std::optional<std::string_view> key,
             std::optional<std::string_view> value);
  Status flush(Topic& topic, size_t partition);
  Status flush(Topic& topic);
  Status begin();

  TransactionWriterOptions options_;
  std::unique_ptr<bus::TransactionalProducer> producer_;
  Topic results_, dead_letters_, changelog_;
  size_t next_partition_ = 0;
  size_t outputs_ = 0;
  bool open_ = false;
};

/// Makes sure that a topic exists; its partition count.
Result<int32_t> ensure_topic(bus::Admin& admin, const bus::TopicSpec& spec);

}  // namespace headrace::stream
