#include "net/event_loops.h"

#include <sys/resource.h>

#include <atomic>
#include <cstdio>
#include <future>
#include <set>
#include <thread>

#include "net/internal/receive_buffer.h"
#include "net/internal/send_queue.h"
#include "net/testing.h"

namespace headrace::net {
namespace {

using namespace std::chrono_literals;

/// A session made of functions.
class ScriptedSession final : public Session {
 public:
  struct Script {
    std::function<size_t(Connection&, BytesView)> on_bytes = [](Connection&, BytesView b) { return b.size(); };
    std::function<void(Connection&)> on_drained = [](Connection&) {};
    std::function<bool()> on_end = [] { return false; };
    std::function<void()> on_close = [] {};
  };
  ScriptedSession(Connection& connection, const Script& script) : connection_(connection), script_(script) {}
  size_t on_bytes(BytesView bytes) override { return script_.on_bytes(connection_, bytes); }
  void on_drained() override { script_.on_drained(connection_); }
  bool on_end() override { return script_.on_end(); }
  void on_close() override { script_.on_close(); }

 private:
  Connection& connection_;
  const Script& script_;
};

class EventLoopsTest : public testing::Test {
 protected:
  void listen(ListenOptions options = {}) {
    auto listener =
        loops_->listen(options, [this](Connection& c) { return std::make_unique<ScriptedSession>(c, script_); });
    ASSERT_TRUE(listener.ok()) << listener.error().message;
    listener_ = *std::move(listener);
  }
  TestClient client() { return TestClient(listener_->port()); }

  ScriptedSession::Script script_;
  std::unique_ptr<EventLoops> loops_ = EventLoops::start(2);
  std::unique_ptr<Listener> listener_;
};

size_t echo(Connection& connection, BytesView bytes) {
  connection.send_copy(bytes);
  return bytes.size();
}

TEST_F(EventLoopsTest, EchoesWhatItReceives) {
  script_.on_bytes = echo;
  listen();
  auto a = client();
  a.send("hello");
  EXPECT_EQ(a.read(5), "hello");
}

TEST_F(EventLoopsTest, UnconsumedBytesComeAgainWithMoreBehindThem) {
  // Consumes frames of ten bytes and answers with each.
  script_.on_bytes = [](Connection& connection, BytesView bytes) {
    size_t whole = bytes.size() / 10 * 10;
    connection.send_copy(bytes.first(whole));
    return whole;
  };
  listen();
  auto a = client();
  std::string text;
  for (int i = 0; i < 100; ++i) text += std::to_string(i % 10);
  for (char c : text) a.send({&c, 1});
  EXPECT_EQ(a.read(100), text);
}

TEST_F(EventLoopsTest, FrameLargerThanTheSharedBufferArrivesWhole) {
  constexpr size_t kSize = 5'000'000;
  script_.on_bytes = [](Connection& connection, BytesView bytes) -> size_t {
    if (bytes.size() < kSize) return 0;
    connection.send(SharedBytes(Bytes(bytes.begin(), bytes.begin() + kSize)));
    return kSize;
  };
  listen();
  auto a = client();
  std::string frame(kSize, 'x');
  for (size_t i = 0; i < kSize; i += 997) frame[i] = static_cast<char>(i);
  std::thread sender([&] { a.send(frame + "tail"); });
  sender.join();
  EXPECT_TRUE(a.read(kSize) == frame);
}

TEST_F(EventLoopsTest, TooManyUnconsumedBytesCloseTheConnection) {
  script_.on_bytes = [](Connection&, BytesView) -> size_t { return 0; };
  listen({.receive_bytes_max = 1000});
  auto a = client();
  a.send(std::string(2000, 'x'));
  EXPECT_TRUE(a.wait_closed());
}

TEST_F(EventLoopsTest, SendsOfOneHandlerArriveInOrderWhateverTheirKind) {
  script_.on_bytes = [](Connection& connection, BytesView bytes) {
    for (int i = 0; i < 300; ++i) {
      std::string text = std::to_string(i) + ",";
      if (i % 3 == 0) connection.send(SharedBytes(Bytes(text.begin(), text.end())));
      if (i % 3 != 0) connection.send_copy(as_bytes(text));
    }
    connection.close();
    return bytes.size();
  };
  listen();
  auto a = client();
  a.send("go");
  std::string expected;
  for (int i = 0; i < 300; ++i) expected += std::to_string(i) + ",";
  EXPECT_EQ(a.read_all(), expected);
}

TEST_F(EventLoopsTest, CloseSendsTheWholeQueueThoughThePeerKeepsSending) {
  script_.on_bytes = [](Connection& connection, BytesView bytes) {
    connection.send(SharedBytes(Bytes(8 << 20, 'a')));
    connection.close();
    return bytes.size();
  };
  listen();
  auto a = client();
  a.send("go");
  for (int i = 0; i < 50; ++i) a.send_without_waiting(std::string(1000, 'z'));
  EXPECT_EQ(a.read_all().size(), 8u << 20);
}

TEST_F(EventLoopsTest, OnDrainedComesWhenTheQueueFallsBelowTheLowMark) {
  std::atomic<int> drained{0};
  std::promise<void> once;
  script_.on_bytes = [](Connection& connection, BytesView bytes) {
    connection.send(SharedBytes(Bytes(16 << 20, 'a')));
    return bytes.size();
  };
  script_.on_drained = [&](Connection&) {
    if (drained++ == 0) once.set_value();
  };
  listen();
  auto a = client();
  a.send("go");
  EXPECT_EQ(a.read(16 << 20).size(), 16u << 20);
  EXPECT_EQ(once.get_future().wait_for(10s), std::future_status::ready);
  EXPECT_EQ(drained, 1);
}

TEST_F(EventLoopsTest, CloseNowInsideOnBytesEndsTheSessionAfterTheCall) {
  std::promise<bool> closed;
  bool inside = false;
  script_.on_bytes = [&](Connection& connection, BytesView bytes) {
    inside = true;
    connection.close_now();
    connection.close_now();
    connection.send_copy(bytes);
    inside = false;
    return bytes.size();
  };
  script_.on_close = [&] { closed.set_value(inside); };
  listen();
  auto a = client();
  a.send("x");
  EXPECT_FALSE(closed.get_future().get());
  EXPECT_EQ(a.read_all(), "");
}

TEST_F(EventLoopsTest, PeerResetEndsTheSession) {
  std::promise<void> closed;
  script_.on_bytes = echo;
  script_.on_close = [&] { closed.set_value(); };
  listen();
  auto a = client();
  a.send("x");
  EXPECT_EQ(a.read(1), "x");
  a.reset();
  EXPECT_EQ(closed.get_future().wait_for(10s), std::future_status::ready);
}

TEST_F(EventLoopsTest, HalfCloseByThePeerStillSendsWhatIsQueued) {
  script_.on_bytes = echo;
  listen();
  auto a = client();
  a.send("last words");
  a.shutdown_send();
  EXPECT_EQ(a.read_all(), "last words");
}

TEST_F(EventLoopsTest, SessionMayAnswerAfterTheHalfCloseOfThePeer) {
  Connection* connection = nullptr;
  script_.on_bytes = [&](Connection& c, BytesView bytes) { return connection = &c, bytes.size(); };
  script_.on_end = [&] {
    connection->loop().post([&] {
      connection->send_copy(as_bytes("late answer"));
      connection->close();
    });
    return true;
  };
  listen();
  auto a = client();
  a.send("question");
  a.shutdown_send();
  EXPECT_EQ(a.read_all(), "late answer");
}

/// Handles one byte, pauses, and goes on from the loop: as a session does that waits for an answer.
size_t take_one_byte(Connection& connection, BytesView bytes) {
  connection.send_copy(bytes.first(1));
  connection.pause_reading();
  connection.loop().post([&connection] { connection.resume_reading(); });
  return 1;
}

TEST_F(EventLoopsTest, PausedConnectionDeliversItsRestOnResume) {
  script_.on_bytes = take_one_byte;
  listen();
  auto a = client();
  a.send("0123456789");
  EXPECT_EQ(a.read(10), "0123456789");
}

TEST_F(EventLoopsTest, TheEndOfThePeerComesAfterAllThatItSent) {
  script_.on_bytes = take_one_byte;
  listen();
  for (int i = 0; i < 100; ++i) {
    auto a = client();
    a.send("0123456789");
    a.shutdown_send();
    ASSERT_EQ(a.read_all(), "0123456789");
  }
}

TEST_F(EventLoopsTest, ResumeWithinTheSameCallLosesNothing) {
  script_.on_bytes = [](Connection& connection, BytesView bytes) -> size_t {
    connection.send_copy(bytes.first(1));
    connection.pause_reading();
    connection.resume_reading();
    return 1;
  };
  listen();
  auto a = client();
  a.send("0123456789");
  EXPECT_EQ(a.read(10), "0123456789");
}

TEST_F(EventLoopsTest, SessionMayCloseWhileItsRestIsDelivered) {
  bool first = true;
  script_.on_bytes = [&](Connection& connection, BytesView bytes) -> size_t {
    connection.pause_reading();
    if (std::exchange(first, false)) {
      connection.loop().post([&connection] { connection.resume_reading(); });
    } else {
      connection.close();
    }
    return bytes.size() - 1;
  };
  listen();
  auto a = client();
  a.send("0123456789");
  EXPECT_TRUE(a.wait_closed());
}

TEST_F(EventLoopsTest, PausedConnectionReadsNothing) {
  std::atomic<size_t> received{0};
  std::promise<Connection*> paused;
  script_.on_bytes = [&](Connection& connection, BytesView bytes) {
    bool first = received.fetch_add(bytes.size()) == 0;
    if (first) {
      connection.pause_reading();
      paused.set_value(&connection);
    }
    return bytes.size();
  };
  listen();
  auto a = client();
  a.send("x");
  Connection* connection = paused.get_future().get();
  size_t sent = 0;
  std::string chunk(65536, 'y');
  while (size_t n = a.send_without_waiting(chunk)) sent += n;
  EXPECT_EQ(received, 1u);
  std::promise<void> resumed;
  connection->loop().post([&] {
    connection->resume_reading();
    resumed.set_value();
  });
  resumed.get_future().wait();
  a.shutdown_send();
  EXPECT_TRUE(a.wait_closed());
  EXPECT_EQ(received, 1 + sent);
}

TEST_F(EventLoopsTest, ListenerDestroyedWhileConnectionsLiveEndsTheirSessionsFirst) {
  std::atomic<int> closed{0};
  std::atomic<int> opened{0};
  script_.on_bytes = [&](Connection& c, BytesView b) { return opened++, echo(c, b); };
  script_.on_close = [&] { closed++; };
  listen();
  std::vector<TestClient> clients;
  for (int i = 0; i < 20; ++i) {
    clients.push_back(client());
    clients.back().send("x");
    EXPECT_EQ(clients.back().read(1), "x");
  }
  uint16_t port = listener_->port();
  listener_.reset();
  EXPECT_EQ(closed, 20);
  for (auto& c : clients) EXPECT_TRUE(c.wait_closed());
  EXPECT_FALSE(TestClient(port).connected());
}

TEST_F(EventLoopsTest, ConnectionsAreSpreadOverTheLoops) {
  script_.on_bytes = [](Connection& connection, BytesView bytes) {
    connection.send_copy(as_bytes(std::to_string(connection.loop().index())));
    return bytes.size();
  };
  listen();
  std::multiset<std::string> loops;
  std::vector<TestClient> clients;
  for (int i = 0; i < 10; ++i) {
    clients.push_back(client());
    clients.back().send("x");
    loops.insert(clients.back().read(1));
  }
  EXPECT_EQ(loops.count("0"), 5u);
  EXPECT_EQ(loops.count("1"), 5u);
}

TEST_F(EventLoopsTest, ConnectionsOverTheLimitAreClosedAtOnce) {
  script_.on_bytes = echo;
  listen({.connections_max = 1});
  auto a = client();
  a.send("x");
  EXPECT_EQ(a.read(1), "x");
  auto b = client();
  EXPECT_TRUE(b.wait_closed());
  a.send("y");
  EXPECT_EQ(a.read(1), "y");
}

TEST_F(EventLoopsTest, AllListenersTogetherHaveALimitToo) {
  script_.on_bytes = echo;
  loops_ = EventLoops::start(1, {.connections_max = 1});
  listen();
  auto first = std::move(listener_);
  listen();
  {
    TestClient a(first->port());
    a.send("x");
    EXPECT_EQ(a.read(1), "x");
    EXPECT_TRUE(client().wait_closed());
  }
  first.reset();  // With its connection.
  auto b = client();
  b.send("y");
  EXPECT_EQ(b.read(1), "y");
}

TEST_F(EventLoopsTest, PortInUseNamesTheListenerThatHasIt) {
  listen({.name = "mqtt"});
  auto second = loops_->listen({.port = listener_->port(), .name = "http"}, [](Connection&) { return nullptr; });
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.error().code, ErrorCode::kAlreadyExists);
  EXPECT_THAT(second.error().message, testing::HasSubstr("mqtt"));
  auto other = EventLoops::start(1);
  auto foreign = other->listen({.port = listener_->port(), .name = "http"}, [](Connection&) { return nullptr; });
  ASSERT_FALSE(foreign.ok());
  EXPECT_EQ(foreign.error().code, ErrorCode::kAlreadyExists);
  EXPECT_THAT(foreign.error().message, testing::HasSubstr("choose another port"));
}

TEST_F(EventLoopsTest, UnknownHostIsAnInvalidArgument) {
  auto listener = loops_->listen({.host = "no-such-host.invalid"}, [](Connection&) { return nullptr; });
  ASSERT_FALSE(listener.ok());
  EXPECT_EQ(listener.error().code, ErrorCode::kInvalidArgument);
}

TEST_F(EventLoopsTest, AddressesAreThoseThatTheClientSees) {
  script_.on_bytes = [](Connection& connection, BytesView bytes) {
    std::string text = connection.remote_address() + " " + connection.local_address() + "\n";
    connection.send_copy(as_bytes(text));
    return bytes.size();
  };
  listen();
  auto a = client();
  a.send("x");
  sockaddr_in mine{};
  socklen_t size = sizeof(mine);
  ::getsockname(a.fd(), reinterpret_cast<sockaddr*>(&mine), &size);
  EXPECT_EQ(a.read_until("\n"), "127.0.0.1:" + std::to_string(ntohs(mine.sin_port)) +
                                    " 127.0.0.1:" + std::to_string(listener_->port()) + "\n");
}

TEST_F(EventLoopsTest, OutOfDescriptorsServesAgainOnceThereAreSome) {
  script_.on_bytes = echo;
  listen();
  auto a = client();
  a.send("x");
  EXPECT_EQ(a.read(1), "x");
  rlimit before{};
  ::getrlimit(RLIMIT_NOFILE, &before);
  int last = ::dup(0);  // The lowest free descriptor becomes the last one that is allowed, and the client's.
  rlimit tight{static_cast<rlim_t>(last + 1), before.rlim_max};
  ::setrlimit(RLIMIT_NOFILE, &tight);
  ::close(last);
  auto late = client();
  EXPECT_TRUE(late.connected());
  late.send("z");
  a.send("y");
  EXPECT_EQ(a.read(1), "y");
  ::setrlimit(RLIMIT_NOFILE, &before);
  EXPECT_EQ(late.read(1), "z");
}

TEST_F(EventLoopsTest, TasksAtTheEndOfAnIterationRunBeforeItsBytesLeave) {
  script_.on_bytes = [](Connection& connection, BytesView bytes) {
    connection.loop().at_iteration_end([&connection] { connection.send_copy(as_bytes("end\n")); });
    connection.send_copy(as_bytes("handler "));
    return bytes.size();
  };
  listen();
  auto a = client();
  a.send("x");
  EXPECT_EQ(a.read_until("\n"), "handler end\n");
}

TEST_F(EventLoopsTest, TimerRunsOnItsLoopAndADestroyedOneDoesNot) {
  std::promise<bool> ran;
  std::atomic<bool> cancelled_ran{false};
  EventLoop& loop = loops_->loop(1);
  std::unique_ptr<EventLoop::Timer> kept, dropped;
  loop.post([&] {
    dropped = loop.after(1ms, [&] { cancelled_ran = true; });
    kept = loop.after(20ms, [&] { ran.set_value(loop.in_loop()); });
    dropped.reset();
  });
  EXPECT_TRUE(ran.get_future().get());
  EXPECT_FALSE(cancelled_ran);
}

TEST(ReceiveBuffer, HoldsNothingWhileEmptyAndShrinksAfterALargeFrame) {
  internal::ReceiveBuffer buffer;
  EXPECT_EQ(buffer.capacity(), 0u);
  std::memset(buffer.reserve_tail(1 << 20, SIZE_MAX), 'a', 1 << 20);
  buffer.commit(1 << 20);
  buffer.consume((1 << 20) - 3);
  EXPECT_EQ(as_text(buffer.view()), "aaa");
  EXPECT_LE(buffer.capacity(), 16u);
  buffer.consume(3);
  EXPECT_EQ(buffer.capacity(), 0u);
}

/// A temporary file without a name.
FileRange range_of_file(const std::string& content) {
  auto file = std::shared_ptr<std::FILE>(std::tmpfile(), &std::fclose);
  CHECK(file && std::fwrite(content.data(), 1, content.size(), file.get()) == content.size());
  CHECK(std::fflush(file.get()) == 0);
  int descriptor = ::fileno(file.get());
  return {std::move(file), descriptor, 0, content.size()};
}

TEST_F(EventLoopsTest, SendsRangesOfFilesInTheirPlaceAmongOtherBytes) {
  std::string content(3'000'000, '\0');
  for (size_t i = 0; i < content.size(); ++i) content[i] = static_cast<char>(i * 31 >> 3);
  FileRange whole = range_of_file(content);
  script_.on_bytes = [&](Connection& connection, BytesView bytes) {
    connection.send_copy(as_bytes("<"));
    connection.send(FileRange{whole.owner, whole.descriptor, 1000, 2'000'000});
    connection.send_copy(as_bytes("|"));
    connection.send(FileRange{whole.owner, whole.descriptor, 0, 10});
    connection.send(FileRange{whole.owner, whole.descriptor, 10, 10});
    connection.send(SharedBytes(Bytes(100'000, '.')));
    connection.send_copy(as_bytes(">"));
    return bytes.size();
  };
  listen();
  auto a = client();
  std::string expected =
      "<" + content.substr(1000, 2'000'000) + "|" + content.substr(0, 20) + std::string(100'000, '.') + ">";
  for (int i = 0; i < 3; ++i) {
    a.send("?");
    EXPECT_TRUE(a.read(expected.size()) == expected);
  }
}

TEST_F(EventLoopsTest, AFileThatEndsEarlyClosesTheConnection) {
  FileRange range = range_of_file(std::string(50'000, 'x'));
  range.size = 60'000;
  script_.on_bytes = [&](Connection& connection, BytesView bytes) {
    connection.send(range);
    return bytes.size();
  };
  listen();
  auto a = client();
  a.send("?");
  EXPECT_LE(a.read(60'000).size(), 50'000u);
  EXPECT_TRUE(a.wait_closed());
}

TEST(SendQueue, PartialSendsContinueWhereTheyStopped) {
  internal::SendQueue queue;
  std::string expected, got;
  for (int i = 0; i < 5000; ++i) {
    std::string text = std::to_string(i) + ";";
    expected += text;
    i % 2 ? queue.push_copy(as_bytes(text)) : queue.push(SharedBytes(Bytes(text.begin(), text.end())));
  }
  EXPECT_EQ(queue.bytes(), expected.size());
  internal::SendQueue::Slices slices;
  for (size_t step = 1; queue.bytes() > 0; step = step % 37 + 1) {
    std::string front;
    for (const auto& slice : queue.front(slices)) front.append(static_cast<const char*>(slice.data()), slice.size());
    got += front.substr(0, step);
    queue.pop(std::min(step, front.size()));
  }
  EXPECT_EQ(got, expected);
}

}  // namespace
}  // namespace headrace::net
