#include "console/feed.h"

#include <algorithm>
#include <set>

#include "base/logging.h"
#include "os/clock.h"

namespace headrace::console {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

Feed::Feed(bus::Bus& bus, const Dashboard& dashboard)
    : bus_(bus), dashboard_(dashboard), panels_(make_panels(dashboard)) {
  std::set<std::string> topics;
  for (const auto& panel : panels_) {
    for (std::string& topic : panel->topics()) topics.insert(std::move(topic));
  }
  topics_.assign(topics.begin(), topics.end());
  thread_ = std::thread([this] { run(); });
}

Feed::~Feed() {
  {
    std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

void Feed::join(std::shared_ptr<net::EventStream> stream) {
  {
    std::lock_guard lock(mutex_);
    if (page_count_ + joining_.size() >= kPagesMax) return;
    joining_.push_back({std::move(stream)});
  }
  wake_.notify_all();
}

bool Feed::watched() const {
  std::lock_guard lock(mutex_);
  return page_count_ + joining_.size() > 0;
}

void Feed::on_sample(const std::shared_ptr<const Sample>& sample) {
  std::lock_guard lock(panels_mutex_);
  last_sample_ = sample;
  for (const auto& panel : panels_) panel->on_sample(*sample);
}

std::string Feed::device(size_t panel, std::string_view id) const {
  std::lock_guard lock(panels_mutex_);
  return panel < panels_.size() ? std::string(panels_[panel]->device(id)) : std::string();
}

void Feed::run() {
  std::unique_lock lock(mutex_);
  while (!stop_) {
    if (joining_.empty() && pages_.empty() && !reader_) {
      wake_.wait(lock);
      continue;
    }
    lock.unlock();
    take_joining();
    work(steady_clock::now() + kFrameEvery);
    send_frame();
    lock.lock();
    page_count_ = pages_.size();
  }
}

void Feed::take_joining() {
  std::lock_guard lock(mutex_);
  std::move(joining_.begin(), joining_.end(), std::back_inserter(pages_));
  joining_.clear();
  page_count_ = pages_.size();
}

void Feed::work(steady_clock::time_point until) {
  const auto now = steady_clock::now();
  if (!pages_.empty()) last_watched_ = now;
  if (now - last_watched_ > kLinger) {
    reader_.reset();
    return;
  }
  // A new page has its snapshot at once, then the first records follow.
  const bool greet = std::any_of(pages_.begin(), pages_.end(), [](const Page& page) { return page.needs_snapshot; });
  if (greet) send_frame();
  while (true) {
    const auto left = std::chrono::duration_cast<milliseconds>(until - steady_clock::now());
    if (left.count() <= 0) return;
    {
      std::unique_lock lock(mutex_);
      if (stop_) return;
    }
    read_records(left);
  }
}

void Feed::read_records(milliseconds timeout) {
  if (!reader_) {
    reader_ = std::make_unique<TopicReader>(bus_, topics_);
    followed_ = nullptr;
    std::lock_guard lock(panels_mutex_);
    for (const auto& panel : panels_) panel->reset();
  }
  std::shared_ptr<const Sample> sample;
  {
    std::lock_guard lock(panels_mutex_);
    sample = last_sample_;
  }
  Status status;
  if (sample && sample != followed_) {
    status = reader_->follow(*sample);
    followed_ = sample;
  }
  if (status.ok() && reader_->assigned()) {
    status = reader_->poll(timeout, [this](std::string_view topic, const record::RecordView& record) {
      if (!record.value || !json_.parse(*record.value)) return;
      const PanelRecord given{topic, record.timestamp_ms, os::system_clock().wall_ms(), *record.value, json_};
      std::lock_guard lock(panels_mutex_);
      for (const auto& panel : panels_) panel->on_record(given);
    });
  } else {
    std::unique_lock lock(mutex_);
    wake_.wait_for(lock, timeout, [this] { return stop_ || !joining_.empty(); });
  }
  if (!status.ok()) {
    log_warn("dashboard {}: reading its topics: {}; trying again", dashboard_.name, status.error().message);
    reader_.reset();
    std::unique_lock lock(mutex_);
    wake_.wait_for(lock, kHeartbeatEvery, [this] { return stop_; });
  }
}

void Feed::send_frame() {
  const auto now = steady_clock::now();
  std::string frame, snapshot;
  {
    std::lock_guard lock(panels_mutex_);
    const bool changed =
        std::any_of(panels_.begin(), panels_.end(), [](const auto& panel) { return panel->changed(); });
    const bool due = now - last_sent_ >= kHeartbeatEvery;
    const bool greet = std::any_of(pages_.begin(), pages_.end(), [](const Page& page) { return page.needs_snapshot; });
    if (!changed && !due && !greet) return;
    frame = write_frame(os::system_clock().wall_ms());
  }
  last_sent_ = now;
  for (Page& page : pages_) send(page, frame, snapshot);
  std::erase_if(pages_, [](const Page& page) { return !page.stream->open(); });
}

void Feed::send(Page& page, const std::string& frame, std::string& snapshot) {
  if (page.stream->queued_bytes() > kSlowPageBytes) {
    page.needs_snapshot = true;
    page.stream->send("behind", "{}");  // Refreshes what the stream knows of its queue.
    return;
  }
  if (!page.needs_snapshot) {
    page.stream->send("frame", frame);
    return;
  }
  if (snapshot.empty()) {
    std::lock_guard lock(panels_mutex_);
    snapshot = write_snapshot(os::system_clock().wall_ms());
  }
  page.stream->send("snapshot", snapshot);
  page.needs_snapshot = false;
}

std::string Feed::write_frame(int64_t now_ms) {
  JsonWriter out;
  out.begin_object().key("now").integer(now_ms).key("panels").begin_object();
  for (size_t i = 0; i < panels_.size(); ++i) {
    if (!panels_[i]->changed()) continue;
    out.key(std::to_string(i));
    panels_[i]->write_frame(out, now_ms);
  }
  return out.end_object().end_object().take();
}

std::string Feed::write_snapshot(int64_t now_ms) const {
  JsonWriter out;
  out.begin_object().key("now").integer(now_ms).key("dashboard").text(dashboard_.name).key("panels").begin_array();
  for (const auto& panel : panels_) panel->write_snapshot(out, now_ms);
  return out.end_array().end_object().take();
}

}  // namespace headrace::console
