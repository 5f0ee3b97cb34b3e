#include "app/device/mqtt_device.h"

#include <fmt/format.h>

#include <algorithm>

#include "net/run_and_wait.h"
#include "wire/mqtt/decode.h"
#include "wire/mqtt/encode.h"

namespace headrace::app {
namespace {

namespace mqtt = wire::mqtt;

constexpr size_t kPacketBytesMax = 64 << 10;  ///< The server sends nothing large.
constexpr std::chrono::milliseconds kRetryDelayMin{200}, kRetryDelayMax{10'000};

}  // namespace

/// The session of one connection; it tells the device what happens.
class MqttDevice::Link final : public net::Session {
 public:
  Link(MqttDevice& device, net::Connection& connection) : device_(device), connection_(connection) {
    Bytes out;
    mqtt::encode(mqtt::Connect{.client_id = device.options_.client_id,
                               .clean_session = true,
                               .keep_alive_s = device.options_.keep_alive_s},
                 out);
    connection_.send_copy(out);
  }

  size_t on_bytes(BytesView bytes) override {
    mqtt::FrameReader reader(bytes, kPacketBytesMax);
    while (const mqtt::Frame* frame = reader.next()) on_frame(*frame);
    if (!reader.status().ok()) refuse(reader.status().error().message);
    return reader.consumed();
  }
  void on_close() override { device_.on_lost(why_); }

  void send(const mqtt::Publish& publish) {
    buffer_.clear();
    mqtt::encode(publish, buffer_);
    connection_.send_copy(buffer_);
  }
  void ping() {
    buffer_.clear();
    mqtt::encode(mqtt::Pingreq{}, buffer_);
    connection_.send_copy(buffer_);
  }

 private:
  void on_frame(const mqtt::Frame& frame) {
    auto packet = mqtt::decode(frame);
    if (!packet.ok()) return refuse(packet.error().message);
    if (auto* connack = std::get_if<mqtt::Connack>(&*packet)) {
      if (connack->code != mqtt::ConnectCode::kAccepted) {
        return refuse(fmt::format("the server refused the connection with code {}", static_cast<int>(connack->code)));
      }
      device_.on_link(this);
    } else if (auto* puback = std::get_if<mqtt::Puback>(&*packet)) {
      device_.on_puback(puback->packet_id);
    }
  }
  void refuse(std::string why) {
    why_ = std::move(why);
    connection_.close_now();
  }

  MqttDevice& device_;
  net::Connection& connection_;
  Bytes buffer_;
  std::string why_ = "the server closed the connection";
};

MqttDevice::MqttDevice(net::EventLoop& loop, DeviceOptions options, DeviceCounters& counters, Function<void()> on_room)
    : loop_(loop),
      options_(std::move(options)),
      counters_(counters),
      on_room_(std::move(on_room)),
      random_(std::hash<std::string>()(options_.client_id)) {}

MqttDevice::~MqttDevice() {
  if (!ended_) net::run_and_wait(loop_, [this] { end(); });
}

void MqttDevice::end() {
  ended_ = true;
  retry_.reset();
  keep_alive_.reset();
  on_room_ = {};
  connection_.reset();
}

void MqttDevice::connect() {
  connection_ = net::connect(
      loop_, {.host = options_.host, .port = options_.port, .name = options_.client_id},
      [this](net::Connection& connection) { return std::make_unique<Link>(*this, connection); },
      [this](Error error) { on_lost(error.message); });
}

void MqttDevice::on_link(Link* link) {
  link_ = link;
  failures_ = 0;
  trouble_.clear();
  ++counters_.connected;
  // The same messages under the same identifiers: the server may have them already [MQTT-4.4.0-1].
  for (const Message& message : in_flight_) send(message, /*dup=*/true);
  send_waiting();
  keep_alive();
}

void MqttDevice::on_lost(std::string why) {
  if (link_) {
    --counters_.connected;
    if (!ended_) ++counters_.connection_losses;
  }
  link_ = nullptr;
  if (ended_) return;
  trouble_ = std::move(why);
  keep_alive_.reset();
  auto delay = std::min(kRetryDelayMax, kRetryDelayMin * (1 << std::min(failures_++, 6)));
  delay = delay / 2 + std::chrono::milliseconds(random_.below(static_cast<uint64_t>(delay.count()) / 2 + 1));
  retry_ = loop_.after(delay, [this] { connect(); });
}

void MqttDevice::on_puback(uint16_t packet_id) {
  auto found =
      std::find_if(in_flight_.begin(), in_flight_.end(), [&](const Message& m) { return m.packet_id == packet_id; });
  if (found == in_flight_.end()) return;
  in_flight_.erase(found);
  ++counters_.acknowledged;
  send_waiting();
  if (on_room_) on_room_();
}

void MqttDevice::publish(std::string topic, std::string payload) {
  ++counters_.published;
  if (queued() >= options_.queue_messages_max && !waiting_.empty()) {
    waiting_.pop_front();
    ++counters_.dropped;
  }
  waiting_.push_back({std::move(topic), std::move(payload), 0});
  send_waiting();
}

void MqttDevice::send_waiting() {
  while (link_ && !waiting_.empty() && in_flight_.size() < options_.in_flight_max) {
    in_flight_.push_back(std::move(waiting_.front()));
    waiting_.pop_front();
    in_flight_.back().packet_id = next_packet_id();
    send(in_flight_.back(), /*dup=*/false);
  }
}

void MqttDevice::send(const Message& message, bool dup) {
  link_->send(
      {.topic = message.topic, .payload = message.payload, .packet_id = message.packet_id, .qos = 1, .dup = dup});
}

void MqttDevice::keep_alive() {
  if (options_.keep_alive_s == 0) return;
  keep_alive_ = loop_.after(std::chrono::milliseconds(options_.keep_alive_s * 500), [this] {
    if (!link_) return;
    link_->ping();
    keep_alive();
  });
}

uint16_t MqttDevice::next_packet_id() {
  auto used = [this](uint16_t id) {
    return std::any_of(in_flight_.begin(), in_flight_.end(), [&](const Message& m) { return m.packet_id == id; });
  };
  do {
    if (++last_packet_id_ == 0) ++last_packet_id_;
  } while (used(last_packet_id_));
  return last_packet_id_;
}

}  // namespace headrace::app
