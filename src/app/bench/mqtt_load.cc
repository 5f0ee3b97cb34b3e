#include "app/bench/mqtt_load.h"

#include <fmt/format.h>

#include <algorithm>
#include <mutex>
#include <thread>

#include "wire/mqtt/decode.h"
#include "wire/mqtt/encode.h"

namespace headrace::app {
namespace {

namespace mqtt = wire::mqtt;
using Clock = std::chrono::steady_clock;

constexpr size_t kPacketBytesMax = 4096;
constexpr size_t kSampleEvery = 64;

/// What all clients share.
struct Shared {
  std::atomic<size_t> connected{0};
  std::atomic<size_t> failed{0};
  std::atomic<bool> publishing{false};
  std::atomic<int64_t> acknowledged{0};
  std::mutex mutex;
  std::vector<int64_t> latencies_us;
  std::string trouble;

  void fail(std::string why) {
    std::lock_guard lock(mutex);
    trouble = std::move(why);
    ++failed;
  }
};

/// A JSON object of about `bytes` bytes.
std::string payload_of(size_t client, size_t bytes) {
  std::string text =
      fmt::format(R"({{"device":"d{}","ts":1760000000000,"temperature":21.5,"speed":42.25,"pad":")", client);
  if (text.size() + 2 < bytes) text.append(bytes - text.size() - 2, 'x');
  return text + "\"}";
}

class Publisher final : public net::Session {
 public:
  Publisher(net::Connection& connection, const MqttLoadOptions& options, size_t client, Shared& shared)
      : connection_(connection), options_(options), shared_(shared) {
    std::string topic = options.topic;
    if (size_t at = topic.find("{client}"); at != std::string::npos) topic.replace(at, 8, std::to_string(client));
    std::string payload = payload_of(client, options.payload_bytes);
    mqtt::encode(mqtt::Publish{.topic = topic, .payload = payload, .packet_id = 1, .qos = 1}, packet_);
    id_at_ = packet_.size() - payload.size() - 2;
    Bytes hello;
    std::string id = fmt::format("bench-{}", client);
    mqtt::encode(mqtt::Connect{.client_id = id, .keep_alive_s = 0}, hello);
    connection_.send_copy(hello);
  }

  /// On the loop: fills the window.
  void begin() {
    for (size_t i = 0; i < options_.in_flight; ++i) publish(static_cast<uint16_t>(i + 1));
  }

  size_t on_bytes(BytesView bytes) override {
    mqtt::FrameReader reader(bytes, kPacketBytesMax);
    int64_t acknowledged = 0;
    while (const mqtt::Frame* frame = reader.next()) {
      if (frame->type == mqtt::PacketType::kPuback && frame->body.size() == 2) {
        ++acknowledged;
        answered(static_cast<uint16_t>(frame->body[0] << 8 | frame->body[1]));
      } else if (frame->type == mqtt::PacketType::kConnack) {
        ++shared_.connected;
      }
    }
    shared_.acknowledged.fetch_add(acknowledged, std::memory_order_relaxed);
    return reader.consumed();
  }
  void on_close() override {
    if (shared_.publishing) shared_.fail("a connection was lost");
  }

 private:
  void publish(uint16_t id) {
    packet_[id_at_] = static_cast<uint8_t>(id >> 8);
    packet_[id_at_ + 1] = static_cast<uint8_t>(id);
    if (id == 1 && ++rounds_ % (kSampleEvery / options_.in_flight + 1) == 0) sent_ = Clock::now();
    connection_.send_copy(packet_);
  }
  void answered(uint16_t id) {
    if (id == 1 && sent_ != Clock::time_point{}) {
      auto us = std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - sent_).count();
      sent_ = {};
      std::lock_guard lock(shared_.mutex);
      shared_.latencies_us.push_back(us);
    }
    if (shared_.publishing.load(std::memory_order_relaxed)) publish(id);
  }

  net::Connection& connection_;
  const MqttLoadOptions& options_;
  Shared& shared_;
  Bytes packet_;
  size_t id_at_;
  size_t rounds_ = 0;
  Clock::time_point sent_{};
};

struct Client {
  net::EventLoop* loop;
  Publisher* publisher = nullptr;  ///< On its loop.
  std::unique_ptr<net::ClientConnection> connection;
};

bool wait_connected(const Shared& shared, size_t clients) {
  constexpr std::chrono::seconds kPatience{30};
  auto deadline = Clock::now() + kPatience;
  while (shared.connected < clients && shared.failed == 0 && Clock::now() < deadline) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return shared.connected == clients;
}

}  // namespace

Result<MqttLoadResult> run_mqtt_load(net::EventLoops& loops, const MqttLoadOptions& options) {
  Shared shared;
  std::vector<Client> clients(options.clients);
  for (size_t i = 0; i < clients.size(); ++i) {
    clients[i].loop = &loops.next();
    clients[i].connection = net::connect(
        *clients[i].loop, {.host = options.host, .port = options.port},
        [&, i](net::Connection& connection) {
          auto publisher = std::make_unique<Publisher>(connection, options, i, shared);
          clients[i].publisher = publisher.get();
          return publisher;
        },
        [&](Error error) { shared.fail(std::move(error.message)); });
  }
  if (!wait_connected(shared, clients.size())) {
    return Error{ErrorCode::kUnavailable, fmt::format("{} of {} clients connected; {}", shared.connected.load(),
                                                      clients.size(), shared.trouble)};
  }
  auto begin = Clock::now();
  shared.publishing = true;
  for (Client& client : clients) client.loop->post([&client] { client.publisher->begin(); });
  std::this_thread::sleep_for(options.duration);
  shared.publishing = false;
  MqttLoadResult result;
  result.acknowledged = shared.acknowledged;
  result.seconds = std::chrono::duration<double>(Clock::now() - begin).count();
  clients.clear();
  auto& sorted = shared.latencies_us;
  std::sort(sorted.begin(), sorted.end());
  if (!sorted.empty()) {
    result.latency_p50_us = sorted[sorted.size() / 2];
    result.latency_p99_us = sorted[sorted.size() * 99 / 100];
    result.latency_max_us = sorted.back();
  }
  result.trouble = shared.trouble;
  return result;
}

}  // namespace headrace::app
