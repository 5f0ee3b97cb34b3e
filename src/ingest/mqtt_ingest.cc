// ingest.mqtt: an MQTT 3.1.1 server whose messages go into topics. mqtt/README.md maps the protocol onto the log.
#include <charconv>
#include <future>
#include <thread>

#include "base/logging.h"
#include "flow/ingest.h"
#include "ingest/mqtt/session.h"

namespace headrace::ingest {
namespace {

using namespace mqtt;
using flow::OptionSpec;
using flow::OptionType;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr OptionSpec kRouteFields[] = {
    {.name = "filter",
     .type = OptionType::kString,
     .required = true,
     .help = "MQTT topic filter that the rule is for, with + and #."},
    {.name = "topic",
     .type = OptionType::kString,
     .required = true,
     .help =
         "Topic that the messages go to; {1}, {2}, ... stand for the filter's wildcards, {topic} for the MQTT topic, "
         "{client_id} for the client identifier."},
    {.name = "key",
     .type = OptionType::kString,
     .help = "Key of the records, with the same places as in the topic; without it they have none."},
};

constexpr std::string_view kUnmatchedChoices[] = {"reject", "dead_letter", "topic"};

constexpr OptionSpec kOptions[] = {
    {.name = "routes",
     .type = OptionType::kRecordList,
     .required = true,
     .help = "Rules that give messages their topic and key; the first whose filter matches counts.",
     .fields = kRouteFields},
    {.name = "unmatched",
     .type = OptionType::kChoice,
     .fallback = "reject",
     .choices = kUnmatchedChoices,
     .help = "What happens to a message that no rule matches: reject closes the connection, dead_letter and topic keep "
             "it."},
    {.name = "unmatched_topic",
     .type = OptionType::kString,
     .help = "Topic for messages that no rule matches, with `unmatched: topic`; their key is the MQTT topic."},
    {.name = "dead_letter_topic",
     .type = OptionType::kString,
     .fallback = flow::kDefaultDeadLetterTopic,
     .help = "Dead-letter topic for `unmatched: dead_letter`; it is created where it is missing."},
    {.name = "topic_header",
     .type = OptionType::kBoolean,
     .fallback = "true",
     .help = "Whether records carry the MQTT topic in the header mqtt.topic."},
    {.name = "packet_bytes_max",
     .type = OptionType::kSize,
     .fallback = "1MiB",
     .min = 1 << 10,
     .max = 268'435'460,
     .help = "Largest packet that is taken; a larger one closes its connection."},
    {.name = "batch_bytes_max",
     .type = OptionType::kSize,
     .fallback = "512KiB",
     .min = 1 << 10,
     .max = 64 << 20,
     .help = "Size from which on a batch of messages is complete."},
    {.name = "in_flight_bytes_max",
     .type = OptionType::kSize,
     .fallback = "32MiB",
     .min = 1 << 20,
     .max = 1LL << 32,
     .help = "Bytes per event loop that the bus has not answered for, from which on no more is read from clients."},
    {.name = "connections_max",
     .type = OptionType::kInteger,
     .fallback = "100000",
     .min = 1,
     .max = 1'000'000,
     .help = "Most connections at a time."},
    {.name = "connect_timeout",
     .type = OptionType::kDuration,
     .fallback = "10s",
     .min = 100,
     .max = 600'000,
     .help = "Time that a client has for its CONNECT packet."},
};

/// How long the end waits for the bus to answer for what was read.
constexpr milliseconds kDrainTimeout{2'000};

Unmatched parse_unmatched(std::string_view text) {
  if (text == "dead_letter") return Unmatched::kDeadLetter;
  return text == "topic" ? Unmatched::kTopic : Unmatched::kReject;
}

Result<Settings> parse_settings(const flow::Options& options, const std::string& name) {
  Settings settings;
  settings.name = name;
  ASSIGN_OR_RETURN(settings.routes, Routes::parse(options.records("routes")));
  settings.unmatched = parse_unmatched(options.text("unmatched"));
  if (options.has("unmatched_topic")) settings.unmatched_topic = options.text("unmatched_topic");
  if (settings.unmatched == Unmatched::kTopic && settings.unmatched_topic.empty()) {
    return Error{ErrorCode::kInvalidArgument, "unmatched: topic needs unmatched_topic"};
  }
  settings.dead_letter_topic = options.text("dead_letter_topic");
  settings.topic_header = options.boolean("topic_header");
  settings.packet_bytes_max = static_cast<size_t>(options.integer("packet_bytes_max"));
  settings.batch_bytes_max = static_cast<size_t>(options.integer("batch_bytes_max"));
  settings.loop_bytes_max = static_cast<size_t>(options.integer("in_flight_bytes_max"));
  settings.connect_timeout = options.duration("connect_timeout");
  return settings;
}

Result<net::ListenOptions> parse_listen(const std::string& text, const flow::Options& options,
                                        size_t packet_bytes_max) {
  size_t colon = text.rfind(':');
  int port = -1;
  if (colon != std::string::npos) {
    auto [end, error] = std::from_chars(text.data() + colon + 1, text.data() + text.size(), port);
    if (error != std::errc() || end != text.data() + text.size() || port > 65535) port = -1;
  }
  if (port < 0) return Error{ErrorCode::kInvalidArgument, fmt::format("listen.mqtt: \"{}\" is not host:port", text)};
  return net::ListenOptions{.host = text.substr(0, colon),
                            .port = static_cast<uint16_t>(port),
                            .receive_bytes_max = packet_bytes_max + (1 << 20),
                            .connections_max = static_cast<size_t>(options.integer("connections_max")),
                            .name = "mqtt"};
}

/// Runs `task` on `loop` and waits for it.
template <typename F>
auto run_on(net::EventLoop& loop, F task) {
  std::packaged_task<decltype(task())()> packaged(std::move(task));
  auto result = packaged.get_future();
  loop.post([packaged = std::move(packaged)]() mutable { packaged(); });
  return result.get();
}

class MqttIngest final : public flow::Ingest {
 public:
  MqttIngest(Settings settings, const flow::IngestContext& context)
      : settings_(std::move(settings)),
        bus_(context.bus),
        loops_(context.loops),
        registry_(context.metrics),
        metrics_(context.metrics, context.name),
        catalog_(context.bus.admin()) {}

  ~MqttIngest() override {
    for (auto& writer : writers_) {
      run_on(writer->loop(), [&] { writer->stop_reading(); });
    }
    wait_for_answers();
    listener_.reset();
    for (auto& writer : writers_) {
      run_on(writer->loop(), [&] { writer->stop(); });
    }
  }

  uint16_t port() const override { return listener_->port(); }

  Status start(const net::ListenOptions& listen) {
    RETURN_IF_ERROR(check_topics());
    for (size_t i = 0; i < loops_.size(); ++i) {
      ASSIGN_OR_RETURN(auto producer, bus_.producer({.client_id = "headrace-" + settings_.name}));
      writers_.push_back(
          std::make_unique<LoopWriter>(loops_.loop(i), settings_, metrics_, registry_, catalog_, std::move(producer)));
    }
    ASSIGN_OR_RETURN(listener_, loops_.listen(listen, [this](net::Connection& connection) {
      return std::make_unique<Session>(connection, *writers_[connection.loop().index()], clients_);
    }));
    for (auto& writer : writers_) writer->loop().post([&writer = *writer] { writer.start(); });
    registry_.set_state(settings_.name, "running", "");
    return {};
  }

 private:
  /// Topics named in the file must be there; a bus that does not answer now is waited for later.
  Status check_topics() {
    if (settings_.unmatched == Unmatched::kDeadLetter) {
      auto created = bus_.admin().create_topic({.name = settings_.dead_letter_topic});
      if (!created.ok() && created.error().code != ErrorCode::kAlreadyExists) {
        return created.error().in("creating the dead-letter topic");
      }
    }
    auto topics = settings_.routes.literal_topics();
    if (settings_.unmatched == Unmatched::kTopic) topics.push_back(settings_.unmatched_topic);
    for (const std::string& topic : topics) {
      auto count = catalog_.resolve_now(topic);
      if (!count.ok() && count.error().code == ErrorCode::kNotFound) {
        return Error{ErrorCode::kNotFound,
                     fmt::format("routes: there is no topic \"{}\"; add it under `topics`", topic)};
      }
    }
    return {};
  }

  void wait_for_answers() {
    auto deadline = steady_clock::now() + kDrainTimeout;
    for (auto& writer : writers_) {
      while (steady_clock::now() < deadline && !run_on(writer->loop(), [&] { return writer->idle(); })) {
        std::this_thread::sleep_for(milliseconds(1));
      }
    }
  }

  const Settings settings_;
  bus::Bus& bus_;
  net::EventLoops& loops_;
  flow::MetricsRegistry& registry_;
  Metrics metrics_;
  ClientRegistry clients_;
  TopicCatalog catalog_;
  std::vector<std::unique_ptr<LoopWriter>> writers_;
  std::unique_ptr<net::Listener> listener_;
};

Result<std::unique_ptr<flow::Ingest>> make(const flow::Options& options, const flow::IngestContext& context) {
  ASSIGN_OR_RETURN(Settings settings, parse_settings(options, context.name));
  ASSIGN_OR_RETURN(auto listen, parse_listen(context.listen_mqtt, options, settings.packet_bytes_max));
  auto ingest = std::make_unique<MqttIngest>(std::move(settings), context);
  RETURN_IF_ERROR(ingest->start(listen));
  return std::unique_ptr<flow::Ingest>(std::move(ingest));
}

}  // namespace

const flow::IngestComponent& mqtt_ingest() {
  static constexpr flow::IngestComponent component{
      .spec = {.name = "mqtt",
               .summary =
                   "MQTT 3.1.1 server: messages of devices become records; the acknowledgement follows the commit.",
               .options = kOptions},
      .make = make};
  return component;
}

}  // namespace headrace::ingest
