#include "net/internal/loop.h"

#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include "net/internal/tcp_connection.h"

namespace headrace::net::internal {
namespace {

namespace asio = boost::asio;

constexpr size_t kReceiveSpaceBytes = 256 << 10;
/// Handlers run before what they queued leaves; bounds the delay that a flood of events can add to an answer.
constexpr int kHandlersPerIterationMax = 512;

thread_local const Loop* current_loop = nullptr;

class LoopTimer final : public EventLoop::Timer {
 public:
  LoopTimer(asio::io_context& context, std::chrono::milliseconds delay, Function<void()> task)
      : state_(std::make_shared<State>(context, std::move(task))) {
    state_->timer.expires_after(delay);
    state_->timer.async_wait([state = state_](const boost::system::error_code& error) {
      if (error || state->cancelled) return;
      auto task = std::move(state->task);
      task();
    });
  }
  ~LoopTimer() override {
    state_->cancelled = true;
    state_->timer.cancel();
  }

 private:
  struct State {
    State(asio::io_context& context, Function<void()> t) : timer(context), task(std::move(t)) {}
    asio::steady_timer timer;
    Function<void()> task;
    bool cancelled = false;
  };
  std::shared_ptr<State> state_;
};

}  // namespace

Loop::Loop(size_t index, BufferBudget& budget)
    : index_(index),
      context_(1),
      work_(asio::make_work_guard(context_)),
      receive_space_(kReceiveSpaceBytes),
      buffers_(*this, budget) {}

void Loop::post(Function<void()> task) {
  bool first;
  {
    std::lock_guard lock(posted_mutex_);
    first = posted_.empty();
    posted_.push_back(std::move(task));
  }
  if (first) asio::post(context_, [this] { run_posted(); });
}

void Loop::run_posted() {
  {
    std::lock_guard lock(posted_mutex_);
    running_posted_.swap(posted_);
  }
  for (auto& task : running_posted_) task();
  running_posted_.clear();
}

std::unique_ptr<EventLoop::Timer> Loop::after(std::chrono::milliseconds delay, Function<void()> task) {
  return std::make_unique<LoopTimer>(context_, delay, std::move(task));
}

void Loop::at_iteration_end(Function<void()> task) {
  CHECK(in_loop());
  tasks_.push_back(std::move(task));
}

bool Loop::in_loop() const { return current_loop == this; }

void Loop::flush_at_end(std::shared_ptr<TcpConnection> connection) { dirty_.push_back(std::move(connection)); }

void Loop::destroy_at_end(std::shared_ptr<TcpConnection> connection) { doomed_.push_back(std::move(connection)); }

void Loop::run() {
  current_loop = this;
  while (context_.run_one() > 0) {
    for (int n = 1; n < kHandlersPerIterationMax && context_.poll_one() > 0; ++n) {
    }
    end_iteration();
  }
  current_loop = nullptr;
}

void Loop::end_iteration() {
  run_tasks();
  flush_connections();
  destroy_connections();
  // What these steps queued themselves is the next iteration's; it must not wait for an event.
  if (!tasks_.empty() || !dirty_.empty() || !doomed_.empty()) asio::post(context_, [] {});
}

void Loop::run_tasks() {
  running_tasks_.swap(tasks_);
  for (auto& task : running_tasks_) task();
  running_tasks_.clear();
}

void Loop::flush_connections() {
  flushing_.swap(dirty_);
  for (auto& connection : flushing_) connection->flush();
  flushing_.clear();
}

void Loop::destroy_connections() {
  destroying_.swap(doomed_);
  for (auto& connection : destroying_) connection->destroy();
  destroying_.clear();
}

}  // namespace headrace::net::internal
