// A loop and a connection without a socket, for fuzz targets and tests of sessions: what comes when is theirs to say.
#pragma once

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <random>
#include <string>
#include <string_view>
#include <thread>

#include "net/event_loops.h"

namespace headrace::net {

/// A loop on the caller's thread: run() does what was posted; timers run when they are told to.
class SocketlessLoop final : public EventLoop {
 public:
  void post(Function<void()> task) override {
    std::lock_guard lock(mutex_);
    tasks_.push_back(std::move(task));
    posted_.notify_one();
  }
  std::unique_ptr<Timer> after(std::chrono::milliseconds, Function<void()> task) override {
    auto due = std::make_shared<Function<void()>>(std::move(task));
    timers_.push_back(due);
    return std::make_unique<Held>(std::move(due));
  }
  void at_iteration_end(Function<void()> task) override { post(std::move(task)); }
  bool in_loop() const override { return std::this_thread::get_id() == thread_; }
  size_t index() const override { return 0; }

  /// Runs tasks until `done` says so, or nothing has come for `wait`.
  template <typename Done>
  void run(std::chrono::milliseconds wait, Done done) {
    while (!done()) {
      std::vector<Function<void()>> tasks;
      {
        std::unique_lock lock(mutex_);
        if (!posted_.wait_for(lock, wait, [&] { return !tasks_.empty(); })) return;
        tasks.swap(tasks_);
      }
      for (auto& task : tasks) task();
    }
  }
  /// Runs what was posted.
  void run() {
    run(std::chrono::milliseconds(0), [] { return false; });
  }
  /// Runs what waits for a time, once.
  void run_timers() {
    std::vector<std::weak_ptr<Function<void()>>> due;
    due.swap(timers_);
    for (auto& timer : due) {
      if (auto task = timer.lock()) (*task)();
    }
  }

 private:
  class Held final : public Timer {
   public:
    explicit Held(std::shared_ptr<Function<void()>> task) : task_(std::move(task)) {}

   private:
    std::shared_ptr<Function<void()>> task_;
  };

  const std::thread::id thread_ = std::this_thread::get_id();
  std::mutex mutex_;
  std::condition_variable posted_;
  std::vector<Function<void()>> tasks_;
  std::vector<std::weak_ptr<Function<void()>>> timers_;
};

/// A connection whose peer reads everything at once.
class SocketlessConnection final : public Connection {
 public:
  explicit SocketlessConnection(EventLoop& loop) : loop_(loop) {}
  EventLoop& loop() override { return loop_; }
  void send(Sendable bytes) override {
    if (const auto* memory = std::get_if<SharedBytes>(&bytes)) send_copy(memory->view());
  }
  void send_copy(BytesView bytes) override {
    if (keeps_sent) sent += as_text(bytes);
  }
  size_t queued_bytes() const override { return 0; }
  bool waits_for_memory() const override { return false; }
  void pause_reading() override { paused = true; }
  void resume_reading() override { paused = false; }
  void close() override { closed = true; }
  void close_now() override { closed = true; }
  std::string remote_address() const override { return "127.0.0.1:40000"; }
  std::string local_address() const override { return "127.0.0.1:9092"; }

  bool paused = false;
  bool closed = false;
  bool keeps_sent = false;
  std::string sent;  ///< What was sent from memory.

 private:
  EventLoop& loop_;
};

/// Sizes of the pieces in which a stream comes, as a seed chooses them: small ones are few, as a rest is looked at
/// again with each.
class PieceSizes {
 public:
  PieceSizes(uint8_t seed, size_t stream_bytes) : random_(seed), step_(1 + seed + stream_bytes / 64) {}
  size_t operator()() { return 1 + random_() % step_; }

 private:
  std::mt19937 random_;
  const size_t step_;
};

/// Calls `deliver(rest)` with each piece of `stream` behind what it left of those before, until the connection closes.
template <typename NextSize, typename Deliver>
void deliver_in_pieces(const SocketlessConnection& connection, std::string_view stream, NextSize next_size,
                       Deliver deliver) {
  std::string rest;
  while (!connection.closed && !stream.empty()) {
    size_t size = std::min<size_t>(next_size(), stream.size());
    rest += stream.substr(0, size);
    stream.remove_prefix(size);
    deliver(rest);
  }
}

}  // namespace headrace::net
