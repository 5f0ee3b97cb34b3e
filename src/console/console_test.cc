#include "console/console.h"

#include <fmt/format.h>

#include "console/records_query.h"
#include "console/testing.h"
#include "os/clock.h"

namespace headrace::console {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr const char* kEvents = "/api/v1/dashboards/{name}/events";

Panel make(std::string_view type, std::initializer_list<std::pair<std::string_view, std::string>> texts) {
  Panel panel{std::string(type), {}};
  for (const auto& [name, text] : texts) panel.options.set(name, text);
  flow::fill_defaults(*find_panel(type), panel.options);
  return panel;
}

std::string cab(std::string_view id, double lat, double lon, std::string_view status) {
  return fmt::format(R"({{"cab":"{}","lat":{},"lon":{},"heading":90,"status":"{}"}})", id, lat, lon, status);
}

struct ConsoleTest : ::testing::Test {
  ConsoleTest() {
    bus.add_topic("cabs", 2);
    bus.add_topic("cab-alerts", 1);
    Dashboard dashboard{"cabs", "City cabs", {}};
    dashboard.panels.push_back(make(
        "map",
        {{"topic", "cabs"}, {"id", "cab"}, {"heading", "heading"}, {"status", "status"}, {"alerts", "cab-alerts"}}));
    dashboard.panels.push_back(make("timeseries", {{"topic", "cabs"}, {"field", "lat"}}));
    dashboard.panels.push_back(make("alerts", {{"topic", "cab-alerts"}, {"id", "cab"}}));
    dashboard.panels.push_back(make("topics", {}));
    dashboard.panels.push_back(make("components", {}));
    ConsoleOptions options{.version = "1.2.3", .bus_label = "embedded"};
    options.dashboards.push_back(std::move(dashboard));
    console.emplace(bus, metrics, http, std::move(options));
  }
  std::shared_ptr<testing::MemoryStream> connect() { return http.connect(kEvents, {{"name", "cabs"}}); }
  static int64_t now() { return os::system_clock().wall_ms(); }

  testing::MemoryBus bus;
  flow::MetricsRegistry metrics;
  testing::MemoryHttp http;
  std::optional<Console> console;
};

TEST_F(ConsoleTest, RecordsBecomeRowsOfFrames) {
  auto page = connect();
  size_t seen = 0;
  EXPECT_THAT(page->wait_for("snapshot", "", seen), HasSubstr(R"("dashboard":"cabs")"));
  bus.append("cabs", 0, now(), {cab("cab-1", 40.75, -73.98, "free")});
  EXPECT_THAT(page->wait_for("frame", "cab-1", seen), HasSubstr(R"(-73.98000,40.75000,90,0,"cab-1",null])"));
  bus.append("cabs", 0, now(), {cab("cab-1", 40.76, -73.97, "occupied")});
  EXPECT_THAT(page->wait_for("frame", "40.76000", seen), HasSubstr(R"("moved":[[1,-73.97000,40.76000,90,1]])"));
}

TEST_F(ConsoleTest, ANewPageSeesTheLastMinutesAtOnce) {
  bus.append("cabs", 1, now() - 30'000, {cab("cab-7", 40.7, -74.0, "free")});
  bus.append("cabs", 1, now() - 20'000, {"not json", R"({"cab":"x","lat":"text"})", "[1]"});
  auto page = connect();
  size_t seen = 0;
  EXPECT_FALSE(page->wait_for("snapshot", "", seen).empty());
  EXPECT_FALSE(page->wait_for("frame", "cab-7", seen).empty());
  auto second = connect();
  size_t second_seen = 0;
  EXPECT_THAT(second->wait_for("snapshot", "", second_seen), HasSubstr("cab-7"));
}

TEST_F(ConsoleTest, AlertsAreListedAndMarkTheirDevice) {
  bus.append("cabs", 0, now(), {cab("cab-1", 40.75, -73.98, "free")});
  auto page = connect();
  size_t seen = 0;
  ASSERT_FALSE(page->wait_for("frame", "cab-1", seen).empty());
  bus.append("cab-alerts", 0, now(), {R"({"cab":"cab-1","kind":"<b>speeding</b>","value":91.5})"});
  const std::string frame = page->wait_for("frame", "speeding", seen);
  EXPECT_THAT(frame, HasSubstr(R"("id":"cab-1","kind":"\u003cb\u003espeeding\u003c/b\u003e","value":"91.5")"));
  EXPECT_THAT(frame, HasSubstr(R"("cab-1",0])"));
}

TEST_F(ConsoleTest, ASlowPageGetsNoFramesAndThenASnapshot) {
  auto slow = connect();
  size_t slow_seen = 0;
  ASSERT_FALSE(slow->wait_for("snapshot", "", slow_seen).empty());
  slow->set_queued_bytes(100 << 20);
  auto page = connect();
  size_t seen = 0;
  ASSERT_FALSE(page->wait_for("snapshot", "", seen).empty());
  bus.append("cabs", 0, now(), {cab("cab-1", 40.75, -73.98, "free")});
  ASSERT_FALSE(page->wait_for("frame", "cab-1", seen).empty());
  EXPECT_FALSE(slow->wait_for("behind", "", slow_seen).empty());
  slow->set_queued_bytes(0);
  EXPECT_FALSE(slow->wait_for("snapshot", "cab-1", slow_seen).empty());
  EXPECT_EQ(slow->count("frame", "cab-1"), 0);
}

TEST_F(ConsoleTest, TopicsThatComeLaterAreFollowed) {
  Dashboard dashboard{"later", "", {}};
  dashboard.panels.push_back(make("map", {{"topic", "later"}, {"id", "cab"}}));
  testing::MemoryHttp later_http;
  ConsoleOptions options;
  options.dashboards.push_back(std::move(dashboard));
  Console later(bus, metrics, later_http, std::move(options));
  auto page = later_http.connect(kEvents, {{"name", "later"}});
  size_t seen = 0;
  ASSERT_FALSE(page->wait_for("snapshot", "", seen).empty());
  bus.add_topic("later", 1);
  bus.append("later", 0, now(), {cab("cab-9", 1, 2, "free")});
  EXPECT_FALSE(page->wait_for("frame", "cab-9", seen).empty());
}

TEST_F(ConsoleTest, NothingIsReadWhileNobodyWatches) {
  bus.append("cabs", 0, now(), {cab("cab-1", 40.75, -73.98, "free")});
  EXPECT_EQ(bus.consumers(), 0);
  auto page = connect();
  size_t seen = 0;
  ASSERT_FALSE(page->wait_for("frame", "cab-1", seen).empty());
  EXPECT_EQ(bus.consumers(), 1);
}

TEST_F(ConsoleTest, ComponentStatesAndMetricsAreServed) {
  metrics.set_state("sink opensearch", "retrying", "connection refused");
  metrics.counter("headrace_test_total", {}, "A test.").add(7);
  EXPECT_THAT(http.get("/api/v1/status").body,
              HasSubstr(R"({"component":"sink opensearch","state":"retrying","detail":"connection refused")"));
  EXPECT_THAT(http.get("/metrics").body, HasSubstr("headrace_test_total 7"));
  EXPECT_EQ(http.get("/healthz").body, "ok\n");
  auto page = connect();
  size_t seen = 0;
  EXPECT_FALSE(page->wait_for("", "connection refused", seen).empty());
}

TEST_F(ConsoleTest, RecordsOfATopicNewestOrFromAnOffset) {
  bus.append("cabs", 0, 1000, {"a", "b", "c"});
  bus.append("cabs", 1, 2000, {"d", std::string("\xff\x00", 2)});
  const std::string pattern = "/api/v1/topics/{topic}/records";
  const std::string newest = http.get(pattern, {.query = {{"limit", "3"}}, .params = {{"topic", "cabs"}}}).body;
  EXPECT_THAT(newest, HasSubstr(R"({"partition":0,"offset":2,"timestamp":1000,"key":"key","value":"c"})"));
  EXPECT_THAT(newest, HasSubstr(R"("value":"/wA=","value_encoding":"base64")"));
  EXPECT_THAT(newest, Not(HasSubstr(R"("value":"b")")));
  const std::string from =
      http.get(pattern, {.query = {{"partition", "0"}, {"offset", "1"}, {"limit", "1"}}, .params = {{"topic", "cabs"}}})
          .body;
  EXPECT_THAT(from, HasSubstr(R"("offset":1)"));
  EXPECT_THAT(from, Not(HasSubstr(R"("offset":2)")));
  EXPECT_EQ(http.get(pattern, {.params = {{"topic", "none"}}}).status, 404);
  EXPECT_EQ(http.get(pattern, {.query = {{"partition", "9"}}, .params = {{"topic", "cabs"}}}).status, 404);
  EXPECT_EQ(http.get(pattern, {.query = {{"limit", "1e9"}}, .params = {{"topic", "cabs"}}}).status, 400);
}

TEST_F(ConsoleTest, RecordsOfATopicAreBoundedInBytes) {
  for (int64_t time : {1000, 2000}) bus.append("cabs", 0, time, std::vector<std::string>(80, std::string(60'000, 'x')));
  auto records = [&](std::map<std::string, std::string> query) {
    query.insert({{"partition", "0"}, {"limit", "500"}});
    return http.get("/api/v1/topics/{topic}/records", {.query = query, .params = {{"topic", "cabs"}}}).body;
  };
  const std::string newest = records({});
  EXPECT_LT(newest.size(), RecordsQuery::kAnswerBytesMax + 100'000);
  EXPECT_THAT(newest, HasSubstr(R"("offset":159,)"));
  EXPECT_THAT(newest, Not(HasSubstr(R"("offset":0,)")));
  const std::string from = records({{"offset", "0"}});
  EXPECT_LT(from.size(), RecordsQuery::kAnswerBytesMax + 100'000);
  EXPECT_THAT(from, HasSubstr(R"("offset":0,)"));
  EXPECT_THAT(from, Not(HasSubstr(R"("offset":159,)")));
}

TEST_F(ConsoleTest, ABusThatIsAwayIsSaid) {
  auto page = connect();
  size_t seen = 0;
  ASSERT_FALSE(page->wait_for("snapshot", "", seen).empty());
  bus.set_away(true);
  EXPECT_FALSE(page->wait_for("frame", "no broker answers", seen).empty());
  EXPECT_EQ(http.get("/api/v1/topics").status, 503);
}

TEST_F(ConsoleTest, PagesComeWithTheirTypesTagsAndPolicy) {
  const net::HttpResponse page = http.get("/");
  EXPECT_THAT(page.body, HasSubstr("<title>Headrace</title>"));
  EXPECT_EQ(page.content_type, "text/html; charset=utf-8");
  EXPECT_THAT(page.headers.at("Content-Security-Policy"), HasSubstr("default-src 'self'"));
  EXPECT_EQ(http.get("/", {.headers = {{"if-none-match", page.headers.at("ETag")}}}).status, 304);
  const net::HttpResponse script =
      http.get("/assets/{file}", {.headers = {{"accept-encoding", "gzip, br"}}, .params = {{"file", "app.js"}}});
  EXPECT_EQ(script.headers.at("Content-Encoding"), "gzip");
  EXPECT_EQ(script.body.substr(0, 2), "\x1f\x8b");
  EXPECT_EQ(http.get("/assets/{file}", {.params = {{"file", "../secret"}}}).status, 404);
  EXPECT_THAT(http.get("/api/v1/basemaps/{name}", {.params = {{"name", "manhattan"}}}).body, HasSubstr("Manhattan"));
}

TEST_F(ConsoleTest, DefinitionsAndDevicesAreServed) {
  EXPECT_THAT(http.get("/api/v1/dashboards").body, HasSubstr(R"("title":"City cabs","panels":[{"type":"map")"));
  const std::string record = cab("cab/1", 40.75, -73.98, "free");
  bus.append("cabs", 0, now(), {record});
  auto page = connect();
  size_t seen = 0;
  ASSERT_FALSE(page->wait_for("frame", "cab/1", seen).empty());
  const std::string pattern = "/api/v1/dashboards/{name}/panels/{panel}/devices/{id...}";
  EXPECT_EQ(http.get(pattern, {.params = {{"name", "cabs"}, {"panel", "0"}, {"id", "cab/1"}}}).body, record);
  EXPECT_EQ(http.get(pattern, {.params = {{"name", "cabs"}, {"panel", "99"}, {"id", "cab/1"}}}).status, 404);
}

TEST_F(ConsoleTest, AfterItsEndRoutesSayThatItShutsDown) {
  auto page = connect();
  console.reset();
  EXPECT_EQ(http.get("/api/v1/topics").status, 503);
  EXPECT_EQ(http.get("/").status, 503);
}

}  // namespace
}  // namespace headrace::console
