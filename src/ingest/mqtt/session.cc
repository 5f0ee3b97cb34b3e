#include "ingest/mqtt/session.h"

#include "base/logging.h"
#include "wire/mqtt/encode.h"

namespace headrace::ingest::mqtt {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;
using wire::mqtt::Connack;
using wire::mqtt::ConnectCode;
using wire::mqtt::PacketType;

/// Before CONNECT nothing larger is worth waiting for.
constexpr size_t kConnectBytesMax = 64 << 10;
/// Acknowledgements that a client lets pile up before its messages are read no more.
constexpr size_t kSendQueueBytesMax = 256 << 10;
/// Not told is what a session of a usual device keeps: its name, a will, a few identifiers.
constexpr size_t kKeptBytesFree = 4 << 10;
/// Of an entry of exactly_once_.
constexpr size_t kIdentifierBytes = 48;

PacketType acknowledgement_of(uint8_t qos) { return qos == 1 ? PacketType::kPuback : PacketType::kPubrec; }

/// The size at which a message counts against the limits.
size_t cost(const wire::mqtt::Publish& publish) { return publish.payload.size() + publish.topic.size() + 32; }

}  // namespace

Session::Session(net::Connection& connection, LoopWriter& writer, ClientRegistry& registry)
    : connection_(connection),
      writer_(writer),
      registry_(registry),
      ref_(writer.add(*this)),
      last_seen_(steady_clock::now()) {
  writer_.metrics().connections.add(1);
}

Session::~Session() {
  writer_.remove(ref_);
  writer_.metrics().connections.add(-1);
}

void Session::on_close() {
  closing_ = true;
  if (!connected_) return;
  registry_.release(client_id_, self());
  publish_will();
}

size_t Session::kept_bytes() const {
  size_t bytes = client_id_.size() + exactly_once_.size() * kIdentifierBytes;
  if (will_) bytes += will_->topic.size() + will_->payload.size();
  return bytes > kKeptBytesFree ? bytes : 0;
}

template <typename Packet>
void Session::send(const Packet& packet) {
  Bytes bytes;
  encode(packet, bytes);
  connection_.send_copy(bytes);
}

// Reading.

size_t Session::on_bytes(BytesView bytes) {
  wire::mqtt::FrameReader reader(bytes, connected_ ? writer_.settings().packet_bytes_max : kConnectBytesMax);
  size_t used = 0;
  size_t begun = std::exchange(frame_bytes_, 0);
  while (!closing_) {
    if (must_hold()) {
      if (used == 0) frame_bytes_ = begun;
      hold();
      break;
    }
    const Frame* frame = reader.next();
    if (!frame) {
      frame_bytes_ = reader.begun_bytes();
      break;
    }
    Handled handled = handle(*frame);
    if (handled == Handled::kHeld) break;
    if (handled == Handled::kClosed) return bytes.size();
    used = reader.consumed();
    reader.set_packet_bytes_max(writer_.settings().packet_bytes_max);
  }
  if (used > 0) last_seen_ = steady_clock::now();
  if (!reader.status().ok() && !closing_) violation(reader.status().error().message);
  return closing_ ? bytes.size() : used;
}

Session::Handled Session::handle(const Frame& frame) {
  if (!connected_) {
    if (frame.type != PacketType::kConnect) return violation("the first packet is no CONNECT [MQTT-3.1.0-1]");
    return connect(frame);
  }
  switch (frame.type) {
    case PacketType::kPublish: return publish(frame);
    case PacketType::kPubrel: return release(frame);
    case PacketType::kSubscribe: return subscribe(frame);
    case PacketType::kUnsubscribe: return unsubscribe(frame);
    case PacketType::kPingreq: return ping(frame);
    case PacketType::kDisconnect: return disconnect(frame);
    case PacketType::kConnect: return violation("a second CONNECT [MQTT-3.1.0-2]");
    default: return violation(fmt::format("{} from a client that was sent nothing", to_string(frame.type)));
  }
}

Session::Handled Session::violation(std::string_view what) {
  log_debug("mqtt {} ({}): closing: {}", connection_.remote_address(), client_id_, what);
  writer_.metrics().protocol_errors.add();
  closing_ = true;
  connection_.close();
  return Handled::kClosed;
}

// Connecting.

Session::Handled Session::connect(const Frame& frame) {
  auto connect = decode_connect(frame);
  if (!connect.ok()) {
    if (connect.error().code == ErrorCode::kUnsupported)
      send(Connack{.code = ConnectCode::kUnacceptableProtocolVersion});
    return violation(connect.error().message);
  }
  if (connect->client_id.empty() && !connect->clean_session) {
    send(Connack{.code = ConnectCode::kIdentifierRejected});
    return violation("a kept session needs a client identifier [MQTT-3.1.3-8]");
  }
  return accept(*connect);
}

Session::Handled Session::accept(const wire::mqtt::Connect& connect) {
  client_id_ = connect.client_id.empty() ? registry_.make_name() : std::string(connect.client_id);
  silence_max_ = milliseconds(connect.keep_alive_s * 1500);
  if (connect.will) {
    will_ = std::make_unique<OwnWill>(
        OwnWill{std::string(connect.will->topic), std::string(connect.will->payload), connect.will->qos});
  }
  connected_ = true;
  if (auto previous = registry_.claim(client_id_, self())) {
    previous->mailbox->loop.post([previous = *std::move(previous)] {
      if (!previous.mailbox->writer) return;
      if (Session* session = previous.mailbox->writer->find(previous.session)) session->taken_over();
    });
  }
  send(Connack{.session_present = false, .code = ConnectCode::kAccepted});
  return Handled::kYes;
}

void Session::taken_over() {
  log_debug("mqtt {} ({}): another connection took over the client identifier", connection_.remote_address(),
            client_id_);
  closing_ = true;
  connection_.close();
}

// Messages.

Session::Handled Session::publish(const Frame& frame) {
  auto publish = decode_publish(frame);
  if (!publish.ok()) return violation(publish.error().message);
  if (publish->qos == 2 && repeats_exactly_once(*publish)) return Handled::kYes;
  return append(*publish);
}

Session::Handled Session::append(const wire::mqtt::Publish& publish) {
  size_t bytes = cost(publish);
  uint64_t number = pending_.next_number();
  std::string why;
  switch (writer_.append(publish, client_id_, ref_, number, why)) {
    case LoopWriter::Outcome::kHold: hold(); return Handled::kHeld;
    case LoopWriter::Outcome::kRejected:
      writer_.metrics().rejected.add();
      refuse(fmt::format("message to \"{}\": {}", publish.topic, why));
      return Handled::kClosed;
    case LoopWriter::Outcome::kAppended: break;
  }
  pending_.add(publish.packet_id, publish.qos, bytes);
  if (publish.qos == 2) exactly_once_[publish.packet_id] = false;
  writer_.count_message(publish.payload.size());
  return Handled::kYes;
}

bool Session::repeats_exactly_once(const wire::mqtt::Publish& publish) {
  auto found = exactly_once_.find(publish.packet_id);
  if (found == exactly_once_.end()) return false;
  if (found->second) send(wire::mqtt::Pubrec{publish.packet_id});
  return true;
}

void Session::acknowledge(uint64_t first, uint32_t count) {
  uint8_t answers[256];
  size_t used = 0;
  size_t acknowledged = 0;
  pending_.answer(first, count, [&](const PendingMessages::Message& message) {
    if (message.qos == 0) return;
    if (message.qos == 2) exactly_once_[message.packet_id] = true;
    if (used == sizeof(answers)) {
      connection_.send_copy({answers, used});
      used = 0;
    }
    answers[used++] = static_cast<uint8_t>(static_cast<uint8_t>(acknowledgement_of(message.qos)) << 4);
    answers[used++] = 2;
    answers[used++] = static_cast<uint8_t>(message.packet_id >> 8);
    answers[used++] = static_cast<uint8_t>(message.packet_id);
    ++acknowledged;
  });
  if (used > 0) connection_.send_copy({answers, used});
  writer_.metrics().acknowledged.add(static_cast<int64_t>(acknowledged));
  const Settings& settings = writer_.settings();
  bool roomy =
      pending_.size() <= settings.connection_messages_max / 2 && pending_.bytes() <= settings.connection_bytes_max / 2;
  if (held_ && roomy && !writer_.full()) resume();
}

Session::Handled Session::release(const Frame& frame) {
  auto id = decode_packet_id(frame);
  if (!id.ok()) return violation(id.error().message);
  exactly_once_.erase(*id);
  send(wire::mqtt::Pubcomp{*id});
  return Handled::kYes;
}

void Session::publish_will() {
  if (!will_ || writer_.stopping()) return;
  wire::mqtt::Publish publish{.topic = will_->topic, .payload = will_->payload};
  std::string why = "its topic is not known yet";
  if (writer_.append(publish, client_id_, SessionRef{}, 0, why) == LoopWriter::Outcome::kAppended) {
    writer_.count_message(publish.payload.size());
  } else {
    writer_.metrics().rejected.add();
    log_warn("mqtt: the will of client {} to \"{}\" is lost: {}", client_id_, publish.topic, why);
  }
}

// The rest.

Session::Handled Session::subscribe(const Frame& frame) {
  auto subscribe = decode_subscribe(frame);
  if (!subscribe.ok()) return violation(subscribe.error().message);
  wire::mqtt::Suback suback{subscribe->packet_id, {}};
  suback.codes.assign(subscribe->subscriptions.size(), wire::mqtt::kSubscribeFailure);
  send(suback);
  return Handled::kYes;
}

Session::Handled Session::unsubscribe(const Frame& frame) {
  auto unsubscribe = decode_unsubscribe(frame);
  if (!unsubscribe.ok()) return violation(unsubscribe.error().message);
  send(wire::mqtt::Unsuback{unsubscribe->packet_id});
  return Handled::kYes;
}

Session::Handled Session::ping(const Frame& frame) {
  if (auto status = check_bare(frame); !status.ok()) return violation(status.error().message);
  send(wire::mqtt::Pingresp{});
  return Handled::kYes;
}

Session::Handled Session::disconnect(const Frame& frame) {
  if (auto status = check_bare(frame); !status.ok()) return violation(status.error().message);
  will_.reset();  // [MQTT-3.14.4-3]
  closing_ = true;
  connection_.close();
  return Handled::kClosed;
}

// Holding back.

bool Session::must_hold() const {
  const Settings& settings = writer_.settings();
  return writer_.stopping() || writer_.full() || pending_.size() >= settings.connection_messages_max ||
         pending_.bytes() >= settings.connection_bytes_max || connection_.queued_bytes() > kSendQueueBytesMax;
}

void Session::hold() {
  held_ = true;
  connection_.pause_reading();
  writer_.hold(ref_);
}

void Session::resume() {
  if (!held_ || closing_ || writer_.stopping()) return;
  held_ = false;
  last_seen_ = steady_clock::now();
  connection_.resume_reading();
}

void Session::stop_reading() { connection_.pause_reading(); }

void Session::refuse(std::string_view why) {
  if (closing_) return;
  log_debug("mqtt {} ({}): closing: {}", connection_.remote_address(), client_id_, why);
  closing_ = true;
  connection_.close();
}

void Session::check_deadlines(TimePoint now) {
  const Settings& settings = writer_.settings();
  if (connection_.queued_bytes() <= kSendQueueBytesMax) send_stalled_since_ = now;
  if (now - send_stalled_since_ > settings.send_timeout) return connection_.close_now();
  if (connection_.waits_for_memory()) last_seen_ = now;
  if (closing_ || held_) return;
  milliseconds silence_max = connected_ ? silence_max_ : settings.connect_timeout;
  if (silence_max.count() > 0 && now - last_seen_ > silence_max) {
    log_debug("mqtt {} ({}): closing: silent for too long", connection_.remote_address(), client_id_);
    closing_ = true;
    connection_.close_now();
  }
}

}  // namespace headrace::ingest::mqtt
