// Incremental fetch sessions (KIP-227): the broker remembers which partitions a client reads, so that a fetch names
// only what changed, and its answer holds only partitions with news.
//
//   client: session 0, epoch 0, all partitions      -> broker: session S, all partitions; the session's epoch is 1
//   client: session S, epoch 1, what changed        -> broker: session S, partitions with news; the epoch is 2
//   client: session S, epoch -1                     -> broker: forgets S
//
// Sessions are a cache: a client whose session was evicted hears FETCH_SESSION_ID_NOT_FOUND and begins anew.
#pragma once

#include <chrono>
#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <unordered_map>

#include "flow/metrics.h"
#include "kafka/errors.h"
#include "os/clock.h"
#include "wire/kafka/messages/01_fetch.h"

namespace headrace::kafka {

inline constexpr int32_t kNoFetchSession = 0;
inline constexpr int32_t kInitialFetchEpoch = 0;  ///< Asks for a new session.
inline constexpr int32_t kFinalFetchEpoch = -1;   ///< Ends a session, or wants none.

struct FetchSessionLimits {
  size_t sessions_max = 1000;                           ///< Kafka's max.incremental.fetch.session.cache.slots.
  std::chrono::milliseconds eviction_age_min{120'000};  ///< Kafka's min.incremental.fetch.session.eviction.ms.
  size_t session_partitions_max = 100'000;              ///< A client that reads more goes without a session.
  size_t partitions_max =
      500'000;  ///< Of all sessions together; each costs 200 bytes and twice a topic's name at most.
};

/// One client's partitions, in the order in which they are read. Hold `mutex` while using anything but the constants.
class FetchSession {
 public:
  using PartitionRequest = wire::kafka::FetchRequest::Topic::Partition;
  using PartitionData = wire::kafka::FetchResponse::FetchableTopicResponse::PartitionData;

  struct Topic {
    std::string name;
    wire::kafka::Uuid id;
  };
  struct Entry {
    std::shared_ptr<const Topic> topic;
    PartitionRequest request;  ///< What the client last asked for.
    int64_t sent_high_watermark = -1;
    int64_t sent_log_start = -1;

    /// Whether the client has to hear of `data`; remembers that it did.
    bool take_news(const PartitionData& data);
  };
  using Entries = std::list<Entry>;

  FetchSession(int32_t session_id, bool by_topic_id) : id(session_id), by_id(by_topic_id) {}

  const int32_t id;
  const bool by_id;  ///< Topics are named by ids (Fetch v13); a client can't change that within a session.
  std::mutex mutex;
  int32_t epoch = 1;  ///< The one that the next request must have.

  /// Whether a session may remember all topics of the request: those have names that a topic may have.
  static bool may_remember(const wire::kafka::FetchRequest& request);
  /// Adds, changes and forgets the partitions that the request names.
  void update(const wire::kafka::FetchRequest& request);
  /// In the order of reading. Move what had records to the end (splice), so that all get their turn.
  Entries& entries() { return entries_; }
  size_t size() const { return entries_.size(); }
  Entry* find(const std::string& topic, const wire::kafka::Uuid& topic_id, int32_t partition);

 private:
  struct Partitions {
    std::shared_ptr<const Topic> topic;
    std::unordered_map<int32_t, Entries::iterator> by_index;
  };
  using TopicKey = std::pair<wire::kafka::Uuid, std::string>;
  TopicKey key_of(const std::string& topic, const wire::kafka::Uuid& id) const;
  void forget(const wire::kafka::FetchRequest::ForgottenTopic& forgotten);

  Entries entries_;
  std::map<TopicKey, Partitions> topics_;
};

/// All sessions of a server. Thread-safe.
class FetchSessionCache {
 public:
  FetchSessionCache(const FetchSessionLimits& limits, os::Clock& clock, flow::MetricsRegistry* metrics);

  /// A new session for `partitions` partitions; null when the cache is full of sessions that may not be evicted.
  /// As Kafka does, it evicts the one that was not used for longest (eviction_age_min at least), else the smallest one
  /// of that age, when it is smaller than the new one.
  std::shared_ptr<FetchSession> create(size_t partitions, bool by_id);

  struct Resumed {
    std::shared_ptr<FetchSession> session;  ///< Null: an error, or the session has no partitions left and is gone.
    KafkaError error = KafkaError::kNone;
  };
  /// The session of an incremental request, with the request's changes, its epoch moved on.
  Resumed resume(const wire::kafka::FetchRequest& request, bool by_id);
  void remove(int32_t id);

 private:
  struct Slot {
    std::shared_ptr<FetchSession> session;
    size_t partitions;
    std::chrono::nanoseconds created;
    std::chrono::nanoseconds last_used;
  };
  using Slots = std::unordered_map<int32_t, Slot>;

  bool fits(size_t partitions) const;
  bool evict_one(size_t partitions);
  void erase(Slots::iterator slot);
  /// Notes the session's new size; false when that is over a limit, and the session is gone.
  bool touch(int32_t id, size_t partitions);
  void show();

  const FetchSessionLimits limits_;
  os::Clock& clock_;
  flow::Metric* sessions_metric_ = nullptr;
  flow::Metric* partitions_metric_ = nullptr;
  flow::Metric* evictions_metric_ = nullptr;

  std::mutex mutex_;  ///< Of what follows; never held together with a session's.
  Slots slots_;
  size_t partitions_ = 0;
  std::mt19937 ids_;
};

}  // namespace headrace::kafka
