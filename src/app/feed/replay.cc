#include "app/feed/replay.h"

#include <fmt/format.h>

#include <algorithm>
#include <future>
#include <thread>

namespace headrace::app {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kProgressInterval{200};
constexpr std::chrono::milliseconds kNap{2};
constexpr int64_t kOutstandingMax = 4000;  ///< Messages between the recording and the acknowledgement.
constexpr std::string_view kTimeFields[] = {"timestamp", "datetime", "time", "ts", "date", "_timestamp"};

const std::string* field(const Row& row, std::string_view name) {
  for (const auto& [key, value] : row.fields) {
    if (key == name) return &value;
  }
  return nullptr;
}

}  // namespace

Replay::Replay(net::EventLoop& loop, ReplayOptions options, Recording& recording)
    : loop_(loop), options_(std::move(options)), recording_(recording) {
  device_ = std::make_unique<MqttDevice>(loop_,
                                         DeviceOptions{.host = options_.host,
                                                       .port = options_.port,
                                                       .client_id = options_.client_id,
                                                       .in_flight_max = 1000,
                                                       .queue_messages_max = 2 * static_cast<size_t>(kOutstandingMax)},
                                         counters_);
  loop_.post([this] { device_->connect(); });
}

Replay::~Replay() = default;

std::string Replay::trouble() {
  std::promise<std::string> found;
  loop_.post([&] { found.set_value(device_->trouble()); });
  return found.get_future().get();
}

Status Replay::run(Function<bool()> stopped, Function<void()> progress) {
  stopped_ = std::move(stopped);
  progress_ = std::move(progress);
  while (tick() && (options_.limit == 0 || rows_ < options_.limit)) {
    ASSIGN_OR_RETURN(auto row, recording_.next());
    if (!row) break;
    RETURN_IF_ERROR(play(*row));
  }
  while (counters_.acknowledged < rows_ && tick()) std::this_thread::sleep_for(kNap);
  progress_();
  return {};
}

Status Replay::play(const Row& row) {
  ASSIGN_OR_RETURN(std::string topic, topic_of(row));
  if (options_.speed > 0) RETURN_IF_ERROR(pace(row));
  wait_for_room();
  ++rows_;
  loop_.post([this, topic = std::move(topic), json = row.json]() mutable {
    device_->publish(std::move(topic), std::move(json));
  });
  return {};
}

/// Sleeps as long as the recording did since the row before. Rows may go back in time: then there is no pause.
Status Replay::pace(const Row& row) {
  if (time_field_.empty()) RETURN_IF_ERROR(find_time_field(row));
  const std::string* text = field(row, time_field_);
  auto time_ms = text ? parse_recorded_time(*text) : std::nullopt;
  if (!time_ms) {
    return Error{ErrorCode::kCorrupt, fmt::format("line {}: '{}' of field {} is no time; --speed max needs none",
                                                  row.line, text ? *text : "", time_field_)};
  }
  auto now = Clock::now();
  if (!last_time_ms_) due_ = now;
  double gap_ms = last_time_ms_ ? static_cast<double>(*time_ms - *last_time_ms_) : 0;
  gap_ms = std::clamp(gap_ms, 0.0, static_cast<double>(options_.gap_max.count()));
  last_time_ms_ = time_ms;
  due_ +=
      std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double, std::milli>(gap_ms / options_.speed));
  pause_until(due_);
  return {};
}

Status Replay::find_time_field(const Row& row) {
  time_field_ = options_.time_field;
  for (std::string_view name : kTimeFields) {
    if (time_field_.empty() && field(row, name)) time_field_ = name;
  }
  if (!time_field_.empty() && field(row, time_field_)) return {};
  std::string names;
  for (const auto& [name, value] : row.fields) names += (names.empty() ? "" : ", ") + name;
  return Error{ErrorCode::kInvalidArgument,
               fmt::format("which field is the time? Name it with --time (there are {}), or use --speed max", names)};
}

Result<std::string> Replay::topic_of(const Row& row) const {
  std::string out;
  for (size_t at = 0; at < options_.topic.size();) {
    size_t open = options_.topic.find('{', at), close = options_.topic.find('}', open);
    out += options_.topic.substr(at, open - at);
    if (open == std::string::npos) break;
    if (close == std::string::npos) return Error{ErrorCode::kInvalidArgument, "--topic: a { without its }"};
    std::string name = options_.topic.substr(open + 1, close - open - 1);
    const std::string* value = field(row, name);
    if (!value) {
      return Error{ErrorCode::kInvalidArgument,
                   fmt::format("line {}: there is no field {} for the topic", row.line, name)};
    }
    // A value can't add levels or wildcards to the topic.
    for (char c : *value) out += c == '/' || c == '+' || c == '#' || c == '\0' ? '_' : c;
    at = close + 1;
  }
  return out;
}

void Replay::wait_for_room() {
  while (rows_ - counters_.acknowledged >= kOutstandingMax && tick()) std::this_thread::sleep_for(kNap);
}

void Replay::pause_until(Clock::time_point when) {
  while (tick()) {
    auto left = when - Clock::now();
    if (left <= Clock::duration::zero()) return;
    std::this_thread::sleep_for(std::min<Clock::duration>(left, std::chrono::milliseconds(50)));
  }
}

/// Shows progress when it is time; false when the replay is to stop.
bool Replay::tick() {
  auto now = Clock::now();
  if (now - last_progress_ >= kProgressInterval) {
    last_progress_ = now;
    progress_();
  }
  return !stopped_();
}

}  // namespace headrace::app
