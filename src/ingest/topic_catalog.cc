#include "ingest/topic_catalog.h"

#include <algorithm>

namespace headrace::ingest {
namespace {

using std::chrono::steady_clock;

constexpr std::chrono::seconds kRefreshInterval{15};
/// After a look-up that failed (no answer from the cluster).
constexpr std::chrono::milliseconds kRetryInterval{500};

}  // namespace

TopicCatalog::TopicCatalog(bus::Admin& admin) : admin_(admin), thread_([this] { run(); }) {}

TopicCatalog::~TopicCatalog() {
  {
    std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

std::shared_ptr<TopicCatalog::Topic> TopicCatalog::find(std::string_view name) {
  std::lock_guard lock(mutex_);
  if (auto found = topics_.find(name); found != topics_.end()) return found->second;
  if (topics_.size() >= kTopicsMax) forget_missing();
  if (topics_.size() >= kTopicsMax) return nullptr;
  auto topic = std::make_shared<Topic>(std::string(name));
  topics_.emplace(topic->name, topic);
  asked_.push_back(topic);
  wake_.notify_all();
  return topic;
}

/// Not those that somebody holds, who is to hear of it when they appear.
void TopicCatalog::forget_missing() {
  std::erase_if(topics_, [](const auto& each) {
    const auto& topic = each.second;
    return topic.use_count() == 1 && topic->partitions == kMissing;
  });
}

void TopicCatalog::when_known(const std::shared_ptr<Topic>& topic, Function<void()> done) {
  {
    std::lock_guard lock(mutex_);
    if (topic->partitions == kUnknown) {
      waiters_.push_back({topic, std::move(done)});
      return;
    }
  }
  done();
}

Result<int32_t> TopicCatalog::resolve_now(std::string_view name) {
  auto count = admin_.partition_count(name);
  auto topic = find(name);
  if (count.ok() && topic) topic->partitions = *count;
  return count;
}

void TopicCatalog::mark_missing(const std::shared_ptr<Topic>& topic) {
  std::lock_guard lock(mutex_);
  topic->partitions = kMissing;
  asked_.push_back(topic);
  wake_.notify_all();
}

void TopicCatalog::run() {
  auto next_refresh = steady_clock::now() + kRefreshInterval;
  std::unique_lock lock(mutex_);
  while (!stop_) {
    if (asked_.empty()) wake_.wait_until(lock, next_refresh);
    if (stop_) return;
    if (steady_clock::now() >= next_refresh) {
      asked_.clear();
      for (auto& [name, topic] : topics_) asked_.push_back(topic);
      next_refresh = steady_clock::now() + kRefreshInterval;
    }
    auto batch = std::exchange(asked_, {});
    std::vector<std::weak_ptr<Topic>> unanswered;
    lock.unlock();
    for (const auto& asked : batch) {
      auto topic = asked.lock();
      if (topic && !look_up(*topic)) unanswered.push_back(asked);
    }
    release_waiters();
    lock.lock();
    if (unanswered.empty()) continue;
    wake_.wait_for(lock, kRetryInterval, [this] { return stop_; });
    asked_.insert(asked_.end(), unanswered.begin(), unanswered.end());
  }
}

bool TopicCatalog::look_up(Topic& topic) {
  auto count = admin_.partition_count(topic.name);
  if (count.ok()) {
    topic.partitions = *count;
  } else if (count.error().code == ErrorCode::kNotFound || count.error().code == ErrorCode::kInvalidArgument) {
    topic.partitions = kMissing;
  } else {
    return topic.partitions != kUnknown;
  }
  return true;
}

void TopicCatalog::release_waiters() {
  std::vector<Waiter> ready;
  {
    std::lock_guard lock(mutex_);
    auto first = std::partition(waiters_.begin(), waiters_.end(),
                                [](const Waiter& w) { return w.topic->partitions == kUnknown; });
    ready.assign(std::make_move_iterator(first), std::make_move_iterator(waiters_.end()));
    waiters_.erase(first, waiters_.end());
  }
  for (auto& waiter : ready) waiter.done();
}

}  // namespace headrace::ingest
