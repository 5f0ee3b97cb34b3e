// One loop's side of an MQTT ingest: its sessions, and the batches that their messages go into.
#pragma once

#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "ingest/mqtt/batch_lane.h"
#include "ingest/mqtt/settings.h"
#include "ingest/topic_catalog.h"
#include "wire/mqtt/packet.h"

namespace headrace::ingest::mqtt {

class Session;

/// All of it on the loop, the constructor excepted.
class LoopWriter {
 public:
  LoopWriter(net::EventLoop& loop, const Settings& settings, Metrics& metrics, flow::MetricsRegistry& registry,
             TopicCatalog& catalog, std::unique_ptr<bus::Producer> producer);

  // For sessions.

  SessionRef add(Session& session);
  void remove(SessionRef ref);
  Session* find(SessionRef ref);

  enum class Outcome {
    kAppended,
    kHold,      ///< The topic is not known yet: hold() and offer the message again.
    kRejected,  ///< No rule matches, or there is no such topic: `why` says it.
  };
  /// Puts a message into the batch of its partition. `number` is what the answer is called by; a ref of kNone gets
  /// none.
  Outcome append(const wire::mqtt::Publish& publish, std::string_view client_id, SessionRef ref, uint64_t number,
                 std::string& why);
  /// Counts a message for the metrics, which see it at the end of the iteration.
  void count_message(size_t payload_bytes) {
    ++counted_messages_;
    counted_bytes_ += static_cast<int64_t>(payload_bytes);
  }
  /// Whether so much is unanswered that no more may be read.
  bool full() const { return unanswered_bytes_ > settings_.loop_bytes_max; }
  /// The session is resumed when there is room, or its topic is known.
  void hold(SessionRef ref) { held_.push_back(ref); }
  void resume_held();

  // For lanes.

  bus::Producer& producer() { return *producer_; }
  net::EventLoop& loop() { return loop_; }
  std::shared_ptr<Mailbox> mailbox() { return mailbox_; }
  void mark_dirty(BatchLane& lane);
  void acknowledge(const AckRun& run);
  void reject(const AckRun& run);
  void bytes_added(size_t bytes) { unanswered_bytes_ += bytes; }
  /// Unanswered bytes that were `before` are `after` now.
  void bytes_changed(size_t before, size_t after) { unanswered_bytes_ = unanswered_bytes_ - before + after; }
  void bytes_answered(size_t bytes);
  void retrying(const TopicPartition& tp, const Error& error);
  void recovered(const TopicPartition& tp);
  void failed(const TopicPartition& tp, const Error& error);

  // For the ingest.

  /// Looks at the deadlines of all sessions every second from now on.
  void start();
  /// Reads no more; the sessions are about to end.
  void stop_reading();
  /// Forgets the loop's state: timers, mailbox.
  void stop();
  /// Nothing is open or with the bus.
  bool idle() const;

  const Settings& settings() const { return settings_; }
  Metrics& metrics() { return metrics_; }
  bool stopping() const { return stopping_; }

 private:
  struct TopicLanes {
    std::shared_ptr<TopicCatalog::Topic> topic;
    std::vector<std::unique_ptr<BatchLane>> lanes;  ///< By partition, made when needed.
    bool asked = false;                             ///< resume_held() comes when the topic is known.
  };
  struct Hash : std::hash<std::string_view> {
    using is_transparent = void;
  };
  struct Slot {
    Session* session = nullptr;
    uint32_t generation = 0;
  };

  TopicLanes* lanes_of(std::string_view topic);
  /// What becomes of a message whose topic is missing or not known yet.
  Outcome without_partitions(TopicLanes& lanes, int32_t partitions, std::string& why);
  BatchLane& lane(TopicLanes& lanes, int32_t partitions, std::optional<std::string_view> key);
  void add_record(BatchLane& lane, const wire::mqtt::Publish& publish, std::optional<std::string_view> key,
                  bool dead_letter);
  void flush_dirty();
  void sweep();
  void forget_missing();

  net::EventLoop& loop_;
  const Settings& settings_;
  Metrics& metrics_;
  flow::MetricsRegistry& registry_;
  TopicCatalog& catalog_;
  std::unique_ptr<bus::Producer> producer_;
  std::shared_ptr<Mailbox> mailbox_;
  std::vector<Slot> slots_;
  std::vector<uint32_t> free_slots_;
  std::vector<SessionRef> held_;
  std::unordered_map<std::string, TopicLanes, Hash, std::equal_to<>> topics_;
  std::vector<BatchLane*> dirty_;
  Routes::Scratch scratch_;
  std::unique_ptr<net::EventLoop::Timer> sweep_;
  size_t unanswered_bytes_ = 0;
  uint32_t rotation_ = 0;  ///< Where records without a key go: to one partition for a batch, then on (KIP-480).
  int64_t counted_messages_ = 0;
  int64_t counted_bytes_ = 0;
  bool stopping_ = false;
};

}  // namespace headrace::ingest::mqtt
