#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zlib.h>

#include <atomic>
#include <cstdlib>
#include <functional>
#include <limits>
#include <mutex>
#include <random>
#include <thread>

#include "flow/sink.h"
#include "os/clock.h"
#include "sinks/opensearch/bulk.h"
#include "sinks/opensearch/http_client.h"
#include "sinks/opensearch/index_name.h"
#include "sinks/sinks.h"

namespace headrace::sinks {
namespace {

using Outcome = flow::WriteAnswer::Outcome;
using testing::ElementsAre;
using testing::HasSubstr;

// Names of indices.

std::string index_for(std::string_view text, std::string_view topic = "Cabs",
                      int64_t timestamp_ms = 1'795'240'320'123) {
  auto name = opensearch::IndexName::parse(text);
  if (!name.ok()) return "error: " + name.error().message;
  std::string out;
  name->append(topic, timestamp_ms, out);
  return out;
}

TEST(IndexName, IsMadeOfTextTopicAndDay) {
  EXPECT_EQ(index_for("cabs"), "cabs");
  EXPECT_EQ(index_for("{topic}"), "cabs");
  EXPECT_EQ(index_for("iot-{topic}-{date}"), "iot-cabs-2026-11-21");
  EXPECT_EQ(index_for("{date}", "t", -1), "1970-01-01");
  EXPECT_EQ(index_for("{date}", "t", INT64_MAX), "9999-12-31");
}

TEST(IndexName, WhatNoIndexMayBeCalledIsRefused) {
  for (std::string_view text : {"", "_x", "-x", "+x", "Upper", "a b", "a/b", "a*", "a?", "a#", "a,b", "{topic",
                                "{Topic}", "{}", "a}", "\"a\""}) {
    EXPECT_THAT(index_for(text), testing::StartsWith("error: ")) << text;
  }
}

// The bulk format.

TEST(Bulk, AnActionNamesIndexAndId) {
  std::string out;
  opensearch::append_action("cabs", {"Cabs.all", PartitionId(3)}, Offset(42), out);
  EXPECT_EQ(out, "{\"index\":{\"_index\":\"cabs\",\"_id\":\"Cabs.all-3-42\"}}\n");
}

TEST(Bulk, EachItemHasItsAnswer) {
  auto answers = opensearch::parse_bulk_answer(
      R"({"items":[{"index":{"status":201}},{"index":{"status":200}},
          {"index":{"status":429,"error":{"type":"rejected_execution_exception","reason":"queue full"}}},
          {"index":{"status":503,"error":{"type":"unavailable_shards_exception","reason":"no shard"}}},
          {"index":{"status":400,"error":{"type":"mapper_parsing_exception","reason":"failed to parse field [a]",
                    "caused_by":{"type":"number_format_exception","reason":"For input string"}}}}]})",
      5);
  ASSERT_TRUE(answers.ok()) << answers.error().message;
  std::vector<Outcome> outcomes;
  for (const auto& answer : *answers) outcomes.push_back(answer.outcome);
  EXPECT_THAT(outcomes,
              ElementsAre(Outcome::kWritten, Outcome::kWritten, Outcome::kRetry, Outcome::kRetry, Outcome::kRejected));
  EXPECT_EQ((*answers)[4].reason,
            "status 400: mapper_parsing_exception: failed to parse field [a]; caused by number_format_exception: For "
            "input string");
}

TEST(Bulk, AnAnswerThatIsNoneIsCorruptWhereverItIsCut) {
  const std::string whole =
      R"({"items":[{"index":{"status":201}},{"index":{"status":400,"error":{"type":"t","reason":"r"}}}]})";
  EXPECT_TRUE(opensearch::parse_bulk_answer(whole, 2).ok());
  for (size_t size = 0; size < whole.size(); ++size) {
    auto answers = opensearch::parse_bulk_answer(whole.substr(0, size), 2);
    ASSERT_FALSE(answers.ok()) << size;
    EXPECT_EQ(answers.error().code, ErrorCode::kCorrupt);
  }
  EXPECT_FALSE(opensearch::parse_bulk_answer(whole, 1).ok());
  EXPECT_FALSE(opensearch::parse_bulk_answer(R"({"items":[{"create":{"status":201}}]})", 1).ok());
  EXPECT_FALSE(opensearch::parse_bulk_answer("<html>bad gateway</html>", 1).ok());
}

TEST(Bulk, ReasonsAreCutAtACharacter) {
  std::string reason = opensearch::error_reason(std::string(999, 'x') + "\xc3\xa9" + "tail");
  EXPECT_EQ(reason, std::string(999, 'x') + "...");
}

// The sink against a server that answers as it is told.

/// What the server got.
struct Request {
  std::string head, body;
  size_t documents() const { return static_cast<size_t>(std::count(body.begin(), body.end(), '\n')) / 2; }
};

/// Answers one request a connection; an answer of "" closes without one, of "hang" waits until the server ends.
class FakeServer {
 public:
  using Answer = std::function<std::string(const Request&)>;

  explicit FakeServer(Answer answer) : answer_(std::move(answer)) {
    listener_ = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{.sin_family = AF_INET, .sin_port = 0, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof(address);
    if (bind(listener_, reinterpret_cast<sockaddr*>(&address), size) != 0 || listen(listener_, 16) != 0) abort();
    getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { serve(); });
  }
  ~FakeServer() {
    stopping_ = true;
    shutdown(listener_, SHUT_RDWR);
    thread_.join();
    for (int hanging : hanging_) close(hanging);
    close(listener_);
  }
  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
  std::vector<Request> requests() {
    std::lock_guard lock(mutex_);
    return requests_;
  }

 private:
  void serve() {
    while (!stopping_) {
      int connection = accept(listener_, nullptr, nullptr);
      if (connection < 0) return;
      Request request = read(connection);
      std::string answer = answer_(request);
      {
        std::lock_guard lock(mutex_);
        requests_.push_back(std::move(request));
      }
      if (answer == "hang") {
        hanging_.push_back(connection);
        continue;
      }
      if (send(connection, answer.data(), answer.size(), MSG_NOSIGNAL) < 0) perror("send");
      close(connection);
    }
  }
  static Request read(int connection) {
    std::string text;
    char buffer[65536];
    size_t head = std::string::npos, length = 0;
    while (true) {
      ssize_t got = recv(connection, buffer, sizeof(buffer), 0);
      if (got <= 0) break;
      text.append(buffer, static_cast<size_t>(got));
      if (head == std::string::npos && (head = text.find("\r\n\r\n")) != std::string::npos) {
        size_t at = text.find("Content-Length: ");
        if (at != std::string::npos && at < head) length = std::stoul(text.substr(at + 16));
      }
      if (head != std::string::npos && text.size() >= head + 4 + length) break;
    }
    if (head == std::string::npos) return {};
    return {text.substr(0, head), text.substr(head + 4)};
  }

  Answer answer_;
  int listener_ = -1;
  uint16_t port_ = 0;
  std::atomic<bool> stopping_{false};
  std::mutex mutex_;
  std::vector<Request> requests_;
  std::vector<int> hanging_;
  std::thread thread_;
};

std::string http(std::string_view status, std::string_view body, std::string_view headers = "") {
  return "HTTP/1.1 " + std::string(status) + "\r\nContent-Length: " + std::to_string(body.size()) +
         "\r\nConnection: close\r\n" + std::string(headers) + "\r\n" + std::string(body);
}

std::string all_written(const Request& request) {
  std::string items;
  for (size_t i = 0; i < request.documents(); ++i) items += std::string(i ? "," : "") + R"({"index":{"status":201}})";
  return http("200 OK", "{\"items\":[" + items + "]}");
}

const flow::SinkComponent& component() {
  for (const auto* sink : sink_table()) {
    if (sink->spec.name == "opensearch") return *sink;
  }
  std::abort();
}

class OpenSearchSinkTest : public testing::Test {
 protected:
  Result<std::unique_ptr<flow::Sink>> make(std::map<std::string, std::string> texts) {
    flow::Options options;
    for (const auto& option : component().spec.options) {
      auto it = texts.find(std::string(option.name));
      if (it != texts.end()) options.set(option.name, *flow::parse_option(option, it->second));
    }
    flow::fill_defaults(component().spec, options);
    return component().make(options, {.name = "s", .metrics = metrics_});
  }
  std::vector<flow::WriteAnswer> write(flow::Sink& sink, const std::vector<std::optional<std::string>>& values) {
    std::vector<flow::SinkRecord> records;
    for (size_t i = 0; i < values.size(); ++i) {
      records.push_back({&tp_, {Offset(static_cast<int64_t>(i)), 1'795'240'320'123, std::nullopt, values[i], {}}});
    }
    auto answers = sink.write(records);
    EXPECT_TRUE(answers.ok()) << answers.error().message;
    return *std::move(answers);
  }
  static std::string outcomes(const std::vector<flow::WriteAnswer>& answers) {
    std::string out;
    for (const auto& answer : answers) {
      out += answer.outcome == Outcome::kWritten ? 'w' : answer.outcome == Outcome::kRetry ? 'r' : 'x';
    }
    return out;
  }

  flow::MetricsRegistry metrics_;
  TopicPartition tp_{"cabs", PartitionId(1)};
};

TEST_F(OpenSearchSinkTest, WritesOneBulkRequestWithMinifiedDocuments) {
  FakeServer server(all_written);
  auto sink = *make({{"url", server.url() + "/"}, {"pipeline", "p1"}, {"username", "u"}, {"password", "p"}});
  EXPECT_EQ(outcomes(write(*sink, {"{\"a\":1}", "{\n\"b\" : 2\n}"})), "ww");
  auto requests = server.requests();
  ASSERT_EQ(requests.size(), 1u);
  EXPECT_EQ(requests[0].body,
            "{\"index\":{\"_index\":\"cabs\",\"_id\":\"cabs-1-0\"}}\n{\"a\":1}\n"
            "{\"index\":{\"_index\":\"cabs\",\"_id\":\"cabs-1-1\"}}\n{\"b\":2}\n");
  EXPECT_THAT(requests[0].head, testing::StartsWith("POST /_bulk?"));
  EXPECT_THAT(requests[0].head, HasSubstr("&pipeline=p1 HTTP/1.1"));
  EXPECT_THAT(requests[0].head, HasSubstr("Authorization: Basic dTpw"));
}

TEST_F(OpenSearchSinkTest, ValuesThatAreNoObjectsAreRejectedAndTheOthersWritten) {
  FakeServer server(all_written);
  auto sink = *make({{"url", server.url()}});
  EXPECT_EQ(outcomes(write(*sink, {"{}", "nope", std::nullopt, "[1]", "{\"a\":\"}\\n{\"}", "{}\n{\"delete\":{}}"})),
            "wxxxwx");
  EXPECT_EQ(server.requests()[0].documents(), 2u);
}

TEST_F(OpenSearchSinkTest, OnlyRejectedValuesMakeNoRequest) {
  FakeServer server(all_written);
  auto sink = *make({{"url", server.url()}});
  EXPECT_EQ(outcomes(write(*sink, {"nope"})), "x");
  EXPECT_TRUE(server.requests().empty());
}

TEST_F(OpenSearchSinkTest, CompressesWhereTold) {
  FakeServer server([](const Request&) { return http("200 OK", R"({"items":[{"index":{"status":201}}]})"); });
  auto sink = *make({{"url", server.url()}, {"gzip", "true"}});
  EXPECT_EQ(outcomes(write(*sink, {"{\"a\":\"" + std::string(10'000, 'x') + "\"}"})), "w");
  auto request = server.requests().at(0);
  EXPECT_THAT(request.head, HasSubstr("Content-Encoding: gzip"));
  EXPECT_LT(request.body.size(), 500u);
  std::string plain(20'000, '\0');
  z_stream stream{};
  ASSERT_EQ(inflateInit2(&stream, 31), Z_OK);
  stream.next_in = reinterpret_cast<Bytef*>(request.body.data());
  stream.avail_in = static_cast<uInt>(request.body.size());
  stream.next_out = reinterpret_cast<Bytef*>(plain.data());
  stream.avail_out = static_cast<uInt>(plain.size());
  EXPECT_EQ(inflate(&stream, Z_FINISH), Z_STREAM_END);
  inflateEnd(&stream);
  EXPECT_THAT(plain, HasSubstr("{\"a\":\"xxx"));
}

TEST_F(OpenSearchSinkTest, LargeWritesGoInRequestsOfBoundedSize) {
  FakeServer server(all_written);
  auto sink = *make({{"url", server.url()}, {"request_bytes_max", "1KiB"}});
  std::string document = "{\"a\":\"" + std::string(400, 'x') + "\"}";
  EXPECT_EQ(outcomes(write(*sink, {document, document, document, "{\"a\":\"" + std::string(5'000, 'x') + "\"}"})),
            "wwww");
  std::vector<size_t> documents;
  for (const auto& request : server.requests()) documents.push_back(request.documents());
  EXPECT_THAT(documents, ElementsAre(2, 1, 1));
}

TEST_F(OpenSearchSinkTest, ARequestTooLargeIsHalvedUntilTheDocumentToBlameStandsAlone) {
  FakeServer server([](const Request& request) {
    return request.body.size() > 600 ? http("413 Request Entity Too Large", "too large") : all_written(request);
  });
  auto sink = *make({{"url", server.url()}});
  std::string small = "{\"a\":1}", large = "{\"a\":\"" + std::string(1'000, 'x') + "\"}";
  auto answers = write(*sink, {small, small, large, small, small});
  EXPECT_EQ(outcomes(answers), "wwxww");
  EXPECT_THAT(answers[2].reason, HasSubstr("too large"));
}

TEST_F(OpenSearchSinkTest, ADocumentWhoseErrorIsTooLongToReadIsRejectedAndTheOthersWritten) {
  FakeServer server([](const Request& request) {
    if (request.body.find("bad") == std::string::npos) return all_written(request);
    return http("200 OK", std::string(65 << 20, 'x'));
  });
  auto sink = *make({{"url", server.url()}});
  auto answers = write(*sink, {"{\"a\":1}", "{\"a\":\"bad\"}", "{\"a\":3}"});
  EXPECT_EQ(outcomes(answers), "wxw");
  EXPECT_THAT(answers[1].reason, HasSubstr("its answer is over"));
}

TEST_F(OpenSearchSinkTest, WholeRequestsAreTriedAgainOnStatusesThatPass) {
  for (const char* status : {"429 Too Many Requests", "500 Oops", "502 Bad Gateway", "503 Unavailable",
                             "401 Unauthorized", "403 Forbidden", "404 Not Found", "301 Moved"}) {
    FakeServer server(
        [&](const Request&) { return http(status, "busy", "Retry-After: 7\r\nLocation: http://127.0.0.1:1/\r\n"); });
    auto sink = *make({{"url", server.url()}});
    auto answers = write(*sink, {"{}", "nope"});
    EXPECT_EQ(outcomes(answers), "rx") << status;
    EXPECT_EQ(answers[0].retry_after, std::chrono::seconds(7));
    EXPECT_THAT(answers[0].reason,
                HasSubstr("opensearch at " + server.url() + ": status " + std::string(status).substr(0, 3)));
    EXPECT_EQ(server.requests().size(), 1u) << "redirects are not followed";
  }
}

TEST_F(OpenSearchSinkTest, NoAnswerABrokenOneAndAnUnreachableServerAreTriedAgain) {
  for (const char* answer : {"", "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{\"items\":[", "nonsense\r\n\r\n",
                             "HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n{\"items\":[]}"}) {
    FakeServer server([&](const Request&) { return std::string(answer); });
    auto sink = *make({{"url", server.url()}});
    EXPECT_EQ(outcomes(write(*sink, {"{}", "{}"})), "rr") << answer;
  }
  std::string gone;
  { gone = FakeServer(all_written).url(); }
  auto sink = *make({{"url", gone}});
  auto answers = write(*sink, {"{}"});
  EXPECT_EQ(outcomes(answers), "r");
  EXPECT_THAT(answers[0].reason, testing::AllOf(HasSubstr(gone), HasSubstr("refused")));
}

TEST_F(OpenSearchSinkTest, AServerThatHangsIsGivenUpAfterTheTimeout) {
  FakeServer server([](const Request&) { return "hang"; });
  auto sink = *make({{"url", server.url()}, {"request_timeout", "50ms"}});
  EXPECT_EQ(outcomes(write(*sink, {"{}"})), "r");
}

TEST_F(OpenSearchSinkTest, CancelEndsAWaitingWrite) {
  FakeServer server([](const Request&) { return "hang"; });
  auto sink = *make({{"url", server.url()}, {"request_timeout", "1h"}});
  std::thread canceller([&] {
    while (server.requests().empty()) std::this_thread::yield();
    sink->cancel();
  });
  EXPECT_EQ(outcomes(write(*sink, {"{}"})), "r");
  canceller.join();
}

TEST_F(OpenSearchSinkTest, WhatComesAfterARefusedRequestIsNotTried) {
  std::atomic<int> asked{0};
  FakeServer server(
      [&](const Request& request) { return ++asked == 2 ? http("503 Unavailable", "") : all_written(request); });
  auto sink = *make({{"url", server.url()}, {"request_bytes_max", "1KiB"}});
  std::string document = "{\"a\":\"" + std::string(900, 'x') + "\"}";
  EXPECT_EQ(outcomes(write(*sink, {document, document, document, document})), "wrrr");
  EXPECT_EQ(asked, 2);
}

TEST_F(OpenSearchSinkTest, AnIndexIsCreatedWithItsMappingOnce) {
  FakeServer server([](const Request& request) {
    return request.head.starts_with("PUT") ? http("200 OK", "{\"acknowledged\":true}") : all_written(request);
  });
  auto sink = *make({{"url", server.url()}, {"index", "i"}, {"geo_point", "location, home"}});
  EXPECT_EQ(outcomes(write(*sink, {"{}", "{}"})), "ww");
  EXPECT_EQ(outcomes(write(*sink, {"{}"})), "w");
  auto requests = server.requests();
  ASSERT_EQ(requests.size(), 3u);
  EXPECT_THAT(requests[0].head, testing::StartsWith("PUT /i HTTP"));
  EXPECT_EQ(requests[0].body,
            R"({"mappings":{"properties":{"location":{"type":"geo_point"},"home":{"type":"geo_point"}}}})");
}

TEST_F(OpenSearchSinkTest, AnIndexThatCannotBeMadeNowIsTriedOnceAWriteAndARefusedOneIsFatal) {
  FakeServer busy([](const Request&) { return http("503 Unavailable", ""); });
  auto sink = *make({{"url", busy.url()}, {"mapping", "{\"properties\":{}}"}});
  EXPECT_EQ(outcomes(write(*sink, {"{}", "{}", "{}"})), "rrr");
  EXPECT_EQ(busy.requests().size(), 1u);
  FakeServer refuses([](const Request&) {
    return http("400 Bad Request", R"({"error":{"type":"mapper_parsing_exception","reason":"no"}})");
  });
  sink = *make({{"url", refuses.url()}, {"mapping", "{\"properties\":{}}"}});
  flow::SinkRecord record{&tp_, {Offset(0), 0, std::nullopt, "{}", {}}};
  auto answers = sink->write({&record, 1});
  ASSERT_FALSE(answers.ok());
  EXPECT_THAT(answers.error().message, HasSubstr("mapper_parsing_exception: no"));
}

TEST_F(OpenSearchSinkTest, ADayWithoutRoomForItsIndexRejectsItsRecordsAlone) {
  constexpr std::string_view kFull =
      R"({"error":{"type":"illegal_argument_exception","reason":"Validation Failed: 1: this action would add [2] )"
      R"(total shards, but this cluster currently has [1000]/[1000] maximum shards open;"}})";
  FakeServer server([&](const Request& request) {
    if (!request.head.starts_with("PUT")) return all_written(request);
    if (request.head.starts_with("PUT /9999-12-31 ")) return http("400 Bad Request", kFull);
    return http("200 OK", "{\"acknowledged\":true}");
  });
  auto sink = *make({{"url", server.url()}, {"index", "{date}"}, {"geo_point", "location"}});
  std::vector<flow::SinkRecord> records;
  for (int64_t time : {int64_t{0}, std::numeric_limits<int64_t>::max(), int64_t{0}}) {
    records.push_back({&tp_, {Offset(0), time, std::nullopt, "{}", {}}});
  }
  auto answers = sink->write(records);
  ASSERT_TRUE(answers.ok()) << answers.error().message;
  EXPECT_EQ(outcomes(*answers), "wxw");
  EXPECT_THAT((*answers)[1].reason, HasSubstr("creating index 9999-12-31: status 400"));
}

TEST_F(OpenSearchSinkTest, ADayOfNowWithoutRoomForItsIndexIsWaitedFor) {
  FakeServer server([&](const Request& request) {
    if (!request.head.starts_with("PUT")) return all_written(request);
    return http("400 Bad Request", R"({"error":{"reason":"this action would add [2] total shards"}})");
  });
  auto sink = *make({{"url", server.url()}, {"index", "{date}"}, {"geo_point", "location"}});
  std::vector<flow::SinkRecord> records;
  for (int64_t time : {int64_t{0}, int64_t{0}, os::system_clock().wall_ms()}) {
    records.push_back({&tp_, {Offset(0), time, std::nullopt, "{}", {}}});
  }
  auto answers = sink->write(records);
  ASSERT_TRUE(answers.ok()) << answers.error().message;
  EXPECT_EQ(outcomes(*answers), "xxr");
  EXPECT_EQ(server.requests().size(), 2u) << "one for a day";
}

TEST_F(OpenSearchSinkTest, WrongOptionsAreRefusedAtTheStart) {
  const std::map<std::string, std::string> wrong[] = {{{"url", "file:///etc/passwd"}},
                                                      {{"url", "ftp://h"}},
                                                      {{"url", "localhost:9200"}},
                                                      {{"url", "http://u:p@h"}},
                                                      {{"url", "http://h?x=1"}},
                                                      {{"url", "http://h:port"}},
                                                      {{"url", "http://h"}, {"index", "Upper"}},
                                                      {{"url", "http://h"}, {"mapping", "[]"}},
                                                      {{"url", "http://h"}, {"mapping", "{}"}, {"geo_point", "a"}},
                                                      {{"url", "http://h"}, {"pipeline", "a&b"}}};
  for (const auto& options : wrong) EXPECT_FALSE(make(options).ok()) << options.at("url");
}

// Against the server that HEADRACE_TEST_OPENSEARCH names; tests/servers/test_opensearch_sink.py starts one.

class RealOpenSearchTest : public OpenSearchSinkTest {
 protected:
  void SetUp() override {
    const char* url = std::getenv("HEADRACE_TEST_OPENSEARCH");
    if (url == nullptr) GTEST_SKIP() << "HEADRACE_TEST_OPENSEARCH names no server";
    url_ = url;
    index_ = "t" + std::to_string(std::random_device()());
    client_ = std::make_unique<opensearch::HttpClient>(*opensearch::HttpClient::make({.url = url_}));
  }
  std::string request(const char* method, std::string_view path, std::string_view body = "") {
    auto answer = client_->send(method, path, "application/json", body);
    EXPECT_TRUE(answer.ok());
    return answer->body;
  }
  std::string url_, index_;
  std::unique_ptr<opensearch::HttpClient> client_;
};

TEST_F(RealOpenSearchTest, WritingTwiceChangesNothing) {
  auto sink = *make({{"url", url_}, {"index", index_}, {"gzip", "true"}});
  for (int i = 0; i < 2; ++i) EXPECT_EQ(outcomes(write(*sink, {"{\"a\": 1}", "{\"a\": 2}"})), "ww");
  request("POST", "/" + index_ + "/_refresh");
  EXPECT_THAT(request("GET", "/" + index_ + "/_count"), HasSubstr("\"count\":2"));
  EXPECT_THAT(request("GET", "/" + index_ + "/_doc/cabs-1-1"), HasSubstr("\"_source\":{\"a\":2}"));
}

TEST_F(RealOpenSearchTest, ADocumentThatDoesNotFitTheMappingIsRejectedWithTheReasonAndTheOthersStay) {
  auto sink = *make({{"url", url_}, {"index", index_}, {"mapping", R"({"properties":{"n":{"type":"integer"}}})"}});
  auto answers = write(*sink, {"{\"n\":1}", "{\"n\":\"one\"}", "{\"n\":2}"});
  EXPECT_EQ(outcomes(answers), "wxw");
  EXPECT_THAT(answers[1].reason, testing::AllOf(HasSubstr("status 400: mapper_parsing_exception"), HasSubstr("[n]")));
}

TEST_F(RealOpenSearchTest, GeoPointsAreMapped) {
  auto sink = *make({{"url", url_}, {"index", index_}, {"geo_point", "location"}});
  EXPECT_EQ(outcomes(write(*sink, {R"({"location":{"lat":40.7,"lon":-74}})", R"({"location":"nowhere at all"})"})),
            "wx");
  EXPECT_THAT(request("GET", "/" + index_ + "/_mapping"), HasSubstr("\"location\":{\"type\":\"geo_point\"}"));
}

TEST_F(RealOpenSearchTest, AnUnknownPipelineRejectsWithItsName) {
  auto sink = *make({{"url", url_}, {"index", index_}, {"pipeline", "no-such-pipeline"}});
  auto answers = write(*sink, {"{\"a\":1}", "{\"a\":2}"});
  EXPECT_EQ(outcomes(answers), "xx");
  EXPECT_THAT(answers[0].reason, HasSubstr("no-such-pipeline"));
}

TEST_F(RealOpenSearchTest, ThousandsOfDocumentsInOneWrite) {
  auto sink = *make({{"url", url_}, {"index", index_}, {"request_bytes_max", "64KiB"}});
  std::vector<std::optional<std::string>> values;
  for (int i = 0; i < 5'000; ++i) values.push_back("{\"i\":" + std::to_string(i) + "}");
  EXPECT_EQ(outcomes(write(*sink, values)), std::string(5'000, 'w'));
  request("POST", "/" + index_ + "/_refresh");
  EXPECT_THAT(request("GET", "/" + index_ + "/_count"), HasSubstr("\"count\":5000"));
}

}  // namespace
}  // namespace headrace::sinks
