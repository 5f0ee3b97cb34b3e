// One dashboard's live feed: a thread that reads its topics while pages are open, and sends every page the same frames.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "bus/bus.h"
#include "console/dashboard.h"
#include "console/panel.h"
#include "console/sampler.h"
#include "console/topic_reader.h"
#include "net/http.h"

namespace headrace::console {

/// What a page gets: an event `snapshot` {"now", "dashboard", "panels": [state of each]}, then events `frame`
/// {"now", "panels": {"<index>": changes}}, at least one a second. A page that reads too slowly gets no frames until it
/// has caught up and then a snapshot again: never a queue.
class Feed {
 public:
  static constexpr std::chrono::milliseconds kFrameEvery{250};
  static constexpr std::chrono::milliseconds kHeartbeatEvery{1000};
  static constexpr std::chrono::seconds kLinger{20};  ///< The reader goes on for so long after the last page.
  static constexpr size_t kPagesMax = 64;
  static constexpr size_t kSlowPageBytes = 2 << 20;  ///< Queued bytes from which on a page counts as slow.

  Feed(bus::Bus& bus, const Dashboard& dashboard);
  ~Feed();

  const Dashboard& dashboard() const { return dashboard_; }
  /// Adds a page. Over kPagesMax the stream is let go at once. From any thread, never blocks for long.
  void join(std::shared_ptr<net::EventStream> stream);
  bool watched() const;
  void on_sample(const std::shared_ptr<const Sample>& sample);
  /// The newest record of a device of map panel `panel`; empty when there is none.
  std::string device(size_t panel, std::string_view id) const;

 private:
  struct Page {
    std::shared_ptr<net::EventStream> stream;
    bool needs_snapshot = true;
  };

  void run();
  void work(std::chrono::steady_clock::time_point until);
  void take_joining();
  void read_records(std::chrono::milliseconds timeout);
  void send_frame();
  void send(Page& page, const std::string& frame, std::string& snapshot);
  std::string write_frame(int64_t now_ms);
  std::string write_snapshot(int64_t now_ms) const;

  bus::Bus& bus_;
  const Dashboard dashboard_;
  std::vector<std::string> topics_;

  mutable std::mutex panels_mutex_;  ///< Guards panels_ and last_sample_.
  std::vector<std::unique_ptr<PanelModel>> panels_;
  std::shared_ptr<const Sample> last_sample_;

  mutable std::mutex mutex_;  ///< Guards what follows.
  std::condition_variable wake_;
  std::vector<Page> joining_;
  size_t page_count_ = 0;
  bool stop_ = false;

  // The feed's thread alone.
  std::vector<Page> pages_;
  std::unique_ptr<TopicReader> reader_;
  JsonRecord json_;
  std::shared_ptr<const Sample> followed_;
  std::chrono::steady_clock::time_point last_watched_{}, last_sent_{};
  std::thread thread_;
};

}  // namespace headrace::console
