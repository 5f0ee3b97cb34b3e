// What connections hold in memory together, and what becomes of those that hold it when it is short.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <thread>

#include "net/event_loops.h"
#include "net/http.h"
#include "net/testing.h"

namespace headrace::net {
namespace {

using namespace std::chrono_literals;

constexpr size_t kKiB = 1 << 10, kMiB = 1 << 20;

/// Frames of four bytes of size and as many bytes, each answered by its last byte; "R" asks for a large answer first.
class Frames final : public Session {
 public:
  explicit Frames(Connection& connection) : connection_(connection) {}
  size_t on_bytes(BytesView bytes) override {
    frame_bytes_ = 0;
    size_t used = 0;
    while (bytes.size() >= used + 4) {
      uint32_t size;
      std::memcpy(&size, bytes.data() + used, 4);
      if (bytes.size() < used + 4 + size) {
        frame_bytes_ = 4 + size;
        bool half = bytes.size() - used > size / 2;
        if (half && bytes[used + 4] == 'P') connection_.pause_reading();
        break;
      }
      if (bytes[used + 4] == 'R') connection_.send(SharedBytes(Bytes(32 * kMiB, 'r')));
      connection_.send_copy(bytes.subspan(used + 4 + size - 1, 1));
      used += 4 + size;
    }
    return used;
  }
  size_t frame_bytes() const override { return frame_bytes_; }

 private:
  Connection& connection_;
  size_t frame_bytes_ = 0;
};

std::string frame(size_t size, char fill) {
  auto bytes = static_cast<uint32_t>(size);
  return std::string(reinterpret_cast<const char*>(&bytes), 4) + std::string(size, fill);
}

class BufferLimit : public testing::Test {
 protected:
  void start(size_t bytes_max, std::chrono::milliseconds stalled_max) {
    loops_ = EventLoops::start(
        1, {.buffer_bytes_max = bytes_max, .stalled_max = stalled_max, .starved_max = 2 * stalled_max});
    auto listener = loops_->listen({}, [](Connection& connection) { return std::make_unique<Frames>(connection); });
    ASSERT_TRUE(listener.ok()) << listener.error().message;
    listener_ = *std::move(listener);
  }
  TestClient client() { return TestClient(listener_->port()); }
  /// Sends the beginning of a frame, and waits until memory was taken for all of it.
  TestClient begin(const std::string& frame, size_t sent) {
    size_t before = loops_->buffered_bytes();
    auto sender = client();
    EXPECT_TRUE(sender.send({frame.data(), sent - 1}));
    while (loops_->buffered_bytes() < before + sent - 1) std::this_thread::yield();
    EXPECT_TRUE(sender.send({frame.data() + sent - 1, 1}));  // It is begun when more comes than its beginning.
    while (loops_->buffered_bytes() < before + frame.size()) std::this_thread::yield();
    return sender;
  }
  void wait_until_held(size_t bytes) {
    while (loops_->buffered_bytes() != bytes) std::this_thread::yield();
  }

  std::unique_ptr<EventLoops> loops_;
  std::unique_ptr<Listener> listener_;
};

TEST_F(BufferLimit, AFrameThatWasBegunIsReadToItsEndAndOthersWaitForIt) {
  start(512 * kKiB, 1h);
  auto large = frame(600 * kKiB, 'a');
  auto first = begin(large, 100 * kKiB);
  auto second = client();
  second.send(frame(10, 'b'));
  first.send(std::string_view(large).substr(100 * kKiB));
  EXPECT_EQ(first.read(1), "a");
  EXPECT_EQ(second.read(1), "b");
  wait_until_held(0);
}

TEST_F(BufferLimit, ManyLargeFramesAtOnceArriveAllTheSame) {
  start(kMiB, 1h);
  std::vector<std::thread> senders;
  std::atomic<int> answered{0};
  for (int i = 0; i < 20; ++i) {
    senders.emplace_back([&] {
      auto sender = client();
      for (int n = 0; n < 5; ++n) {
        sender.send(frame(700 * kKiB, 'x'));
        if (sender.read(1) == "x") ++answered;
      }
    });
  }
  for (auto& sender : senders) sender.join();
  EXPECT_EQ(answered, 100);
  wait_until_held(0);
}

TEST_F(BufferLimit, SmallFramesAreAnsweredWhileLargeOnesWait) {
  start(16 * kMiB, 1h);
  auto large = frame(14 * kMiB, 'a');  // More than large ones may have together.
  auto first = begin(large, kMiB);
  auto waiting = client();
  auto second = frame(3 * kMiB, 'b');
  waiting.send({second.data(), kMiB});
  auto small = client();
  small.send(frame(1 * kMiB, 'c'));
  EXPECT_EQ(small.read(1), "c");
  waiting.send(std::string_view(second).substr(kMiB));
  first.send(std::string_view(large).substr(kMiB));
  EXPECT_EQ(first.read(1), "a");
  EXPECT_EQ(waiting.read(1), "b");
  wait_until_held(0);
}

TEST_F(BufferLimit, WhoStandsStillWithAFrameMakesRoomForOthers) {
  start(512 * kKiB, 100ms);
  auto stalled = begin(frame(600 * kKiB, 'a'), 100 * kKiB);
  auto other = client();
  other.send(frame(10, 'b'));
  EXPECT_EQ(other.read(1), "b");
  EXPECT_TRUE(stalled.wait_closed());
  wait_until_held(0);
}

TEST_F(BufferLimit, SmallFramesThatNeverEndMakeRoomForOthersToo) {
  start(512 * kKiB, 100ms);
  std::vector<TestClient> halves;
  for (int i = 0; i < 9; ++i) halves.push_back(begin(frame(60 * kKiB, 'a'), 10));
  auto other = client();
  other.send(frame(10, 'b'));
  EXPECT_EQ(other.read(1), "b");
}

TEST_F(BufferLimit, WhoDoesNotReadItsAnswersMakesRoomForOthers) {
  start(kMiB, 100ms);
  auto slow = client();
  slow.send(frame(1, 'R'));
  auto other = client();
  while (loops_->buffered_bytes() < kMiB) std::this_thread::yield();
  other.send(frame(10, 'b'));
  EXPECT_EQ(other.read(1), "b");
  EXPECT_TRUE(slow.wait_closed());
  wait_until_held(0);
}

TEST_F(BufferLimit, WhatStandsBehindAnAnswerThatTakesLongMakesRoomForOthers) {
  start(512 * kKiB, 100ms);
  auto waiting = begin(frame(600 * kKiB, 'P'), 100 * kKiB);
  waiting.send(std::string(300 * kKiB, 'P'));
  auto other = client();
  other.send(frame(10, 'b'));
  EXPECT_EQ(other.read(1), "b");
  EXPECT_TRUE(waiting.wait_closed());
  wait_until_held(0);
}

/// Of a connection whose request before was let through.
TEST_F(BufferLimit, ABodyBehindAnotherIsAdmittedByItself) {
  start(8 * kMiB, 1h);
  HttpOptions options;
  options.body_bytes_max = 16 * kMiB;
  auto server = make_http_server(*loops_, options);
  ASSERT_TRUE(server->start().ok());
  auto holder = begin(frame(7 * kMiB, 'a'), 100 * kKiB);

  TestClient sender(server->port());
  size_t held = loops_->buffered_bytes();
  const std::string post = "POST /nowhere HTTP/1.1\r\nHost: x\r\nContent-Length: ";
  sender.send(post + "1000\r\n\r\n" + std::string(500, 'b'));
  while (loops_->buffered_bytes() == held) std::this_thread::yield();
  sender.send(std::string(500, 'b') + post + std::to_string(options.body_bytes_max) + "\r\n\r\n" +
              std::string(100 * kKiB, 'c'));
  sender.read_until("404");
  const std::string body(kMiB, 'c');
  for (int i = 0; i < 50; ++i) {
    sender.send_without_waiting(body);
    auto other = client();
    other.send(frame(10, 'b'));
    EXPECT_EQ(other.read(1), "b");
  }
  EXPECT_LT(loops_->buffered_bytes(), 8 * kMiB);
}

/// Though the parser took each of their lines.
TEST_F(BufferLimit, HeadersThatNeverEndMakeRoomForOthersToo) {
  start(512 * kKiB, 100ms);
  auto server = make_http_server(*loops_, {});
  ASSERT_TRUE(server->start().ok());
  std::string lines = "GET / HTTP/1.1\r\n";
  for (int i = 0; i < 50; ++i) lines += "X: " + std::string(1000, 'h') + "\r\n";
  std::vector<std::unique_ptr<TestClient>> stalled;
  for (int i = 0; i < 20; ++i) {
    stalled.push_back(std::make_unique<TestClient>(server->port()));
    stalled.back()->send(lines);
  }
  while (loops_->buffered_bytes() < 300 * kKiB) std::this_thread::yield();
  auto other = client();
  other.send(frame(400 * kKiB, 'b'));
  EXPECT_EQ(other.read(1), "b");
  EXPECT_LT(loops_->buffered_bytes(), 600 * kKiB);
  for (auto& sender : stalled) sender->close();
  wait_until_held(0);
}

TEST_F(BufferLimit, WithRoomEnoughNobodyIsClosed) {
  start(2048 * kKiB, 10ms);
  auto large = frame(600 * kKiB, 'a');
  auto begun = begin(large, 100 * kKiB);
  for (int i = 0; i < 20; ++i) {
    auto stalled = begin(frame(700 * kKiB, 'c'), 100 * kKiB);  // Leaves more than a quarter of the room.
    auto other = client();
    other.send(frame(10, 'b'));
    EXPECT_EQ(other.read(1), "b");
    stalled.close();
    wait_until_held(large.size());
  }
  begun.send(std::string_view(large).substr(100 * kKiB));
  EXPECT_EQ(begun.read(1), "a");
}

}  // namespace
}  // namespace headrace::net
