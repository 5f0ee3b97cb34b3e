#include <fmt/format.h>

#include "flow/ingest.h"
#include "ingest/http/json_scanner.h"
#include "ingest/http/request_records.h"
#include "ingest/testing.h"
#include "net/http.h"
#include "net/testing.h"

namespace headrace::ingest {
const flow::IngestComponent& http_ingest();

namespace {

using testing::HasSubstr;
using testing::StartsWith;

class HttpIngestTest : public testing::Test {
 protected:
  HttpIngestTest() {
    bus_.add_topic("cabs", 2);
    flow::fill_defaults(http_ingest().spec, options_);
  }
  void start() {
    flow::IngestContext context{
        .name = "http", .bus = bus_, .loops = *loops_, .http = *http_, .listen_mqtt = "", .metrics = metrics_};
    auto ingest = http_ingest().make(options_, context);
    ASSERT_TRUE(ingest.ok()) << ingest.error().message;
    ingest_ = *std::move(ingest);
    ASSERT_TRUE(http_->start().ok());
  }
  /// The whole answer.
  std::string post(std::string_view target, std::string_view type, std::string_view body) {
    net::TestClient client(http_->port());
    client.send(fmt::format(
        "POST {} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: {}\r\nContent-Length: {}\r\n\r\n{}", target,
        type, body.size(), body));
    return client.read_all();
  }

  FakeBus bus_;
  flow::MetricsRegistry metrics_;
  flow::Options options_;
  std::unique_ptr<net::EventLoops> loops_ = net::EventLoops::start(2);
  std::unique_ptr<net::HttpServer> http_ = net::make_http_server(*loops_, {});
  std::unique_ptr<flow::Ingest> ingest_;
};

constexpr std::string_view kTarget = "/v1/topics/cabs/records";

TEST_F(HttpIngestTest, JsonBodyIsOneRecordAsItWasWritten) {
  start();
  std::string answer = post(kTarget, "application/json; charset=utf-8", R"( {"a": 1.50, "a":2} )");
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 "));
  EXPECT_THAT(answer, HasSubstr("\"offset\":0}]}"));
  ASSERT_EQ(bus_.stored().size(), 1u);
  EXPECT_EQ(bus_.stored()[0].value, R"({"a": 1.50, "a":2})");
}

TEST_F(HttpIngestTest, EnvelopeGivesKeysHeadersPartitionsAndTheAnswerTheirOffsets) {
  start();
  std::string answer = post(kTarget, "application/json", R"({"records":[
      {"key":"k\u00e9","value":{"x":[1,2]},"partition":1,"headers":{"h":"v\n"},"timestamp":5},
      {"value":"text","partition":0},{"key":17,"value":null,"partition":1}]})");
  EXPECT_THAT(
      answer,
      HasSubstr(R"({"offsets":[{"partition":1,"offset":0},{"partition":0,"offset":0},{"partition":1,"offset":1}]})"));
  auto stored = bus_.stored();
  ASSERT_EQ(stored.size(), 3u);
  EXPECT_EQ(stored[0].value, "\"text\"");
  EXPECT_EQ(stored[1].key, "k\xc3\xa9");
  EXPECT_EQ(stored[1].value, R"({"x":[1,2]})");
  EXPECT_EQ(stored[1].headers["h"], "v\n");
  EXPECT_EQ(stored[2].key, "17");
}

TEST_F(HttpIngestTest, NdjsonIsARecordALine) {
  start();
  EXPECT_THAT(post(kTarget, "application/x-ndjson", "{\"n\":1}\n\n[2]\r\n3"), StartsWith("HTTP/1.1 200 "));
  ASSERT_EQ(bus_.stored().size(), 3u);
  EXPECT_EQ(bus_.stored()[1].value, "[2]");
}

TEST_F(HttpIngestTest, BytesAreOneRecordWithTheKeyOfTheQuery) {
  start();
  std::string answer =
      post("/v1/topics/cabs/records?key=cab%2017", "application/octet-stream", std::string_view("\0\xff", 2));
  EXPECT_THAT(answer, HasSubstr(fmt::format("\"partition\":{}", bus::partition_for_key("cab 17", 2).value)));
  EXPECT_EQ(bus_.stored()[0].key, "cab 17");
  EXPECT_EQ(bus_.stored()[0].value, std::string("\0\xff", 2));
}

TEST_F(HttpIngestTest, BadJsonIsExplainedWithItsPlaceAndNothingIsKept) {
  start();
  std::string answer = post(kTarget, "application/x-ndjson", "{\"n\":1}\n{\"n\":}\n");
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 400 "));
  EXPECT_THAT(answer, HasSubstr("line 2, column 6: expected a value"));
  EXPECT_THAT(post(kTarget, "application/json", R"({"records":[{"value":1},{"valve":2}]})"),
              HasSubstr("unexpected member \\\"valve\\\""));
  EXPECT_THAT(post(kTarget, "application/json", ""), StartsWith("HTTP/1.1 400 "));
  EXPECT_THAT(post(kTarget, "application/json", R"({"records":[]})"), StartsWith("HTTP/1.1 400 "));
  EXPECT_THAT(post(kTarget, "application/json", std::string(100'000, '[')), HasSubstr("nested deeper"));
  EXPECT_TRUE(bus_.stored().empty());
}

TEST_F(HttpIngestTest, ErrorsHaveTheStatusThatFits) {
  start();
  EXPECT_THAT(post("/v1/topics/none/records", "application/json", "1"), StartsWith("HTTP/1.1 404 "));
  EXPECT_THAT(post("/v1/topics/cabs/records?partition=2", "application/json", "1"), StartsWith("HTTP/1.1 404 "));
  EXPECT_THAT(post("/v1/topics/cabs/records?partition=x", "application/json", "1"), StartsWith("HTTP/1.1 400 "));
  EXPECT_THAT(post(kTarget, "text/plain", "1"), StartsWith("HTTP/1.1 415 "));
  bus_.fail_next(1, ErrorCode::kUnavailable);
  std::string busy = post(kTarget, "application/json", "1");
  EXPECT_THAT(busy, StartsWith("HTTP/1.1 503 "));
  EXPECT_THAT(busy, HasSubstr("Retry-After: 1\r\n"));
  bus_.fail_next(1, ErrorCode::kTooLarge);
  EXPECT_THAT(post(kTarget, "application/json", "1"), StartsWith("HTTP/1.1 413 "));
  EXPECT_TRUE(bus_.stored().empty());
}

TEST_F(HttpIngestTest, PartlyCommittedRequestSaysWhichRecordsAreIn) {
  start();
  bus_.fail_next(1, ErrorCode::kUnavailable);
  std::string answer =
      post(kTarget, "application/json", R"({"records":[{"value":1,"partition":0},{"value":2,"partition":1}]})");
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 503 "));
  EXPECT_THAT(answer, HasSubstr(R"("offsets":[{"partition":0,"error":"unavailable"},{"partition":1,"offset":0}]})"));
}

TEST_F(HttpIngestTest, TheAnswerWaitsForTheBusAndTooMuchWaitingIs429) {
  options_.set("in_flight_bytes_max", int64_t{1000});
  start();
  bus_.hold();
  net::TestClient first(http_->port());
  first.send(fmt::format(
      "POST {} HTTP/1.1\r\nHost: x\r\nContent-Type: application/octet-stream\r\nContent-Length: 900\r\n\r\n{}", kTarget,
      std::string(900, 'x')));
  bus_.wait_for_waiting(1);
  EXPECT_THAT(post(kTarget, "application/octet-stream", std::string(200, 'y')), StartsWith("HTTP/1.1 429 "));
  pollfd unread{first.fd(), POLLIN, 0};
  EXPECT_EQ(::poll(&unread, 1, 0), 0);
  bus_.release();
  EXPECT_THAT(first.read_until("}]}"), StartsWith("HTTP/1.1 200 "));
}

TEST_F(HttpIngestTest, AfterItsEndTheRouteAnswersUnavailable) {
  start();
  ingest_.reset();
  EXPECT_THAT(post(kTarget, "application/json", "1"), StartsWith("HTTP/1.1 503 "));
}

TEST(JsonScanner, AcceptsWhatIsJsonAndNothingElse) {
  for (std::string_view good : {"0", "-0.5e+10", "\"\"", "\"\\u00e9\\ud83d\\ude95\\n\"", "[]", "{}",
                                "[1,[2,{\"a\":null}]]", " { \"a\" : true , \"b\" : false } ", "1E5", "\"straße\""}) {
    JsonScanner scanner(good);
    std::string_view raw;
    EXPECT_TRUE(scanner.value(raw) && scanner.end()) << good << ": " << (scanner.ok() ? "" : scanner.error().message);
  }
  for (std::string_view bad : {"",
                               " ",
                               "01",
                               "-",
                               "1.",
                               "1e",
                               ".5",
                               "+1",
                               "tru",
                               "nul",
                               "\"",
                               "\"\\x\"",
                               "\"\\u12\"",
                               "\"\\ud800\"",
                               "\"\\ud800\\u0041\"",
                               "\"\\udc00\"",
                               "\"\t\"",
                               "[",
                               "[1",
                               "[1,]",
                               "[1 2]",
                               "{",
                               "{\"a\"}",
                               "{\"a\":}",
                               "{\"a\":1,}",
                               "{a:1}",
                               "1 2",
                               "\"\xff\"",
                               "'a'",
                               "NaN"}) {
    JsonScanner scanner(bad);
    std::string_view raw;
    EXPECT_FALSE(scanner.value(raw) && scanner.end()) << bad;
    EXPECT_FALSE(scanner.ok()) << bad;
  }
}

TEST(JsonScanner, TruncatedAnywhereIsAnError) {
  std::string text = R"({"a":[1.5e3,"x\u00e9\\",true,null],"b":{}})";
  for (size_t size = 0; size < text.size(); ++size) {
    JsonScanner scanner(std::string_view(text).substr(0, size));
    std::string_view raw;
    EXPECT_FALSE(scanner.value(raw) && scanner.end()) << size;
  }
}

TEST(JsonScanner, DecodesStrings) {
  JsonScanner scanner(R"("a\"\\\/\b\f\n\r\t\u00e9\u20ac\ud83d\ude95")");
  std::string text;
  EXPECT_TRUE(scanner.string(text));
  EXPECT_EQ(text, "a\"\\/\b\f\n\r\té€🚕");
}

TEST(RequestRecords, TruncatedEnvelopeAnywhereIsAnError) {
  std::string text = R"({"records":[{"key":"k","value":{"a":1},"headers":{"h":"v"},"partition":0,"timestamp":1}]})";
  for (size_t size = 0; size < text.size(); ++size) {
    EXPECT_FALSE(read_records("application/json", std::string_view(text).substr(0, size), {}).ok()) << size;
  }
  EXPECT_TRUE(read_records("application/json", text, {}).ok());
}

}  // namespace
}  // namespace headrace::ingest
