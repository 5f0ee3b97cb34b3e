#include "kafka/response_queue.h"

#include <algorithm>

namespace headrace::kafka {

class QueuedSlot final : public ResponseSlot {
 public:
  QueuedSlot(std::shared_ptr<ResponseQueue> queue, uint64_t place) : queue_(std::move(queue)), place_(place) {}
  ~QueuedSlot() override {
    if (queue_) queue_->abandon(place_);
  }
  void complete(std::vector<Sendable> pieces) override {
    std::exchange(queue_, nullptr)->complete(place_, std::move(pieces));
  }
  void hold_followers() override { queue_->entries_[place_ - queue_->first_place_].holding = true; }
  void release_followers() override { queue_->release(place_); }
  bool gone() const override { return queue_->connection_ == nullptr; }
  void mute(std::chrono::milliseconds wait) override { queue_->mute(wait); }

 private:
  std::shared_ptr<ResponseQueue> queue_;
  uint64_t place_;
};

std::unique_ptr<ResponseSlot> ResponseQueue::open(const Api& api, size_t bytes) {
  entries_.push_back({&api, bytes});
  bytes_ += bytes;
  return std::make_unique<QueuedSlot>(shared_from_this(), first_place_ + entries_.size() - 1);
}

void ResponseQueue::complete(uint64_t place, std::vector<Sendable> pieces) {
  if (loop_.in_loop()) return complete_on_loop(place, std::move(pieces));
  loop_.post([self = shared_from_this(), place, pieces = std::move(pieces)]() mutable {
    self->complete_on_loop(place, std::move(pieces));
  });
}

void ResponseQueue::release(uint64_t place) {
  if (loop_.in_loop()) return release_on_loop(place);
  loop_.post([self = shared_from_this(), place] { self->release_on_loop(place); });
}

void ResponseQueue::mute(std::chrono::milliseconds wait) {
  if (loop_.in_loop()) return mute_on_loop(wait);
  loop_.post([self = shared_from_this(), wait] { self->mute_on_loop(wait); });
}

void ResponseQueue::abandon(uint64_t place) {
  if (loop_.in_loop()) return end_before(place);
  loop_.post([self = shared_from_this(), place] { self->end_before(place); });
}

void ResponseQueue::complete_on_loop(uint64_t place, std::vector<Sendable> pieces) {
  Entry& done = entries_[place - first_place_];
  done.complete = true;
  done.holding = false;
  done.pieces = std::move(pieces);
  if (!connection_) return;
  while (first_place_ < end_place_ && !entries_.empty() && entries_.front().complete) {
    Entry entry = std::move(entries_.front());
    entries_.pop_front();
    ++first_place_;
    bytes_ -= entry.bytes;
    flow::Metric* sent_bytes = server_->metrics_of(*entry.api).response_bytes;
    for (auto& piece : entry.pieces) {
      if (sent_bytes) sent_bytes->add(static_cast<int64_t>(size_of(piece)));
      connection_->send(std::move(piece));
    }
  }
  end_before(end_place_);
  progressed_();
}

void ResponseQueue::release_on_loop(uint64_t place) {
  if (!connection_ || place < first_place_) return;
  entries_[place - first_place_].holding = false;
  progressed_();
}

void ResponseQueue::mute_on_loop(std::chrono::milliseconds wait) {
  if (connection_) mute_(wait);
}

void ResponseQueue::end_before(uint64_t place) {
  end_place_ = std::min(end_place_, place);
  if (connection_ && first_place_ >= end_place_) connection_->close();
}

}  // namespace headrace::kafka
