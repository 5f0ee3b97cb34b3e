// The bus: the one port between what is stateful and what is pluggable. Ingest, pipelines, sinks and the console see
// topics, partitions, offsets and groups through it and nothing else. Two implementations: `broker` (the embedded log,
// in process) and `bus_kafka` (any Kafka cluster through librdkafka).
//
// Batches are record::Batch (Kafka's v2 batch) end to end. Every call may be made from any thread unless it says
// otherwise; callbacks run on a thread of the bus and must not block (post to your own loop).
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/function.h"
#include "base/ids.h"
#include "base/result.h"
#include "record/batch.h"

namespace headrace::bus {

/// A place in a partition: the offset of the next record to read.
struct Position {
  TopicPartition tp;
  Offset next;
  friend auto operator<=>(const Position&, const Position&) = default;
};

/// Where an appended batch went.
struct Appended {
  Offset base_offset;           ///< Of its first record.
  std::vector<Offset> offsets;  ///< Of each record, where others' records came between them; else empty.
  Offset offset_of(size_t record) const {
    return offsets.empty() ? base_offset + static_cast<int64_t>(record) : offsets[record];
  }
};
using ProduceCallback = Function<void(Result<Appended>)>;

struct ProducerOptions {
  std::string client_id = "headrace";
  size_t in_flight_bytes_max =
      64 << 20;  ///< Beyond it produce() answers kUnavailable at once: push back on the source.
};

/// Appends batches, in the order of the calls per partition.
class Producer {
 public:
  virtual ~Producer() = default;
  /// Appends `batch`; `done` is called exactly once, when the batch is as durable as the topic asks for (an
  /// acknowledgement) or has failed. kNotFound: no such topic or partition. kUnavailable: try again later.
  virtual void produce(const TopicPartition& tp, record::Batch batch, ProduceCallback done) = 0;
};

/// One transactional producer: produced batches and committed positions become visible together or not at all (KIP-98).
/// One thread at a time. A newer producer with the same transactional id fences this one (kFenced from every call); an
/// error without one, as a transaction that timed out or an id that was forgotten for its silence, is never kFenced.
class TransactionalProducer {
 public:
  virtual ~TransactionalProducer() = default;
  virtual Status begin() = 0;
  /// Adds a batch to the open transaction.
  virtual Status produce(const TopicPartition& tp, record::Batch batch) = 0;
  /// Adds consumer positions of `group` to the open transaction.
  virtual Status commit_positions(std::string_view group, const std::vector<Position>& positions) = 0;
  /// Commits; on return everything in the transaction is durable and visible. After kFenced the producer is useless,
  /// after kUnavailable or kTimedOut abort() and do the work again, with a new producer where abort() fails, too.
  virtual Status commit() = 0;
  virtual Status abort() = 0;
};

enum class Isolation { kReadUncommitted, kReadCommitted };

struct ConsumerOptions {
  std::string client_id = "headrace";
  Isolation isolation = Isolation::kReadCommitted;
  size_t fetch_bytes_max = 4 << 20;   ///< The most that one poll returns (one batch may exceed it).
  size_t queue_bytes_max = 16 << 20;  ///< The most that an implementation may hold fetched ahead.
};

/// A batch that was read, with where it came from. Control batches and aborted batches are never delivered under
/// kReadCommitted; the position moves past them.
struct FetchedBatch {
  TopicPartition tp;
  record::Batch batch;
};

struct PollResult {
  std::vector<FetchedBatch> batches;
  /// Where each partition that moved stands now: the position to commit once `batches` are dealt with.
  std::vector<Position> positions;
  /// Partitions whose position fell below the log's start (records expired unread), with the records lost.
  std::vector<std::pair<TopicPartition, int64_t>> skipped;
  /// Partitions that end before the position, since a power loss took records that had been read: where reading goes
  /// on. That is no later than where the loss begins; a cluster does not tell where that is, and all is read again.
  std::vector<Position> set_back;
};

/// Reads partitions that are assigned to it. One thread at a time, wake() excepted.
class Consumer {
 public:
  virtual ~Consumer() = default;
  /// Replaces the assignment. Records of a batch below the position are part of the batch delivered: callers skip them
  /// by offset.
  virtual Status assign(std::vector<Position> positions) = 0;
  /// Waits up to `timeout` for records. An empty result is a time-out or a wake(). kNotFound: a partition was deleted;
  /// those that are left are to be assigned anew.
  virtual Result<PollResult> poll(std::chrono::milliseconds timeout) = 0;
  /// Makes a waiting or the next poll() return at once. From any thread.
  virtual void wake() = 0;
  /// Partitions of the assignment that were deleted, though others may have their names now: nothing of theirs is to be
  /// committed. What a bus does not know is not among them.
  virtual std::vector<TopicPartition> deleted() const { return {}; }
};

struct TopicSpec {
  std::string name;
  int32_t partitions = 1;
  int16_t replication_factor = -1;  ///< -1: the cluster's default. The embedded log has one replica whatever it says.
  std::map<std::string, std::string> configs;  ///< Kafka's own names: retention.ms, cleanup.policy, ...
};

struct PartitionInfo {
  PartitionId id;
  Offset log_start;       ///< The first offset that can be read.
  Offset high_watermark;  ///< The offset after the last one that consumers see.
  int64_t bytes = -1;     ///< Bytes on disk, -1 where the cluster does not tell.
  /// No replica is in sync: it takes no more records until its disk is repaired. What it has can be read.
  bool out_of_service = false;
};

struct TopicInfo {
  std::string name;
  bool internal = false;
  std::vector<PartitionInfo> partitions;
  std::map<std::string, std::string> configs;
};

/// Where in time to look an offset up.
struct OffsetQuery {
  enum class Kind { kEarliest, kLatest, kTimestamp } kind = Kind::kLatest;
  int64_t timestamp_ms = 0;  ///< For kTimestamp: the first record at or after it; kLatest's answer where there is none.
};

/// Manages topics, offsets and groups.
class Admin {
 public:
  virtual ~Admin() = default;
  /// kAlreadyExists, kInvalidArgument (name, partition count, unknown or wrong config).
  virtual Status create_topic(const TopicSpec& spec) = 0;
  virtual Status delete_topic(std::string_view name) = 0;
  virtual Status create_partitions(std::string_view topic, int32_t total) = 0;
  virtual Result<std::vector<TopicInfo>> topics() = 0;
  virtual Result<TopicInfo> topic(std::string_view name) = 0;
  virtual Result<int32_t> partition_count(std::string_view topic) = 0;
  virtual Result<std::vector<Position>> offsets(const std::vector<TopicPartition>& partitions, OffsetQuery query) = 0;

  /// Committed positions of `group`; partitions without one are left out. Where the bus knows that records which the
  /// group had read are lost, the position is where the loss begins.
  virtual Result<std::vector<Position>> committed(std::string_view group,
                                                  const std::vector<TopicPartition>& partitions) = 0;
  /// Commits positions of a group that has no members (as pipelines' and sinks' groups). Durable on return.
  virtual Status commit(std::string_view group, const std::vector<Position>& positions) = 0;
};

class Bus {
 public:
  virtual ~Bus() = default;
  virtual Result<std::unique_ptr<Producer>> producer(ProducerOptions options) = 0;
  virtual Result<std::unique_ptr<TransactionalProducer>> transactional_producer(std::string transactional_id) = 0;
  virtual Result<std::unique_ptr<Consumer>> consumer(ConsumerOptions options) = 0;
  virtual Admin& admin() = 0;
};

/// The partition of a keyed record: Kafka's murmur2 default partitioner, positive modulo `partitions`.
PartitionId partition_for_key(std::string_view key, int32_t partitions);

}  // namespace headrace::bus
