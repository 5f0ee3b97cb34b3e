#include "flow/dead_letter_writer.h"

#include <condition_variable>
#include <map>
#include <mutex>
#include <optional>

namespace headrace::flow {
namespace {

/// A batch of letters is finished when it has this many bytes: half of Kafka's default for the largest batch.
constexpr size_t kBatchBytesMax = 512 << 10;
/// Of the reason, in a letter without its value.
constexpr size_t kReasonBytesMax = 1 << 10;

/// What a topic says to these very bytes, however often it is asked.
bool refused_for_good(const Status& status) {
  if (status.ok()) return false;
  switch (status.error().code) {
    case ErrorCode::kTooLarge:
    case ErrorCode::kCorrupt:
    case ErrorCode::kInvalidArgument:
    case ErrorCode::kOutOfRange:
    case ErrorCode::kUnsupported: return true;
    default: return false;
  }
}

/// Adds the letter of `whole` without what is left out, the sizes of that in its place.
void add_bare_letter(record::BatchBuilder& builder, DeadLetter letter, const record::RecordView& whole, bool with_key,
                     int64_t now_ms) {
  const std::string value_bytes = std::to_string(whole.value ? whole.value->size() : 0);
  const std::string key_bytes = std::to_string(whole.key ? whole.key->size() : 0);
  record::RecordView bare{whole.offset, whole.timestamp_ms, std::nullopt, std::nullopt, {}};
  bare.headers.push_back({kValueOmitted, value_bytes});
  if (with_key) {
    bare.key = whole.key;
  } else {
    bare.headers.push_back({kKeyOmitted, key_bytes});
  }
  letter.message = letter.message.substr(0, kReasonBytesMax);
  add_dead_letter(builder, letter, bare, now_ms);
}

}  // namespace

/// What a write waits for; shared with the callbacks, which may outlive the writer.
struct DeadLetterWriter::Pending {
  std::mutex mutex;
  std::condition_variable changed;
  size_t unanswered = 0;
  uint64_t round = 0;  ///< Answers of a round that was given up don't count.
  std::optional<Error> error;
  bool cancelled = false;
};

DeadLetterWriter::DeadLetterWriter(bus::Bus& bus, std::string topic, std::string stage, std::string component,
                                   os::Clock& clock)
    : bus_(bus),
      topic_(std::move(topic)),
      stage_(std::move(stage)),
      component_(std::move(component)),
      clock_(clock),
      pending_(std::make_shared<Pending>()) {}

DeadLetterWriter::~DeadLetterWriter() = default;

void DeadLetterWriter::cancel() {
  std::lock_guard lock(pending_->mutex);
  pending_->cancelled = true;
  pending_->changed.notify_all();
}

Status DeadLetterWriter::prepare() {
  if (!producer_) {
    ASSIGN_OR_RETURN(producer_, bus_.producer({.client_id = "headrace-dead-letters"}));
  }
  if (partitions_ > 0) return {};
  auto count = bus_.admin().partition_count(topic_);
  if (!count.ok() && count.error().code == ErrorCode::kNotFound) {
    auto created = bus_.admin().create_topic({.name = topic_, .partitions = 1, .configs = {}});
    if (!created.ok() && created.error().code != ErrorCode::kAlreadyExists) return created;
    count = bus_.admin().partition_count(topic_);
  }
  if (!count.ok()) return count.error();
  partitions_ = *count;
  return {};
}

Status DeadLetterWriter::write(const std::vector<RejectedRecord>& records) {
  if (records.empty()) return {};
  if (auto status = prepare(); !status.ok()) return status.error().in("dead-letter topic " + topic_);
  Status status = write_some(records.data(), records.size(), Omitted::kNothing);
  if (refused_for_good(status)) {
    for (const RejectedRecord& record : records) {
      status = write_one(record);
      if (!status.ok()) break;
    }
  }
  if (status.ok()) return {};
  if (status.error().code == ErrorCode::kNotFound) partitions_ = 0;  // Deleted meanwhile: created anew next time.
  return status.error().in("dead-letter topic " + topic_);
}

/// As whole as the topic takes it.
Status DeadLetterWriter::write_one(const RejectedRecord& rejected) {
  Status status;
  for (Omitted omitted : {Omitted::kNothing, Omitted::kValue, Omitted::kValueAndKey}) {
    status = write_some(&rejected, 1, omitted);
    if (!refused_for_good(status)) break;
  }
  return status;
}

Status DeadLetterWriter::write_some(const RejectedRecord* first, size_t count, Omitted omitted) {
  std::map<int32_t, record::BatchBuilder> builders;
  std::vector<record::Batch> batches;
  std::vector<int32_t> partitions;
  int64_t now_ms = clock_.wall_ms();
  for (size_t i = 0; i < count; ++i) {
    const RejectedRecord& rejected = first[i];
    int32_t partition = rejected.tp->partition.value % partitions_;
    record::BatchBuilder& builder = builders[partition];
    DeadLetter letter{stage_, component_, rejected.code, rejected.reason, rejected.tp};
    if (omitted == Omitted::kNothing) {
      add_dead_letter(builder, letter, *rejected.record, now_ms);
    } else {
      add_bare_letter(builder, letter, *rejected.record, omitted == Omitted::kValue, now_ms);
    }
    if (builder.bytes() >= kBatchBytesMax) {
      batches.push_back(builder.finish());
      partitions.push_back(partition);
    }
  }
  for (auto& [partition, builder] : builders) {
    if (builder.empty()) continue;
    batches.push_back(builder.finish());
    partitions.push_back(partition);
  }
  return produce(std::move(batches), std::move(partitions));
}

Status DeadLetterWriter::produce(std::vector<record::Batch> batches, std::vector<int32_t> partitions) {
  uint64_t round;
  {
    std::lock_guard lock(pending_->mutex);
    round = ++pending_->round;
    pending_->unanswered = batches.size();
    pending_->error.reset();
  }
  for (size_t i = 0; i < batches.size(); ++i) {
    producer_->produce({topic_, PartitionId(partitions[i])}, std::move(batches[i]),
                       [pending = pending_, round](Result<bus::Appended> answer) {
                         std::lock_guard lock(pending->mutex);
                         if (pending->round != round) return;
                         --pending->unanswered;
                         if (!answer.ok() && !pending->error) pending->error = answer.error();
                         pending->changed.notify_all();
                       });
  }
  std::unique_lock lock(pending_->mutex);
  pending_->changed.wait(lock, [&] { return pending_->unanswered == 0 || pending_->cancelled; });
  if (pending_->error) return *pending_->error;
  if (pending_->unanswered > 0) return Error{ErrorCode::kClosed, "stopped before the letters were acknowledged"};
  return {};
}

}  // namespace headrace::flow
