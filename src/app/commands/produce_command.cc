// headrace produce: writes lines of standard input to a topic.
#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <condition_variable>
#include <iostream>
#include <memory>
#include <mutex>
#include <optional>

#include "app/commands.h"
#include "app/commands/cluster_options.h"
#include "app/stop_signal.h"
#include "os/clock.h"
#include "record/batch_builder.h"

namespace headrace::app {
namespace {

constexpr size_t kBatchBytes = 64 << 10;
constexpr size_t kInFlightBatchesMax = 32;

struct Arguments {
  ClusterArguments cluster;
  std::string topic;
  std::string key_separator;
  int32_t partition = -1;
};

/// Batches that were sent and not answered yet; send() waits for room, finish() for all.
class InFlight {
 public:
  void enter() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return count_ < kInFlightBatchesMax; });
    ++count_;
  }
  void leave(const Result<bus::Appended>& answer, int32_t records) {
    std::lock_guard lock(mutex_);
    --count_;
    if (answer.ok()) {
      written_ += records;
    } else if (!error_) {
      error_ = answer.error();
    }
    changed_.notify_all();
  }
  Status finish() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return count_ == 0; });
    if (error_) return *error_;
    return {};
  }
  bool failed() {
    std::lock_guard lock(mutex_);
    return error_.has_value();
  }
  int64_t written() const { return written_; }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  size_t count_ = 0;
  int64_t written_ = 0;
  std::optional<Error> error_;
};

class LineProducer {
 public:
  LineProducer(const Arguments& arguments, bus::Producer& producer, int32_t partitions)
      : arguments_(arguments), producer_(producer), builders_(static_cast<size_t>(partitions)) {}

  void add(std::string_view line) {
    std::optional<std::string_view> key;
    if (!arguments_.key_separator.empty()) {
      size_t at = line.find(arguments_.key_separator);
      if (at != std::string_view::npos) {
        key = line.substr(0, at);
        line.remove_prefix(at + arguments_.key_separator.size());
      }
    }
    size_t partition = choose(key);
    builders_[partition].add(os::system_clock().wall_ms(), key, line);
    if (builders_[partition].bytes() >= kBatchBytes) send(partition);
  }
  void flush() {
    for (size_t i = 0; i < builders_.size(); ++i) {
      if (!builders_[i].empty()) send(i);
    }
  }
  InFlight& in_flight() { return in_flight_; }

 private:
  size_t choose(std::optional<std::string_view> key) {
    if (arguments_.partition >= 0) return static_cast<size_t>(arguments_.partition);
    auto count = static_cast<int32_t>(builders_.size());
    if (key) return static_cast<size_t>(bus::partition_for_key(*key, count).value);
    if (builders_[sticky_].empty()) sticky_ = (sticky_ + 1) % builders_.size();
    return sticky_;
  }
  void send(size_t partition) {
    record::Batch batch = builders_[partition].finish();
    int32_t records = batch.header().record_count;
    in_flight_.enter();
    producer_.produce({arguments_.topic, PartitionId(static_cast<int32_t>(partition))}, std::move(batch),
                      [this, records](Result<bus::Appended> answer) { in_flight_.leave(answer, records); });
  }

  const Arguments& arguments_;
  bus::Producer& producer_;
  std::vector<record::BatchBuilder> builders_;
  size_t sticky_ = 0;
  InFlight in_flight_;
};

Status produce(const Arguments& arguments) {
  catch_stop_signals();
  ASSIGN_OR_RETURN(auto bus, connect_cluster(arguments.cluster));
  ASSIGN_OR_RETURN(int32_t partitions, bus->admin().partition_count(arguments.topic));
  if (arguments.partition >= partitions) {
    return Error{ErrorCode::kInvalidArgument,
                 fmt::format("topic {} has partitions 0 to {}", arguments.topic, partitions - 1)};
  }
  ASSIGN_OR_RETURN(auto producer, bus->producer({.client_id = "headrace-produce"}));
  LineProducer lines(arguments, *producer, partitions);
  std::string line;
  while (!stop_requested() && !lines.in_flight().failed() && std::getline(std::cin, line)) {
    lines.add(line);
    // Somebody who types wants to see each line arrive.
    if (std::cin.rdbuf()->in_avail() <= 0) lines.flush();
  }
  lines.flush();
  RETURN_IF_ERROR(lines.in_flight().finish());
  fmt::print(stderr, "{} records written to {}\n", lines.in_flight().written(), arguments.topic);
  return {};
}

Function<int()> setup(CLI::App& app) {
  auto arguments = std::make_shared<Arguments>();
  app.add_option("TOPIC", arguments->topic, "The topic to write to")->required();
  add_cluster_options(app, arguments->cluster);
  app.add_option("-K,--key-separator", arguments->key_separator, "What separates a key from its value in a line");
  app.add_option("-p,--partition", arguments->partition, "Write to this partition only");
  app.footer(
      "Each line of standard input is a record; with keys, a key's records stay in one partition.\n"
      "  echo 'cab-1:{\"speed\":30}' | headrace produce cabs -K :");
  return [arguments] {
    Status done = produce(*arguments);
    return done.ok() ? 0 : fail("produce", done.error());
  };
}

}  // namespace

const Command& produce_command() {
  static constexpr Command kCommand{"produce", "Write lines of standard input to a topic", setup};
  return kCommand;
}

}  // namespace headrace::app
