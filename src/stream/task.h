// One pipeline's work, step by step and without a thread: tests drive it with a clock and a bus of their own.
#pragma once

#include <chrono>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "stream/pipeline.h"
#include "stream/pipeline_state.h"
#include "stream/projector.h"
#include "stream/source_reader.h"
#include "stream/target_limits.h"
#include "stream/transaction_writer.h"

namespace headrace::stream {

/// The metrics of a pipeline, labelled `pipeline`.
struct PipelineMetrics {
  PipelineMetrics(flow::MetricsRegistry& registry, const std::string& pipeline);

  flow::Metric& records_in;
  flow::Metric& records_out;
  flow::Metric& late;
  flow::Metric& dead_letters;
  flow::Metric& expired;
  flow::Metric& commits;
  flow::Metric& commit_latency_us;
  flow::Metric& watermark_lag_ms;
  flow::Metric& state_bytes;
  flow::Metric& state_groups;
};

/// open(), then step() again and again, then close(). After an error from step() or close() only open() may be called:
/// it goes back to what was committed. One thread, wake() excepted.
class PipelineTask {
 public:
  /// kInvalidArgument: the plan can't be run with these options.
  static Result<std::unique_ptr<PipelineTask>> make(PipelineSpec spec, bus::Bus& bus, flow::MetricsRegistry& metrics,
                                                    os::Clock& clock, std::string state_dir);
  ~PipelineTask();

  /// Takes over the transactional id, restores state, and begins to read at the committed positions.
  Status open();
  /// Reads what is there (waiting up to `wait_max` when there is nothing to do), works on it, commits when it is time.
  Status step(std::chrono::milliseconds wait_max);
  /// Commits what was read.
  Status close();
  /// Makes a waiting step() return. From any thread; between open() and the next open() by the owner.
  void wake();

 private:
  PipelineTask(PipelineSpec spec, bus::Bus& bus, flow::MetricsRegistry& metrics, os::Clock& clock);

  /// The group and the transactional id.
  std::string id() const { return spec_.app + "-" + spec_.name; }
  std::string changelog() const { return id() + "-changelog"; }
  columns::DecoderOptions decoder_options() const;
  Status prepare_topics();
  std::chrono::milliseconds wait_of(std::chrono::milliseconds wait_max) const;
  bool commit_due(bool idle) const;
  Status commit();

  Status take_slice(const SourceSlice& slice);
  Status add_to_windows(const SourceSlice& slice, Selection selection);
  /// A result that is too large, or has not the key that the target needs, fails its row; one with a time that the
  /// target refuses gets that of the clock.
  Status write_result(EvalContext& context, uint32_t row, const columns::EncodedRow& result, int64_t timestamp_ms);
  Status dead_letter(const TopicPartition& tp, const record::RecordView& record, std::string_view code,
                     std::string_view reason);
  Status bury_failed(const SourceSlice& slice);
  Status bury_late(const SourceSlice& slice, std::span<const uint32_t> rows);

  Status advance_time();
  Status close_windows(int64_t watermark_ms);
  Status take_window_rows(const arrow::RecordBatch& rows, int64_t window_end_ms);
  Status bury_window_rows(const arrow::RecordBatch& rows);
  void update_gauges();

  PipelineSpec spec_;
  bus::Bus& bus_;
  os::Clock& clock_;
  PipelineMetrics metrics_;

  EvalContext input_;
  NodePtr filter_;
  std::unique_ptr<Projector> projector_;
  std::vector<uint32_t> filtered_;
  TargetLimits target_limits_;
  int64_t now_ms_ = 0;  ///< The wall clock when work on the rows in hand began.
  /// With windows only:
  std::unique_ptr<PipelineState> state_;
  std::unique_ptr<EvalContext> window_rows_;
  NodePtr having_;
  std::unique_ptr<columns::Encoder> window_encoder_;

  std::unique_ptr<TransactionWriter> writer_;
  std::shared_ptr<SourceReader> reader_;
  std::mutex reader_mutex_;  ///< Of the pointer, for wake().
  bool dirty_ = false;       ///< There is something to commit.
  std::chrono::nanoseconds dirty_since_{0};
  std::chrono::nanoseconds discovered_at_{0};
};

}  // namespace headrace::stream
