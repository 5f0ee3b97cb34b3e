#include "stream/transaction_writer.h"

#include <string>

namespace headrace::stream {

namespace {

/// What the lengths of a header take beside its key and value.
constexpr size_t kHeaderOverheadBytes = 8;

size_t bytes_of(const std::optional<std::string_view>& text) { return text ? text->size() : 0; }

size_t headers_bytes(const record::RecordView& record) {
  size_t bytes = 0;
  for (const auto& header : record.headers) bytes += header.key.size() + bytes_of(header.value) + kHeaderOverheadBytes;
  return bytes;
}

}  // namespace

Result<int32_t> ensure_topic(bus::Admin& admin, const bus::TopicSpec& spec) {
  auto count = admin.partition_count(spec.name);
  if (count.ok() || count.error().code != ErrorCode::kNotFound) return count;
  auto created = admin.create_topic(spec);
  bool there = created.ok() || created.error().code == ErrorCode::kAlreadyExists;
  if (!there) return created.error().in("creating topic " + spec.name);
  return admin.partition_count(spec.name);
}

Result<std::unique_ptr<TransactionWriter>> TransactionWriter::open(TransactionWriterOptions options, bus::Bus& bus) {
  auto writer = std::unique_ptr<TransactionWriter>(new TransactionWriter(std::move(options)));
  ASSIGN_OR_RETURN(writer->producer_, bus.transactional_producer(writer->options_.transactional_id));
  auto prepare = [&](Topic& topic, const std::string& name) -> Status {
    if (name.empty()) return {};
    ASSIGN_OR_RETURN(int32_t partitions, bus.admin().partition_count(name));
    topic.name = name;
    topic.builders.resize(static_cast<size_t>(partitions));
    return {};
  };
  RETURN_IF_ERROR(prepare(writer->results_, writer->options_.target_topic));
  RETURN_IF_ERROR(prepare(writer->dead_letters_, writer->options_.dead_letter_topic));
  RETURN_IF_ERROR(prepare(writer->changelog_, writer->options_.changelog_topic));
  return writer;
}

Status TransactionWriter::begin() {
  if (open_) return {};
  RETURN_IF_ERROR(producer_->begin());
  open_ = true;
  return {};
}

Status TransactionWriter::add(Topic& topic, size_t partition, int64_t timestamp_ms, std::optional<std::string_view> key,
                              std::optional<std::string_view> value) {
  record::BatchBuilder& builder = topic.builders[partition];
  size_t bytes = bytes_of(key) + bytes_of(value);
  if (!builder.empty() && builder.bytes() + bytes > kOutputBatchBytes) RETURN_IF_ERROR(flush(topic, partition));
  builder.add(timestamp_ms, key, value);
  return {};
}

Status TransactionWriter::add_result(int64_t timestamp_ms, std::optional<std::string_view> key,
                                     std::string_view value) {
  auto count = static_cast<int32_t>(results_.builders.size());
  size_t partition = next_partition_ % results_.builders.size();
  if (key) partition = static_cast<size_t>(bus::partition_for_key(*key, count).value);
  ++outputs_;
  return add(results_, partition, timestamp_ms, key, value);
}

Status TransactionWriter::add_dead_letter(const flow::DeadLetter& letter, const record::RecordView& original,
                                          int64_t now_ms) {
  size_t source = letter.source ? static_cast<size_t>(letter.source->partition.value) : 0;
  size_t partition = source % dead_letters_.builders.size();
  record::BatchBuilder& builder = dead_letters_.builders[partition];
  size_t content = bytes_of(original.key) + bytes_of(original.value);
  size_t bytes = content + headers_bytes(original);
  if (!builder.empty() && builder.bytes() + bytes > kOutputBatchBytes) RETURN_IF_ERROR(flush(dead_letters_, partition));
  ++outputs_;
  if (bytes <= kOutputRecordBytesMax) {
    flow::add_dead_letter(builder, letter, original, now_ms);
    return {};
  }
  record::RecordView shortened{.offset = original.offset, .timestamp_ms = original.timestamp_ms};
  std::string omitted;
  if (content <= kOutputRecordBytesMax) {
    shortened.key = original.key;
    shortened.value = original.value;
    omitted = std::to_string(original.headers.size());
    shortened.headers = {{flow::kHeadersOmitted, omitted}};
  } else {
    omitted = std::to_string(content);
    shortened.headers = {{flow::kValueOmitted, omitted}};
  }
  flow::add_dead_letter(builder, letter, shortened, now_ms);
  return {};
}

Status TransactionWriter::add_change(int64_t timestamp_ms, std::string_view key,
                                     std::optional<std::string_view> value) {
  return add(changelog_, 0, timestamp_ms, key, value);
}

Status TransactionWriter::flush(Topic& topic, size_t partition) {
  record::BatchBuilder& builder = topic.builders[partition];
  if (builder.empty()) return {};
  RETURN_IF_ERROR(begin());
  if (&topic == &results_) ++next_partition_;
  return producer_->produce({topic.name, PartitionId(static_cast<int32_t>(partition))}, builder.finish());
}

Status TransactionWriter::flush(Topic& topic) {
  for (size_t partition = 0; partition < topic.builders.size(); ++partition) RETURN_IF_ERROR(flush(topic, partition));
  return {};
}

Status TransactionWriter::commit(std::string_view group, const std::vector<bus::Position>& positions) {
  RETURN_IF_ERROR(begin());
  RETURN_IF_ERROR(flush(results_));
  RETURN_IF_ERROR(flush(dead_letters_));
  RETURN_IF_ERROR(flush(changelog_));
  if (!positions.empty()) RETURN_IF_ERROR(producer_->commit_positions(group, positions));
  RETURN_IF_ERROR(producer_->commit());
  open_ = false;
  outputs_ = 0;
  return {};
}

Status TransactionWriter::abort() {
  if (!open_) return {};
  open_ = false;
  return producer_->abort();
}

}  // namespace headrace::stream
