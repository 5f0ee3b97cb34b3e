// The state of a pipeline with windows: open windows, event-time progress, and their durable home, the changelog topic
// with its local cache. The format is in docs/formats/state-changelog.md.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string>

#include "bus/bus.h"
#include "os/clock.h"
#include "sql/plan.h"
#include "stream/state_store.h"
#include "stream/transaction_writer.h"
#include "stream/watermark.h"
#include "stream/window_aggregator.h"

namespace headrace::stream {

struct PipelineStateOptions {
  std::string name;  ///< Of the pipeline, for messages.
  std::string changelog_topic;
  std::string store_path;
  WatermarkOptions watermark;
  size_t state_bytes_max = 256 << 20;
};

/// One thread. After an error nothing of it may be used but restore().
class PipelineState {
 public:
  /// `plan`, `bus` and `clock` outlive the state.
  PipelineState(PipelineStateOptions options, const sql::Plan& plan, bus::Bus& bus, os::Clock& clock);

  /// Brings state back to what was committed: the store where it is usable, then the changelog's rest. A damaged store
  /// is set aside and built anew. To be called when no transaction of the pipeline is open. kInvalidArgument: the
  /// changelog is that of another query.
  Status restore();

  WindowAggregator& windows() { return windows_; }
  WatermarkTracker& watermarks() { return watermarks_; }

  /// Adds what changed since the last commit to the transaction.
  Status write_changes(TransactionWriter& writer);
  /// The transaction was committed: the store follows.
  Status committed();
  /// Makes the store start where it is now, without the changelog's rest.
  Status flush();

 private:
  struct Meta {
    std::array<uint8_t, 16> incarnation{};
    int64_t sequence = 0;
  };
  Status restore_from_store();
  Status open_store();
  bool usable(Offset earliest, Offset end) const;
  Result<bool> replay(Offset from, Offset end, bool check);
  Status apply(const record::RecordView& record, StateBatch& batch, std::optional<Meta>& seen);
  Status load();
  Status read_meta(BytesView value);
  Result<Meta> read_meta_head(BytesView value) const;
  Bytes meta() const;
  Result<Offset> changelog_offset(bus::OffsetQuery::Kind kind);

  PipelineStateOptions options_;
  bus::Bus& bus_;
  os::Clock& clock_;
  TopicPartition changelog_;
  uint64_t fingerprint_;
  WindowAggregator windows_;
  WatermarkTracker watermarks_;
  std::unique_ptr<StateStore> store_;
  bool uses_store_ = false;  ///< What restore() has in hand began with what the store held.
  Meta meta_;
  StateBatch pending_;
  Offset mark_;                      ///< What the store is known to reflect, exclusive.
  std::optional<Offset> next_mark_;  ///< The changelog's end before the open transaction: the mark once it commits.
  std::chrono::nanoseconds marked_at_{0};
  std::chrono::nanoseconds flushed_at_{0};
};

}  // namespace headrace::stream
