// headrace tail: prints a topic's records as they come.
#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <algorithm>
#include <memory>

#include "app/commands.h"
#include "app/commands/cluster_options.h"
#include "app/stop_signal.h"

namespace headrace::app {
namespace {

constexpr size_t kDecompressedBytesMax = 256 << 20;

struct Arguments {
  ClusterArguments cluster;
  std::string topic;
  bool from_beginning = false;
  bool to_end = false;
  int64_t count = 0;
  int64_t last = 10;
  bool show_key = false;
  bool show_position = false;
};

struct Range {
  bus::Position from;
  Offset end;  ///< Of the topic when the command began.
};

void print_record(const Arguments& arguments, const TopicPartition& tp, const record::RecordView& record) {
  if (arguments.show_position) fmt::print("{}\t{}\t{}\t", tp.partition.value, record.offset.value, record.timestamp_ms);
  if (arguments.show_key) fmt::print("{}\t", record.key.value_or("null"));
  fmt::print("{}\n", record.value.value_or("null"));
}

Result<std::vector<Range>> find_start(const Arguments& arguments, bus::Admin& admin) {
  ASSIGN_OR_RETURN(auto topic, admin.topic(arguments.topic));
  std::vector<Range> ranges;
  int64_t share = std::max<int64_t>(1, arguments.last / std::max<int64_t>(1, std::ssize(topic.partitions)));
  for (const auto& partition : topic.partitions) {
    Offset tail = std::max(partition.log_start, partition.high_watermark - (arguments.last == 0 ? 0 : share));
    Offset start = arguments.from_beginning ? partition.log_start : tail;
    ranges.push_back({{{arguments.topic, partition.id}, start}, partition.high_watermark});
  }
  return ranges;
}

class Tail {
 public:
  Tail(const Arguments& arguments, std::vector<Range> ranges) : arguments_(arguments), ranges_(std::move(ranges)) {}

  Status run(bus::Consumer& consumer) {
    std::vector<bus::Position> positions;
    for (const Range& range : ranges_) positions.push_back(range.from);
    RETURN_IF_ERROR(consumer.assign(std::move(positions)));
    while (!stop_requested() && !done()) {
      ASSIGN_OR_RETURN(auto polled, consumer.poll(std::chrono::milliseconds(200)));
      for (const auto& fetched : polled.batches) RETURN_IF_ERROR(print(fetched));
      for (const auto& position : polled.positions) move(position);
      std::fflush(stdout);
      if (std::ferror(stdout)) break;
    }
    return {};
  }

 private:
  bool done() const {
    if (arguments_.count > 0 && printed_ >= arguments_.count) return true;
    return arguments_.to_end &&
           std::all_of(ranges_.begin(), ranges_.end(), [](const Range& r) { return r.from.next >= r.end; });
  }
  Range& range_of(const TopicPartition& tp) {
    return *std::find_if(ranges_.begin(), ranges_.end(), [&](const Range& r) { return r.from.tp == tp; });
  }
  void move(const bus::Position& position) { range_of(position.tp).from.next = position.next; }

  Status print(const bus::FetchedBatch& fetched) {
    Offset from = range_of(fetched.tp).from.next;
    record::RecordReader reader(fetched.batch, kDecompressedBytesMax);
    while (const record::RecordView* record = reader.next()) {
      if (record->offset < from || (arguments_.count > 0 && printed_ >= arguments_.count)) continue;
      print_record(arguments_, fetched.tp, *record);
      ++printed_;
    }
    return reader.status();
  }

  const Arguments& arguments_;
  std::vector<Range> ranges_;
  int64_t printed_ = 0;
};

Status tail(const Arguments& arguments) {
  catch_stop_signals();
  ASSIGN_OR_RETURN(auto bus, connect_cluster(arguments.cluster));
  ASSIGN_OR_RETURN(auto ranges, find_start(arguments, bus->admin()));
  ASSIGN_OR_RETURN(auto consumer, bus->consumer({.client_id = "headrace-tail"}));
  return Tail(arguments, std::move(ranges)).run(*consumer);
}

Function<int()> setup(CLI::App& app) {
  auto arguments = std::make_shared<Arguments>();
  app.add_option("TOPIC", arguments->topic, "The topic to read")->required();
  add_cluster_options(app, arguments->cluster);
  app.add_flag("--from-beginning", arguments->from_beginning, "From the first record there is");
  app.add_option("-n,--last", arguments->last, "Begin with about the last N records")->capture_default_str();
  app.add_flag("-e,--exit", arguments->to_end,
               "End at what was the topic's end at the start, in place of waiting for more");
  app.add_option("-c,--count", arguments->count, "End after N records");
  app.add_flag("-k,--key", arguments->show_key, "Print the key and a tab before the value");
  app.add_flag("-p,--position", arguments->show_position, "Print partition, offset and timestamp (ms) first");
  app.footer("One record a line; records of aborted transactions are left out.\n  headrace tail cab-alerts -k");
  return [arguments] {
    Status done = tail(*arguments);
    return done.ok() ? 0 : fail("tail", done.error());
  };
}

}  // namespace

const Command& tail_command() {
  static constexpr Command kCommand{"tail", "Print a topic's records as they come", setup};
  return kCommand;
}

}  // namespace headrace::app
