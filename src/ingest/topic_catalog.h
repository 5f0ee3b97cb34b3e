// How many partitions each topic has, known without waiting on an event loop.
#pragma once

#include <atomic>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "bus/bus.h"

namespace headrace::ingest {

/// Looks topics up on a thread of its own and looks again now and then: partitions are added, missing topics appear.
class TopicCatalog {
 public:
  static constexpr int32_t kUnknown = 0;   ///< Not answered yet.
  static constexpr int32_t kMissing = -1;  ///< There is no such topic.

  struct Topic {
    explicit Topic(std::string n) : name(std::move(n)) {}
    const std::string name;
    std::atomic<int32_t> partitions{kUnknown};
  };

  /// `admin` outlives the catalog.
  explicit TopicCatalog(bus::Admin& admin);
  ~TopicCatalog();

  /// The topic's entry, kUnknown at first. Names come from outside: where kTopicsMax are known already, missing ones
  /// that nobody holds are forgotten; null when there are none.
  std::shared_ptr<Topic> find(std::string_view name);
  /// Calls `done` once, when `topic` is no longer kUnknown: at once, or on the catalog's thread. Calls that wait when
  /// the catalog ends are dropped.
  void when_known(const std::shared_ptr<Topic>& topic, Function<void()> done);
  /// Waits for the first answer, for use at the start. The error of the look-up where there is none.
  Result<int32_t> resolve_now(std::string_view name);
  /// Asks again soon: the topic was found missing.
  void mark_missing(const std::shared_ptr<Topic>& topic);

  static constexpr size_t kTopicsMax = 10'000;

 private:
  struct Waiter {
    std::shared_ptr<Topic> topic;
    Function<void()> done;
  };

  void run();
  void forget_missing();
  bool look_up(Topic& topic);
  void release_waiters();

  bus::Admin& admin_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::map<std::string, std::shared_ptr<Topic>, std::less<>> topics_;
  std::vector<std::weak_ptr<Topic>> asked_;
  std::vector<Waiter> waiters_;
  bool stop_ = false;
  std::thread thread_;
};

}  // namespace headrace::ingest
