#include "kafka/fetch_session.h"

#include <algorithm>
#include <limits>

#include "broker/topic_config.h"

namespace headrace::kafka {
namespace {

int32_t next_epoch(int32_t epoch) { return epoch == std::numeric_limits<int32_t>::max() ? 1 : epoch + 1; }

}  // namespace

bool FetchSession::Entry::take_news(const PartitionData& data) {
  bool failed = data.error_code != 0;
  bool news = failed || data.records.size() > 0 || data.high_watermark != sent_high_watermark ||
              data.log_start_offset != sent_log_start;
  // After an error the partition is told in any case, so that the client sees it has passed.
  sent_high_watermark = failed ? -1 : data.high_watermark;
  sent_log_start = data.log_start_offset;
  return news;
}

FetchSession::TopicKey FetchSession::key_of(const std::string& topic, const wire::kafka::Uuid& topic_id) const {
  return by_id ? TopicKey{topic_id, ""} : TopicKey{{}, topic};
}

FetchSession::Entry* FetchSession::find(const std::string& topic, const wire::kafka::Uuid& topic_id,
                                        int32_t partition) {
  auto found = topics_.find(key_of(topic, topic_id));
  if (found == topics_.end()) return nullptr;
  auto entry = found->second.by_index.find(partition);
  return entry == found->second.by_index.end() ? nullptr : &*entry->second;
}

bool FetchSession::may_remember(const wire::kafka::FetchRequest& request) {
  return std::all_of(request.topics.begin(), request.topics.end(), [](const auto& topic) {
    return topic.topic.empty() || broker::check_topic_name(topic.topic).ok();
  });
}

void FetchSession::update(const wire::kafka::FetchRequest& request) {
  for (const auto& topic : request.topics) {
    if (topic.partitions.empty()) continue;
    auto& partitions = topics_[key_of(topic.topic, topic.topic_id)];
    if (!partitions.topic) partitions.topic = std::make_shared<Topic>(Topic{topic.topic, topic.topic_id});
    for (const auto& wanted : topic.partitions) {
      auto [at, is_new] = partitions.by_index.try_emplace(wanted.partition);
      if (is_new) at->second = entries_.insert(entries_.end(), {partitions.topic, {}});
      at->second->request = wanted;
    }
  }
  for (const auto& forgotten : request.forgotten_topics_data) forget(forgotten);
}

void FetchSession::forget(const wire::kafka::FetchRequest::ForgottenTopic& forgotten) {
  auto found = topics_.find(key_of(forgotten.topic, forgotten.topic_id));
  if (found == topics_.end()) return;
  auto& by_index = found->second.by_index;
  for (int32_t partition : forgotten.partitions) {
    auto entry = by_index.find(partition);
    if (entry == by_index.end()) continue;
    entries_.erase(entry->second);
    by_index.erase(entry);
  }
  if (by_index.empty()) topics_.erase(found);
}

FetchSessionCache::FetchSessionCache(const FetchSessionLimits& limits, os::Clock& clock, flow::MetricsRegistry* metrics)
    : limits_(limits), clock_(clock), ids_(std::random_device()()) {
  if (!metrics) return;
  sessions_metric_ = &metrics->gauge("headrace_kafka_fetch_sessions", {}, "Incremental fetch sessions.");
  partitions_metric_ =
      &metrics->gauge("headrace_kafka_fetch_session_partitions", {}, "Partitions in incremental fetch sessions.");
  evictions_metric_ = &metrics->counter("headrace_kafka_fetch_session_evictions_total", {},
                                        "Incremental fetch sessions that made room for others.");
}

bool FetchSessionCache::fits(size_t partitions) const {
  return slots_.size() < limits_.sessions_max && partitions_ + partitions <= limits_.partitions_max;
}

void FetchSessionCache::erase(Slots::iterator slot) {
  partitions_ -= slot->second.partitions;
  slots_.erase(slot);
  show();
}

void FetchSessionCache::show() {
  if (!sessions_metric_) return;
  sessions_metric_->set(static_cast<int64_t>(slots_.size()));
  partitions_metric_->set(static_cast<int64_t>(partitions_));
}

bool FetchSessionCache::evict_one(size_t partitions) {
  auto now = clock_.monotonic();
  auto idle = slots_.end(), smallest = slots_.end();
  for (auto slot = slots_.begin(); slot != slots_.end(); ++slot) {
    const Slot& one = slot->second;
    if (now - one.last_used > limits_.eviction_age_min &&
        (idle == slots_.end() || one.last_used < idle->second.last_used)) {
      idle = slot;
    }
    if (now - one.created > limits_.eviction_age_min && one.partitions < partitions &&
        (smallest == slots_.end() || one.partitions < smallest->second.partitions)) {
      smallest = slot;
    }
  }
  auto victim = idle != slots_.end() ? idle : smallest;
  if (victim == slots_.end()) return false;
  erase(victim);
  if (evictions_metric_) evictions_metric_->add();
  return true;
}

std::shared_ptr<FetchSession> FetchSessionCache::create(size_t partitions, bool by_id) {
  if (partitions == 0 || partitions > limits_.session_partitions_max || partitions > limits_.partitions_max ||
      limits_.sessions_max == 0) {
    return nullptr;
  }
  std::lock_guard lock(mutex_);
  while (!fits(partitions)) {
    if (!evict_one(partitions)) return nullptr;
  }
  auto id = kNoFetchSession;
  while (id == kNoFetchSession || slots_.contains(id)) id = static_cast<int32_t>(ids_() >> 1);
  auto session = std::make_shared<FetchSession>(id, by_id);
  auto now = clock_.monotonic();
  slots_.emplace(id, Slot{session, partitions, now, now});
  partitions_ += partitions;
  show();
  return session;
}

bool FetchSessionCache::touch(int32_t id, size_t partitions) {
  std::lock_guard lock(mutex_);
  auto slot = slots_.find(id);
  if (slot == slots_.end()) return true;  // Evicted since it was found: the next request hears it.
  size_t others = partitions_ - slot->second.partitions;
  if (partitions > limits_.session_partitions_max || others + partitions > limits_.partitions_max) {
    erase(slot);
    return false;
  }
  partitions_ = others + partitions;
  slot->second.partitions = partitions;
  slot->second.last_used = clock_.monotonic();
  show();
  return true;
}

FetchSessionCache::Resumed FetchSessionCache::resume(const wire::kafka::FetchRequest& request, bool by_id) {
  std::shared_ptr<FetchSession> session;
  {
    std::lock_guard lock(mutex_);
    auto slot = slots_.find(request.session_id);
    if (slot == slots_.end()) return {nullptr, KafkaError::kFetchSessionIdNotFound};
    session = slot->second.session;
  }
  size_t size = 0;
  {
    std::lock_guard lock(session->mutex);
    if (session->epoch != request.session_epoch) return {nullptr, KafkaError::kInvalidFetchSessionEpoch};
    if (session->by_id != by_id) return {nullptr, KafkaError::kFetchSessionTopicIdError};
    if (!FetchSession::may_remember(request)) return {nullptr, KafkaError::kInvalidRequest};
    session->update(request);
    session->epoch = next_epoch(session->epoch);
    size = session->size();
  }
  if (size == 0) return remove(session->id), Resumed{};
  if (!touch(session->id, size)) return {nullptr, KafkaError::kFetchSessionIdNotFound};
  return {std::move(session)};
}

void FetchSessionCache::remove(int32_t id) {
  std::lock_guard lock(mutex_);
  auto slot = slots_.find(id);
  if (slot != slots_.end()) erase(slot);
}

}  // namespace headrace::kafka
