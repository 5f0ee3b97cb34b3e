// Every declared message in every version: round trip, truncation at every byte, bytes that lie.
#include <cstdlib>
#include <fstream>

#include "wire/kafka/all_messages.h"
#include "wire/kafka/decode.h"
#include "wire/kafka/describe.h"
#include "wire/kafka/encode.h"
#include "wire/kafka/headers.h"
#include "wire/kafka/sample.h"

namespace headrace::wire::kafka {
namespace {

template <int16_t key>
struct Requests {
  using Message = typename Messages<key>::Request;
};
template <int16_t key>
struct Responses {
  using Message = typename Messages<key>::Response;
};
template <typename Keys>
struct AllMessages;
template <int16_t... keys>
struct AllMessages<std::integer_sequence<int16_t, keys...>> {
  using Types = ::testing::Types<RequestHeader, ResponseHeader, typename Requests<keys>::Message...,
                                 typename Responses<keys>::Message...>;
};

template <typename M>
Bytes body(const M& message, int16_t version) {
  Encoder out;
  encode(out, version, message);
  return out.finish_body();
}

template <typename M>
class EveryMessage : public ::testing::Test {
 protected:
  /// Calls `check(version, message)` for three samples of each version.
  template <typename Check>
  void for_each_sample(Check check) {
    for (int16_t version = M::kSpec.versions.min; version <= M::kSpec.versions.max; ++version) {
      for (uint64_t seed = 0; seed < 3; ++seed) {
        SCOPED_TRACE(testing::Message() << M::kSpec.name << " v" << version << " seed " << seed);
        check(version, Sampler(seed).template message<M>(version));
      }
    }
  }
};

struct MessageName {
  template <typename M>
  static std::string GetName(int) {
    return std::string(M::kSpec.name);
  }
};
TYPED_TEST_SUITE(EveryMessage, AllMessages<AllApiKeys>::Types, MessageName);

TYPED_TEST(EveryMessage, ComesBackAsItWasWritten) {
  this->for_each_sample([](int16_t version, const TypeParam& message) {
    Decoder in{SharedBytes(body(message, version))};
    auto read = decode<TypeParam>(in, version);
    ASSERT_TRUE(read.ok()) << read.error().message;
    EXPECT_EQ(in.remaining(), 0u);
    EXPECT_TRUE(equal(*read, message));
  });
}

TYPED_TEST(EveryMessage, CutAtAnyByteIsAnError) {
  this->for_each_sample([](int16_t version, const TypeParam& message) {
    SharedBytes whole(body(message, version));
    for (size_t size = 0; size < whole.size(); size += 1 + size / 512) {
      Decoder in(whole.slice(0, size));
      auto read = decode<TypeParam>(in, version);
      ASSERT_FALSE(read.ok()) << size << " of " << whole.size();
      EXPECT_EQ(read.error().code, ErrorCode::kCorrupt);
    }
  });
}

TYPED_TEST(EveryMessage, AnyByteChangedIsReadOrRefusedButNothingElse) {
  this->for_each_sample([](int16_t version, const TypeParam& message) {
    Bytes whole = body(message, version);
    for (size_t at = 0; at < whole.size(); at += 1 + at / 64) {
      Bytes changed = whole;
      changed[at] ^= 0xff;
      Decoder in{SharedBytes(std::move(changed))};
      (void)decode<TypeParam>(in, version);
    }
  });
}

/// At every byte in turn, lengths that lie: the largest, null and below, of two, four and one to five bytes.
TYPED_TEST(EveryMessage, LengthsThatLieAreReadOrRefusedButNothingElse) {
  const Bytes lies[] = {
      {0x7f, 0xff, 0xff, 0xff},       {0xff, 0xff, 0xff, 0xff},      {0x80, 0, 0, 0}, {0x7f, 0xff}, {0xff, 0xfe},
      {0xff, 0xff, 0xff, 0xff, 0x07}, {0xff, 0xff, 0xff, 0xff, 0x0f}};
  this->for_each_sample([&](int16_t version, const TypeParam& message) {
    Bytes whole = body(message, version);
    for (size_t at = 0; at < whole.size(); at += 1 + at / 64) {
      for (const Bytes& lie : lies) {
        Bytes changed = whole;
        std::copy_n(lie.begin(), std::min(lie.size(), changed.size() - at), changed.begin() + static_cast<long>(at));
        Decoder in{SharedBytes(std::move(changed))};
        (void)decode<TypeParam>(in, version);
      }
    }
  });
}

TYPED_TEST(EveryMessage, VersionsOutsideOfItsRangeAreUnsupported) {
  for (int version : {-1, TypeParam::kSpec.versions.min - 1, TypeParam::kSpec.versions.max + 1}) {
    if (TypeParam::kSpec.versions.contains(static_cast<int16_t>(version))) continue;
    Decoder in{SharedBytes(Bytes(64))};
    auto read = decode<TypeParam>(in, static_cast<int16_t>(version));
    ASSERT_FALSE(read.ok());
    EXPECT_EQ(read.error().code, ErrorCode::kUnsupported);
  }
}

TEST(Decoder, ArrayLengthBeyondTheFrameFailsBeforeItIsAllocated) {
  Bytes bytes(4 + 2 + 100);
  codec::Writer(bytes).patch<int32_t>(0, 0x7fffffff);
  Decoder in{SharedBytes(std::move(bytes))};
  auto read = decode<MetadataRequest>(in, 0);
  ASSERT_FALSE(read.ok());
  EXPECT_EQ(read.error().message, "MetadataRequest v0: Topics: a length beyond the end of the frame");
}

TEST(Decoder, ArraysOfOneMessageHaveALimitInAll) {
  constexpr size_t kNames = 200'000;  // Two bytes each on the wire.
  static_assert(kNames * sizeof(MetadataRequest::Topic) >
                kDecodedArrayBytesFree + kDecodedArrayBytesPerByte * 2 * kNames);
  Bytes bytes(4 + 2 * kNames);
  codec::Writer(bytes).patch<int32_t>(0, kNames);
  Decoder in{SharedBytes(std::move(bytes))};
  auto read = decode<MetadataRequest>(in, 0);
  ASSERT_FALSE(read.ok());
  EXPECT_NE(read.error().message.find("more array elements"), std::string::npos) << read.error().message;
}

TEST(Decoder, LongListsOfOrdinaryNamesAreRead) {
  MetadataRequest request;
  for (int i = 0; i < 200'000; ++i) request.topics->push_back({.name = "telemetry-" + std::to_string(i)});
  Decoder in{SharedBytes(body(request, 9))};
  auto read = decode<MetadataRequest>(in, 9);
  ASSERT_TRUE(read.ok()) << read.error().message;
  EXPECT_EQ(read->topics->size(), 200'000u);
}

TEST(Decoder, RecordsAreASliceOfTheFrame) {
  ProduceRequest request;
  auto& partition = request.topic_data.emplace_back().partition_data.emplace_back();
  partition.records = Records(SharedBytes(Bytes(100, 7)));
  SharedBytes frame(body(request, 9));
  Decoder in(frame);
  auto read = decode<ProduceRequest>(in, 9);
  ASSERT_TRUE(read.ok());
  const auto& records = read->topic_data[0].partition_data[0].records;
  ASSERT_EQ(records.parts.size(), 1u);
  EXPECT_GE(records.parts[0].data(), frame.data());
  EXPECT_LE(records.parts[0].data() + 100, frame.data() + frame.size());
}

TEST(Decoder, UnknownTaggedFieldsAreSkipped) {
  HeartbeatRequest request;
  Bytes bytes = body(request, 4);
  bytes.back() = 1;  // One tagged field: tag 9, three bytes.
  for (uint8_t byte : {9, 3, 1, 2, 3}) bytes.push_back(byte);
  Decoder in{SharedBytes(std::move(bytes))};
  EXPECT_TRUE(decode<HeartbeatRequest>(in, 4).ok());
  EXPECT_EQ(in.remaining(), 0u);
}

TEST(Encoder, LargeRecordsAreSentFromWhereTheyLie) {
  SharedBytes records(Bytes(kSpliceBytesMin, 1));
  FetchResponse response;
  auto& partition = response.responses.emplace_back().partitions.emplace_back();
  partition.records = Records(records);
  Encoder out;
  encode(out, 12, response);
  auto pieces = out.finish();
  ASSERT_EQ(pieces.size(), 3u);
  EXPECT_EQ(std::get<SharedBytes>(pieces[1]).data(), records.data());
  codec::Reader size(std::get<SharedBytes>(pieces[0]).view());
  EXPECT_EQ(static_cast<size_t>(size.read<int32_t>()),
            size_of(pieces[0]) + size_of(pieces[1]) + size_of(pieces[2]) - 4);
}

TEST(Headers, RequestHeaderVersionFollowsFlexibility) {
  EXPECT_EQ(request_header_version(HeartbeatRequest::kSpec, 3), 1);
  EXPECT_EQ(request_header_version(HeartbeatRequest::kSpec, 4), 2);
  EXPECT_EQ(response_header_version(HeartbeatResponse::kSpec, 4), 1);
  EXPECT_EQ(response_header_version(ApiVersionsResponse::kSpec, 3), 0);
}

TEST(Headers, KnownBytesOfAHeartbeat) {
  RequestHeader header{.request_api_key = 12, .request_api_version = 4, .correlation_id = 7, .client_id = "c"};
  HeartbeatRequest request{.group_id = "g", .generation_id = 1, .member_id = "m"};
  Encoder out;
  encode(out, 2, header);
  encode(out, 4, request);
  const Bytes expected = {0, 12, 0, 4, 0, 0, 0, 7, 0, 1, 'c', 0, 2, 'g', 0, 0, 0, 1, 2, 'm', 0, 0};
  EXPECT_EQ(out.finish_body(), expected);
}

TEST(Versions, AreReadAndWrittenAsInDescriptors) {
  EXPECT_EQ(to_text(Versions("0-4")), "0-4");
  EXPECT_EQ(to_text(Versions("12+")), "12+");
  EXPECT_EQ(to_text(Versions("3")), "3");
  EXPECT_EQ(to_text(Versions("none")), "none");
}

/// Writes the declarations where HEADRACE_KAFKA_DECLARATIONS says, for tools/kafka_descriptors.py.
TEST(Declarations, AreOneLineOfJsonEach) {
  std::string all = describe_all();
  EXPECT_EQ(static_cast<size_t>(std::count(all.begin(), all.end(), '\n')), 2 + 2 * AllApiKeys::size());
  if (const char* path = std::getenv("HEADRACE_KAFKA_DECLARATIONS")) std::ofstream(path) << all;
}

}  // namespace
}  // namespace headrace::wire::kafka
