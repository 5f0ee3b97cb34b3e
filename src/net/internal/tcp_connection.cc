#include "net/internal/tcp_connection.h"

#include <fmt/format.h>
#include <sys/sendfile.h>
#include <sys/socket.h>

#include "base/logging.h"
#include "net/internal/tcp_listener.h"

namespace headrace::net::internal {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

/// A rest larger than this is completed in its own buffer instead of being copied in front of each new read.
constexpr size_t kCopiedRestBytesMax = 64 << 10;
constexpr size_t kReadBytes = 256 << 10;
/// Room that is made for the rest of a frame before as much of it has come.
constexpr size_t kRoomAtOnceMax = 4 << 20;
/// What one connection may send before the others of its loop get their turn.
constexpr size_t kFlushBytesMax = 4 << 20;
constexpr milliseconds kDrainDeadline{10'000};
constexpr milliseconds kLingerDeadline{1'000};

std::string to_text(const tcp::endpoint& endpoint) {
  auto address = endpoint.address();
  // What a socket of both families calls "::ffff:127.0.0.1" was dialled as 127.0.0.1.
  bool mapped = address.is_v6() && address.to_v6().is_v4_mapped();
  if (mapped) address = asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6());
  auto format = address.is_v6() ? "[{}]:{}" : "{}:{}";
  return fmt::format(fmt::runtime(format), address.to_string(), endpoint.port());
}

bool would_block(const error_code& error) {
  return error == asio::error::would_block || error == asio::error::try_again || error == asio::error::interrupted;
}

}  // namespace

TcpConnection::TcpConnection(Loop& loop, tcp::socket socket, std::shared_ptr<ListenerState> listener)
    : loop_(loop), socket_(std::move(socket)), listener_(std::move(listener)) {
  error_code error;
  remote_ = socket_.remote_endpoint(error);
}

void TcpConnection::start() {
  session_ = listener_->make_session(*this);
  wait_readable();
}

std::string TcpConnection::remote_address() const { return to_text(remote_); }

std::string TcpConnection::local_address() const {
  error_code error;
  return to_text(socket_.local_endpoint(error));
}

// Receiving.

void TcpConnection::wait_readable() {
  bool waits = paused_ || (starved_ && phase_ == Phase::kOpen);
  if (waiting_readable_ || waits || peer_ended_ || doomed_) return;
  waiting_readable_ = true;
  socket_.async_wait(tcp::socket::wait_read, [self = shared_from_this()](const error_code& error) {
    self->waiting_readable_ = false;
    if (!error) self->on_readable();
  });
}

void TcpConnection::on_readable() {
  if (doomed_ || phase_ == Phase::kDestroyed) return;
  if (phase_ != Phase::kOpen) {
    discard();
  } else if (!paused_ && !starved_) {
    if (!may_receive()) return starve();
    receive();
    account();
  }
  wait_readable();
}

void TcpConnection::receive() {
  bool large = std::max(rest_.size(), frame_bytes_) > kCopiedRestBytesMax;
  bool expected_only = rest_.empty() && is_short_of_memory(frame_bytes_);
  if (large && !expected_only) {
    receive_into_rest();
  } else {
    receive_into_loop_space();
  }
  if (rest_.size() > listener_->options().receive_bytes_max) {
    log_debug("{}: closing {}: more than {} bytes received that make no whole frame", listener_->options().name,
              remote_address(), listener_->options().receive_bytes_max);
    close_now();
  }
}

void TcpConnection::receive_into_loop_space() {
  std::span<uint8_t> space = loop_.receive_space();
  size_t before = rest_.size();
  if (before > 0) std::memcpy(space.data(), rest_.view().data(), before);
  size_t received = read_some(space.data() + before, receive_room());
  if (received == 0) return;
  BytesView bytes(space.data(), before + received);
  size_t consumed = deliver(bytes);
  if (phase_ == Phase::kOpen) rest_.assign(bytes.subspan(consumed));
}

void TcpConnection::receive_into_rest() {
  size_t wanted = room_wanted();
  size_t useful = rest_.size() < frame_bytes_ ? frame_bytes_ : SIZE_MAX;
  size_t received = read_some(rest_.reserve_tail(wanted, useful), wanted);
  if (rest_.empty() && received == 0) rest_.clear();
  if (received == 0) return;
  rest_.commit(received);
  deliver_rest();
}

// A frame is read to its end and no further, into room that was made once: what is read is not moved any more. So much
// room is made when some of the frame has come, or a frame as large before it.
size_t TcpConnection::room_wanted() const {
  if (frame_bytes_ <= rest_.size()) return kReadBytes;
  bool begun_only = !rest_.empty() && rest_.size() <= kCopiedRestBytesMax;
  size_t at_once = begun_only ? kReadBytes : std::max(rest_.size(), kRoomAtOnceMax);
  return std::min(frame_bytes_ - rest_.size(), at_once);
}

size_t TcpConnection::read_some(uint8_t* space, size_t bytes) {
  error_code error;
  size_t received = socket_.read_some(asio::buffer(space, bytes), error);
  moved_ += received;
  if (!error || would_block(error)) return received;
  if (error == asio::error::eof) {
    peer_ended_ = true;
    tell_peer_end();
  } else {
    close_now();
  }
  return 0;
}

size_t TcpConnection::deliver(BytesView bytes) {
  size_t consumed = session_->on_bytes(bytes);
  CHECK(consumed <= bytes.size());
  if (auto collected = session_->collected(); consumed > 0) {
    uint64_t before = std::exchange(collected_number_, collected.number);
    if (collected.bytes == 0 || collected.number != before) end_frame();
  }
  size_t begun = session_->frame_bytes();
  if (begun > 0 || consumed <= kCopiedRestBytesMax || consumed < bytes.size()) frame_bytes_ = begun;
  return consumed;
}

/// Tells the session that the peer sends no more, when it has seen all that came before that.
void TcpConnection::tell_peer_end() {
  if (!peer_ended_ || paused_ || redelivery_queued_ || doomed_ || phase_ != Phase::kOpen) return;
  if (!std::exchange(end_told_, true) && !session_->on_end()) close();
}

void TcpConnection::discard() {
  std::span<uint8_t> space = loop_.receive_space();
  error_code error;
  socket_.read_some(asio::buffer(space.data(), space.size()), error);
  if (!error || would_block(error)) return;
  peer_ended_ = true;
  if (phase_ == Phase::kLingering || error != asio::error::eof) close_now();
}

void TcpConnection::pause_reading() {
  if (phase_ == Phase::kOpen) paused_ = true;
}

void TcpConnection::resume_reading() {
  if (!std::exchange(paused_, false)) return;
  queue_redelivery();
  wait_readable();
}

void TcpConnection::queue_redelivery() {
  if (std::exchange(redelivery_queued_, true)) return;
  loop_.at_iteration_end([self = shared_from_this()] { self->redeliver(); });
}

void TcpConnection::redeliver() {
  redelivery_queued_ = false;
  if (doomed_ || paused_ || phase_ != Phase::kOpen) return;
  // Who does not read its answers asks for more of them.
  if (!frame_begun_ && queue_.memory_bytes() > 0 && is_short_of_memory(held_)) {
    redelivery_starved_ = true;
    return starve();
  }
  if (!rest_.empty()) deliver_rest();
  account();
  tell_peer_end();
}

void TcpConnection::deliver_rest() {
  size_t consumed = deliver(rest_.view());
  if (phase_ != Phase::kOpen) return rest_.clear();
  if (consumed > 0) rest_.consume(consumed);
}

// Memory. What is received into the loop's space and consumed there takes none.

/// What has come of a frame that has not come whole, and its size where that is known.
Session::Collected TcpConnection::frame() const {
  auto collected = session_ ? session_->collected() : Session::Collected();
  if (collected.bytes == 0) return {rest_.size(), rest_.empty() ? 0 : frame_bytes_};
  return {collected.bytes + rest_.size(), collected.frame_bytes, collected.number};
}

bool TcpConnection::is_short_of_memory(size_t bytes) const {
  return loop_.buffers().budget().exhausted(bytes > BufferBudget::kLargeBytes);
}

/// A frame is begun when more of it has come than its beginning, as what is announced only takes nothing; or when it is
/// the only one that can make room.
bool TcpConnection::may_receive() {
  if (frame_begun_) return true;
  auto [bytes, frame_bytes, number] = frame();
  bool little = bytes <= kCopiedRestBytesMax || frame_bytes <= bytes;
  if (little && !is_short_of_memory(std::max(bytes, frame_bytes))) return true;
  if (frame_bytes <= bytes || !loop_.buffers().budget().begin_frame(frame_bytes, fed_)) return false;
  counted_frame_bytes_ = frame_bytes;
  return frame_begun_ = true;
}

void TcpConnection::end_frame() {
  frame_begun_ = false;
  size_t counted = std::exchange(counted_frame_bytes_, 0);
  if (counted > 0) loop_.buffers().budget().end_frame(counted);
}

/// What may be received into the loop's space behind the rest.
size_t TcpConnection::receive_room() const {
  bool only_frame = !rest_.empty() && frame_bytes_ > rest_.size() && is_short_of_memory(frame_bytes_);
  return (only_frame ? frame_bytes_ : loop_.receive_space().size()) - rest_.size();
}

void TcpConnection::starve() {
  if (!std::exchange(starved_, true)) loop_.buffers().starve(shared_from_this());
}

void TcpConnection::end_starvation() {
  starved_ = false;
  fed_ = true;
  if (std::exchange(redelivery_starved_, false)) redeliver();
  on_readable();
  fed_ = false;
  if (!starved_) mark_ = steady_clock::now();  // Its time begins.
}

void TcpConnection::account() {
  if (doomed_ || phase_ == Phase::kDestroyed) return;
  auto [bytes, frame_bytes, number] = frame();
  if (frame_bytes <= bytes) {
    end_frame();
  } else if (frame_bytes <= kCopiedRestBytesMax) {
    frame_begun_ = true;
  }
  size_t room = bytes - rest_.size() + rest_.capacity();
  size_t kept = session_ ? session_->kept_bytes() : 0;
  account(std::max(room, frame_begun_ ? frame_bytes : 0) + kept + queue_.memory_bytes());
}

void TcpConnection::account(size_t held) {
  size_t before = std::exchange(held_, held);
  if (before == held) return;
  BufferHolders& holders = loop_.buffers();
  holders.budget().change(before, held);
  if (before == 0) {
    moved_at_mark_ = moved_;
    mark_ = steady_clock::now();
    holders.add(*this);
  } else if (held == 0) {
    holders.remove(*this);
  }
}

bool TcpConnection::is_stalled(steady_clock::time_point now) {
  // Who waits for our answer is not late himself, but must not hold what others need for as long as he likes: he may
  // have asked for what takes minutes.
  bool waits_for_us = paused_ && queue_.bytes() == 0;
  bool in_need = held_ > kCopiedRestBytesMax && loop_.buffers().budget().wanted() > 0;
  if ((waits_for_us && !in_need) || moved_ - moved_at_mark_ >= BufferBudget::kProgressBytes) {
    mark_ = now;
    moved_at_mark_ = moved_;
  }
  const auto& limits = loop_.buffers().budget().limits();
  return now - mark_ >= (starved_ || waits_for_us ? limits.starved_max : limits.stalled_max);
}

bool TcpConnection::is_in_the_way() const { return !starved_ && held_ > kCopiedRestBytesMax; }

// Sending.

void TcpConnection::send(Sendable bytes) {
  if (phase_ != Phase::kOpen || doomed_) return;
  queue_.push(std::move(bytes));
  mark_dirty();
}

void TcpConnection::send_copy(BytesView bytes) {
  if (phase_ != Phase::kOpen || doomed_) return;
  queue_.push_copy(bytes);
  mark_dirty();
}

void TcpConnection::mark_dirty() {
  if (waiting_writable_) account();
  if (dirty_ || waiting_writable_) return;
  dirty_ = true;
  loop_.flush_at_end(shared_from_this());
}

void TcpConnection::flush() {
  dirty_ = false;
  if (doomed_ || phase_ == Phase::kDestroyed || phase_ == Phase::kLingering) return;
  size_t before = queue_.bytes();
  for (size_t sent = 0; queue_.bytes() > 0;) {
    if (sent > kFlushBytesMax) {
      mark_dirty();
      break;
    }
    error_code error;
    size_t bytes = send_front(error);
    if (would_block(error)) {
      wait_writable();
      break;
    }
    if (error) return close_now();
    queue_.pop(bytes);
    moved_ += bytes;
    sent += bytes;
  }
  account();
  after_flush(before);
}

size_t TcpConnection::send_front(error_code& error) {
  if (auto range = queue_.front_range()) return send_range(*range, error);
  SendQueue::Slices slices;
  auto front = queue_.front(slices);
  // With MSG_MORE what stands before a file range leaves in one segment with its beginning.
  return socket_.send(front, queue_.more_than(front.size()) ? MSG_MORE : 0, error);
}

size_t TcpConnection::send_range(const FileRange& range, error_code& error) {
  auto offset = static_cast<off_t>(range.offset);
  ssize_t sent = ::sendfile(socket_.native_handle(), range.descriptor, &offset, range.size);
  if (sent > 0) return static_cast<size_t>(sent);
  error = sent == 0 ? error_code(asio::error::eof) : error_code(errno, boost::system::system_category());
  if (sent == 0 || errno == EIO) {
    log_error("{}: closing {}: {} bytes at {} of a file can't be sent: {}", listener_->options().name, remote_address(),
              range.size, range.offset, error.message());
  }
  return 0;
}

void TcpConnection::after_flush(size_t before) {
  if (phase_ == Phase::kDraining && queue_.bytes() == 0) return linger();
  if (queue_.memory_bytes() == 0 && std::exchange(redelivery_starved_, false)) queue_redelivery();
  size_t low = listener_->options().send_queue_low_bytes;
  if (phase_ == Phase::kOpen && before >= low && queue_.bytes() < low) session_->on_drained();
}

void TcpConnection::wait_writable() {
  if (waiting_writable_) return;
  waiting_writable_ = true;
  socket_.async_wait(tcp::socket::wait_write, [self = shared_from_this()](const error_code& error) {
    self->waiting_writable_ = false;
    if (!error) self->mark_dirty();
  });
}

// Closing.

void TcpConnection::close() {
  if (phase_ != Phase::kOpen || doomed_) return;
  phase_ = Phase::kDraining;
  set_deadline(kDrainDeadline);
  paused_ = false;
  wait_readable();
  mark_dirty();
}

void TcpConnection::linger() {
  phase_ = Phase::kLingering;
  error_code error;
  socket_.shutdown(tcp::socket::shutdown_send, error);
  if (error || peer_ended_) return close_now();
  end_session();
  set_deadline(kLingerDeadline);
}

void TcpConnection::close_now() {
  if (doomed_) return;
  doomed_ = true;
  loop_.destroy_at_end(shared_from_this());
}

void TcpConnection::destroy() {
  if (phase_ == Phase::kDestroyed) return;
  phase_ = Phase::kDestroyed;
  doomed_ = true;
  error_code error;
  // With bytes unsent the peer gets a reset: it must not take what it has for everything, nor hold the kernel's
  // buffers.
  if (queue_.bytes() > 0) socket_.set_option(asio::socket_base::linger(true, 0), error);
  socket_.close(error);
  deadline_.reset();
  rest_.clear();
  end_frame();
  account(0);
  end_session();
  listener_->remove(*this);
}

void TcpConnection::end_session() {
  if (!session_) return;
  session_->on_close();
  session_.reset();
}

void TcpConnection::set_deadline(milliseconds delay) {
  deadline_ = loop_.after(delay, [self = weak_from_this()] {
    if (auto connection = self.lock()) connection->close_now();
  });
}

}  // namespace headrace::net::internal
