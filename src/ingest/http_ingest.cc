// ingest.http: POST /v1/topics/{topic}/records on the program's HTTP server. The 200 comes after the commit and tells
// each record's partition and offset; on any other answer the response says for each record whether it is in the log.
#include <fmt/format.h>

#include <atomic>
#include <mutex>
#include <shared_mutex>

#include "flow/ingest.h"
#include "ingest/http/request_records.h"
#include "ingest/topic_catalog.h"
#include "net/http.h"
#include "os/clock.h"
#include "record/batch_builder.h"

namespace headrace::ingest {
namespace {

using flow::OptionSpec;
using flow::OptionType;

constexpr OptionSpec kOptions[] = {
    {.name = "in_flight_bytes_max",
     .type = OptionType::kSize,
     .fallback = "64MiB",
     .min = 1 << 20,
     .max = 1LL << 40,
     .help = "Bytes of requests that the bus has not answered for, from which on requests are answered with 429."},
};

struct HttpIngestMetrics {
  explicit HttpIngestMetrics(flow::MetricsRegistry& registry, const std::string& name)
      : requests(registry.counter("headrace_http_ingest_requests_total", {{"ingest", name}}, "Requests with records")),
        records(registry.counter("headrace_http_ingest_records_total", {{"ingest", name}}, "Records committed")),
        bytes(registry.counter("headrace_http_ingest_bytes_total", {{"ingest", name}}, "Bytes of request bodies")),
        rejected(registry.counter("headrace_http_ingest_rejected_total", {{"ingest", name}},
                                  "Requests that were not wholly committed")) {}
  flow::Metric& requests;
  flow::Metric& records;
  flow::Metric& bytes;
  flow::Metric& rejected;
};

/// The one mapping of errors to HTTP statuses.
int http_status(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInvalidArgument:
    case ErrorCode::kOutOfRange: return 400;
    case ErrorCode::kPermissionDenied: return 403;
    case ErrorCode::kNotFound: return 404;
    case ErrorCode::kAlreadyExists: return 409;
    case ErrorCode::kTooLarge: return 413;
    case ErrorCode::kUnsupported: return 415;
    case ErrorCode::kUnavailable:
    case ErrorCode::kOutOfSpace: return 503;
    case ErrorCode::kTimedOut: return 504;
    case ErrorCode::kCorrupt:
    case ErrorCode::kFenced:
    case ErrorCode::kOutOfOrder:
    case ErrorCode::kIo:
    case ErrorCode::kClosed: return 500;
  }
  return 500;
}

std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    if (static_cast<unsigned char>(c) < 0x20) {
      out += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
    } else {
      out += c;
    }
  }
  return out += '"';
}

net::HttpResponse error_answer(const Error& error) {
  net::HttpResponse response{.status = http_status(error.code)};
  response.body = fmt::format("{{\"error\":{},\"code\":{}}}\n", quoted(error.message), quoted(to_string(error.code)));
  if (response.status == 503) response.headers.emplace("Retry-After", "1");
  return response;
}

/// What requests share: outlives the ingest while any of them is unanswered.
struct Shared {
  Shared(std::unique_ptr<bus::Producer> p, flow::MetricsRegistry& registry, const std::string& name)
      : producer(std::move(p)), metrics(registry, name) {}
  std::unique_ptr<bus::Producer> producer;
  HttpIngestMetrics metrics;
  std::atomic<size_t> in_flight_bytes{0};
  std::atomic<uint32_t> rotation{0};
};

/// One request on its way through the bus: one batch per partition, answered when all are.
class Append : public std::enable_shared_from_this<Append> {
 public:
  Append(std::shared_ptr<Shared> shared, net::HttpRequest request, net::HttpReply reply)
      : shared_(std::move(shared)), request_(std::move(request)), reply_(std::move(reply)) {
    shared_->in_flight_bytes += request_.body.size();
  }
  ~Append() { shared_->in_flight_bytes -= request_.body.size(); }

  Status read() {
    ASSIGN_OR_RETURN(records_, read_records(request_.header("content-type"), request_.body, request_.query));
    return {};
  }

  void start(const std::string& topic, int32_t partitions) {
    if (auto status = place(partitions); !status.ok()) return fail(status.error());
    std::map<int32_t, record::BatchBuilder> builders;
    int64_t now = os::system_clock().wall_ms();
    for (size_t i = 0; i < records_.records.size(); ++i) add(builders[places_[i].partition], records_.records[i], now);
    waiting_ = builders.size();
    for (auto& [partition, builder] : builders) {
      shared_->producer->produce({topic, PartitionId(partition)}, builder.finish(),
                                 [self = shared_from_this(), partition = partition](Result<bus::Appended> result) {
                                   self->on_answer(partition, std::move(result));
                                 });
    }
  }

  void fail(const Error& error) {
    shared_->metrics.rejected.add();
    reply_(error_answer(error));
  }

 private:
  struct Place {
    int32_t partition;
    size_t index;  ///< Among the request's records of that partition.
  };

  Status place(int32_t partitions) {
    std::map<int32_t, size_t> counts;
    auto rotation = static_cast<int32_t>(shared_->rotation++ % static_cast<uint32_t>(partitions));
    for (const RequestRecord& record : records_.records) {
      int32_t partition = record.partition ? *record.partition
                          : record.key     ? bus::partition_for_key(*record.key, partitions).value
                                           : rotation;
      if (partition >= partitions) {
        return Error{ErrorCode::kNotFound,
                     fmt::format("there is no partition {}; the topic has {}", partition, partitions)};
      }
      places_.push_back({partition, counts[partition]++});
    }
    return {};
  }

  static void add(record::BatchBuilder& builder, const RequestRecord& record, int64_t now) {
    std::vector<record::Header> headers;
    for (const auto& [name, value] : record.headers) headers.push_back({name, value});
    builder.add(record.timestamp_ms.value_or(now), record.key, record.value, headers);
  }

  void on_answer(int32_t partition, Result<bus::Appended> result) {
    std::unique_lock lock(mutex_);
    results_.emplace(partition, std::move(result));
    if (--waiting_ > 0) return;
    lock.unlock();
    reply_(answer());
  }

  net::HttpResponse answer() {
    const Error* worst = nullptr;
    for (const auto& [partition, result] : results_) {
      if (!result.ok() && (!worst || http_status(result.error().code) > http_status(worst->code)))
        worst = &result.error();
    }
    net::HttpResponse response = worst ? error_answer(*worst) : net::HttpResponse{};
    std::string head =
        worst ? fmt::format("{{\"error\":{},\"code\":{},", quoted(worst->message), quoted(to_string(worst->code)))
              : "{";
    response.body = head + "\"offsets\":[";
    int64_t committed = 0;
    for (const Place& place : places_) {
      const auto& result = results_.at(place.partition);
      if (&place != places_.data()) response.body += ',';
      response.body += fmt::format("{{\"partition\":{},", place.partition);
      if (result.ok()) {
        response.body += fmt::format("\"offset\":{}}}", result.value().offset_of(place.index).value);
        ++committed;
      } else {
        response.body += fmt::format("\"error\":{}}}", quoted(to_string(result.error().code)));
      }
    }
    response.body += "]}\n";
    shared_->metrics.records.add(committed);
    if (worst) shared_->metrics.rejected.add();
    return response;
  }

  const std::shared_ptr<Shared> shared_;
  const net::HttpRequest request_;
  RequestRecords records_;  ///< Views into request_.
  net::HttpReply reply_;
  std::vector<Place> places_;
  std::mutex mutex_;
  size_t waiting_ = 0;
  std::map<int32_t, Result<bus::Appended>> results_;
};

class HttpIngest final : public flow::Ingest {
 public:
  HttpIngest(size_t in_flight_bytes_max, std::unique_ptr<bus::Producer> producer, const flow::IngestContext& context)
      : in_flight_bytes_max_(in_flight_bytes_max),
        shared_(std::make_shared<Shared>(std::move(producer), context.metrics, context.name)),
        catalog_(context.bus.admin()) {}

  void post(net::HttpRequest request, net::HttpReply reply) {
    shared_->metrics.requests.add();
    shared_->metrics.bytes.add(static_cast<int64_t>(request.body.size()));
    if (shared_->in_flight_bytes + request.body.size() > in_flight_bytes_max_) return push_back(reply);
    auto topic = catalog_.find(request.params["topic"]);
    auto append = std::make_shared<Append>(shared_, std::move(request), std::move(reply));
    if (!topic) return append->fail({ErrorCode::kUnavailable, "too many topics are in use"});
    if (auto status = append->read(); !status.ok()) return append->fail(status.error());
    catalog_.when_known(topic, [topic, append] {
      int32_t partitions = topic->partitions;
      if (partitions > 0) return append->start(topic->name, partitions);
      append->fail({ErrorCode::kNotFound,
                    fmt::format("there is no topic \"{}\"; name it under `topics`, or: headrace topic create {}",
                                topic->name, topic->name)});
    });
  }

 private:
  void push_back(net::HttpReply& reply) {
    shared_->metrics.rejected.add();
    auto response = error_answer({ErrorCode::kUnavailable, "too much is waiting to be committed; try again"});
    response.status = 429;
    reply(std::move(response));
  }

  const size_t in_flight_bytes_max_;
  std::shared_ptr<Shared> shared_;
  TopicCatalog catalog_;
};

/// The route's way to the ingest, which may end before the HTTP server does.
struct RouteTarget {
  std::shared_mutex mutex;
  HttpIngest* ingest = nullptr;
};

class RoutedHttpIngest final : public flow::Ingest {
 public:
  RoutedHttpIngest(std::unique_ptr<HttpIngest> ingest, net::HttpServer& http) : ingest_(std::move(ingest)) {
    target_->ingest = ingest_.get();
    http.route("POST", "/v1/topics/{topic}/records",
               [target = target_](net::HttpRequest request, net::HttpReply reply) {
                 std::shared_lock lock(target->mutex);
                 if (target->ingest) return target->ingest->post(std::move(request), std::move(reply));
                 reply(error_answer({ErrorCode::kUnavailable, "the program is stopping"}));
               });
  }
  ~RoutedHttpIngest() override {
    std::lock_guard lock(target_->mutex);
    target_->ingest = nullptr;
  }

 private:
  std::unique_ptr<HttpIngest> ingest_;
  std::shared_ptr<RouteTarget> target_ = std::make_shared<RouteTarget>();
};

Result<std::unique_ptr<flow::Ingest>> make(const flow::Options& options, const flow::IngestContext& context) {
  ASSIGN_OR_RETURN(auto producer, context.bus.producer({.client_id = "headrace-" + context.name}));
  auto bytes_max = static_cast<size_t>(options.integer("in_flight_bytes_max"));
  auto ingest = std::make_unique<HttpIngest>(bytes_max, std::move(producer), context);
  context.metrics.set_state(context.name, "running", "");
  return std::unique_ptr<flow::Ingest>(std::make_unique<RoutedHttpIngest>(std::move(ingest), context.http));
}

}  // namespace

const flow::IngestComponent& http_ingest() {
  static constexpr flow::IngestComponent component{
      .spec = {.name = "http",
               .summary = "POST /v1/topics/{topic}/records takes JSON, NDJSON or bytes and answers with their offsets.",
               .options = kOptions},
      .make = make};
  return component;
}

}  // namespace headrace::ingest
