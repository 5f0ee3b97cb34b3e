#include "console/console.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <shared_mutex>

#include "console/assets.h"
#include "console/definitions.h"
#include "console/feed.h"
#include "console/records_query.h"
#include "console/sample_json.h"
#include "console/sampler.h"
#include "console/worker.h"
#include "os/clock.h"

namespace headrace::console {
namespace {

net::HttpResponse json(std::string body) {
  return {.headers = {{"Cache-Control", "no-store"}}, .body = std::move(body)};
}

net::HttpResponse problem(int status, std::string_view message) {
  JsonWriter out;
  out.begin_object().key("error").text(message).end_object();
  return {.status = status, .body = out.take()};
}

net::HttpResponse problem(const Error& error) {
  switch (error.code) {
    case ErrorCode::kNotFound: return problem(404, error.message);
    case ErrorCode::kInvalidArgument:
    case ErrorCode::kOutOfRange: return problem(400, error.message);
    default: return problem(503, error.message);
  }
}

/// A whole number of the query; nothing when it is absent, an error when it is not in [min, max].
Result<std::optional<int64_t>> parameter(const net::HttpRequest& request, const char* name, int64_t min, int64_t max) {
  const auto found = request.query.find(name);
  if (found == request.query.end()) return std::optional<int64_t>();
  int64_t value = 0;
  const std::string& text = found->second;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < min || value > max) {
    return Error{ErrorCode::kInvalidArgument, fmt::format("{} must be a whole number from {} to {}", name, min, max)};
  }
  return std::optional<int64_t>(value);
}

Result<RecordsQuery> parse_records_query(const net::HttpRequest& request) {
  RecordsQuery query{.topic = request.params.at("topic")};
  ASSIGN_OR_RETURN(const auto partition, parameter(request, "partition", 0, INT32_MAX));
  ASSIGN_OR_RETURN(query.offset, parameter(request, "offset", 0, INT64_MAX));
  ASSIGN_OR_RETURN(const auto limit, parameter(request, "limit", 1, RecordsQuery::kLimitMax));
  if (partition) query.partition = static_cast<int32_t>(*partition);
  query.limit = limit.value_or(query.limit);
  return query;
}

std::vector<Dashboard> dashboards_or_default(std::vector<Dashboard> dashboards) {
  if (dashboards.empty()) dashboards.push_back(default_dashboard());
  return dashboards;
}

}  // namespace

/// Routes hold it too, so it outlives the Console; gate_ keeps requests out of what ~Console destroys.
class Console::Impl : public std::enable_shared_from_this<Console::Impl> {
 public:
  Impl(bus::Bus& bus, flow::MetricsRegistry& metrics, ConsoleOptions options)
      : bus_(bus),
        metrics_(metrics),
        options_(std::move(options)),
        dashboards_(dashboards_or_default(std::move(options_.dashboards))),
        assets_(tile_origins(dashboards_)) {
    std::vector<Sampler::Listener> listeners;
    for (const Dashboard& dashboard : dashboards_) {
      feeds_.push_back(std::make_unique<Feed>(bus_, dashboard));
      listeners.push_back([feed = feeds_.back().get()](const auto& sample) { feed->on_sample(sample); });
    }
    sampler_ = std::make_unique<Sampler>(
        bus_, metrics_, [this] { return watched(); }, std::move(listeners));
    worker_ = std::make_unique<Worker>();
  }

  void add_routes(net::HttpServer& http);

  void stop() {
    std::unique_lock gate(gate_);
    stopped_ = true;
    gate.unlock();
    worker_.reset();
    sampler_.reset();
    feeds_.clear();
  }

 private:
  using Handler = net::HttpResponse (Impl::*)(const net::HttpRequest&);

  /// A route answered on the event loop: nothing that blocks.
  void quick(net::HttpServer& http, std::string pattern, Handler handler);
  /// A route answered on the worker.
  void slow(net::HttpServer& http, std::string pattern, Handler handler);

  net::HttpResponse healthz(const net::HttpRequest&) { return {.content_type = "text/plain", .body = "ok\n"}; }
  net::HttpResponse metrics(const net::HttpRequest&);
  net::HttpResponse status(const net::HttpRequest&);
  net::HttpResponse topics(const net::HttpRequest&);
  net::HttpResponse records(const net::HttpRequest& request);
  net::HttpResponse dashboards(const net::HttpRequest&) { return json(write_definitions(dashboards_)); }
  net::HttpResponse device(const net::HttpRequest& request);
  net::HttpResponse basemap(const net::HttpRequest& request) {
    return assets_.basemap(request.params.at("name"), request);
  }
  net::HttpResponse index(const net::HttpRequest& request) { return assets_.page_file("index.html", request); }
  net::HttpResponse asset(const net::HttpRequest& request) {
    return assets_.page_file(request.params.at("file"), request);
  }
  void join(const net::HttpRequest& request, std::shared_ptr<net::EventStream> stream);

  Feed* feed(const net::HttpRequest& request);
  bool watched() const {
    return std::any_of(feeds_.begin(), feeds_.end(), [](const auto& feed) { return feed->watched(); });
  }

  bus::Bus& bus_;
  flow::MetricsRegistry& metrics_;
  ConsoleOptions options_;
  const std::vector<Dashboard> dashboards_;
  Assets assets_;
  const int64_t started_ms_ = os::system_clock().wall_ms();
  std::shared_mutex gate_;
  bool stopped_ = false;
  std::vector<std::unique_ptr<Feed>> feeds_;
  std::unique_ptr<Sampler> sampler_;
  std::unique_ptr<Worker> worker_;
};

Console::Console(bus::Bus& bus, flow::MetricsRegistry& metrics, net::HttpServer& http, ConsoleOptions options)
    : impl_(std::make_shared<Impl>(bus, metrics, std::move(options))) {
  impl_->add_routes(http);
}

Console::~Console() { impl_->stop(); }

void Console::Impl::add_routes(net::HttpServer& http) {
  quick(http, "/", &Impl::index);
  quick(http, "/dashboards/{name}", &Impl::index);
  quick(http, "/assets/{file}", &Impl::asset);
  quick(http, "/healthz", &Impl::healthz);
  quick(http, "/metrics", &Impl::metrics);
  quick(http, "/api/v1/status", &Impl::status);
  quick(http, "/api/v1/dashboards", &Impl::dashboards);
  quick(http, "/api/v1/basemaps/{name}", &Impl::basemap);
  slow(http, "/api/v1/topics", &Impl::topics);
  slow(http, "/api/v1/topics/{topic}/records", &Impl::records);
  slow(http, "/api/v1/dashboards/{name}/panels/{panel}/devices/{id...}", &Impl::device);
  http.route_events("/api/v1/dashboards/{name}/events",
                    [impl = shared_from_this()](net::HttpRequest request, std::shared_ptr<net::EventStream> stream) {
                      impl->join(request, std::move(stream));
                    });
}

void Console::Impl::quick(net::HttpServer& http, std::string pattern, Handler handler) {
  http.route("GET", std::move(pattern),
             [impl = shared_from_this(), handler](net::HttpRequest request, net::HttpReply reply) {
               std::shared_lock gate(impl->gate_);
               reply(impl->stopped_ ? problem(503, "shutting down") : (impl.get()->*handler)(request));
             });
}

void Console::Impl::slow(net::HttpServer& http, std::string pattern, Handler handler) {
  http.route("GET", std::move(pattern),
             [impl = shared_from_this(), handler](net::HttpRequest request, net::HttpReply reply) {
               std::shared_lock gate(impl->gate_);
               if (impl->stopped_) return reply(problem(503, "shutting down"));
               // Shared: the reply is needed here again when the worker does not take the task.
               auto answer = std::make_shared<net::HttpReply>(std::move(reply));
               Function<void()> task = [impl = impl.get(), handler, request = std::move(request), answer] {
                 (*answer)((impl->*handler)(request));
               };
               if (!impl->worker_->post(task)) (*answer)(problem(503, "too many requests wait; try again"));
             });
}

net::HttpResponse Console::Impl::metrics(const net::HttpRequest&) {
  return {.content_type = "text/plain; version=0.0.4; charset=utf-8", .body = metrics_.exposition()};
}

net::HttpResponse Console::Impl::status(const net::HttpRequest&) {
  const int64_t now_ms = os::system_clock().wall_ms();
  JsonWriter out;
  out.begin_object().key("version").text(options_.version).key("bus").text(options_.bus_label);
  out.key("now").integer(now_ms).key("uptime_ms").integer(now_ms - started_ms_);
  out.key("topics_error").text(sampler_->latest()->topics_error).key("components");
  write_components(out, metrics_.states());
  return json(out.end_object().take());
}

net::HttpResponse Console::Impl::topics(const net::HttpRequest&) {
  sampler_->refresh();
  const auto sample = sampler_->latest();
  if (!sample->topics_error.empty()) return problem(503, sample->topics_error);
  JsonWriter out;
  out.begin_object().key("topics");
  write_topics(out, sample->topics);
  return json(out.end_object().take());
}

net::HttpResponse Console::Impl::records(const net::HttpRequest& request) {
  const auto query = parse_records_query(request);
  if (!query.ok()) return problem(query.error());
  auto answer = query_records(bus_, *query);
  return answer.ok() ? json(*std::move(answer)) : problem(answer.error());
}

net::HttpResponse Console::Impl::device(const net::HttpRequest& request) {
  Feed* found = feed(request);
  size_t panel = 0;
  const std::string& text = request.params.at("panel");
  if (!found || std::from_chars(text.data(), text.data() + text.size(), panel).ec != std::errc()) {
    return problem(404, "no such dashboard or panel");
  }
  std::string record = found->device(panel, request.params.at("id"));
  return record.empty() ? problem(404, "no such device, or its record is too large to keep") : json(std::move(record));
}

void Console::Impl::join(const net::HttpRequest& request, std::shared_ptr<net::EventStream> stream) {
  std::shared_lock gate(gate_);
  if (stopped_) return;
  if (Feed* found = feed(request)) {
    found->join(std::move(stream));
    sampler_->wake();
  } else {
    stream->send("problem", R"({"error":"no such dashboard"})");
  }
}

Feed* Console::Impl::feed(const net::HttpRequest& request) {
  const auto found = std::find_if(feeds_.begin(), feeds_.end(), [&](const auto& feed) {
    return feed->dashboard().name == request.params.at("name");
  });
  return found == feeds_.end() ? nullptr : found->get();
}

}  // namespace headrace::console
