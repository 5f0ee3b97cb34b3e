// The sending side of one server-sent events response.
#pragma once

#include <mutex>
#include <string>

#include "net/http.h"

namespace headrace::net::internal {

class HttpSession;

/// A session's address for other threads: null once the session is gone. Read and written on the loop only.
struct SessionHandle {
  EventLoop& loop;
  HttpSession* session;
};

/// Keeps what send() was given until the loop hands it to the connection, which it does while little is queued there.
/// Both together stay within the limit.
class HttpEventStream final : public EventStream {
 public:
  HttpEventStream(std::shared_ptr<SessionHandle> handle, size_t queue_bytes_max)
      : handle_(std::move(handle)), queue_bytes_max_(queue_bytes_max) {}

  bool send(std::string_view event, std::string_view data) override;
  bool open() const override;
  size_t queued_bytes() const override;

  /// What is to be sent next, while the connection has `queued` bytes of this stream left. On the loop.
  std::string take(size_t queued);
  void set_closed();

 private:
  const std::shared_ptr<SessionHandle> handle_;
  const size_t queue_bytes_max_;
  mutable std::mutex mutex_;
  bool open_ = true;
  std::string outbox_;
  size_t handed_over_ = 0;  ///< Bytes of the connection's queue when it was last looked at.
};

/// One event in the format of the HTML standard, 9.2.5: a "data:" line for each line of `data`.
std::string format_event(std::string_view event, std::string_view data);

}  // namespace headrace::net::internal
