#include "stream/task.h"

#include <arrow/api.h>
#include <fmt/format.h>

#include <algorithm>

#include "base/logging.h"

namespace headrace::stream {

namespace {

using namespace std::chrono_literals;
using std::chrono::milliseconds;

constexpr auto kDiscoveryInterval = 5s;
/// How often a pipeline with open windows looks at the clock while nothing comes.
constexpr auto kTimeCheckInterval = 100ms;
constexpr std::string_view kStage = "pipeline";

/// Intervals, which have no form outside, as whole milliseconds.
columns::Schema storable(const columns::Schema& schema) {
  columns::Schema out;
  for (auto column : schema) {
    if (column.type == Type::kInterval) column.type = Type::kInt64;
    out.add(std::move(column));
  }
  return out;
}

std::shared_ptr<arrow::RecordBatch> storable(const arrow::RecordBatch& rows, const columns::Schema& schema) {
  std::vector<std::shared_ptr<arrow::Array>> arrays;
  for (int i = 0; i < rows.num_columns(); ++i) {
    auto data = rows.column_data(i)->Copy();
    data->type = columns::to_arrow(schema[static_cast<size_t>(i)].type);
    arrays.push_back(arrow::MakeArray(data));
  }
  return arrow::RecordBatch::Make(columns::to_arrow(schema), rows.num_rows(), std::move(arrays));
}

std::vector<RowFailure> by_row(std::vector<RowFailure> failures) {
  std::ranges::sort(failures, {}, &RowFailure::row);
  return failures;
}

}  // namespace

PipelineMetrics::PipelineMetrics(flow::MetricsRegistry& registry, const std::string& pipeline)
    : records_in(registry.counter("headrace_pipeline_records_in_total", {{"pipeline", pipeline}}, "Records read.")),
      records_out(
          registry.counter("headrace_pipeline_records_out_total", {{"pipeline", pipeline}}, "Results written.")),
      late(registry.counter("headrace_pipeline_records_late_total", {{"pipeline", pipeline}},
                            "Records that came after their window had closed.")),
      dead_letters(registry.counter("headrace_pipeline_dead_letters_total", {{"pipeline", pipeline}},
                                    "Records put into the dead-letter topic.")),
      expired(registry.counter("headrace_pipeline_records_expired_total", {{"pipeline", pipeline}},
                               "Records that retention deleted before they were read.")),
      commits(registry.counter("headrace_pipeline_commits_total", {{"pipeline", pipeline}}, "Transactions committed.")),
      commit_latency_us(registry.gauge("headrace_pipeline_commit_latency_microseconds", {{"pipeline", pipeline}},
                                       "How long the last commit took.")),
      watermark_lag_ms(registry.gauge("headrace_pipeline_watermark_lag_milliseconds", {{"pipeline", pipeline}},
                                      "How far the event-time watermark is behind the wall clock.")),
      state_bytes(registry.gauge("headrace_pipeline_state_bytes", {{"pipeline", pipeline}}, "Memory of open windows.")),
      state_groups(
          registry.gauge("headrace_pipeline_state_groups", {{"pipeline", pipeline}}, "Groups in open windows.")) {}

PipelineTask::PipelineTask(PipelineSpec spec, bus::Bus& bus, flow::MetricsRegistry& metrics, os::Clock& clock)
    : spec_(std::move(spec)), bus_(bus), clock_(clock), metrics_(metrics, spec_.name), input_(spec_.plan.input) {}

PipelineTask::~PipelineTask() = default;

columns::DecoderOptions PipelineTask::decoder_options() const {
  return {.format = spec_.format,
          .schema = spec_.plan.input,
          .csv_fields = spec_.csv_fields,
          .csv_delimiter = spec_.csv_delimiter};
}

Result<std::unique_ptr<PipelineTask>> PipelineTask::make(PipelineSpec spec, bus::Bus& bus,
                                                         flow::MetricsRegistry& metrics, os::Clock& clock,
                                                         std::string state_dir) {
  auto task = std::unique_ptr<PipelineTask>(new PipelineTask(std::move(spec), bus, metrics, clock));
  const sql::Plan& plan = task->spec_.plan;
  ASSIGN_OR_RETURN(task->projector_, Projector::make(plan, task->spec_.target_key));
  auto decoder = columns::make_decoder(task->decoder_options());
  if (!decoder.ok()) return decoder.error();
  if (plan.filter) task->filter_ = compile(*plan.filter);
  if (!plan.aggregate) return task;
  PipelineStateOptions options{.name = task->spec_.name,
                               .changelog_topic = task->changelog(),
                               .store_path = state_dir + "/" + task->spec_.name,
                               .watermark = task->spec_.watermark,
                               .state_bytes_max = task->spec_.state_bytes_max};
  task->state_ = std::make_unique<PipelineState>(std::move(options), plan, bus, clock);
  task->window_rows_ = std::make_unique<EvalContext>(plan.aggregate->row);
  if (plan.having) task->having_ = compile(*plan.having);
  ASSIGN_OR_RETURN(task->window_encoder_, columns::make_encoder({.schema = storable(plan.aggregate->row)}));
  return task;
}

Status PipelineTask::prepare_topics() {
  bus::Admin& admin = bus_.admin();
  auto source = admin.partition_count(spec_.source_topic);
  if (!source.ok()) return source.error().in("reading topic " + spec_.source_topic);
  auto targets = ensure_topic(admin, {.name = spec_.target_topic, .partitions = *source});
  if (!targets.ok()) return targets.error();
  auto letters = ensure_topic(admin, {.name = spec_.dead_letter_topic});
  if (!letters.ok()) return letters.error();
  if (!state_) return {};
  ASSIGN_OR_RETURN(int32_t changes,
                   ensure_topic(admin, {.name = changelog(), .configs = {{"cleanup.policy", "compact"}}}));
  if (changes != 1) return Error{ErrorCode::kInvalidArgument, "topic " + changelog() + " must have one partition"};
  return {};
}

Status PipelineTask::open() {
  {
    std::lock_guard lock(reader_mutex_);
    reader_.reset();
  }
  if (writer_) (void)writer_->abort();  // The new producer's epoch ends the transaction where this did not.
  writer_.reset();
  dirty_ = false;
  RETURN_IF_ERROR(prepare_topics());
  target_limits_ = target_limits(bus_.admin(), spec_.target_topic);
  ASSIGN_OR_RETURN(writer_, TransactionWriter::open({.transactional_id = id(),
                                                     .target_topic = spec_.target_topic,
                                                     .dead_letter_topic = spec_.dead_letter_topic,
                                                     .changelog_topic = state_ ? changelog() : ""},
                                                    bus_));
  if (state_) RETURN_IF_ERROR(state_->restore());
  SourceReaderOptions options{.topic = spec_.source_topic,
                              .group = id(),
                              .from_latest = spec_.start_at == StartAt::kLatest,
                              .fetch_bytes_max = spec_.fetch_bytes_max,
                              .decoder = decoder_options()};
  ASSIGN_OR_RETURN(auto reader, SourceReader::open(std::move(options), bus_));
  discovered_at_ = clock_.monotonic();
  if (state_) {
    for (PartitionId id : reader->partitions()) {
      state_->watermarks().add_partition(id, clock_.monotonic(), clock_.wall_ms());
    }
  }
  std::lock_guard lock(reader_mutex_);
  reader_ = std::move(reader);
  return {};
}

void PipelineTask::wake() {
  std::shared_ptr<SourceReader> reader;
  {
    std::lock_guard lock(reader_mutex_);
    reader = reader_;
  }
  if (reader) reader->wake();
}

milliseconds PipelineTask::wait_of(milliseconds wait_max) const {
  if (dirty_ && (!state_ || writer_->has_output())) return 0ms;
  if (dirty_) {
    auto waited = clock_.monotonic() - dirty_since_;
    auto left = std::chrono::ceil<milliseconds>(spec_.commit_interval - waited);
    return std::clamp(left, milliseconds(0), wait_max);
  }
  bool open_windows = state_ && state_->windows().groups() > 0;
  return open_windows ? std::min<milliseconds>(wait_max, kTimeCheckInterval) : wait_max;
}

bool PipelineTask::commit_due(bool idle) const {
  if (!dirty_) return false;
  if (clock_.monotonic() - dirty_since_ >= spec_.commit_interval) return true;
  return idle && (!state_ || writer_->has_output());
}

Status PipelineTask::step(milliseconds wait_max) {
  SourceReader::Visitor visitor;
  visitor.slice = [this](const SourceSlice& slice) { return take_slice(slice); };
  visitor.bad_record = [this](const TopicPartition& tp, const record::RecordView& record, std::string_view reason) {
    return dead_letter(tp, record, to_string(ErrorCode::kInvalidArgument), reason);
  };
  ASSIGN_OR_RETURN(auto read, reader_->read(wait_of(wait_max), visitor));
  metrics_.records_in.add(read.records);
  if (read.expired > 0) {
    metrics_.expired.add(read.expired);
    log_warn("pipeline {}: {} records of {} expired before they were read", spec_.name, read.expired,
             spec_.source_topic);
  }
  if (state_) RETURN_IF_ERROR(advance_time());
  bool has_work = read.moved || writer_->has_output();
  if (has_work && !dirty_) {
    dirty_ = true;
    dirty_since_ = clock_.monotonic();
  }
  if (commit_due(read.records == 0)) RETURN_IF_ERROR(commit());
  if (clock_.monotonic() - discovered_at_ < kDiscoveryInterval) return {};
  discovered_at_ = clock_.monotonic();
  ASSIGN_OR_RETURN(bool found, reader_->discover());
  if (!found || !state_) return {};
  for (PartitionId id : reader_->partitions()) {
    state_->watermarks().add_partition(id, clock_.monotonic(), clock_.wall_ms());
  }
  return {};
}

Status PipelineTask::commit() {
  auto start = clock_.monotonic();
  if (state_) RETURN_IF_ERROR(state_->write_changes(*writer_));
  RETURN_IF_ERROR(writer_->commit(id(), reader_->uncommitted()));
  reader_->committed();
  dirty_ = false;
  metrics_.commits.add();
  metrics_.commit_latency_us.set(
      std::chrono::duration_cast<std::chrono::microseconds>(clock_.monotonic() - start).count());
  return state_ ? state_->committed() : Status();
}

Status PipelineTask::close() {
  if (dirty_) RETURN_IF_ERROR(commit());
  return state_ ? state_->flush() : Status();
}

Status PipelineTask::take_slice(const SourceSlice& slice) {
  input_.bind(slice.rows);
  now_ms_ = clock_.wall_ms();
  Selection selection{nullptr, input_.rows()};
  if (filter_) selection = select_true(filter_->evaluate(input_, selection), selection, input_, filtered_);
  if (state_) {
    RETURN_IF_ERROR(add_to_windows(slice, selection));
  } else {
    Status status;
    Projector::Emit emit = [&](uint32_t row, const columns::EncodedRow& encoded) {
      if (status.ok()) status = write_result(input_, row, encoded, slice.timestamps_ms[row]);
    };
    projector_->project(input_, selection, emit);
    RETURN_IF_ERROR(status);
  }
  return input_.failures().empty() ? Status() : bury_failed(slice);
}

Status PipelineTask::write_result(EvalContext& context, uint32_t row, const columns::EncodedRow& result,
                                  int64_t timestamp_ms) {
  if (result.too_large) {
    context.fail(row, fmt::format("the result has more bytes than it may: the limit is {}", kOutputRecordBytesMax));
    return {};
  }
  size_t bytes = result.value.size() + (result.key ? result.key->size() : 0);
  if (bytes > kOutputRecordBytesMax) {
    context.fail(row, fmt::format("the result has {} bytes, the limit is {}", bytes, kOutputRecordBytesMax));
    return {};
  }
  if (!result.key && target_limits_.needs_keys && !spec_.target_key.empty()) {
    context.fail(row, fmt::format("the key {} is NULL, and the target is compacted", spec_.target_key));
    return {};
  }
  metrics_.records_out.add();
  return writer_->add_result(target_limits_.fit_timestamp(timestamp_ms, now_ms_), result.key, result.value);
}

Status PipelineTask::add_to_windows(const SourceSlice& slice, Selection selection) {
  WatermarkTracker& watermarks = state_->watermarks();
  int64_t wall_ms = clock_.wall_ms();
  EventTimeBounds bounds{.watermark_ms = watermarks.watermark_ms(),
                         .latest_ms = wall_ms + spec_.event_time_ahead_max.count()};
  const AddResult& added = state_->windows().add(input_, selection, bounds);
  watermarks.observe(slice.tp.partition, added.max_event_time_ms, clock_.monotonic(), wall_ms);
  if (added.late.empty()) return {};
  metrics_.late.add(static_cast<int64_t>(added.late.size()));
  return spec_.late == LateRecords::kDeadLetter ? bury_late(slice, added.late) : Status();
}

Status PipelineTask::dead_letter(const TopicPartition& tp, const record::RecordView& record, std::string_view code,
                                 std::string_view reason) {
  metrics_.dead_letters.add();
  flow::DeadLetter letter{.stage = kStage, .component = spec_.name, .code = code, .message = reason, .source = &tp};
  return writer_->add_dead_letter(letter, record, clock_.wall_ms());
}

Status PipelineTask::bury_failed(const SourceSlice& slice) {
  auto failures = by_row(input_.failures());
  std::vector<uint32_t> rows;
  for (const auto& failure : failures) rows.push_back(failure.row);
  size_t next = 0;
  Status status;
  visit_records(slice, rows, [&](uint32_t, const record::RecordView& record) {
    const std::string& reason = failures[next++].reason;
    if (status.ok()) status = dead_letter(slice.tp, record, to_string(ErrorCode::kOutOfRange), reason);
  });
  return status;
}

Status PipelineTask::bury_late(const SourceSlice& slice, std::span<const uint32_t> rows) {
  Status status;
  std::string reason =
      fmt::format("its window has closed: the watermark is at {} ms", state_->watermarks().watermark_ms());
  visit_records(slice, rows, [&](uint32_t, const record::RecordView& record) {
    if (status.ok()) status = dead_letter(slice.tp, record, "late", reason);
  });
  return status;
}

Status PipelineTask::advance_time() {
  WatermarkTracker& watermarks = state_->watermarks();
  auto now = clock_.monotonic();
  for (PartitionId partition : watermarks.idle_candidates(now)) {
    ASSIGN_OR_RETURN(bool at_end, reader_->at_end(partition));
    at_end ? watermarks.set_idle(partition) : watermarks.keep_active(partition, now);
  }
  watermarks.advance();
  int64_t silent_end = state_->windows().last_end_ms(watermarks.wall_bound_ms(now));
  if (silent_end != kNoEventTime) watermarks.raise(silent_end);
  RETURN_IF_ERROR(close_windows(watermarks.watermark_ms()));
  update_gauges();
  return {};
}

Status PipelineTask::close_windows(int64_t watermark_ms) {
  Status status;
  state_->windows().close(watermark_ms, [&](const arrow::RecordBatch& rows, int64_t window_end_ms) {
    if (status.ok()) status = take_window_rows(rows, window_end_ms);
    dirty_since_ = dirty_ ? dirty_since_ : clock_.monotonic();
    dirty_ = true;
  });
  return status;
}

Status PipelineTask::take_window_rows(const arrow::RecordBatch& rows, int64_t window_end_ms) {
  EvalContext& context = *window_rows_;
  context.bind(rows);
  now_ms_ = clock_.wall_ms();
  Selection selection{nullptr, context.rows()};
  if (having_) selection = select_true(having_->evaluate(context, selection), selection, context, filtered_);
  Status status;
  Projector::Emit emit = [&](uint32_t row, const columns::EncodedRow& encoded) {
    if (status.ok()) status = write_result(context, row, encoded, window_end_ms);
  };
  projector_->project(context, selection, emit);
  RETURN_IF_ERROR(status);
  return context.failures().empty() ? Status() : bury_window_rows(rows);
}

/// Window rows come from no single record: the dead letter's value is the row itself, as JSON.
Status PipelineTask::bury_window_rows(const arrow::RecordBatch& rows) {
  auto schema = storable(spec_.plan.aggregate->row);
  auto batch = storable(rows, schema);
  window_encoder_->bind(*batch, clock_.wall_ms());
  for (const auto& failure : by_row(window_rows_->failures())) {
    record::RecordView record;
    record.timestamp_ms = clock_.wall_ms();
    record.value = window_encoder_->row(failure.row).value;
    metrics_.dead_letters.add();
    flow::DeadLetter letter{
        .stage = kStage, .component = spec_.name, .code = to_string(ErrorCode::kOutOfRange), .message = failure.reason};
    RETURN_IF_ERROR(writer_->add_dead_letter(letter, record, clock_.wall_ms()));
  }
  return {};
}

void PipelineTask::update_gauges() {
  int64_t watermark_ms = state_->watermarks().watermark_ms();
  if (watermark_ms != kNoEventTime) metrics_.watermark_lag_ms.set(clock_.wall_ms() - watermark_ms);
  metrics_.state_bytes.set(static_cast<int64_t>(state_->windows().bytes()));
  metrics_.state_groups.set(static_cast<int64_t>(state_->windows().groups()));
}

}  // namespace headrace::stream
