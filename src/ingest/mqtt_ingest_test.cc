#include <thread>

#include "flow/ingest.h"
#include "ingest/mqtt/pending_messages.h"
#include "ingest/mqtt/routes.h"
#include "ingest/testing.h"
#include "ingest/topic_catalog.h"
#include "net/http.h"
#include "net/testing.h"
#include "wire/mqtt/encode.h"

namespace headrace::ingest {
const flow::IngestComponent& mqtt_ingest();

namespace {

using namespace wire::mqtt;
using net::TestClient;
using testing::ElementsAre;
using testing::HasSubstr;

template <typename... Packets>
std::string bytes_of(const Packets&... packets) {
  Bytes bytes;
  (encode(packets, bytes), ...);
  return std::string(as_text(bytes));
}

const std::string kConnack = bytes_of(Connack{});

class MqttIngestTest : public testing::Test {
 protected:
  using Route = std::map<std::string, std::string>;

  MqttIngestTest() {
    bus_.add_topic("cabs", 4);
    options_.set("routes", std::vector<Route>{{{"filter", "cabs/+/telemetry"}, {"topic", "cabs"}, {"key", "{1}"}},
                                              {{"filter", "logs/#"}, {"topic", "logs"}},
                                              {{"filter", "to/+"}, {"topic", "{1}"}, {"key", "{client_id}"}}});
    bus_.add_topic("logs", 1);
  }

  Result<std::unique_ptr<flow::Ingest>> make() {
    flow::fill_defaults(mqtt_ingest().spec, options_);
    flow::IngestContext context{.name = "mqtt",
                                .bus = bus_,
                                .loops = *loops_,
                                .http = *http_,
                                .listen_mqtt = "127.0.0.1:0",
                                .metrics = metrics_};
    return mqtt_ingest().make(options_, context);
  }
  void start() {
    auto ingest = make();
    ASSERT_TRUE(ingest.ok()) << ingest.error().message;
    ingest_ = *std::move(ingest);
  }
  TestClient client(const Connect& connect = {.client_id = "c"}) {
    TestClient client(ingest_->port());
    client.send(bytes_of(connect));
    EXPECT_EQ(client.read(4), kConnack);
    return client;
  }
  int64_t metric(const std::string& name) {
    for (const auto& sample : metrics_.samples()) {
      if (sample.name == name) return sample.value;
    }
    return -1;
  }

  FakeBus bus_;
  flow::MetricsRegistry metrics_;
  flow::Options options_;
  std::unique_ptr<net::EventLoops> loops_ = net::EventLoops::start(2);
  std::unique_ptr<net::HttpServer> http_ = net::make_http_server(*loops_, {});
  std::unique_ptr<flow::Ingest> ingest_;
};

Publish telemetry(uint16_t id, uint8_t qos = 1, std::string_view cab = "cabs/17/telemetry") {
  return {.topic = cab, .payload = "{}", .packet_id = id, .qos = qos};
}

TEST_F(MqttIngestTest, PublishBecomesARecordWithKeyAndHeader) {
  start();
  auto c = client();
  c.send(bytes_of(telemetry(7)));
  EXPECT_EQ(c.read(4), bytes_of(Puback{7}));
  auto stored = bus_.stored();
  ASSERT_EQ(stored.size(), 1u);
  EXPECT_EQ(stored[0].tp, (TopicPartition{"cabs", bus::partition_for_key("17", 4)}));
  EXPECT_EQ(stored[0].key, "17");
  EXPECT_EQ(stored[0].value, "{}");
  EXPECT_EQ(stored[0].headers["mqtt.topic"], "cabs/17/telemetry");
}

TEST_F(MqttIngestTest, NoPubackBeforeTheBusHasAnswered) {
  start();
  auto c = client();
  bus_.hold();
  c.send(bytes_of(telemetry(7), Pingreq{}));
  EXPECT_EQ(c.read(2), bytes_of(Pingresp{}));
  bus_.wait_for_waiting(1);
  c.send(bytes_of(Pingreq{}));
  EXPECT_EQ(c.read(2), bytes_of(Pingresp{}));
  bus_.release();
  EXPECT_EQ(c.read(4), bytes_of(Puback{7}));
}

TEST_F(MqttIngestTest, AcknowledgementsKeepTheOrderOfTheMessagesThoughPartitionsDiffer) {
  start();
  auto c = client();
  std::string sent, expected;
  for (uint16_t id = 1; id <= 500; ++id) {
    std::string topic = "cabs/" + std::to_string(id % 13) + "/telemetry";
    sent += bytes_of(telemetry(id, 1, topic));
    expected += bytes_of(Puback{id});
  }
  c.send(sent);
  EXPECT_EQ(c.read(expected.size()), expected);
  EXPECT_EQ(bus_.stored().size(), 500u);
}

TEST_F(MqttIngestTest, MessagesThatComeWhileABatchIsAwayMakeOneBatch) {
  start();
  auto c = client();
  bus_.hold();
  c.send(bytes_of(telemetry(1)));
  bus_.wait_for_waiting(1);
  for (uint16_t id = 2; id <= 20; ++id) c.send(bytes_of(telemetry(id)));
  c.send(bytes_of(Pingreq{}));
  EXPECT_EQ(c.read(2), bytes_of(Pingresp{}));
  EXPECT_EQ(bus_.waiting(), 1u);
  bus_.release();
  EXPECT_EQ(c.read(80).size(), 80u);
}

TEST_F(MqttIngestTest, UnavailableBusIsTriedAgainAndNothingIsLostOrDoubled) {
  start();
  bus_.fail_next(3, ErrorCode::kUnavailable);
  auto c = client();
  c.send(bytes_of(telemetry(1), telemetry(2)));
  EXPECT_EQ(c.read(8), bytes_of(Puback{1}, Puback{2}));
  EXPECT_EQ(bus_.stored().size(), 2u);
  EXPECT_EQ(metric("headrace_mqtt_retries_total"), 3);
}

TEST_F(MqttIngestTest, BatchThatTheBusRefusesClosesItsClientsWithoutAnAcknowledgement) {
  start();
  auto c = client();
  auto other = client({.client_id = "other"});
  bus_.fail_next(1, ErrorCode::kIo);
  c.send(bytes_of(telemetry(1)));
  EXPECT_EQ(c.read_all(), "");
  EXPECT_EQ(metric("headrace_mqtt_rejected_total"), 1);
  other.send(bytes_of(telemetry(1)));
  EXPECT_EQ(other.read(4), bytes_of(Puback{1}));
}

TEST_F(MqttIngestTest, OneMessageTooLargeForItsTopicDoesNotTakeOthersWithIt) {
  start();
  bus_.set_batch_bytes_max(1000);
  auto good = client({.client_id = "good"});
  auto bad = client({.client_id = "bad"});
  bus_.hold();
  good.send(bytes_of(telemetry(1)));
  bus_.wait_for_waiting(1);
  std::string many, expected = bytes_of(Puback{1});
  for (uint16_t id = 2; id <= 40; ++id) {
    many += bytes_of(telemetry(id));
    expected += bytes_of(Puback{id});
  }
  bad.send(
      bytes_of(Publish{.topic = "cabs/17/telemetry", .payload = std::string(2000, 'x'), .packet_id = 1, .qos = 1}));
  good.send(many + bytes_of(Pingreq{}));
  EXPECT_EQ(good.read(2), bytes_of(Pingresp{}));
  bus_.release();
  EXPECT_EQ(good.read(expected.size()), expected);
  EXPECT_EQ(bad.read_all(), "");
  EXPECT_EQ(bus_.stored().size(), 40u);
}

TEST_F(MqttIngestTest, ABatchIsHalvedUntilOnlyTheMessageThatIsTooLargeIsLeft) {
  options_.set("in_flight_bytes_max", int64_t{1 << 20});
  start();
  bus_.set_batch_bytes_max(100'000);
  std::string large(99'900, 'x');
  for (uint16_t round = 1; round <= 20; ++round) {
    auto c = client();
    c.send(bytes_of(telemetry(1), telemetry(2),
                    Publish{.topic = "cabs/17/telemetry", .payload = large, .packet_id = 3, .qos = 1}, telemetry(4)));
    EXPECT_THAT(c.read_all(), testing::AnyOf("", bytes_of(Puback{1}, Puback{2})));
    auto next = client();
    next.send(bytes_of(telemetry(5)));
    EXPECT_EQ(next.read(4), bytes_of(Puback{5})) << "what is unanswered is counted right";
  }
}

TEST_F(MqttIngestTest, QosZeroIsKeptAndNotAnswered) {
  start();
  auto c = client();
  c.send(bytes_of(telemetry(0, 0), Pingreq{}));
  EXPECT_EQ(c.read(2), bytes_of(Pingresp{}));
  EXPECT_EQ(bus_.wait_for_stored(1).size(), 1u);
}

TEST_F(MqttIngestTest, QosTwoIsKeptOnceUntilItIsReleased) {
  start();
  auto c = client();
  Publish again = telemetry(9, 2);
  again.dup = true;
  c.send(bytes_of(telemetry(9, 2)));
  EXPECT_EQ(c.read(4), bytes_of(Pubrec{9}));
  c.send(bytes_of(again));
  EXPECT_EQ(c.read(4), bytes_of(Pubrec{9}));
  EXPECT_EQ(bus_.stored().size(), 1u);
  c.send(bytes_of(Pubrel{9}));
  EXPECT_EQ(c.read(4), bytes_of(Pubcomp{9}));
  c.send(bytes_of(telemetry(9, 2)));
  EXPECT_EQ(c.read(4), bytes_of(Pubrec{9}));
  EXPECT_EQ(bus_.stored().size(), 2u);
}

TEST_F(MqttIngestTest, WhatAClientMakesTheServerKeepCountsAsMemory) {
  start();
  auto small = client({.client_id = "small", .will = Will{.topic = "cabs/1/telemetry", .payload = "gone"}});
  EXPECT_EQ(loops_->buffered_bytes(), 0u);
  const std::string payload(60'000, 'w');
  auto large = client({.client_id = "large", .will = Will{.topic = "cabs/1/telemetry", .payload = payload}});
  large.send(bytes_of(Pingreq{}));
  EXPECT_EQ(large.read(2), bytes_of(Pingresp{}));
  EXPECT_GE(loops_->buffered_bytes(), payload.size());
  large.close();
  while (loops_->buffered_bytes() > 0) std::this_thread::yield();

  for (uint16_t id = 1; id <= 1000; ++id) {
    small.send(bytes_of(telemetry(id, 2)));
    EXPECT_EQ(small.read(4), bytes_of(Pubrec{id}));
  }
  EXPECT_GE(loops_->buffered_bytes(), 40'000u);
  for (uint16_t id = 1; id <= 1000; ++id) {
    small.send(bytes_of(Pubrel{id}));
    EXPECT_EQ(small.read(4), bytes_of(Pubcomp{id}));
  }
  while (loops_->buffered_bytes() > 0) std::this_thread::yield();
}

TEST_F(MqttIngestTest, SubscriptionsAreRefusedAndSaidSo) {
  start();
  auto c = client();
  c.send(bytes_of(Subscribe{5, {{"a", 0}, {"b/#", 2}}}));
  EXPECT_EQ(c.read(6), bytes_of(Suback{5, {kSubscribeFailure, kSubscribeFailure}}));
  c.send(bytes_of(Unsubscribe{6, {"a"}}));
  EXPECT_EQ(c.read(4), bytes_of(Unsuback{6}));
}

TEST_F(MqttIngestTest, WillIsARecordAfterAnEndWithoutDisconnect) {
  start();
  Connect connect{.client_id = "c", .will = Will{.topic = "logs/c/gone", .payload = "bye", .qos = 1}};
  client(connect).reset();
  auto stored = bus_.wait_for_stored(1);
  ASSERT_EQ(stored.size(), 1u);
  EXPECT_EQ(stored[0].value, "bye");
  EXPECT_EQ(stored[0].headers["mqtt.topic"], "logs/c/gone");
  {
    auto c = client(connect);
    c.send(bytes_of(Disconnect{}));
    EXPECT_TRUE(c.wait_closed());
  }
  auto last = client({.client_id = "last"});
  last.send(bytes_of(telemetry(1)));
  EXPECT_EQ(last.read(4), bytes_of(Puback{1}));
  EXPECT_EQ(bus_.stored().size(), 2u);
}

TEST_F(MqttIngestTest, SecondConnectionWithTheSameClientIdEndsTheFirst) {
  start();
  auto first = client({.client_id = "twin"});
  auto second = client({.client_id = "twin"});
  EXPECT_TRUE(first.wait_closed());
  second.send(bytes_of(telemetry(1)));
  EXPECT_EQ(second.read(4), bytes_of(Puback{1}));
}

TEST_F(MqttIngestTest, ViolationsCloseTheConnection) {
  start();
  std::string connect = bytes_of(Connect{.client_id = "v"});
  for (const std::string& bad :
       {bytes_of(Pingreq{}), connect + connect, connect + bytes_of(Pingresp{}), connect + bytes_of(Puback{1}),
        connect + "\x36\x05" +
            std::string("\0\x01"
                        "a\0\x01",
                        5),
        std::string("GET / HTTP/1.1\r\n\r\n"), connect + std::string("\xc0\x80\x80\x80\x80\x01", 6)}) {
    TestClient c(ingest_->port());
    c.send(bad);
    EXPECT_TRUE(c.wait_closed());
  }
  EXPECT_EQ(metric("headrace_mqtt_protocol_errors_total"), 7);
}

TEST_F(MqttIngestTest, OtherProtocolLevelsAreAnsweredWithTheReturnCode) {
  start();
  TestClient c(ingest_->port());
  c.send(std::string("\x10\x0d\0\4MQTT\5\2\0\0\0\0\0", 15));
  EXPECT_EQ(c.read_all(), bytes_of(Connack{.code = ConnectCode::kUnacceptableProtocolVersion}));
  TestClient nameless(ingest_->port());
  nameless.send(bytes_of(Connect{.client_id = "", .clean_session = false}));
  EXPECT_EQ(nameless.read_all(), bytes_of(Connack{.code = ConnectCode::kIdentifierRejected}));
}

TEST_F(MqttIngestTest, OversizedPacketsCloseTheConnectionBeforeTheirBytesCome) {
  options_.set("packet_bytes_max", int64_t{1000});
  start();
  TestClient early(ingest_->port());
  early.send(std::string("\x10\xff\xff\x7f", 4));
  EXPECT_TRUE(early.wait_closed());
  auto late = client();
  late.send(bytes_of(Publish{.topic = "logs/a", .payload = std::string(2000, 'x')}).substr(0, 10));
  EXPECT_TRUE(late.wait_closed());
  EXPECT_TRUE(bus_.stored().empty());
}

TEST_F(MqttIngestTest, TruncatedFrameAndEndIsNoRecord) {
  start();
  auto c = client();
  std::string frame = bytes_of(telemetry(1));
  c.send(frame + frame.substr(0, frame.size() - 1));
  EXPECT_EQ(c.read(4), bytes_of(Puback{1}));
  c.shutdown_send();
  EXPECT_TRUE(c.wait_closed());
  EXPECT_EQ(bus_.stored().size(), 1u);
}

TEST_F(MqttIngestTest, UnmatchedMessageClosesTheConnectionByDefault) {
  start();
  auto c = client();
  c.send(bytes_of(telemetry(1, 1, "elsewhere")));
  EXPECT_EQ(c.read_all(), "");
  EXPECT_EQ(metric("headrace_mqtt_rejected_total"), 1);
}

TEST_F(MqttIngestTest, UnmatchedMessageMayGoToTheDeadLettersOrATopicOfItsOwn) {
  options_.set("unmatched", std::string("dead_letter"));
  start();
  auto c = client();
  c.send(bytes_of(telemetry(1, 1, "elsewhere")));
  EXPECT_EQ(c.read(4), bytes_of(Puback{1}));
  auto stored = bus_.stored();
  ASSERT_EQ(stored.size(), 1u);
  EXPECT_EQ(stored[0].tp.topic, "dead-letters");
  EXPECT_EQ(stored[0].headers["dlq.stage"], "ingest");
  EXPECT_EQ(stored[0].headers["mqtt.topic"], "elsewhere");
  ingest_.reset();
  options_.set("unmatched", std::string("topic"));
  options_.set("unmatched_topic", std::string("logs"));
  start();
  auto d = client();
  d.send(bytes_of(telemetry(1, 1, "elsewhere")));
  EXPECT_EQ(d.read(4), bytes_of(Puback{1}));
  EXPECT_EQ(bus_.stored()[1].tp.topic, "logs");
  EXPECT_EQ(bus_.stored()[1].key, "elsewhere");
}

TEST_F(MqttIngestTest, TopicsFromTemplatesAreLookedUpAndMissingOnesRefused) {
  start();
  bus_.add_topic("fresh", 2);
  auto c = client();
  c.send(bytes_of(telemetry(1, 1, "to/fresh"), telemetry(2, 1, "to/fresh")));
  EXPECT_EQ(c.read(8), bytes_of(Puback{1}, Puback{2}));
  EXPECT_EQ(bus_.stored()[0].key, "c");
  c.send(bytes_of(telemetry(3, 1, "to/missing")));
  EXPECT_EQ(c.read_all(), "");
}

TEST_F(MqttIngestTest, InventedTopicsLeaveRoomForOthers) {
  start();
  for (size_t i = 0; i <= TopicCatalog::kTopicsMax; ++i) {
    auto c = client();
    c.send(bytes_of(telemetry(1, 1, "to/invented-" + std::to_string(i))));
    EXPECT_EQ(c.read_all(), "");
  }
  bus_.add_topic("fresh", 2);
  auto c = client();
  c.send(bytes_of(telemetry(1, 1, "to/fresh")));
  EXPECT_EQ(c.read(4), bytes_of(Puback{1}));
}

/// Nobody is there any more when it turns out that there is no such topic.
TEST_F(MqttIngestTest, InventedTopicsOfWillsLeaveRoomForOthers) {
  start();
  for (size_t i = 0; i <= TopicCatalog::kTopicsMax; ++i) {
    const std::string name = std::to_string(i), topic = "to/invented-" + name;
    client({.client_id = name, .will = Will{.topic = topic, .payload = "gone"}}).close();
  }
  bus_.add_topic("fresh", 2);
  std::string answer;
  while (answer.empty()) {  // They are forgotten within a second.
    auto c = client();
    c.send(bytes_of(telemetry(1, 1, "to/fresh")));
    answer = c.read(4);
  }
  EXPECT_EQ(answer, bytes_of(Puback{1}));
}

TEST_F(MqttIngestTest, UnansweredBytesHoldTheReadingBack) {
  options_.set("in_flight_bytes_max", int64_t{1 << 20});
  start();
  bus_.hold();
  auto c = client();
  std::string frame =
      bytes_of(Publish{.topic = "logs/a", .payload = std::string(100'000, 'x'), .packet_id = 1, .qos = 1});
  size_t sent = 0, idle_rounds = 0;
  while (idle_rounds < 200 && sent < 1'000 * frame.size()) {
    size_t at = sent % frame.size();
    size_t n = c.send_without_waiting(std::string_view(frame).substr(at));
    if (n == 0) {
      pollfd wait{c.fd(), POLLOUT, 0};
      idle_rounds += ::poll(&wait, 1, 10) == 0;
    }
    sent += n;
  }
  EXPECT_LT(sent, 20u << 20);  // What is in flight, and what the sockets' buffers take.
  bus_.release();
  size_t messages = sent / frame.size() + 1;
  c.send(frame.substr(sent % frame.size()));
  EXPECT_EQ(c.read(4 * messages).size(), 4 * messages);
  EXPECT_EQ(bus_.stored().size(), messages);
}

TEST_F(MqttIngestTest, SilentClientsAreClosed) {
  options_.set("connect_timeout", std::chrono::milliseconds(100));
  start();
  TestClient mute(ingest_->port());
  auto c = client({.client_id = "k", .keep_alive_s = 1});
  EXPECT_TRUE(mute.wait_closed());
  EXPECT_TRUE(c.wait_closed());
}

TEST_F(MqttIngestTest, EndAnswersWhatWasRead) {
  start();
  auto c = client();
  bus_.hold();
  c.send(bytes_of(telemetry(1)));
  bus_.wait_for_waiting(1);
  std::thread release([&] { bus_.release(); });
  ingest_.reset();
  release.join();
  EXPECT_EQ(c.read_all(), bytes_of(Puback{1}));
}

TEST_F(MqttIngestTest, EndDoesNotWaitForEverForASilentBus) {
  start();
  auto c = client();
  bus_.hold();
  c.send(bytes_of(telemetry(1)));
  bus_.wait_for_waiting(1);
  ingest_.reset();
  EXPECT_TRUE(c.wait_closed());
  bus_.release();
}

TEST_F(MqttIngestTest, MistakesInTheRulesAreExplained) {
  options_.set("routes", std::vector<Route>{{{"filter", "a/#/b"}, {"topic", "cabs"}}});
  EXPECT_THAT(make().error().message, HasSubstr("routes: rule 1: filter \"a/#/b\""));
  options_.set("routes", std::vector<Route>{{{"filter", "a/+"}, {"topic", "cabs"}, {"key", "{2}"}}});
  EXPECT_THAT(make().error().message, HasSubstr("{2} is no place of this rule"));
  options_.set("routes", std::vector<Route>{{{"filter", "a"}, {"topic", "nowhere"}}});
  EXPECT_EQ(make().error().code, ErrorCode::kNotFound);
}

TEST(MqttRoutes, FirstMatchingRuleGivesTopicAndKey) {
  auto routes = mqtt::Routes::parse({{{"filter", "a/+/#"}, {"topic", "t-{1}"}, {"key", "{client_id}:{2}"}},
                                     {{"filter", "#"}, {"topic", "rest"}, {"key", "{topic}"}}});
  ASSERT_TRUE(routes.ok()) << routes.error().message;
  mqtt::Routes::Scratch scratch;
  auto routed = routes->route("a/b/c/d", "me", scratch);
  EXPECT_EQ(routed->topic, "t-b");
  EXPECT_EQ(routed->key, "me:c/d");
  routed = routes->route("x", "me", scratch);
  EXPECT_EQ(routed->topic, "rest");
  EXPECT_EQ(routed->key, "x");
  EXPECT_THAT(routes->literal_topics(), ElementsAre("rest"));
}

TEST(PendingMessages, AcknowledgesInOrderWhateverTheOrderOfAnswers) {
  mqtt::PendingMessages pending;
  for (uint16_t id = 0; id < 100; ++id) pending.add(id, 1, 10);
  std::vector<uint16_t> acknowledged;
  auto note = [&](const mqtt::PendingMessages::Message& m) { acknowledged.push_back(m.packet_id); };
  pending.answer(50, 50, note);
  EXPECT_TRUE(acknowledged.empty());
  pending.answer(1, 49, note);
  EXPECT_TRUE(acknowledged.empty());
  pending.answer(0, 1, note);
  ASSERT_EQ(acknowledged.size(), 100u);
  for (uint16_t id = 0; id < 100; ++id) EXPECT_EQ(acknowledged[id], id);
  EXPECT_EQ(pending.bytes(), 0u);
  EXPECT_EQ(pending.next_number(), 100u);
}

}  // namespace
}  // namespace headrace::ingest
