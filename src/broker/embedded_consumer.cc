#include "broker/embedded_consumer.h"

#include <algorithm>

#include "base/logging.h"
#include "broker/leader_epochs.h"

namespace headrace::broker {
namespace {

bool is_aborted(const record::BatchHeader& header, const std::vector<log::AbortedTransaction>& aborted) {
  if (!header.is_transactional()) return false;
  return std::any_of(aborted.begin(), aborted.end(), [&](const log::AbortedTransaction& t) {
    return t.producer_id == header.producer_id && header.base_offset >= t.first_offset &&
           header.base_offset <= t.last_offset;
  });
}

}  // namespace

Status EmbeddedConsumer::assign(std::vector<bus::Position> positions) {
  std::vector<Assigned> assigned;
  for (const bus::Position& position : positions) {
    auto partition = broker_.partition(position.tp);
    if (!partition) return no_such_partition(position.tp);
    assigned.push_back({std::move(partition), position.next, kNoOffset});
  }
  assigned_ = std::move(assigned);
  first_ = 0;
  return {};
}

std::vector<TopicPartition> EmbeddedConsumer::deleted() const {
  std::vector<TopicPartition> gone;
  for (const Assigned& assigned : assigned_) {
    if (assigned.partition->deleted()) gone.push_back(assigned.partition->tp());
  }
  return gone;
}

Result<bus::PollResult> EmbeddedConsumer::poll(std::chrono::milliseconds timeout) {
  auto deadline = std::chrono::steady_clock::now() + timeout;
  while (true) {
    if (auto gone = deleted(); !gone.empty()) return Error{ErrorCode::kNotFound, to_string(gone[0]) + " was deleted"};
    bus::PollResult result;
    RETURN_IF_ERROR(read_all(result));
    bool something = !result.positions.empty();
    if (something || !wait_until(deadline)) return result;
  }
}

Status EmbeddedConsumer::read_all(bus::PollResult& result) {
  size_t bytes_left = options_.fetch_bytes_max;
  Status all;
  for (size_t i = 0; i < assigned_.size() && bytes_left > 0; ++i) {
    Status one = read(assigned_[(first_ + i) % assigned_.size()], bytes_left, result);
    if (all.ok() && !one.ok()) all = one;
  }
  if (!assigned_.empty()) first_ = (first_ + 1) % assigned_.size();
  // What was read of others counts; the error comes again with the next poll.
  return result.positions.empty() ? all : Status();
}

Status EmbeddedConsumer::read(Assigned& assigned, size_t& bytes_left, bus::PollResult& result) {
  // The first batch comes whatever its size: only to a poll that has nothing yet.
  Offset before = assigned.next;
  auto data = assigned.partition->read(assigned.next, bytes_left, options_.isolation);
  if (!data.ok()) {
    RETURN_IF_ERROR(skip_unreadable(assigned, data.error(), result));
  } else {
    assigned.seen_end = options_.isolation == bus::Isolation::kReadCommitted ? data->last_stable : data->high_watermark;
    deliver(assigned.partition->tp(), *data, assigned.next, result);
    bytes_left -= std::min(bytes_left, data->batches.size());
    assigned.next = std::max(assigned.next, data->next_offset);
  }
  if (assigned.next != before) result.positions.push_back({assigned.partition->tp(), assigned.next});
  return {};
}

Status EmbeddedConsumer::skip_unreadable(Assigned& assigned, const Error& error, bus::PollResult& result) {
  const TopicPartition& tp = assigned.partition->tp();
  Offset start = assigned.partition->log_start();
  Offset to = assigned.next;
  if (error.code == ErrorCode::kOutOfRange && assigned.next < start) to = start;
  if (error.code == ErrorCode::kOutOfRange && assigned.next > assigned.partition->log().log_end_offset()) {
    return set_back(assigned, result);
  }
  if (error.code == ErrorCode::kCorrupt) {
    to = assigned.partition->log().behind_damage(assigned.next);
    if (to != assigned.next) log_error("{}: {}; reading goes on at {}", to_string(tp), error.message, to.value);
  }
  if (to == assigned.next) return error.in("reading " + to_string(tp));
  result.skipped.emplace_back(tp, to - assigned.next);
  assigned.next = to;
  return {};
}

/// The power was lost, and with it records that had been read: reading goes on where this start of the broker began to
/// write, as what was there before was read.
Status EmbeddedConsumer::set_back(Assigned& assigned, bus::PollResult& result) {
  Partition& partition = *assigned.partition;
  ASSIGN_OR_RETURN(auto before, end_of_epoch(partition, LeaderEpoch(partition.leader_epoch().value - 1)));
  Offset to = before ? std::max(before->end, partition.log_start()) : partition.log_start();
  log_warn("{} ends at {}, before the position {}: reading goes on at {}", to_string(partition.tp()),
           partition.high_watermark().value, assigned.next.value, to.value);
  assigned.next = to;
  result.set_back.push_back({partition.tp(), to});
  return {};
}

void EmbeddedConsumer::deliver(const TopicPartition& tp, const FetchedData& data, Offset from,
                               bus::PollResult& result) {
  for (SharedBytes rest = data.batches; !rest.empty();) {
    auto batch = record::Batch::parse_trusted(rest);
    CHECK(batch.ok());  // The log checked it.
    rest = rest.slice(batch->size(), rest.size() - batch->size());
    const record::BatchHeader& header = batch->header();
    bool empty = header.record_count == 0;  // Compaction left the producer's last sequence number only.
    if (empty || header.is_control() || header.last_offset() < from || is_aborted(header, data.aborted)) continue;
    result.batches.push_back({tp, *std::move(batch)});
  }
}

bool EmbeddedConsumer::wait_until(std::chrono::steady_clock::time_point deadline) {
  {
    std::lock_guard lock(signal_->mutex);
    signal_->ready = false;
  }
  auto waiter = std::make_shared<DataWaiter>(1, [signal = signal_] {
    {
      std::lock_guard lock(signal->mutex);
      signal->ready = true;
    }
    signal->changed.notify_all();
  });
  for (Assigned& assigned : assigned_) assigned.partition->add_waiter(waiter, assigned.seen_end, options_.isolation);
  std::unique_lock lock(signal_->mutex);
  signal_->changed.wait_until(lock, deadline, [&] { return signal_->ready || signal_->woken; });
  bool ready = signal_->ready && !signal_->woken;
  signal_->woken = false;
  lock.unlock();
  waiter->cancel();
  return ready;
}

void EmbeddedConsumer::wake() {
  {
    std::lock_guard lock(signal_->mutex);
    signal_->woken = true;
  }
  signal_->changed.notify_all();
}

}  // namespace headrace::broker
