// A coordinator's state in one partition of an internal topic: key-value records, group-committed like produced ones,
// of which the last of each key counts. When the log has grown well past its live state, that state is written anew and
// what was before it is dropped, which bounds both the disk and the time of a start.
#pragma once

#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "broker/partition.h"
#include "broker/state_log.h"

namespace headrace::broker {

/// Thread-safe; callbacks never run under its lock.
class CoordinatorLog {
 public:
  using Entry = StateLog::Entry;
  using Written = Function<void(Result<Offset>)>;  ///< The offset of the first record.
  /// The live state. Nothing: not now (state that can't be written anew is pending). Called while no write is in
  /// flight.
  using Snapshot = Function<std::optional<std::vector<Entry>>()>;
  /// Another way to append than Partition::produce, for records of transactions.
  using Append = Function<void(const record::Batch& batch, ProducedCallback done)>;

  CoordinatorLog(std::shared_ptr<Partition> partition, os::Clock& clock, int64_t rewrite_bytes_min, Snapshot snapshot);

  /// Appends the entries as one batch, in the order of the calls; `done` when they are on the disk.
  void write(std::vector<Entry> entries, Written done);
  /// The same with a batch that is made already, appended by `append`.
  void write(record::Batch batch, Append append, Written done);

  const std::shared_ptr<Partition>& partition() const { return partition_; }
  /// Whether `done` of every write has been called.
  bool idle() const;

 private:
  struct Held {
    record::Batch batch;
    Append append;
    Written done;
  };
  void append_now(Held write);
  void finished_one();
  void rewrite();
  void rewritten(Result<Produced> first);
  void resume(bool rewritten);

  const std::shared_ptr<Partition> partition_;
  os::Clock& clock_;
  Snapshot snapshot_;
  const int64_t rewrite_bytes_min_;

  mutable std::mutex mutex_;
  int64_t in_flight_ = 0;
  /// Draining: writes are held back until those in flight are done; then the rewriting itself, until what was held back
  /// has been appended, in its order.
  enum class Phase { kNormal, kDraining, kRewriting } phase_ = Phase::kNormal;
  int64_t rewrite_at_bytes_;
  std::deque<Held> held_;  ///< Until then; bounded by the requests in flight.
};

}  // namespace headrace::broker
