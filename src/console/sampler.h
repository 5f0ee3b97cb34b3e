// Looks at topics, metrics and component states once a second, for all dashboards together.
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "bus/bus.h"
#include "console/panel.h"
#include "flow/metrics.h"

namespace headrace::console {

/// One thread. Topics are looked at with every sample while somebody watches, else every kIdleTopicsEvery samples: on a
/// cluster that is a request each time.
class Sampler {
 public:
  static constexpr std::chrono::seconds kSampleEvery{1};
  static constexpr int kIdleTopicsEvery = 10;
  using Listener = std::function<void(const std::shared_ptr<const Sample>&)>;

  /// `listeners` are called on the sampler's thread with each sample; `watched` says whether pages are open.
  Sampler(bus::Bus& bus, flow::MetricsRegistry& metrics, std::function<bool()> watched,
          std::vector<Listener> listeners);
  ~Sampler();

  /// The newest sample; never null.
  std::shared_ptr<const Sample> latest() const;
  /// Takes a sample with the topics as they are now, on the caller's thread; blocks.
  void refresh();
  /// Makes the next sample happen at once: somebody begins to watch.
  void wake();

 private:
  void run();
  void take_sample(bool with_topics);
  void read_topics(Sample& sample);
  void add_rates(TopicSample& topic, int64_t at_ms, int64_t end);
  void read_metrics(Sample& sample, double seconds);

  bus::Bus& bus_;
  flow::MetricsRegistry& metrics_;
  std::function<bool()> watched_;
  std::vector<Listener> listeners_;
  /// Where a topic ended (all partitions summed) at a sample.
  struct End {
    int64_t at_ms, records;
  };
  std::map<std::string, std::deque<End>> topic_ends_;  ///< Oldest first, of the last kMeanRateMs and one before.
  bool topics_read_ = false;
  std::map<std::pair<std::string, flow::Labels>, int64_t> counters_;

  std::mutex sampling_;  ///< Held through a sample: guards topic_ends_, topics_read_, counters_.
  mutable std::mutex mutex_;
  std::condition_variable wake_cv_;
  bool stop_ = false, wake_now_ = false;
  std::shared_ptr<const Sample> latest_ = std::make_shared<Sample>();
  std::thread thread_;
};

}  // namespace headrace::console
