#include "net/connect.h"

#include <atomic>
#include <future>

namespace headrace::net {
namespace {

/// Sends back what it gets.
class Echo : public Session {
 public:
  explicit Echo(Connection& connection) : connection_(connection) {}
  size_t on_bytes(BytesView bytes) override {
    connection_.send_copy(bytes);
    return bytes.size();
  }

 private:
  Connection& connection_;
};

/// Sends a greeting and tells what comes back.
class Greeter : public Session {
 public:
  Greeter(Connection& connection, std::promise<std::string>& heard) : heard_(heard) {
    connection.send_copy(as_bytes("hello"));
  }
  size_t on_bytes(BytesView bytes) override {
    if (bytes.size() < 5) return 0;
    heard_.set_value(std::string(as_text(bytes)));
    return bytes.size();
  }

 private:
  std::promise<std::string>& heard_;
};

TEST(Connect, TalksToAListener) {
  auto loops = EventLoops::start(2);
  auto listener = loops->listen({}, [](Connection& c) { return std::make_unique<Echo>(c); });
  ASSERT_TRUE(listener.ok());
  std::promise<std::string> heard;
  auto client = connect(
      loops->loop(1), {.port = (*listener)->port()}, [&](Connection& c) { return std::make_unique<Greeter>(c, heard); },
      [](Error) { FAIL(); });
  EXPECT_EQ(heard.get_future().get(), "hello");
}

TEST(Connect, ARefusedConnectionIsToldWithTheAddress) {
  auto loops = EventLoops::start(1);
  uint16_t port;
  {
    auto listener = loops->listen({}, [](Connection& c) { return std::make_unique<Echo>(c); });
    port = (*listener)->port();
  }
  std::promise<Error> failed;
  auto client = connect(
      loops->loop(0), {.port = port}, [](Connection& c) { return std::make_unique<Echo>(c); },
      [&](Error error) { failed.set_value(std::move(error)); });
  Error error = failed.get_future().get();
  EXPECT_EQ(error.code, ErrorCode::kUnavailable);
  EXPECT_THAT(error.message, testing::HasSubstr(std::to_string(port)));
}

/// A Greeter that tells of its end.
class Mortal : public Greeter {
 public:
  Mortal(Connection& connection, std::promise<std::string>& heard, std::atomic<bool>& ended)
      : Greeter(connection, heard), ended_(ended) {}
  ~Mortal() override { ended_ = true; }

 private:
  std::atomic<bool>& ended_;
};

TEST(Connect, DestroyingTheHandleEndsTheSession) {
  auto loops = EventLoops::start(1);
  auto listener = loops->listen({}, [](Connection& c) { return std::make_unique<Echo>(c); });
  std::promise<std::string> heard;
  std::atomic<bool> ended{false};
  auto client = connect(
      loops->loop(0), {.port = (*listener)->port()},
      [&](Connection& c) { return std::make_unique<Mortal>(c, heard, ended); }, [](Error) { FAIL(); });
  heard.get_future().wait();
  EXPECT_FALSE(ended);
  client.reset();
  EXPECT_TRUE(ended);
}

}  // namespace
}  // namespace headrace::net
