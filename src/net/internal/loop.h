// One event loop: an io_context that one thread runs, iteration by iteration.
#pragma once

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "net/event_loops.h"
#include "net/internal/buffer_holders.h"

namespace headrace::net::internal {

class TcpConnection;

/// An iteration runs the handlers that are ready, then the tasks that asked for its end, then sends what was queued,
/// then destroys what was closed. So no session is ever called back from inside its own call.
class Loop final : public EventLoop {
 public:
  Loop(size_t index, BufferBudget& budget);

  void post(Function<void()> task) override;
  std::unique_ptr<Timer> after(std::chrono::milliseconds delay, Function<void()> task) override;
  void at_iteration_end(Function<void()> task) override;
  bool in_loop() const override;
  size_t index() const override { return index_; }

  /// The thread's body; returns after stop().
  void run();
  void stop() { context_.stop(); }

  boost::asio::io_context& context() { return context_; }
  /// The buffer into which every connection of the loop receives.
  std::span<uint8_t> receive_space() { return receive_space_; }
  BufferHolders& buffers() { return buffers_; }
  void flush_at_end(std::shared_ptr<TcpConnection> connection);
  void destroy_at_end(std::shared_ptr<TcpConnection> connection);

 private:
  void run_posted();
  void end_iteration();
  void run_tasks();
  void flush_connections();
  void destroy_connections();

  const size_t index_;
  boost::asio::io_context context_;
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_;
  std::vector<uint8_t> receive_space_;
  BufferHolders buffers_;
  // Each list has a twin that is worked off while the first one fills again.
  std::mutex posted_mutex_;
  std::vector<Function<void()>> posted_;  // What other threads post wakes the loop once, however much it is.
  std::vector<Function<void()>> running_posted_;
  std::vector<Function<void()>> tasks_, running_tasks_;
  std::vector<std::shared_ptr<TcpConnection>> dirty_, flushing_;
  std::vector<std::shared_ptr<TcpConnection>> doomed_, destroying_;
};

}  // namespace headrace::net::internal
