#include "net/internal/buffer_holders.h"

#include <algorithm>

#include "base/logging.h"
#include "net/internal/tcp_connection.h"

namespace headrace::net::internal {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

/// How often holders are looked at, and how often it is while connections wait for memory.
constexpr milliseconds kLookInterval{1'000};
constexpr milliseconds kFeedInterval{20};
/// How long to be silent about a shortage, once that was said.
constexpr std::chrono::seconds kSayPause{10};
constexpr size_t kMiB = 1 << 20;

}  // namespace

void BufferHolders::add(TcpConnection& connection) {
  connection.holder_slot = holders_.size();
  holders_.push_back(&connection);
  if (!timer_) watch(kLookInterval);
}

void BufferHolders::remove(TcpConnection& connection) {
  holders_.back()->holder_slot = connection.holder_slot;
  holders_[connection.holder_slot] = holders_.back();
  holders_.pop_back();
}

void BufferHolders::starve(std::shared_ptr<TcpConnection> connection) {
  starved_.push_back(std::move(connection));
  tell_starving();
  if (!timer_ || !quick_) watch(kFeedInterval);
  auto now = steady_clock::now();
  if (now < quiet_until_) return;
  quiet_until_ = now + kSayPause;
  log_warn("the buffers of connections hold {} MiB, of {} that they may (listen.buffer_bytes_max): new requests wait",
           budget_.used() / kMiB, budget_.limits().bytes_max / kMiB);
}

void BufferHolders::watch(milliseconds delay) {
  quick_ = delay == kFeedInterval;
  timer_ = loop_.after(delay, [this] { look(); });
}

void BufferHolders::look() {
  feed_starved();
  tell_starving();
  close_stalled(steady_clock::now());
  timer_.reset();
  if (!starved_.empty()) return watch(kFeedInterval);
  if (!holders_.empty()) watch(kLookInterval);
}

void BufferHolders::feed_starved() {
  for (size_t left = starved_.size(); left > 0 && budget_.may_have_room(); --left) {
    auto connection = std::move(starved_.front());
    starved_.pop_front();
    connection->end_starvation();
  }
}

void BufferHolders::tell_starving() {
  size_t before = std::exchange(told_starving_, starved_.size());
  budget_.change_starving(before, starved_.size());
}

/// The largest first, as many as it takes. Little ones, and those that wait themselves, are in nobody's way unless all
/// is used up.
void BufferHolders::close_stalled(TimePoint now) {
  std::vector<TcpConnection*> stalled;
  bool exhausted = budget_.exhausted(/*for_large=*/false);
  for (TcpConnection* holder : holders_) {
    if (holder->is_stalled(now) && (exhausted || holder->is_in_the_way())) stalled.push_back(holder);
  }
  std::sort(stalled.begin(), stalled.end(), [](auto* a, auto* b) { return a->held_bytes() > b->held_bytes(); });
  size_t wanted = budget_.wanted();
  for (size_t freed = 0; !stalled.empty() && freed < wanted; stalled.erase(stalled.begin())) {
    freed += stalled.front()->held_bytes();
    closed_bytes_ += stalled.front()->held_bytes();
    ++closed_;
    stalled.front()->close_now();  // It leaves the list at the end of the iteration.
  }
  tell_closed(now);
}

void BufferHolders::tell_closed(TimePoint now) {
  if (closed_ == 0 || now < quiet_closed_until_) return;
  quiet_closed_until_ = now + kSayPause;
  log_warn("memory for buffers is short: closed {} connections that held {} MiB of it and moved too little",
           std::exchange(closed_, 0), std::exchange(closed_bytes_, 0) / kMiB);
}

}  // namespace headrace::net::internal
