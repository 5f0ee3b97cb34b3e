#include "log/producer_state.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

namespace headrace::log {

namespace {

constexpr int32_t kSequenceMax = std::numeric_limits<int32_t>::max();

Error fenced(const record::BatchHeader& header, int16_t epoch) {
  return {ErrorCode::kFenced, fmt::format("producer {} writes with epoch {}, but epoch {} took over",
                                          header.producer_id.value, header.producer_epoch, epoch)};
}

const ProducerBatch* find_duplicate(const ProducerState& state, const record::BatchHeader& header) {
  int32_t last_sequence = record::sequence_after(header.base_sequence, header.last_offset_delta);
  for (const ProducerBatch& batch : state.retained()) {
    if (batch.last_sequence == last_sequence && batch.first_sequence() == header.base_sequence) return &batch;
  }
  return nullptr;
}

}  // namespace

int32_t ProducerBatch::first_sequence() const {
  if (last_sequence >= offset_delta) return last_sequence - offset_delta;
  return kSequenceMax - (offset_delta - last_sequence) + 1;
}

void ProducerState::retain(const ProducerBatch& batch) {
  if (batch_count == kRetainedBatches) {
    std::move(batches.begin() + 1, batches.end(), batches.begin());
    --batch_count;
  }
  batches[batch_count++] = batch;
}

Result<ProducerStates::Check> ProducerStates::check(const record::BatchHeader& header,
                                                    const ProducerState* state) const {
  if (header.producer_id.value < 0) {
    if (header.is_transactional()) {
      return Error{ErrorCode::kInvalidArgument, "a transactional batch without a producer id"};
    }
    return Check{};
  }
  if (state == nullptr) return Check{};  // New here, or its state expired: any sequence may start (KIP-360).
  if (header.producer_epoch < state->epoch) return fenced(header, state->epoch);
  if (header.is_control()) return Check{};
  bool in_transaction = state->transaction_first_offset != kNoOffset;
  if (in_transaction && !header.is_transactional()) {
    return Error{ErrorCode::kInvalidArgument,
                 fmt::format("producer {} writes outside of its open transaction", header.producer_id.value)};
  }
  if (header.base_sequence < 0) return Check{};
  bool same_epoch = header.producer_epoch == state->epoch;
  if (same_epoch) {
    if (const ProducerBatch* duplicate = find_duplicate(*state, header)) return Check{duplicate};
  }
  int32_t expected = same_epoch && state->last() ? record::sequence_after(state->last()->last_sequence, 1) : 0;
  if (header.base_sequence == expected) return Check{};
  return Error{ErrorCode::kOutOfOrder,
               fmt::format("producer {} epoch {} sends sequence {}, expected {}", header.producer_id.value,
                           header.producer_epoch, header.base_sequence, expected)};
}

void apply_data(ProducerState& state, const record::BatchHeader& header) {
  if (header.producer_epoch != state.epoch) state.batch_count = 0;
  state.epoch = header.producer_epoch;
  state.last_timestamp_ms = header.max_timestamp_ms;
  if (header.base_sequence >= 0) {
    state.retain({.last_sequence = record::sequence_after(header.base_sequence, header.last_offset_delta),
                  .last_offset = header.last_offset(),
                  .offset_delta = header.last_offset_delta,
                  .timestamp_ms = header.max_timestamp_ms});
  }
}

std::optional<TransactionIndexEntry> ProducerStates::apply(const record::BatchHeader& header,
                                                           const std::optional<record::TransactionMarker>& marker,
                                                           int64_t now_ms) {
  if (header.producer_id.value < 0) return std::nullopt;
  if (producers_.size() >= producers_max_) forget_oldest(header.producer_id);
  ProducerState& state = producers_[header.producer_id];
  state.active_ms = now_ms;
  if (!header.is_control()) {
    apply_data(state, header);
    if (header.is_transactional() && state.transaction_first_offset == kNoOffset) {
      state.transaction_first_offset = header.base_offset;
      open_[header.base_offset] = header.producer_id;
    }
    return std::nullopt;
  }
  if (!marker) return std::nullopt;
  if (header.producer_epoch != state.epoch) state.batch_count = 0;
  state.epoch = header.producer_epoch;
  state.coordinator_epoch = marker->coordinator_epoch;
  state.last_timestamp_ms = header.max_timestamp_ms;
  Offset first = state.transaction_first_offset;
  if (first == kNoOffset) return std::nullopt;
  open_.erase(first);
  ended_.push_back({first, header.last_offset()});
  state.transaction_first_offset = kNoOffset;
  if (marker->type == record::ControlType::kCommit) return std::nullopt;
  Offset stable = open_.empty() ? header.next_offset() : open_.begin()->first;
  return TransactionIndexEntry{header.producer_id, first, header.last_offset(), stable};
}

const ProducerState* ProducerStates::find(ProducerId id) const {
  auto found = producers_.find(id);
  return found == producers_.end() ? nullptr : &found->second;
}

void ProducerStates::restore(ProducerId id, const ProducerState& state) {
  producers_[id] = state;
  if (state.transaction_first_offset != kNoOffset) open_[state.transaction_first_offset] = id;
}

void ProducerStates::touch(int64_t now_ms) {
  for (auto& [id, state] : producers_) state.active_ms = now_ms;
}

void ProducerStates::expire(int64_t before_ms) {
  std::erase_if(producers_, [&](const auto& item) {
    return item.second.transaction_first_offset == kNoOffset && item.second.active_ms < before_ms;
  });
}

// A quarter of them at once, so that it costs little a producer. Those with open transactions stay.
void ProducerStates::forget_oldest(ProducerId but) {
  if (producers_.contains(but)) return;
  std::vector<std::pair<Offset, ProducerId>> idle;  // By what they wrote last.
  for (const auto& [id, state] : producers_) {
    if (state.transaction_first_offset != kNoOffset) continue;
    idle.emplace_back(state.last() ? state.last()->last_offset : kNoOffset, id);
  }
  auto kept = idle.begin() + static_cast<ptrdiff_t>(std::min(idle.size(), producers_max_ / 4 + 1));
  std::nth_element(idle.begin(), kept, idle.end());
  for (auto at = idle.begin(); at != kept; ++at) producers_.erase(at->second);
}

Offset ProducerStates::last_stable(Offset high_watermark, Offset end) const {
  Offset stable = end;
  if (!open_.empty()) stable = std::min(stable, open_.begin()->first);
  for (const Ended& ended : ended_) {
    if (ended.last_offset >= high_watermark) stable = std::min(stable, ended.first_offset);
  }
  return stable;
}

void ProducerStates::forget_ended_before(Offset high_watermark) {
  while (!ended_.empty() && ended_.front().last_offset < high_watermark) ended_.pop_front();
}

}  // namespace headrace::log
