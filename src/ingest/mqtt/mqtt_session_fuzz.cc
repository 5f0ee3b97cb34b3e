// The packets of a connection, from their bytes to the records of the log: a session without a socket, a bus in memory.
//
//   input := seed:u8 stream      (the seed chooses the pieces in which the stream comes)
//
// What is stored must not depend on how the bytes arrive, and nothing is acknowledged that is not stored.
#include <map>

#include "base/fuzzing.h"
#include "base/logging.h"
#include "ingest/mqtt/session.h"
#include "ingest/testing.h"
#include "net/socketless.h"
#include "wire/mqtt/encode.h"

namespace headrace::ingest::mqtt {
namespace {

constexpr std::string_view kTopic = "readings";

Settings make_settings() {
  auto routes = Routes::parse({{{"filter", "devices/+/#"}, {"topic", std::string(kTopic)}, {"key", "{1}"}},
                               {{"filter", "own"}, {"topic", std::string(kTopic)}, {"key", "{client_id}"}}});
  CHECK(routes.ok());
  // Small, so that sessions are held back too.
  return {.name = "mqtt",
          .routes = *std::move(routes),
          .packet_bytes_max = 4096,
          .batch_bytes_max = 512,
          .connection_messages_max = 8};
}

/// What a connection left behind.
struct Outcome {
  std::vector<std::pair<std::string, std::string>> stored;  ///< Key and value.
  std::map<uint16_t, int> acknowledged;                     ///< By packet identifier; of QoS 1.
};

/// A server for one connection.
class World {
 public:
  World() : catalog_(bus_) {
    bus_.add_topic(std::string(kTopic), 1);
    CHECK(catalog_.resolve_now(kTopic).ok());
    auto producer = bus_.producer({});
    CHECK(producer.ok());
    writer_ = std::make_unique<LoopWriter>(loop_, settings_, metrics_, registry_, catalog_, *std::move(producer));
  }

  /// The stream comes in pieces of the sizes that `next_size` says.
  template <typename NextSize>
  Outcome serve(std::string_view stream, NextSize next_size) {
    net::SocketlessConnection connection(loop_);
    connection.keeps_sent = true;
    {
      Session session(connection, *writer_, clients_);
      net::deliver_in_pieces(connection, stream, next_size,
                             [&](std::string& rest) { deliver(session, connection, rest); });
      session.on_close();
    }
    loop_.run();
    return {stored(), acknowledged(connection.sent)};
  }

 private:
  void deliver(Session& session, net::SocketlessConnection& connection, std::string& rest) {
    while (!connection.closed) {
      size_t used = session.on_bytes(as_bytes(rest));
      CHECK(used <= rest.size());
      rest.erase(0, used);
      bool held = connection.paused;
      loop_.run();
      if (!held) return;
      CHECK(!connection.paused || connection.closed);  // All is answered for: nothing holds it back.
    }
  }

  std::vector<std::pair<std::string, std::string>> stored() {
    std::vector<std::pair<std::string, std::string>> records;
    for (auto& record : bus_.stored()) records.emplace_back(std::move(record.key), std::move(record.value));
    return records;
  }

  static std::map<uint16_t, int> acknowledged(std::string_view sent) {
    std::map<uint16_t, int> counts;
    wire::mqtt::FrameReader reader(as_bytes(sent), wire::mqtt::kRemainingLengthMax);
    while (const wire::mqtt::Frame* frame = reader.next()) {
      if (frame->type == wire::mqtt::PacketType::kPuback) ++counts[*wire::mqtt::decode_packet_id(*frame)];
    }
    CHECK(reader.status().ok() && reader.consumed() == sent.size());
    return counts;
  }

  net::SocketlessLoop loop_;
  FakeBus bus_;
  flow::MetricsRegistry registry_;
  const Settings settings_ = make_settings();
  Metrics metrics_{registry_, "mqtt"};
  ClientRegistry clients_;
  TopicCatalog catalog_;
  std::unique_ptr<LoopWriter> writer_;
};

// --- Seeds

template <typename... Packets>
Bytes bytes_of(uint8_t seed, const Packets&... packets) {
  Bytes bytes{seed};
  (wire::mqtt::encode(packets, bytes), ...);
  return bytes;
}

void write_seeds(const std::string& directory) {
  using namespace wire::mqtt;
  const Connect connect{.client_id = "c", .keep_alive_s = 60};
  const Connect with_will{.client_id = "w", .will = Will{.topic = "devices/1/gone", .payload = "1"}};
  const Publish at_most_once{.topic = "devices/1/t", .payload = "21"};
  const Publish once{.topic = "devices/2/t", .payload = "22", .packet_id = 1, .qos = 1};
  const Publish exactly_once{.topic = "own", .payload = "23", .packet_id = 2, .qos = 2};
  const Publish again{.topic = "own", .payload = "23", .packet_id = 2, .qos = 2, .dup = true};
  write_seed(directory, "all",
             bytes_of(3, connect, at_most_once, once, exactly_once, again, Pubrel{2}, Subscribe{3, {{"a/#", 1}}},
                      Unsubscribe{4, {"a/#"}}, Pingreq{}, Disconnect{}));
  write_seed(directory, "will", bytes_of(9, with_will, once));
  write_seed(directory, "no-will", bytes_of(9, with_will, once, Disconnect{}));
  write_seed(directory, "unmatched", bytes_of(9, connect, once, Publish{.topic = "elsewhere", .payload = "x"}));
  Bytes many = bytes_of(50, connect);
  for (uint16_t id = 1; id <= 100; ++id) {
    encode(Publish{.topic = "devices/1/t", .payload = "payload", .packet_id = id, .qos = 1}, many);
  }
  write_seed(directory, "many", many);
}

}  // namespace
}  // namespace headrace::ingest::mqtt

extern "C" int LLVMFuzzerInitialize(int* count, char*** arguments) {
  using namespace headrace;
  write_seeds_if_asked(*count, *arguments, ingest::mqtt::write_seeds);
  set_log_level(LogLevel::kError);
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace headrace::ingest::mqtt;
  if (size == 0) return 0;
  std::string_view stream(reinterpret_cast<const char*>(data) + 1, size - 1);
  Outcome at_once = World().serve(stream, [] { return SIZE_MAX; });
  Outcome in_pieces = World().serve(stream, headrace::net::PieceSizes(data[0], stream.size()));
  CHECK(at_once.stored == in_pieces.stored);
  size_t acknowledged = 0;
  for (const auto& [id, times] : in_pieces.acknowledged) acknowledged += static_cast<size_t>(times);
  CHECK(acknowledged <= in_pieces.stored.size());
  return 0;
}
