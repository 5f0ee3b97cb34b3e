// What a topic's configuration means to its partition logs. Times are milliseconds, sizes bytes, -1 "without limit".
#pragma once

#include <cstdint>

namespace headrace::log {

enum class TimestampType {
  kCreateTime,     ///< Records keep the producer's time.
  kLogAppendTime,  ///< Batches get the broker's time when they are appended.
};

/// When an append may be acknowledged, and so what readers see.
enum class FlushPolicy {
  kBeforeAck,  ///< After flush(): the high watermark is the durable end.
  kOs,         ///< At once, as Kafka does; the high watermark is the log end. Somebody still calls flush() in time.
};

struct LogConfig {
  int64_t segment_bytes = 1 << 30;                   ///< segment.bytes; at most 2^31-1.
  int64_t segment_ms = 7LL * 24 * 3600 * 1000;       ///< segment.ms
  int64_t retention_ms = 7LL * 24 * 3600 * 1000;     ///< retention.ms
  int64_t retention_bytes = -1;                      ///< retention.bytes
  int64_t index_interval_bytes = 4096;               ///< index.interval.bytes
  int64_t delete_retention_ms = 24LL * 3600 * 1000;  ///< delete.retention.ms: how long compaction keeps tombstones.
  int64_t min_compaction_lag_ms = 0;                 ///< min.compaction.lag.ms
  int64_t max_compaction_lag_ms = INT64_MAX;         ///< max.compaction.lag.ms
  bool delete_enabled = true;                        ///< cleanup.policy contains delete.
  bool compact_enabled = false;                      ///< cleanup.policy contains compact.
  TimestampType timestamp_type = TimestampType::kCreateTime;  ///< message.timestamp.type
  FlushPolicy flush_policy = FlushPolicy::kBeforeAck;
  int64_t producer_id_expiration_ms = 24LL * 3600 * 1000;  ///< producer.id.expiration.ms
  int64_t checkpoint_bytes = 64 << 20;       ///< flush() checkpoints after this much, which bounds what a start scans.
  int64_t preallocate_bytes_max = 16 << 20;  ///< The largest step in which the active segment grows; 0: none.
};

}  // namespace headrace::log
