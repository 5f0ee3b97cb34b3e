#include "ingest/mqtt/loop_writer.h"

#include "base/logging.h"
#include "flow/dead_letter.h"
#include "ingest/mqtt/session.h"
#include "os/clock.h"

namespace headrace::ingest::mqtt {
namespace {

constexpr std::chrono::milliseconds kSweepInterval{1'000};

}  // namespace

Metrics::Metrics(flow::MetricsRegistry& registry, const std::string& component)
    : connections(registry.gauge("headrace_mqtt_connections", {{"ingest", component}}, "Open MQTT connections")),
      messages(registry.counter("headrace_mqtt_messages_total", {{"ingest", component}}, "MQTT messages received")),
      bytes(registry.counter("headrace_mqtt_payload_bytes_total", {{"ingest", component}}, "Payload bytes received")),
      acknowledged(registry.counter("headrace_mqtt_acknowledged_total", {{"ingest", component}},
                                    "PUBACK and PUBREC sent, each after the bus had answered")),
      rejected(registry.counter("headrace_mqtt_rejected_total", {{"ingest", component}},
                                "Messages that were not taken: no rule, no topic, or the bus refused them for good")),
      retries(
          registry.counter("headrace_mqtt_retries_total", {{"ingest", component}}, "Batches offered to the bus again")),
      protocol_errors(registry.counter("headrace_mqtt_protocol_errors_total", {{"ingest", component}},
                                       "Connections closed because of what the client sent")) {}

LoopWriter::LoopWriter(net::EventLoop& loop, const Settings& settings, Metrics& metrics,
                       flow::MetricsRegistry& registry, TopicCatalog& catalog, std::unique_ptr<bus::Producer> producer)
    : loop_(loop),
      settings_(settings),
      metrics_(metrics),
      registry_(registry),
      catalog_(catalog),
      producer_(std::move(producer)),
      mailbox_(std::make_shared<Mailbox>(Mailbox{loop, this})) {}

// Sessions.

SessionRef LoopWriter::add(Session& session) {
  if (free_slots_.empty()) {
    free_slots_.push_back(static_cast<uint32_t>(slots_.size()));
    slots_.emplace_back();
  }
  uint32_t slot = free_slots_.back();
  free_slots_.pop_back();
  slots_[slot].session = &session;
  return {slot, ++slots_[slot].generation};
}

void LoopWriter::remove(SessionRef ref) {
  CHECK(find(ref) != nullptr);
  slots_[ref.slot].session = nullptr;
  free_slots_.push_back(ref.slot);
}

Session* LoopWriter::find(SessionRef ref) {
  if (ref.slot >= slots_.size() || slots_[ref.slot].generation != ref.generation) return nullptr;
  return slots_[ref.slot].session;
}

void LoopWriter::resume_held() {
  for (SessionRef ref : std::exchange(held_, {})) {
    if (Session* session = find(ref)) session->resume();
  }
}

// Messages.

LoopWriter::Outcome LoopWriter::append(const wire::mqtt::Publish& publish, std::string_view client_id, SessionRef ref,
                                       uint64_t number, std::string& why) {
  auto routed = settings_.routes.route(publish.topic, client_id, scratch_);
  bool dead_letter = !routed && settings_.unmatched == Unmatched::kDeadLetter;
  if (!routed) {
    switch (settings_.unmatched) {
      case Unmatched::kReject: why = "no route matches the topic"; return Outcome::kRejected;
      case Unmatched::kDeadLetter: routed = Routed{settings_.dead_letter_topic, std::nullopt}; break;
      case Unmatched::kTopic: routed = Routed{settings_.unmatched_topic, publish.topic}; break;
    }
  }
  TopicLanes* lanes = lanes_of(routed->topic);
  if (!lanes) {
    why = "too many topics are in use";
    return Outcome::kRejected;
  }
  // Read once: another loop or the catalog may find the topic missing meanwhile.
  const int32_t partitions = lanes->topic->partitions.load(std::memory_order_relaxed);
  if (partitions <= 0) return without_partitions(*lanes, partitions, why);
  BatchLane& target = lane(*lanes, partitions, routed->key);
  add_record(target, publish, routed->key, dead_letter);
  target.added(ref, number, settings_.batch_bytes_max);
  mark_dirty(target);
  return Outcome::kAppended;
}

LoopWriter::TopicLanes* LoopWriter::lanes_of(std::string_view topic) {
  if (auto found = topics_.find(topic); found != topics_.end()) return &found->second;
  auto entry = catalog_.find(topic);
  if (!entry) return nullptr;
  TopicLanes& lanes = topics_[std::string(topic)];
  lanes.topic = std::move(entry);
  return &lanes;
}

/// A missing topic is forgotten, so that the catalog may do so, too: names come from outside.
LoopWriter::Outcome LoopWriter::without_partitions(TopicLanes& lanes, int32_t partitions, std::string& why) {
  if (partitions == TopicCatalog::kMissing) {
    why = fmt::format("there is no topic \"{}\"", lanes.topic->name);
    if (lanes.lanes.empty()) topics_.erase(topics_.find(lanes.topic->name));
    return Outcome::kRejected;
  }
  if (!std::exchange(lanes.asked, true)) {
    catalog_.when_known(lanes.topic, [mailbox = mailbox_] {
      mailbox->loop.post([mailbox] {
        if (mailbox->writer) mailbox->writer->resume_held();
      });
    });
  }
  return Outcome::kHold;
}

BatchLane& LoopWriter::lane(TopicLanes& lanes, int32_t partitions, std::optional<std::string_view> key) {
  uint32_t partition = key ? static_cast<uint32_t>(bus::partition_for_key(*key, partitions).value)
                           : rotation_ % static_cast<uint32_t>(partitions);
  if (partition >= lanes.lanes.size()) lanes.lanes.resize(partition + 1);
  auto& lane = lanes.lanes[partition];
  if (!lane) {
    TopicPartition tp{lanes.topic->name, PartitionId(static_cast<int32_t>(partition))};
    lane = std::make_unique<BatchLane>(tp, *this, std::hash<TopicPartition>()(tp) + loop_.index());
  }
  return *lane;
}

void LoopWriter::add_record(BatchLane& lane, const wire::mqtt::Publish& publish, std::optional<std::string_view> key,
                            bool dead_letter) {
  int64_t now = os::system_clock().wall_ms();
  if (dead_letter) {
    record::RecordView original;
    original.timestamp_ms = now;
    original.value = publish.payload;
    original.headers.push_back({"mqtt.topic", publish.topic});
    flow::DeadLetter letter{.stage = "ingest",
                            .component = settings_.name,
                            .code = to_string(ErrorCode::kNotFound),
                            .message = "no route matches the topic"};
    return flow::add_dead_letter(lane.builder(), letter, original, now);
  }
  record::Header header{"mqtt.topic", publish.topic};
  lane.builder().add(
      now, key, publish.payload,
      settings_.topic_header ? std::span<const record::Header>(&header, 1) : std::span<const record::Header>());
}

void LoopWriter::mark_dirty(BatchLane& lane) {
  if (std::exchange(lane.dirty, true)) return;
  if (dirty_.empty()) {
    loop_.at_iteration_end([mailbox = mailbox_] {
      if (mailbox->writer) mailbox->writer->flush_dirty();
    });
  }
  dirty_.push_back(&lane);
}

void LoopWriter::flush_dirty() {
  for (BatchLane* lane : std::exchange(dirty_, {})) lane->flush();
  ++rotation_;
  metrics_.messages.add(std::exchange(counted_messages_, 0));
  metrics_.bytes.add(std::exchange(counted_bytes_, 0));
}

// Answers.

void LoopWriter::acknowledge(const AckRun& run) {
  if (Session* session = find(run.session)) session->acknowledge(run.first, run.count);
}

void LoopWriter::reject(const AckRun& run) {
  metrics_.rejected.add(run.count);
  if (Session* session = find(run.session)) session->refuse("the bus refused its message");
}

void LoopWriter::bytes_answered(size_t bytes) {
  unanswered_bytes_ -= bytes;
  if (unanswered_bytes_ <= settings_.loop_bytes_max / 2 && !held_.empty()) resume_held();
}

void LoopWriter::retrying(const TopicPartition& tp, const Error& error) {
  metrics_.retries.add();
  registry_.set_state(settings_.name, "retrying", to_string(tp) + ": " + error.message);
}

void LoopWriter::recovered(const TopicPartition&) { registry_.set_state(settings_.name, "running", ""); }

void LoopWriter::failed(const TopicPartition& tp, const Error& error) {
  log_warn("{}: {} did not take a batch: {}; its clients are disconnected", settings_.name, to_string(tp),
           error.message);
  registry_.set_state(settings_.name, "failed", to_string(tp) + ": " + error.message);
  if (error.code != ErrorCode::kNotFound) return;
  if (TopicLanes* lanes = lanes_of(tp.topic)) catalog_.mark_missing(lanes->topic);
}

// Life.

void LoopWriter::start() { sweep(); }

void LoopWriter::sweep() {
  auto now = std::chrono::steady_clock::now();
  for (Slot& slot : slots_) {
    if (slot.session) slot.session->check_deadlines(now);
  }
  forget_missing();
  sweep_ = loop_.after(kSweepInterval, [this] { sweep(); });
}

/// Topics that were asked for once and turned out missing: nobody may come for the answer.
void LoopWriter::forget_missing() {
  std::erase_if(topics_, [](const auto& entry) {
    const TopicLanes& lanes = entry.second;
    return lanes.lanes.empty() && lanes.topic->partitions.load(std::memory_order_relaxed) == TopicCatalog::kMissing;
  });
}

void LoopWriter::stop_reading() {
  stopping_ = true;
  for (Slot& slot : slots_) {
    if (slot.session) slot.session->stop_reading();
  }
}

void LoopWriter::stop() {
  mailbox_->writer = nullptr;
  sweep_.reset();
  topics_.clear();
}

bool LoopWriter::idle() const {
  for (const auto& [name, lanes] : topics_) {
    for (const auto& lane : lanes.lanes) {
      if (lane && !lane->idle()) return false;
    }
  }
  return true;
}

}  // namespace headrace::ingest::mqtt
