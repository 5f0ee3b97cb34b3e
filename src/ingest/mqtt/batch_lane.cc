#include "ingest/mqtt/batch_lane.h"

#include <algorithm>

#include "ingest/mqtt/loop_writer.h"

namespace headrace::ingest::mqtt {
namespace {

using std::chrono::milliseconds;

/// What passes by itself: the same batch again later.
bool may_pass(ErrorCode code) {
  return code == ErrorCode::kUnavailable || code == ErrorCode::kTimedOut || code == ErrorCode::kOutOfSpace;
}

}  // namespace

BatchLane::BatchLane(TopicPartition tp, LoopWriter& writer, uint64_t seed)
    : tp_(std::move(tp)),
      writer_(writer),
      backoff_({.delay_min = milliseconds(10), .delay_first = milliseconds(50), .delay_max = milliseconds(5'000)},
               seed) {}

void BatchLane::added(SessionRef session, uint64_t number, size_t batch_bytes_max) {
  bool follows = !open_runs_.empty() && open_runs_.back().session == session &&
                 open_runs_.back().first + open_runs_.back().count == number;
  if (follows) {
    ++open_runs_.back().count;
  } else {
    open_runs_.push_back({session, number, 1});
  }
  writer_.bytes_added(open_.bytes() - open_bytes_);
  open_bytes_ = open_.bytes();
  if (open_bytes_ >= batch_bytes_max) seal();
}

void BatchLane::seal() {
  if (open_.empty()) return;
  sealed_.push_back({open_.finish(), std::exchange(open_runs_, {})});
  open_bytes_ = 0;
  open_runs_.reserve(sealed_.back().runs.size());
}

void BatchLane::flush() {
  dirty = false;
  if (in_flight_) return;
  if (sealed_.empty()) seal();
  if (sealed_.empty()) return;
  in_flight_ = true;
  produce();
}

void BatchLane::produce() {
  writer_.producer().produce(tp_, sealed_.front().batch,
                             [mailbox = writer_.mailbox(), this](Result<bus::Appended> result) {
                               mailbox->loop.post([mailbox, this, result = std::move(result)]() mutable {
                                 if (mailbox->writer) on_answer(std::move(result));
                               });
                             });
}

void BatchLane::on_answer(Result<bus::Appended> result) {
  if (result.ok()) {
    if (backoff_.attempts() > 0) writer_.recovered(tp_);
    backoff_.reset();
    for (const AckRun& run : sealed_.front().runs) writer_.acknowledge(run);
    return finish_front();
  }
  if (may_pass(result.error().code)) {
    writer_.retrying(tp_, result.error());
    retry_ = writer_.loop().after(backoff_.next(), [this] { produce(); });
    return;
  }
  if (result.error().code == ErrorCode::kTooLarge && sealed_.front().batch.header().record_count > 1) {
    split_front();
    return produce();
  }
  writer_.failed(tp_, result.error());
  for (const AckRun& run : sealed_.front().runs) writer_.reject(run);
  finish_front();
}

void BatchLane::split_front() {
  Sealed whole = std::move(sealed_.front());
  sealed_.pop_front();
  auto first_count = static_cast<uint32_t>(whole.batch.header().record_count / 2);
  record::BatchBuilder halves[2];
  record::RecordReader reader(whole.batch, whole.batch.size());
  for (uint32_t i = 0; const record::RecordView* record = reader.next(); ++i) {
    halves[i >= first_count].add(record->timestamp_ms, record->key, record->value, record->headers);
  }
  std::vector<AckRun> runs[2];
  for (AckRun run : whole.runs) {
    uint32_t taken = std::min(run.count, first_count);
    first_count -= taken;
    if (taken > 0) runs[0].push_back({run.session, run.first, taken});
    if (taken < run.count) runs[1].push_back({run.session, run.first + taken, run.count - taken});
  }
  writer_.bytes_changed(whole.batch.size(), halves[0].bytes() + halves[1].bytes());
  sealed_.push_front({halves[1].finish(), std::move(runs[1])});
  sealed_.push_front({halves[0].finish(), std::move(runs[0])});
}

void BatchLane::finish_front() {
  size_t bytes = sealed_.front().batch.size();
  sealed_.pop_front();
  in_flight_ = false;
  writer_.bytes_answered(bytes);
  writer_.mark_dirty(*this);
}

}  // namespace headrace::ingest::mqtt
