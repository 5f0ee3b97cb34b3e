// Keyed state that survives crashes: a log of key-value records of which the last one of each key counts, replayed at
// start. It is a partition log like any other, so recovery, checksums and torn tails are the log's business.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/function.h"
#include "base/result.h"
#include "log/partition_log.h"

namespace headrace::broker {

/// One thread at a time.
class StateLog {
 public:
  struct Entry {
    std::string key;
    std::optional<Bytes> value;  ///< Nothing: the key is gone.
  };
  using Replay = Function<Status(std::string_view key, std::optional<std::string_view> value)>;

  /// Opens (or creates) the log in `directory` and gives every record of it to `replay`, oldest first.
  /// `health`, where there is one, hears of the log.
  static Result<std::unique_ptr<StateLog>> open(os::FileSystem& files, os::Clock& clock, const std::string& directory,
                                                Replay replay, std::shared_ptr<log::HealthListener> health = nullptr);

  /// Appends the entries as one batch, so all or none survive a crash; durable on return. kIo: also where one before is
  /// in doubt.
  Status write(std::span<const Entry> entries);
  /// Writes the whole state anew and drops what was before it.
  Status rewrite(std::span<const Entry> state);
  /// Whether a write failed when it stood in the log already: a start may find it done.
  bool in_doubt() const { return in_doubt_; }
  int64_t size_bytes() const { return log_->size_bytes(); }
  Status close() { return log_->close(); }

 private:
  StateLog(std::unique_ptr<log::PartitionLog> log, os::Clock& clock) : log_(std::move(log)), clock_(clock) {}
  Result<Offset> append(std::span<const Entry> entries);

  std::unique_ptr<log::PartitionLog> log_;
  os::Clock& clock_;
  bool in_doubt_ = false;
};

/// The entries as one batch, in their order.
record::Batch batch_of(std::span<const StateLog::Entry> entries, int64_t now_ms);

using VisitBatch = Function<Status(const record::Batch&)>;

/// Calls `visit` for every batch of `log` below its end, oldest first.
Status for_each_batch(log::PartitionLog& log, VisitBatch visit);
/// The same of what can be read: damaged ranges are told as errors, and left out.
Status for_each_readable_batch(log::PartitionLog& log, VisitBatch visit);
/// Says that the record at `offset`, or all from there to its batch's end, says nothing that can be understood.
void tell_left_out(const TopicPartition& tp, Offset offset, const Error& error);

}  // namespace headrace::broker
