#include "net/internal/http_event_stream.h"

#include "net/internal/http_session.h"

namespace headrace::net::internal {

std::string format_event(std::string_view event, std::string_view data) {
  std::string out;
  out.reserve(event.size() + data.size() + 24);
  if (!event.empty()) out.append("event: ").append(event).append("\n");
  for (bool more = true; more;) {
    size_t end = data.find('\n');
    more = end != std::string_view::npos;
    out.append("data: ").append(data.substr(0, end)).append("\n");
    if (more) data.remove_prefix(end + 1);
  }
  out += '\n';
  return out;
}

bool HttpEventStream::send(std::string_view event, std::string_view data) {
  std::string text = format_event(event, data);
  std::lock_guard lock(mutex_);
  if (!open_) return false;
  if (outbox_.size() + handed_over_ + text.size() > queue_bytes_max_) {
    open_ = false;
    handle_->loop.post([handle = handle_] {
      if (handle->session) handle->session->abort();
    });
    return false;
  }
  if (outbox_.empty()) {
    handle_->loop.post([handle = handle_] {
      if (handle->session) handle->session->pump_events();
    });
  }
  outbox_ += text;
  return true;
}

bool HttpEventStream::open() const {
  std::lock_guard lock(mutex_);
  return open_;
}

size_t HttpEventStream::queued_bytes() const {
  std::lock_guard lock(mutex_);
  return outbox_.size() + handed_over_;
}

std::string HttpEventStream::take(size_t queued) {
  std::lock_guard lock(mutex_);
  handed_over_ = queued + outbox_.size();
  return std::exchange(outbox_, {});
}

void HttpEventStream::set_closed() {
  std::lock_guard lock(mutex_);
  open_ = false;
  outbox_.clear();
}

}  // namespace headrace::net::internal
