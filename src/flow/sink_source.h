// What a sink reads: the partitions of its topics, with where each was read and committed, handed out in bounded
// chunks.
#pragma once

#include <chrono>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "bus/bus.h"
#include "flow/sink.h"
#include "flow/sink_runner.h"
#include "record/batch.h"

namespace headrace::flow {

/// A batch that was fetched, and is decompressed when its turn comes; the records of a chunk point into it.
struct OpenBatch {
  const TopicPartition* tp;
  record::Batch batch;
  std::optional<record::RecordReader> reader;

  /// Memory that it takes, decompressed records included.
  size_t bytes() const { return batch.size() + (reader ? reader->decompressed_bytes() : 0); }
};

/// Records to be written together, and where their partitions stand when all of them are answered.
struct SinkChunk {
  std::vector<SinkRecord> records;
  /// Batches that could not be decoded: one record each, its value the batch's bytes, and why.
  struct Undecodable {
    SinkRecord record;
    std::string reason;
  };
  std::vector<Undecodable> undecodable;
  std::map<TopicPartition, Offset> ends;
  std::vector<std::shared_ptr<OpenBatch>> keep_alive;
  size_t bytes = 0;       ///< Of keys, values and headers.
  size_t kept_bytes = 0;  ///< Of keep_alive.
  int64_t expired = 0;    ///< Records that retention deleted before they were read.

  bool empty() const { return ends.empty(); }
};

/// One thread, wake() excepted.
class SinkSource {
 public:
  SinkSource(const SinkRunnerOptions& options, bus::Bus& bus, std::unique_ptr<bus::Consumer> consumer);

  /// Looks for topics and partitions that are not read yet and begins with them; learns the high watermarks.
  Status discover();
  /// Topics that did not exist at the last discover().
  const std::vector<std::string>& missing_topics() const { return missing_; }

  /// Whether a topic was deleted: discover() is due.
  bool stale() const { return stale_; }

  /// Waits up to `wait` for a first record and options.linger for more. An empty chunk: nothing came.
  Result<SinkChunk> read(std::chrono::milliseconds wait);
  void wake() { consumer_->wake(); }

  /// Commits `positions` where they are ahead of what was committed, but for those in topics that were deleted.
  Status commit(const std::map<TopicPartition, Offset>& positions);
  /// Records between the committed positions and the high watermarks last seen.
  int64_t lag() const;

 private:
  struct Partition {
    Offset read;       ///< The next offset to hand out.
    Offset committed;  ///< What the group's position is known to be.
    Offset end;        ///< The high watermark at the last look.
  };

  Status add_partitions(const bus::TopicInfo& topic);
  void forget(const std::string& topic);
  Status commit_begins(const std::string& topic);
  Status commit_ahead(const std::vector<bus::Position>& ahead);
  bool full(const SinkChunk& chunk) const;
  Status poll(std::chrono::milliseconds wait, SinkChunk& chunk);
  void take_fetched(SinkChunk& chunk);
  void take_batch(const std::shared_ptr<OpenBatch>& open, SinkChunk& chunk);
  void set_end(SinkChunk& chunk, const TopicPartition& tp, Offset next);

  const SinkRunnerOptions& options_;
  bus::Bus& bus_;
  std::unique_ptr<bus::Consumer> consumer_;
  const size_t kept_bytes_max_;
  std::map<TopicPartition, Partition> partitions_;
  std::vector<std::string> missing_;
  std::deque<std::shared_ptr<OpenBatch>> fetched_;  ///< One poll's worth, the first one open at most.
  std::vector<bus::Position> fetched_positions_;    ///< Where the partitions stand behind all of fetched_.
  bool assigned_ = true;                            ///< The consumer has all of partitions_.
  bool stale_ = false;                              ///< Of partitions_ some were deleted.
};

}  // namespace headrace::flow
