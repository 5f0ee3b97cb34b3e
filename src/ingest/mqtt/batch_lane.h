// The way of one loop's messages into one partition.
#pragma once

#include <deque>
#include <memory>
#include <span>
#include <vector>

#include "bus/bus.h"
#include "flow/retry.h"
#include "net/event_loops.h"
#include "record/batch_builder.h"

namespace headrace::ingest::mqtt {

class LoopWriter;

/// A session of a loop by its place in the loop's table; the generation tells it from a later one in the same place.
struct SessionRef {
  static constexpr uint32_t kNone = ~0u;
  uint32_t slot = kNone;
  uint32_t generation = 0;
  friend bool operator==(const SessionRef&, const SessionRef&) = default;
};

/// Consecutive messages of one session in a batch.
struct AckRun {
  SessionRef session;
  uint64_t first = 0;
  uint32_t count = 0;
};

/// Callbacks of the bus find their loop's writer here: null once it is gone. Read and written on the loop only.
struct Mailbox {
  net::EventLoop& loop;
  LoopWriter* writer;
};

/// One batch is with the bus at a time; what comes meanwhile makes the next one. So batches are small when it is quiet
/// and large under load, and a retry keeps the order.
class BatchLane {
 public:
  BatchLane(TopicPartition tp, LoopWriter& writer, uint64_t seed);

  /// Where the next record goes; follow with added().
  record::BatchBuilder& builder() { return open_; }
  /// The last record of builder() came from `session` and is its message `number`.
  void added(SessionRef session, uint64_t number, size_t batch_bytes_max);
  /// Gives the next batch to the bus, unless one is there.
  void flush();
  bool idle() const { return !in_flight_ && sealed_.empty() && open_.empty(); }

  bool dirty = false;  ///< In the writer's list to flush.

 private:
  struct Sealed {
    record::Batch batch;
    std::vector<AckRun> runs;
  };
  void seal();
  void produce();
  void on_answer(Result<bus::Appended> result);
  /// Makes two batches of the front one: too large for the topic, though each message may fit.
  void split_front();
  void finish_front();

  const TopicPartition tp_;
  LoopWriter& writer_;
  record::BatchBuilder open_;
  std::vector<AckRun> open_runs_;
  size_t open_bytes_ = 0;  ///< Of open_, as far as the writer was told.
  std::deque<Sealed> sealed_;
  bool in_flight_ = false;
  flow::Backoff backoff_;
  std::unique_ptr<net::EventLoop::Timer> retry_;
};

}  // namespace headrace::ingest::mqtt
