#include "flow/sink_runner.h"

#include <fmt/format.h>

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <random>
#include <thread>

#include "base/logging.h"
#include "base/units.h"
#include "flow/dead_letter_writer.h"
#include "flow/sink_source.h"

namespace headrace::flow {
namespace {

using Outcome = WriteAnswer::Outcome;

/// How long one wait for records lasts, and so how often Sink::idle() is called.
constexpr std::chrono::milliseconds kIdleInterval{1'000};

/// What is left to do for the records of one chunk.
struct Work {
  enum class State : uint8_t { kPending, kRejected, kAnswered };
  explicit Work(SinkChunk c)
      : chunk(std::move(c)), states(chunk.records.size(), State::kPending), reasons(states.size()) {
    undecodable_left = !chunk.undecodable.empty();
  }

  SinkChunk chunk;
  std::vector<State> states;
  std::vector<std::string> reasons;  ///< Of rejected records.
  bool undecodable_left;

  /// Whether every record is written or in the dead-letter topic.
  bool answered() const {
    return !undecodable_left &&
           std::all_of(states.begin(), states.end(), [](State s) { return s == State::kAnswered; });
  }

  /// The position of each partition: its first unanswered record, or its end where all are answered.
  std::map<TopicPartition, Offset> positions() const {
    std::map<TopicPartition, Offset> positions = chunk.ends;
    auto lower = [&](const SinkRecord& r) {
      Offset& position = positions.at(*r.tp);
      position = std::min(position, r.record.offset);
    };
    for (size_t i = 0; i < states.size(); ++i) {
      if (states[i] != State::kAnswered) lower(chunk.records[i]);
    }
    if (undecodable_left) {
      for (const auto& undecodable : chunk.undecodable) lower(undecodable.record);
    }
    return positions;
  }
};

/// Why something has to be done again, and the least time until then.
struct Trouble {
  std::string reason;
  std::chrono::milliseconds retry_after{0};
};

uint64_t system_seed() {
  std::random_device device;
  return (uint64_t{device()} << 32) | device();
}

class Runner final : public SinkRunner {
 public:
  Runner(SinkRunnerOptions options, std::unique_ptr<Sink> sink, bus::Bus& bus, MetricsRegistry& metrics,
         os::Clock& clock)
      : options_(std::move(options)),
        sink_(std::move(sink)),
        bus_(bus),
        metrics_(metrics),
        dead_letters_(bus, options_.dead_letter_topic, "sink", options_.name, clock),
        backoff_(options_.backoff, options_.seed != 0 ? options_.seed : system_seed()),
        written_(counter("written", "Records that the destination has taken")),
        retried_(counter("retried", "Records that had to be tried again, counted per attempt")),
        rejected_(counter("rejected", "Records put into the dead-letter topic")),
        expired_(counter("expired", "Records that retention deleted before the sink read them")),
        lag_(metrics.gauge("headrace_sink_lag_records", {{"sink", options_.name}},
                           "Records not yet committed by the sink")),
        thread_([this] { run(); }) {}

  ~Runner() override {
    {
      std::lock_guard lock(mutex_);
      stopping_ = true;
      if (source_ != nullptr) source_->wake();
    }
    stop_requested_.notify_all();
    sink_->cancel();
    dead_letters_.cancel();
    thread_.join();
  }

 private:
  Metric& counter(std::string_view what, std::string_view help) {
    return metrics_.counter(fmt::format("headrace_sink_records_{}_total", what), {{"sink", options_.name}}, help);
  }

  void run();
  std::unique_ptr<SinkSource> open_source();
  bool step(SinkSource& source);
  bool discover_when_due(SinkSource& source);
  bool deliver(Work& work, SinkSource& source);
  std::optional<Trouble> write_pending(Work& work);
  std::optional<Trouble> put_aside_rejected(Work& work);
  bool stopping();
  void pause(const Trouble& trouble);
  void recovered(const SinkSource& source);
  void set_state(std::string_view state, std::string_view detail);
  void publish_source(SinkSource* source);

  const SinkRunnerOptions options_;
  const std::unique_ptr<Sink> sink_;
  bus::Bus& bus_;
  MetricsRegistry& metrics_;
  DeadLetterWriter dead_letters_;
  Backoff backoff_;
  Metric &written_, &retried_, &rejected_, &expired_, &lag_;
  std::chrono::steady_clock::time_point next_discovery_{};
  std::string state_, detail_;
  bool failed_ = false;

  std::mutex mutex_;
  std::condition_variable stop_requested_;
  bool stopping_ = false;
  SinkSource* source_ = nullptr;  ///< Only to wake it.

  std::thread thread_;  // Last: it uses everything above.
};

void Runner::run() {
  set_state("running", "starting");
  if (auto source = open_source()) {
    publish_source(source.get());
    while (!stopping() && step(*source)) {
    }
    publish_source(nullptr);
  }
  if (!failed_) set_state("stopped", "");
}

std::unique_ptr<SinkSource> Runner::open_source() {
  while (!stopping()) {
    auto consumer = bus_.consumer({.client_id = "headrace-sink-" + options_.name});
    if (consumer.ok()) return std::make_unique<SinkSource>(options_, bus_, *std::move(consumer));
    pause({consumer.error().message});
  }
  return nullptr;
}

void Runner::publish_source(SinkSource* source) {
  std::lock_guard lock(mutex_);
  source_ = source;
}

/// One round: a chunk read, written and committed. False when the sink has failed for good.
bool Runner::step(SinkSource& source) {
  if (!discover_when_due(source)) return true;
  auto chunk = source.read(std::min(kIdleInterval, options_.discovery_interval));
  if (!chunk.ok()) {
    pause({chunk.error().message});
    return true;
  }
  expired_.add(chunk->expired);
  if (!chunk->empty()) {
    Work work(*std::move(chunk));
    return deliver(work, source);
  }
  recovered(source);
  if (auto status = sink_->idle(); !status.ok()) {
    failed_ = true;
    set_state("failed", status.error().message);
    log_error("sink {} failed: {}", options_.name, status.error().message);
    return false;
  }
  return true;
}

bool Runner::discover_when_due(SinkSource& source) {
  auto now = std::chrono::steady_clock::now();
  if (now < next_discovery_ && !source.stale()) return true;
  if (auto status = source.discover(); !status.ok()) {
    pause({status.error().message});
    return false;
  }
  next_discovery_ = now + options_.discovery_interval;
  lag_.set(source.lag());
  recovered(source);
  return true;
}

/// Writes until every record of `work` is answered for, committing what is as it goes. False: failed for good.
bool Runner::deliver(Work& work, SinkSource& source) {
  while (!stopping()) {
    std::optional<Trouble> trouble = write_pending(work);
    if (failed_) return false;
    if (auto other = put_aside_rejected(work); other && !trouble) trouble = other;
    auto committed = source.commit(work.positions());
    if (!committed.ok() && !trouble) trouble = Trouble{committed.error().message};
    lag_.set(source.lag());
    if (!trouble) {
      recovered(source);
      return true;
    }
    pause(*trouble);
  }
  return true;
}

std::optional<Trouble> Runner::write_pending(Work& work) {
  std::vector<SinkRecord> records;
  std::vector<size_t> indexes;
  for (size_t i = 0; i < work.states.size(); ++i) {
    if (work.states[i] != Work::State::kPending) continue;
    records.push_back(work.chunk.records[i]);
    indexes.push_back(i);
  }
  if (records.empty()) return std::nullopt;
  auto answers = sink_->write(records);
  if (!answers.ok()) {
    failed_ = true;
    set_state("failed", answers.error().message);
    log_error("sink {} failed: {}", options_.name, answers.error().message);
    return std::nullopt;
  }
  CHECK(answers->size() == records.size());
  std::optional<Trouble> trouble;
  int64_t written = 0, retried = 0;
  for (size_t i = 0; i < indexes.size(); ++i) {
    WriteAnswer& answer = (*answers)[i];
    if (answer.outcome == Outcome::kWritten) {
      work.states[indexes[i]] = Work::State::kAnswered;
      ++written;
    } else if (answer.outcome == Outcome::kRejected) {
      work.states[indexes[i]] = Work::State::kRejected;
      work.reasons[indexes[i]] = std::move(answer.reason);
    } else {
      if (!trouble) trouble = Trouble{std::move(answer.reason)};
      trouble->retry_after = std::max(trouble->retry_after, answer.retry_after);
      ++retried;
    }
  }
  written_.add(written);
  retried_.add(retried);
  if (written > 0) backoff_.reset();
  return trouble;
}

std::optional<Trouble> Runner::put_aside_rejected(Work& work) {
  std::vector<RejectedRecord> rejected;
  for (size_t i = 0; i < work.states.size(); ++i) {
    if (work.states[i] != Work::State::kRejected) continue;
    const SinkRecord& r = work.chunk.records[i];
    rejected.push_back({r.tp, &r.record, "rejected", work.reasons[i]});
  }
  if (work.undecodable_left) {
    for (const auto& u : work.chunk.undecodable)
      rejected.push_back({u.record.tp, &u.record.record, "corrupt", u.reason});
  }
  if (rejected.empty()) return std::nullopt;
  if (auto status = dead_letters_.write(rejected); !status.ok()) return Trouble{status.error().message};
  for (Work::State& state : work.states) {
    if (state == Work::State::kRejected) state = Work::State::kAnswered;
  }
  work.undecodable_left = false;
  rejected_.add(static_cast<int64_t>(rejected.size()));
  log_warn("sink {}: {} records to {}, the first because: {}", options_.name, rejected.size(),
           options_.dead_letter_topic, rejected.front().reason);
  return std::nullopt;
}

bool Runner::stopping() {
  std::lock_guard lock(mutex_);
  return stopping_;
}

void Runner::pause(const Trouble& trouble) {
  auto delay = backoff_.next(std::min(trouble.retry_after, options_.backoff.delay_max));
  set_state("retrying", fmt::format("{}; next try in {}", trouble.reason, format_duration(delay)));
  if (backoff_.attempts() == 1) log_warn("sink {}: {}; trying again", options_.name, trouble.reason);
  std::unique_lock lock(mutex_);
  stop_requested_.wait_for(lock, delay, [&] { return stopping_; });
}

void Runner::recovered(const SinkSource& source) {
  if (backoff_.attempts() > 0) log_info("sink {}: running again", options_.name);
  backoff_.reset();
  const auto& missing = source.missing_topics();
  set_state("running",
            missing.empty() ? sink_->destination() : fmt::format("waiting for topic {}", fmt::join(missing, ", ")));
}

void Runner::set_state(std::string_view state, std::string_view detail) {
  if (state == state_ && detail == detail_) return;
  state_ = state;
  detail_ = detail;
  metrics_.set_state("sink " + options_.name, state, detail);
}

constexpr std::string_view kStarts[] = {"earliest", "latest"};
constexpr OptionSpec kCommonOptions[] = {
    {.name = "topics",
     .type = OptionType::kStringList,
     .required = true,
     .help = "The topics to write; one that does not exist yet is waited for."},
    {.name = "start",
     .type = OptionType::kChoice,
     .fallback = "earliest",
     .choices = kStarts,
     .help = "Where to begin in a partition for which the sink has no committed position."},
    {.name = "dead_letter_topic",
     .fallback = kDefaultDeadLetterTopic,
     .help = "Where records go that the destination refuses for good, with the reason in their headers."},
    {.name = "batch_records_max",
     .type = OptionType::kInteger,
     .fallback = "5000",
     .min = 1,
     .max = 1'000'000,
     .help = "The most records written at once."},
    {.name = "batch_bytes_max",
     .type = OptionType::kSize,
     .fallback = "8MiB",
     .min = 1024,
     .max = 1 << 30,
     .help = "The most bytes of keys, values and headers written at once; a single larger record is written alone."},
    {.name = "linger",
     .type = OptionType::kDuration,
     .fallback = "50ms",
     .min = 0,
     .max = 600'000,
     .help = "How long the first record of a batch waits for more."},
    {.name = "retry_delay_max",
     .type = OptionType::kDuration,
     .fallback = "30s",
     .min = 10,
     .max = 3'600'000,
     .help = "The longest wait between two attempts while the destination does not take records."},
};

}  // namespace

std::unique_ptr<SinkRunner> SinkRunner::start(SinkRunnerOptions options, std::unique_ptr<Sink> sink, bus::Bus& bus,
                                              MetricsRegistry& metrics, os::Clock& clock) {
  return std::make_unique<Runner>(std::move(options), std::move(sink), bus, metrics, clock);
}

std::span<const OptionSpec> sink_common_options() { return kCommonOptions; }

SinkRunnerOptions sink_runner_options(std::string name, const Options& common) {
  SinkRunnerOptions options;
  options.name = std::move(name);
  options.topics = common.list("topics");
  options.from_latest = common.text("start") == "latest";
  options.dead_letter_topic = common.text("dead_letter_topic");
  options.batch_records_max = static_cast<size_t>(common.integer("batch_records_max"));
  options.batch_bytes_max = static_cast<size_t>(common.integer("batch_bytes_max"));
  options.linger = common.duration("linger");
  options.backoff.delay_max = common.duration("retry_delay_max");
  return options;
}

}  // namespace headrace::flow
