// The responses of one connection, sent in the order in which their requests came.
#pragma once

#include <deque>
#include <memory>
#include <vector>

#include "base/bytes.h"
#include "base/function.h"
#include "kafka/api.h"
#include "net/event_loops.h"

namespace headrace::kafka {

/// Everything on the connection's loop, except the slots that open() gives out: those are completed from any thread.
/// Slots keep the queue alive after its connection has gone; what they bring then is dropped.
class ResponseQueue : public std::enable_shared_from_this<ResponseQueue> {
 public:
  /// `progressed` is called on the loop whenever responses were sent or given up; `mute` when the connection is to be
  /// left alone for a while.
  ResponseQueue(std::shared_ptr<ServerContext> server, net::Connection& connection, Function<void()> progressed,
                Function<void(std::chrono::milliseconds)> mute)
      : server_(std::move(server)),
        loop_(connection.loop()),
        connection_(&connection),
        progressed_(std::move(progressed)),
        mute_(std::move(mute)) {}

  /// A place at the end of the queue for a request of `bytes` to `api`.
  std::unique_ptr<ResponseSlot> open(const Api& api, size_t bytes);
  /// Takes no more requests: the connection is closed once those in the queue have been answered.
  void end() { end_before(first_place_ + entries_.size()); }
  /// The connection is gone.
  void detach() { connection_ = nullptr; }

  size_t requests() const { return entries_.size(); }
  size_t bytes() const { return bytes_; }
  /// The API of the requests in the queue, which is not empty: only those of one pipelined API wait together.
  const Api& api() const { return *entries_.front().api; }
  /// Whether the last request wants those behind it to wait.
  bool held() const { return !entries_.empty() && entries_.back().holding; }

 private:
  friend class QueuedSlot;
  struct Entry {
    const Api* api;
    size_t bytes;
    bool complete = false;
    bool holding = false;
    std::vector<Sendable> pieces;
  };

  /// From any thread.
  void complete(uint64_t place, std::vector<Sendable> pieces);
  void release(uint64_t place);
  void mute(std::chrono::milliseconds wait);
  void abandon(uint64_t place);
  void complete_on_loop(uint64_t place, std::vector<Sendable> pieces);
  void release_on_loop(uint64_t place);
  void mute_on_loop(std::chrono::milliseconds wait);
  /// Closes the connection once the responses before `place` were sent.
  void end_before(uint64_t place);

  std::shared_ptr<ServerContext> server_;  ///< Kept for handlers that are still at work when the server has gone.
  net::EventLoop& loop_;
  net::Connection* connection_;
  Function<void()> progressed_;
  Function<void(std::chrono::milliseconds)> mute_;
  std::deque<Entry> entries_;
  uint64_t first_place_ = 0;         ///< Of entries_.front().
  uint64_t end_place_ = UINT64_MAX;  ///< From here on nothing is sent.
  size_t bytes_ = 0;
};

}  // namespace headrace::kafka
