#include "net/event_loops.h"

#include <atomic>
#include <csignal>
#include <map>
#include <mutex>
#include <thread>

#include <fmt/format.h>

#include "net/internal/loop.h"
#include "net/internal/tcp_listener.h"

namespace headrace::net {
namespace {

using internal::Loop;

/// Ports that this process listens on itself, so that a clash can be named.
class OwnPorts {
 public:
  void add(uint16_t port, std::string name) {
    std::lock_guard lock(mutex_);
    names_[port] = std::move(name);
  }
  void remove(uint16_t port) {
    std::lock_guard lock(mutex_);
    names_.erase(port);
  }
  std::string name_of(uint16_t port) const {
    std::lock_guard lock(mutex_);
    auto found = names_.find(port);
    return found == names_.end() ? "" : found->second;
  }

 private:
  mutable std::mutex mutex_;
  std::map<uint16_t, std::string> names_;
};

class AsioEventLoops final : public EventLoops {
 public:
  AsioEventLoops(size_t threads, const EventLoopsOptions& options)
      : budget_({options.buffer_bytes_max, options.stalled_max, options.starved_max}),
        room_(std::make_shared<internal::ConnectionRoom>(options.connections_max)) {
    CHECK(threads > 0);
    for (size_t i = 0; i < threads; ++i) loops_.push_back(std::make_unique<Loop>(i, budget_));
    for (auto& loop : loops_) threads_.emplace_back([&loop = *loop] { loop.run(); });
  }
  ~AsioEventLoops() override {
    for (auto& loop : loops_) loop->stop();
    for (auto& thread : threads_) thread.join();
  }

  size_t size() const override { return loops_.size(); }
  size_t buffered_bytes() const override { return budget_.used(); }
  EventLoop& loop(size_t index) override { return *loops_.at(index); }
  EventLoop& next() override { return *loops_[next_.fetch_add(1, std::memory_order_relaxed) % loops_.size()]; }

  Result<std::unique_ptr<Listener>> listen(const ListenOptions& options, SessionFactory factory) override {
    auto acceptor = internal::open_acceptor(*loops_[0], options);
    if (!acceptor.ok()) return explain(acceptor.error(), options);
    std::vector<Loop*> loops;
    for (auto& loop : loops_) loops.push_back(loop.get());
    uint16_t port = acceptor->local_endpoint().port();
    own_ports_->add(port, options.name);
    return std::unique_ptr<Listener>(std::make_unique<internal::TcpListener>(
        std::move(loops), *std::move(acceptor), options, room_, std::move(factory),
        [ports = own_ports_, port] { ports->remove(port); }));
  }

 private:
  Error explain(const Error& error, const ListenOptions& options) const {
    std::string name = own_ports_->name_of(options.port);
    if (error.code != ErrorCode::kAlreadyExists || name.empty()) return error;
    return {error.code, fmt::format("listening for {} on {}:{}: this program listens there for {} already; give each "
                                    "listener a port of its own (0 picks a free one)",
                                    options.name, options.host, options.port, name)};
  }

  internal::BufferBudget budget_;
  std::vector<std::unique_ptr<Loop>> loops_;
  std::vector<std::thread> threads_;
  std::atomic<size_t> next_{0};
  const std::shared_ptr<internal::ConnectionRoom> room_;
  std::shared_ptr<OwnPorts> own_ports_ = std::make_shared<OwnPorts>();
};

}  // namespace

std::unique_ptr<EventLoops> EventLoops::start(size_t threads, const EventLoopsOptions& options) {
  std::signal(SIGPIPE, SIG_IGN);  // sendfile() has no MSG_NOSIGNAL.
  return std::make_unique<AsioEventLoops>(threads, options);
}

}  // namespace headrace::net
