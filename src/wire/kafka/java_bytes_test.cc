// Our bytes beside those of Kafka's Java classes, in both directions. Two files, one line a message:
//
//   <message> <version> <body in hex>
//
// HEADRACE_KAFKA_SAMPLES names the one that this test writes for Java to read, HEADRACE_KAFKA_JAVA_SAMPLES the one that
// Java wrote; tests/interop/test_kafka_bytes.py runs both.
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "wire/kafka/all_messages.h"
#include "wire/kafka/decode.h"
#include "wire/kafka/encode.h"
#include "wire/kafka/headers.h"
#include "wire/kafka/sample.h"

namespace headrace::wire::kafka {
namespace {

constexpr uint64_t kSeeds = 5;

std::string to_hex(const Bytes& bytes) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string out;
  for (uint8_t byte : bytes) {
    out += kDigits[byte >> 4];
    out += kDigits[byte & 15];
  }
  return out;
}

Bytes from_hex(const std::string& text) {
  Bytes bytes;
  for (size_t i = 0; i + 1 < text.size(); i += 2) {
    bytes.push_back(static_cast<uint8_t>(std::stoi(text.substr(i, 2), nullptr, 16)));
  }
  return bytes;
}

template <typename M>
void write_samples(std::ostream& out) {
  for (int16_t version = M::kSpec.versions.min; version <= M::kSpec.versions.max; ++version) {
    for (uint64_t seed = 0; seed < kSeeds; ++seed) {
      Encoder encoder;
      encode(encoder, version, Sampler(seed).template message<M>(version));
      out << M::kSpec.name << ' ' << version << ' ' << to_hex(encoder.finish_body()) << '\n';
    }
  }
}

/// Whether `bytes` are said to be a message M; they must be read then, and written again as they were.
template <typename M>
bool compare(const std::string& name, int16_t version, const Bytes& bytes) {
  if (name != M::kSpec.name) return false;
  EXPECT_TRUE(M::kSpec.versions.contains(version)) << name << " v" << version;
  Decoder in{SharedBytes(Bytes(bytes))};
  auto message = decode<M>(in, version);
  EXPECT_TRUE(message.ok()) << name << " v" << version << ": " << message.error().message;
  if (!message.ok()) return true;
  EXPECT_EQ(in.remaining(), 0u) << name << " v" << version;
  Encoder out;
  encode(out, version, *message);
  EXPECT_EQ(to_hex(out.finish_body()), to_hex(bytes)) << name << " v" << version;
  return true;
}

template <int16_t... keys>
void write_all(std::integer_sequence<int16_t, keys...>, std::ostream& out) {
  (write_samples<typename Messages<keys>::Request>(out), ...);
  (write_samples<typename Messages<keys>::Response>(out), ...);
}

template <int16_t... keys>
bool compare_any(std::integer_sequence<int16_t, keys...>, const std::string& name, int16_t version,
                 const Bytes& bytes) {
  return compare<RequestHeader>(name, version, bytes) || compare<ResponseHeader>(name, version, bytes) ||
         (compare<typename Messages<keys>::Request>(name, version, bytes) || ...) ||
         (compare<typename Messages<keys>::Response>(name, version, bytes) || ...);
}

TEST(JavaBytes, SamplesAreWrittenForJava) {
  std::ostringstream all;
  write_samples<RequestHeader>(all);
  write_samples<ResponseHeader>(all);
  write_all(AllApiKeys(), all);
  std::string text = all.str();
  EXPECT_GT(std::count(text.begin(), text.end(), '\n'), 2 * static_cast<long>(AllApiKeys::size()));
  if (const char* path = std::getenv("HEADRACE_KAFKA_SAMPLES")) std::ofstream(path) << text;
}

TEST(JavaBytes, WhatJavaWroteComesBackAsItWas) {
  const char* path = std::getenv("HEADRACE_KAFKA_JAVA_SAMPLES");
  if (!path) GTEST_SKIP() << "HEADRACE_KAFKA_JAVA_SAMPLES names no file";
  std::ifstream file(path);
  std::string name, hex;
  int16_t version = 0;
  int lines = 0;
  while (file >> name >> version >> hex) {
    ++lines;
    if (hex == "-") hex.clear();
    EXPECT_TRUE(compare_any(AllApiKeys(), name, version, from_hex(hex))) << "no message " << name;
  }
  EXPECT_GT(lines, 2 * static_cast<int>(AllApiKeys::size()));
}

}  // namespace
}  // namespace headrace::wire::kafka
