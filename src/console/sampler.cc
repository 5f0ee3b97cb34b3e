#include "console/sampler.h"

#include <algorithm>
#include <chrono>

#include "os/clock.h"

namespace headrace::console {
namespace {

/// A pipeline's changelog: a topic of the program's own, though an ordinary one to the bus.
bool is_changelog(std::string_view topic) { return topic.starts_with("headrace-") && topic.ends_with("-changelog"); }

}  // namespace

Sampler::Sampler(bus::Bus& bus, flow::MetricsRegistry& metrics, std::function<bool()> watched,
                 std::vector<Listener> listeners)
    : bus_(bus), metrics_(metrics), watched_(std::move(watched)), listeners_(std::move(listeners)), thread_([this] {
        run();
      }) {}

Sampler::~Sampler() {
  {
    std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_cv_.notify_all();
  thread_.join();
}

std::shared_ptr<const Sample> Sampler::latest() const {
  std::lock_guard lock(mutex_);
  return latest_;
}

void Sampler::wake() {
  {
    std::lock_guard lock(mutex_);
    wake_now_ = true;
  }
  wake_cv_.notify_all();
}

void Sampler::refresh() { take_sample(true); }

void Sampler::run() {
  std::unique_lock lock(mutex_);
  for (int count = 0; !stop_; ++count) {
    wake_now_ = false;
    lock.unlock();
    take_sample(watched_() || count % kIdleTopicsEvery == 0);
    lock.lock();
    wake_cv_.wait_for(lock, kSampleEvery, [this] { return stop_ || wake_now_; });
  }
}

void Sampler::take_sample(bool with_topics) {
  std::lock_guard sampling(sampling_);
  const auto before = latest();
  auto sample = std::make_shared<Sample>();
  sample->at_ms = os::system_clock().wall_ms();
  const double seconds = static_cast<double>(std::max<int64_t>(sample->at_ms - before->at_ms, 1)) / 1000.0;
  if (before->at_ms != 0 && seconds < 0.2) return;  // Woken right after a sample: a rate over so short a time is noise.
  read_metrics(*sample, seconds);
  sample->states = metrics_.states();
  if (with_topics) {
    read_topics(*sample);
  } else {
    sample->topics = before->topics;
    sample->topics_error = before->topics_error;
  }
  {
    std::lock_guard lock(mutex_);
    latest_ = sample;
  }
  for (const Listener& listener : listeners_) listener(sample);
}

void Sampler::read_topics(Sample& sample) {
  auto topics = bus_.admin().topics();
  if (!topics.ok()) {
    sample.topics = latest()->topics;
    sample.topics_error = topics.error().message;
    return;
  }
  for (const bus::TopicInfo& topic : *topics) {
    TopicSample& out = sample.topics.emplace_back();
    out.name = topic.name;
    out.internal = topic.internal || is_changelog(topic.name);
    out.bytes = 0;
    int64_t end = 0;
    for (const bus::PartitionInfo& partition : topic.partitions) {
      out.high_watermarks.push_back(partition.high_watermark.value);
      out.records += partition.high_watermark - partition.log_start;
      out.bytes = partition.bytes < 0 || out.bytes < 0 ? -1 : out.bytes + partition.bytes;
      end += partition.high_watermark.value;
    }
    add_rates(out, sample.at_ms, end);
  }
  std::erase_if(topic_ends_, [&](const auto& entry) { return entry.second.back().at_ms != sample.at_ms; });
  sample.topics_fresh = topics_read_;
  topics_read_ = true;
}

void Sampler::add_rates(TopicSample& topic, int64_t at_ms, int64_t end) {
  std::deque<End>& ends = topic_ends_[topic.name];
  const auto rate_since = [&](const End& before) {
    const auto ms = static_cast<double>(std::max<int64_t>(at_ms - before.at_ms, 1));
    return static_cast<double>(std::max<int64_t>(end - before.records, 0)) * 1000.0 / ms;
  };
  if (!ends.empty()) topic.rate = rate_since(ends.back());
  ends.push_back({at_ms, end});
  while (ends.size() > 2 && ends[1].at_ms <= at_ms - kMeanRateMs) ends.pop_front();
  topic.mean_rate = rate_since(ends.front());
}

void Sampler::read_metrics(Sample& sample, double seconds) {
  for (flow::MetricsRegistry::Sample& metric : metrics_.samples()) {
    MetricSample& out = sample.metrics.emplace_back();
    if (metric.kind == flow::MetricKind::kGauge) {
      out.shown = static_cast<double>(metric.value);
    } else {
      const auto [old, fresh] = counters_.try_emplace({metric.name, metric.labels}, metric.value);
      out.shown = fresh ? 0 : static_cast<double>(std::max<int64_t>(metric.value - old->second, 0)) / seconds;
      old->second = metric.value;
    }
    out.metric = std::move(metric);
  }
}

}  // namespace headrace::console
