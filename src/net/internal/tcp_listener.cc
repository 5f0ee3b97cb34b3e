#include "net/internal/tcp_listener.h"

#include <boost/asio/post.hpp>
#include <future>

#include "base/logging.h"

namespace headrace::net::internal {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

constexpr int kAcceptsPerWakeMax = 256;
constexpr int kListenBacklog = 4096;
/// How long to leave the queue alone when the process is out of descriptors or memory.
constexpr std::chrono::milliseconds kAcceptBackOff{100};
/// How long to be silent about connections that can't be taken, once that was said.
constexpr std::chrono::seconds kSayPause{10};

bool out_of_resources(const error_code& error) {
  return error == asio::error::no_descriptors || error == boost::system::errc::too_many_files_open_in_system ||
         error == asio::error::no_buffer_space || error == asio::error::no_memory;
}

bool queue_empty(const error_code& error) {
  return error == asio::error::would_block || error == asio::error::try_again;
}

Error listen_error(const ListenOptions& options, const error_code& error) {
  auto where = fmt::format("listening for {} on {}:{}", options.name, options.host, options.port);
  if (error == asio::error::address_in_use) {
    return {ErrorCode::kAlreadyExists,
            fmt::format("{}: the port is in use; stop the program that has it (`ss -ltnp 'sport = :{}'` names it) or "
                        "choose another port (0 picks a free one)",
                        where, options.port)};
  }
  if (error == asio::error::access_denied) {
    return {ErrorCode::kPermissionDenied, fmt::format("{}: not permitted; choose a port from 1024 on", where)};
  }
  if (error == boost::system::errc::address_not_available) {
    return {ErrorCode::kInvalidArgument, fmt::format("{}: this machine has no such address", where)};
  }
  return {ErrorCode::kIo, fmt::format("{}: {}", where, error.message())};
}

Result<tcp::endpoint> resolve(Loop& loop, const ListenOptions& options) {
  std::string host = options.host;
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  if (host.empty() || host == "*") host = "0.0.0.0";
  error_code error;
  if (auto address = asio::ip::make_address(host, error); !error) return tcp::endpoint(address, options.port);
  tcp::resolver resolver(loop.context());
  auto found = resolver.resolve(tcp::v4(), host, std::to_string(options.port), tcp::resolver::numeric_service, error);
  if (error || found.empty()) {
    return Error{ErrorCode::kInvalidArgument, fmt::format("listening for {} on {}:{}: the host name is unknown ({})",
                                                          options.name, options.host, options.port, error.message())};
  }
  return found.begin()->endpoint();
}

}  // namespace

Result<tcp::acceptor> open_acceptor(Loop& loop, const ListenOptions& options) {
  ASSIGN_OR_RETURN(tcp::endpoint endpoint, resolve(loop, options));
  tcp::acceptor acceptor(loop.context());
  error_code error;
  acceptor.open(endpoint.protocol(), error);
  if (!error) acceptor.set_option(asio::socket_base::reuse_address(true), error);
  if (!error) acceptor.bind(endpoint, error);
  if (!error) acceptor.listen(kListenBacklog, error);
  if (!error) acceptor.non_blocking(true, error);
  if (error) return listen_error(options, error);
  return acceptor;
}

ListenerState::ListenerState(ListenOptions options, std::shared_ptr<ConnectionRoom> room, SessionFactory factory,
                             size_t loops)
    : options_(std::move(options)), room_(std::move(room)), factory_(std::move(factory)), by_loop_(loops) {}

bool ListenerState::admit() {
  std::lock_guard lock(mutex_);
  if (refusing_ || live_ >= options_.connections_max || !room_->take()) return false;
  ++live_;
  return true;
}

void ListenerState::release() {
  room_->give_back();
  std::lock_guard lock(mutex_);
  if (--live_ == 0) none_.notify_all();
}

size_t ListenerState::live() const {
  std::lock_guard lock(mutex_);
  return live_;
}

void ListenerState::add(std::shared_ptr<TcpConnection> connection) {
  auto& list = by_loop_[connection->loop().index()];
  connection->slot = list.size();
  list.push_back(std::move(connection));
}

void ListenerState::remove(TcpConnection& connection) {
  auto& list = by_loop_[connection.loop().index()];
  auto keep = std::move(list[connection.slot]);
  CHECK(keep.get() == &connection);
  if (keep->slot + 1 != list.size()) {
    list[keep->slot] = std::move(list.back());
    list[keep->slot]->slot = keep->slot;
  }
  list.pop_back();
  release();
}

void ListenerState::close_all(size_t loop) {
  for (auto& connection : by_loop_[loop]) connection->close_now();
}

void ListenerState::refuse_new() {
  std::lock_guard lock(mutex_);
  refusing_ = true;
}

bool ListenerState::refusing() const {
  std::lock_guard lock(mutex_);
  return refusing_;
}

void ListenerState::wait_until_none() {
  std::unique_lock lock(mutex_);
  none_.wait(lock, [this] { return live_ == 0; });
}

/// The accepting side; lives on the first loop.
class TcpListener::Acceptor : public std::enable_shared_from_this<Acceptor> {
 public:
  Acceptor(std::vector<Loop*> loops, tcp::acceptor acceptor, std::shared_ptr<ListenerState> state)
      : loops_(std::move(loops)), acceptor_(std::move(acceptor)), state_(std::move(state)) {}

  void wait() {
    acceptor_.async_wait(tcp::acceptor::wait_read, [self = shared_from_this()](const error_code& error) {
      if (!error) self->accept_some();
    });
  }

  void close() {
    error_code error;
    acceptor_.close(error);
    back_off_.reset();
  }

 private:
  void accept_some() {
    for (int n = 0; n < kAcceptsPerWakeMax; ++n) {
      Loop& loop = *loops_[next_ % loops_.size()];
      tcp::socket socket(loop.context());
      error_code error;
      acceptor_.accept(socket, error);
      if (!error) {
        hand_over(loop, std::move(socket));
      } else if (out_of_resources(error)) {
        return back_off(error);
      } else if (queue_empty(error)) {
        break;
      }
    }
    wait();
  }

  void hand_over(Loop& loop, tcp::socket socket) {
    if (!state_->admit()) return refuse();
    ++next_;
    error_code error;
    socket.set_option(tcp::no_delay(true), error);
    socket.non_blocking(true, error);
    said_ = false;
    loop.post([&loop, state = state_, socket = std::move(socket)]() mutable { begin(loop, state, std::move(socket)); });
  }

  static void begin(Loop& loop, const std::shared_ptr<ListenerState>& state, tcp::socket socket) {
    if (state->refusing()) {
      error_code error;
      socket.close(error);
      return state->release();
    }
    auto connection = std::make_shared<TcpConnection>(loop, std::move(socket), state);
    state->add(connection);
    connection->start();
  }

  void refuse() { say(fmt::format("refusing connections: {} are open, the most that are allowed", state_->live())); }

  void back_off(const error_code& error) {
    say(fmt::format("can't accept: {}; raise the limit on open files (ulimit -n)", error.message()));
    back_off_ = loops_[0]->after(kAcceptBackOff, [this] { accept_some(); });
  }

  /// Says what is wrong once, until a connection is accepted again; that may come and go all the time.
  void say(std::string_view what) {
    auto now = std::chrono::steady_clock::now();
    if (said_ || now < quiet_until_) return;
    said_ = true;
    quiet_until_ = now + kSayPause;
    log_warn("{} on port {}: {}", state_->options().name, state_->options().port, what);
  }

  std::vector<Loop*> loops_;
  tcp::acceptor acceptor_;
  std::shared_ptr<ListenerState> state_;
  std::unique_ptr<EventLoop::Timer> back_off_;
  size_t next_ = 0;
  bool said_ = false;
  std::chrono::steady_clock::time_point quiet_until_;
};

TcpListener::TcpListener(std::vector<Loop*> loops, tcp::acceptor acceptor, ListenOptions options,
                         std::shared_ptr<ConnectionRoom> room, SessionFactory factory, Function<void()> on_closed)
    : loops_(std::move(loops)), on_closed_(std::move(on_closed)) {
  port_ = options.port = acceptor.local_endpoint().port();
  state_ = std::make_shared<ListenerState>(std::move(options), std::move(room), std::move(factory), loops_.size());
  acceptor_ = std::make_shared<Acceptor>(loops_, std::move(acceptor), state_);
  loops_[0]->post([acceptor = acceptor_] { acceptor->wait(); });
}

TcpListener::~TcpListener() {
  for (Loop* loop : loops_) CHECK(!loop->in_loop());
  std::promise<void> closed;
  loops_[0]->post([&] {
    acceptor_->close();
    closed.set_value();
  });
  closed.get_future().wait();
  state_->refuse_new();
  for (Loop* loop : loops_) loop->post([state = state_, loop] { state->close_all(loop->index()); });
  state_->wait_until_none();
  on_closed_();
}

}  // namespace headrace::net::internal
