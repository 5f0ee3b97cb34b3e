// The connections of one loop that hold memory, and those that wait for some.
#pragma once

#include <deque>
#include <memory>
#include <vector>

#include "net/event_loops.h"
#include "net/internal/buffer_budget.h"

namespace headrace::net::internal {

class TcpConnection;

/// Reads on from starved connections in their order once there is room again, and closes stalled ones as long as there
/// is not. On its loop only.
class BufferHolders {
 public:
  BufferHolders(EventLoop& loop, BufferBudget& budget) : loop_(loop), budget_(budget) {}

  BufferBudget& budget() { return budget_; }
  /// From now on, or no longer, `connection` holds memory.
  void add(TcpConnection& connection);
  void remove(TcpConnection& connection);
  /// Calls its end_starvation() when there is room.
  void starve(std::shared_ptr<TcpConnection> connection);

 private:
  using TimePoint = std::chrono::steady_clock::time_point;

  void watch(std::chrono::milliseconds delay);
  void look();
  void feed_starved();
  void close_stalled(TimePoint now);
  void tell_starving();
  void tell_closed(TimePoint now);

  EventLoop& loop_;
  BufferBudget& budget_;
  std::vector<TcpConnection*> holders_;
  std::deque<std::shared_ptr<TcpConnection>> starved_;
  size_t told_starving_ = 0;                 ///< As the budget has it.
  std::unique_ptr<EventLoop::Timer> timer_;  ///< While somebody holds or waits.
  bool quick_ = false;                       ///< The timer is a short one, for the starved.
  size_t closed_ = 0, closed_bytes_ = 0;     ///< Closed, and not said yet.
  TimePoint quiet_until_;                    ///< Before this, not to be said again.
  TimePoint quiet_closed_until_;
};

}  // namespace headrace::net::internal
