// Rules of MQTT 3.1.1 on the form of packets, as data: bytes in, and whether they are a packet.
#include "wire/mqtt/decode.h"

namespace headrace::wire::mqtt {
namespace {

struct Case {
  const char* clause;
  const char* bytes;  ///< Hexadecimal; 'text' stands for itself.
  enum { kGood, kBad, kUnsupportedLevel } result;
};

// clang-format off
constexpr Case kCases[] = {
    {"2.2.1 reserved type 0",                        "00 00", Case::kBad},
    {"2.2.1 reserved type 15",                       "f0 00", Case::kBad},
    {"MQTT-2.2.2-2 CONNECT with flags",              "11 0c 0004'MQTT'04 02 0000 0000", Case::kBad},
    {"MQTT-2.2.2-2 PINGREQ with flags",              "c1 00", Case::kBad},
    {"MQTT-3.6.1-1 PUBREL without its flag",         "60 02 0001", Case::kBad},
    {"MQTT-3.8.1-1 SUBSCRIBE without its flag",      "80 06 0001 0001'a'00", Case::kBad},
    {"MQTT-3.10.1-1 UNSUBSCRIBE without its flag",   "a0 05 0001 0001'a'", Case::kBad},
    {"MQTT-3.14.1-1 DISCONNECT with flags",          "e1 00", Case::kBad},
    {"2.2.3 length of five bytes",                   "c0 80 80 80 80 00", Case::kBad},
    {"2.2.3 length not in its shortest form",        "c0 80 00", Case::kGood},
    {"MQTT-2.3.1-1 PUBLISH with identifier 0",       "32 05 0001'a'0000", Case::kBad},
    {"MQTT-2.3.1-1 SUBSCRIBE with identifier 0",     "82 06 0000 0001'a'00", Case::kBad},
    {"MQTT-2.3.1-1 UNSUBSCRIBE with identifier 0",   "a2 05 0000 0001'a'", Case::kBad},
    {"MQTT-2.3.1-1 PUBACK with identifier 0",        "40 02 0000", Case::kBad},
    {"MQTT-2.3.1-5 PUBLISH of QoS 0 has none",       "30 03 0001'a'", Case::kGood},
    {"PUBACK too long",                              "40 03 0001 00", Case::kBad},
    {"PUBACK too short",                             "40 01 00", Case::kBad},
    {"PINGREQ with a body",                          "c0 01 00", Case::kBad},

    {"CONNECT, the smallest",                        "10 0c 0004'MQTT'04 02 0000 0000", Case::kGood},
    {"MQTT-3.1.2-1 another protocol's name",         "10 0c 0004'MQTP'04 02 0000 0000", Case::kBad},
    {"MQTT-3.1.2-1 case of the name matters",        "10 0c 0004'mqtt'04 02 0000 0000", Case::kBad},
    {"MQTT-3.1.2-2 level 5",                         "10 0d 0004'MQTT'05 02 0000 00 0000", Case::kUnsupportedLevel},
    {"MQTT-3.1.2-2 level 3, MQIsdp",                 "10 0e 0006'MQIsdp'03 02 0000 0000", Case::kUnsupportedLevel},
    {"MQTT-3.1.2-3 reserved flag",                   "10 0c 0004'MQTT'04 03 0000 0000", Case::kBad},
    {"MQTT-3.1.2-11 will without the flag",          "10 12 0004'MQTT'04 02 0000 0000 0001'a'0001'b'", Case::kBad},
    {"MQTT-3.1.2-13 will QoS without a will",        "10 0c 0004'MQTT'04 0a 0000 0000", Case::kBad},
    {"MQTT-3.1.2-14 will QoS 3",                     "10 12 0004'MQTT'04 1e 0000 0000 0001'a'0001'b'", Case::kBad},
    {"MQTT-3.1.2-15 will retain without a will",     "10 0c 0004'MQTT'04 22 0000 0000", Case::kBad},
    {"MQTT-3.1.2-9 will flag without a will",        "10 0c 0004'MQTT'04 06 0000 0000", Case::kBad},
    {"MQTT-3.1.2-9 with a will",                     "10 12 0004'MQTT'04 2e 0000 0000 0001'a'0001'b'", Case::kGood},
    {"MQTT-3.1.2-19 user name missing",              "10 0c 0004'MQTT'04 82 0000 0000", Case::kBad},
    {"MQTT-3.1.2-21 password missing",               "10 0f 0004'MQTT'04 c2 0000 0000 0001'u'", Case::kBad},
    {"MQTT-3.1.2-22 password without a user name",   "10 0f 0004'MQTT'04 42 0000 0000 0001'p'", Case::kBad},
    {"MQTT-3.1.3-3 no client identifier",            "10 0a 0004'MQTT'04 02 0000", Case::kBad},
    {"MQTT-3.1.3-4 client identifier not UTF-8",     "10 0d 0004'MQTT'04 02 0000 0001 ff", Case::kBad},
    {"MQTT-3.1.3-10 will topic not UTF-8",           "10 12 0004'MQTT'04 06 0000 0000 0001 c0 0001'b'", Case::kBad},
    {"MQTT-3.1.3-11 user name not UTF-8",            "10 0f 0004'MQTT'04 82 0000 0000 0001 80", Case::kBad},
    {"CONNECT, bytes left over",                     "10 0d 0004'MQTT'04 02 0000 0000 00", Case::kBad},

    {"CONNACK, reserved acknowledge flag",           "20 02 02 00", Case::kBad},
    {"CONNACK, reserved code",                       "20 02 00 06", Case::kBad},
    {"MQTT-3.2.2-4 session present and refused",     "20 02 01 05", Case::kBad},

    {"MQTT-1.5.3-1 surrogate in a topic",            "30 05 0003 eda080", Case::kBad},
    {"MQTT-1.5.3-1 overlong in a topic",             "30 04 0002 c080", Case::kBad},
    {"MQTT-1.5.3-1 beyond U+10FFFF",                 "30 06 0004 f4908080", Case::kBad},
    {"MQTT-1.5.3-2 U+0000 in a topic",               "30 05 0003'a'00'b'", Case::kBad},
    {"MQTT-1.5.3-3 BOM is a character",              "30 05 0003 efbbbf", Case::kGood},
    {"MQTT-3.3.1-2 DUP with QoS 0",                  "38 03 0001'a'", Case::kBad},
    {"MQTT-3.3.1-4 QoS 3",                           "36 05 0001'a'0001", Case::kBad},
    {"MQTT-3.3.2-1 no topic",                        "30 01 00", Case::kBad},
    {"MQTT-3.3.2-2 '+' in a topic name",             "30 05 0003'a/+'", Case::kBad},
    {"MQTT-3.3.2-2 '#' in a topic name",             "30 03 0001'#'", Case::kBad},
    {"MQTT-4.7.3-1 empty topic name",                "30 02 0000", Case::kBad},
    {"PUBLISH, topic longer than the packet",        "30 03 0005'a'", Case::kBad},
    {"PUBLISH, QoS 1 without room for an identifier","32 04 0001'a'00", Case::kBad},
    {"3.3.3 empty payload",                          "32 05 0001'a'0001", Case::kGood},

    {"MQTT-3.8.3-3 SUBSCRIBE without a filter",      "82 02 0001", Case::kBad},
    {"MQTT-3-8.3-4 SUBSCRIBE, QoS 3",                "82 06 0001 0001'a'03", Case::kBad},
    {"MQTT-3-8.3-4 SUBSCRIBE, reserved bits",        "82 06 0001 0001'a'11", Case::kBad},
    {"MQTT-3.8.3-1 SUBSCRIBE, filter not UTF-8",     "82 06 0001 0001 ff 00", Case::kBad},
    {"MQTT-4.7.1-2 '#' not last",                    "82 08 0001 0003'#/a'00", Case::kBad},
    {"MQTT-4.7.1-2 '#' within a level",              "82 07 0001 0002'a#'00", Case::kBad},
    {"MQTT-4.7.1-3 '+' within a level",              "82 07 0001 0002'a+'00", Case::kBad},
    {"MQTT-4.7.1-3 '+' a level of its own",          "82 0a 0001 0005'+/a/+'00", Case::kGood},
    {"SUBSCRIBE without a QoS",                      "82 05 0001 0001'a'", Case::kBad},
    {"MQTT-3.9.3-2 SUBACK, reserved code",           "90 03 0001 03", Case::kBad},
    {"MQTT-3.9.3-2 SUBACK, failure",                 "90 03 0001 80", Case::kGood},
    {"MQTT-3.10.3-2 UNSUBSCRIBE without a filter",   "a2 02 0001", Case::kBad},
    {"MQTT-3.10.3-1 UNSUBSCRIBE, filter not UTF-8",  "a2 05 0001 0001 ff", Case::kBad},
};
// clang-format on

Bytes parse(std::string_view text) {
  Bytes bytes;
  bool quoted = false;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\'') {
      quoted = !quoted;
    } else if (quoted) {
      bytes.push_back(static_cast<uint8_t>(text[i]));
    } else if (text[i] != ' ') {
      bytes.push_back(static_cast<uint8_t>(std::stoi(std::string(text.substr(i++, 2)), nullptr, 16)));
    }
  }
  return bytes;
}

TEST(MqttConformance, EveryClauseHoldsAsItsCaseSays) {
  for (const Case& each : kCases) {
    SCOPED_TRACE(each.clause);
    Bytes bytes = parse(each.bytes);
    FrameReader reader(bytes, 1 << 20);
    const Frame* frame = reader.next();
    if (!frame) {
      EXPECT_EQ(each.result, Case::kBad);
      EXPECT_FALSE(reader.status().ok()) << "an incomplete frame";
      continue;
    }
    EXPECT_EQ(reader.consumed(), bytes.size());
    auto packet = decode(*frame);
    EXPECT_EQ(packet.ok(), each.result == Case::kGood) << (packet.ok() ? "" : packet.error().message);
    if (!packet.ok()) {
      EXPECT_EQ(packet.error().code, each.result == Case::kBad ? ErrorCode::kCorrupt : ErrorCode::kUnsupported);
    }
  }
}

}  // namespace
}  // namespace headrace::wire::mqtt
