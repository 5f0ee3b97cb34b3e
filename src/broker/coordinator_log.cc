#include "broker/coordinator_log.h"

#include "base/logging.h"
#include "record/batch_builder.h"

namespace headrace::broker {
namespace {

/// The log may grow to this many times its live state.
constexpr int64_t kGrowth = 4;
/// When that was not to be written anew, it is tried again after the log has grown by one part in so many.
constexpr int64_t kRetryGrowth = 4;
constexpr size_t kRewriteBatchBytes = 512 << 10;

}  // namespace

CoordinatorLog::CoordinatorLog(std::shared_ptr<Partition> partition, os::Clock& clock, int64_t rewrite_bytes_min,
                               Snapshot snapshot)
    : partition_(std::move(partition)),
      clock_(clock),
      snapshot_(std::move(snapshot)),
      rewrite_bytes_min_(rewrite_bytes_min),
      rewrite_at_bytes_(rewrite_bytes_min) {}

bool CoordinatorLog::idle() const {
  std::lock_guard lock(mutex_);
  return in_flight_ == 0 && held_.empty() && phase_ == Phase::kNormal;
}

void CoordinatorLog::write(std::vector<Entry> entries, Written done) {
  write(batch_of(entries, clock_.wall_ms()), {}, std::move(done));
}

void CoordinatorLog::write(record::Batch batch, Append append, Written done) {
  Held write{std::move(batch), std::move(append), std::move(done)};
  bool hold = false, begin_rewrite = false;
  {
    std::lock_guard lock(mutex_);
    if (phase_ == Phase::kNormal && partition_->log().size_bytes() >= rewrite_at_bytes_) phase_ = Phase::kDraining;
    hold = phase_ != Phase::kNormal;
    if (hold) {
      held_.push_back(std::move(write));
      begin_rewrite = phase_ == Phase::kDraining && in_flight_ == 0;
      if (begin_rewrite) phase_ = Phase::kRewriting;
    } else {
      ++in_flight_;
    }
  }
  if (!hold) append_now(std::move(write));
  if (begin_rewrite) rewrite();
}

void CoordinatorLog::append_now(Held write) {
  auto done = [this, written = std::move(write.done)](Result<Produced> produced) mutable {
    written(produced.ok() ? Result<Offset>(produced->base_offset) : Result<Offset>(produced.error()));
    finished_one();
  };
  if (write.append) return write.append(write.batch, std::move(done));
  partition_->produce(std::span(&write.batch, 1), std::move(done));
}

void CoordinatorLog::finished_one() {
  {
    std::lock_guard lock(mutex_);
    if (--in_flight_ > 0 || phase_ != Phase::kDraining) return;
    phase_ = Phase::kRewriting;
  }
  rewrite();
}

/// With nothing in flight and new writes held back: the live state, then what was held.
void CoordinatorLog::rewrite() {
  std::optional<std::vector<Entry>> state = snapshot_();
  if (!state || state->empty()) return resume(/*rewritten=*/false);
  std::vector<record::Batch> batches;
  std::vector<Entry> part;
  size_t bytes = 0;
  for (Entry& entry : *state) {
    bytes += entry.key.size() + (entry.value ? entry.value->size() : 0);
    part.push_back(std::move(entry));
    if (bytes < kRewriteBatchBytes) continue;
    batches.push_back(batch_of(part, clock_.wall_ms()));
    part.clear();
    bytes = 0;
  }
  if (!part.empty()) batches.push_back(batch_of(part, clock_.wall_ms()));
  partition_->produce(batches, [this](Result<Produced> produced) { rewritten(std::move(produced)); });
}

void CoordinatorLog::rewritten(Result<Produced> first) {
  if (first.ok()) {
    auto start = partition_->log().delete_records(first->base_offset);
    if (!start.ok()) log_warn("shortening {}: {}", to_string(partition_->tp()), start.error().message);
  } else {
    log_warn("writing {} anew: {}", to_string(partition_->tp()), first.error().message);
  }
  resume(first.ok());
}

/// Lets the writes that were held back go on. What comes while they are being appended is held back, too, so that
/// nothing overtakes them.
void CoordinatorLog::resume(bool rewritten) {
  int64_t bytes = partition_->log().size_bytes();
  while (true) {
    std::deque<Held> go_on;
    {
      std::lock_guard lock(mutex_);
      if (held_.empty()) {
        phase_ = Phase::kNormal;
        rewrite_at_bytes_ = std::max(rewrite_bytes_min_, rewritten ? bytes * kGrowth : bytes + bytes / kRetryGrowth);
        return;
      }
      go_on.swap(held_);
      in_flight_ += static_cast<int64_t>(go_on.size());
    }
    for (Held& write : go_on) append_now(std::move(write));
  }
}

}  // namespace headrace::broker
