#include "kafka/client_telemetry.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <iterator>
#include <set>

#include "base/split_list.h"
#include "broker/metadata.h"
#include "codec/compression.h"
#include "codec/crc32c.h"

namespace headrace::kafka {
namespace {

using std::chrono::milliseconds;

constexpr char kAllMetrics[] = "*";
constexpr std::string_view kSelectors[] = {"client_instance_id",    "client_id",
                                           "client_software_name",  "client_software_version",
                                           "client_source_address", "client_source_port"};
/// Clients are forgotten that have not pushed for this many intervals.
constexpr int kSilentIntervalsMax = 3;

Error wrong(std::string_view option, std::string_view value, std::string_view why) {
  return {ErrorCode::kInvalidArgument, fmt::format("config {}: '{}' {}", option, value, why)};
}

Result<milliseconds> parse_interval(std::string_view text) {
  int64_t ms = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), ms);
  if (error != std::errc() || end != text.data() + text.size() || ms < kPushIntervalMin.count() ||
      ms > kPushIntervalMax.count()) {
    return wrong("interval.ms", text, "is no number from 100 to 3600000");
  }
  return milliseconds(ms);
}

std::string_view option(const broker::ConfigMap& configs, std::string_view name) {
  auto found = configs.find(name);
  return found == configs.end() ? std::string_view() : found->second;
}

/// "org.apache.kafka.producer.x.total" as Prometheus wants it: "kafka_client_org_apache_kafka_producer_x_total".
std::string metric_name(std::string_view name) {
  std::string out = "kafka_client_";
  for (char c : name) out += std::isalnum(static_cast<unsigned char>(c)) ? c : '_';
  return out;
}

std::string label_value(std::string_view text) {
  std::string out;
  for (char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    auto byte = static_cast<unsigned char>(c);
    // Prometheus refuses a page with text that is not UTF-8.
    out += byte < 0x20 ? ' ' : byte < 0x80 ? c : '?';
  }
  return out;
}

std::string labels_of(const TelemetryClient& client, const OtlpPoint& point) {
  std::map<std::string, std::string> labels;
  for (const auto& [key, value] : point.attributes) {
    std::string name;
    for (char c : key) name += std::isalnum(static_cast<unsigned char>(c)) ? c : '_';
    if (name.empty() || std::isdigit(static_cast<unsigned char>(name[0]))) name = "_" + name;
    labels[name] = value;
  }
  labels["client_instance_id"] = to_string(broker::Uuid{client.instance_id.bytes});
  labels["client_id"] = client.client_id;
  std::string out;
  for (const auto& [name, value] : labels) {
    out += fmt::format("{}{}=\"{}\"", out.empty() ? "" : ",", name, label_value(value));
  }
  return out;
}

}  // namespace

Status check_client_metrics_configs(const broker::ConfigMap& configs) {
  for (const auto& [name, value] : configs) {
    if (name == "metrics") continue;
    if (name == "interval.ms") {
      RETURN_IF_ERROR(parse_interval(value));
    } else if (name == "match") {
      for (std::string_view one : split_list(value)) {
        size_t equals = std::min(one.find('='), one.size());
        std::string_view selector = one.substr(0, equals);
        if (std::find(std::begin(kSelectors), std::end(kSelectors), selector) == std::end(kSelectors)) {
          return wrong(name, one, "does not begin with a selector such as client_id=");
        }
        auto pattern = broker::TopicPattern::compile(one.substr(std::min(equals + 1, one.size())));
        if (!pattern.ok()) return wrong(name, one, "has a wrong expression: " + pattern.error().message);
      }
    } else {
      return Error{ErrorCode::kInvalidArgument, "unknown client metrics config '" + name + "'"};
    }
  }
  return {};
}

ClientTelemetry::ClientTelemetry(const broker::Settings& settings, os::Clock& clock, flow::MetricsRegistry* metrics)
    : settings_(settings), clock_(clock) {
  if (!metrics) return;
  pushes_ = &metrics->counter("headrace_kafka_client_metrics_pushes_total", {}, "Pushes of metrics by Kafka clients.");
  refused_ = &metrics->counter("headrace_kafka_client_metrics_refused_total", {},
                               "Pushes of metrics by Kafka clients that were refused.");
  dropped_ = &metrics->counter("headrace_kafka_client_metrics_dropped_total", {},
                               "Metrics of Kafka clients for which there was no room.");
}

void ClientTelemetry::refresh_rules() {
  uint64_t version = settings_.configs_version();
  if (version == rules_version_) return;
  rules_.clear();
  for (const std::string& name : settings_.names(broker::ResourceKind::kClientMetrics)) {
    auto configs = settings_.configs(broker::ResourceKind::kClientMetrics, name);
    if (!check_client_metrics_configs(configs).ok()) continue;  // Not possible: they were checked when they were set.
    auto metrics = split_list(option(configs, "metrics"));
    Rule rule{{metrics.begin(), metrics.end()}, kPushIntervalDefault, {}};
    if (auto interval = parse_interval(option(configs, "interval.ms")); interval.ok()) rule.interval = *interval;
    for (std::string_view one : split_list(option(configs, "match"))) {
      size_t equals = one.find('=');
      auto pattern = broker::TopicPattern::compile(one.substr(equals + 1));
      rule.matchers.push_back(
          {std::string(one.substr(0, equals)), std::make_shared<const broker::TopicPattern>(*std::move(pattern))});
    }
    rules_.push_back(std::move(rule));
  }
  rules_version_ = version;
}

bool ClientTelemetry::matches(const Rule& rule, const TelemetryClient& client) {
  auto value_of = [&](std::string_view selector) -> std::string {
    if (selector == "client_instance_id") return to_string(broker::Uuid{client.instance_id.bytes});
    if (selector == "client_id") return client.client_id;
    if (selector == "client_software_name") return client.software_name;
    if (selector == "client_software_version") return client.software_version;
    if (selector == "client_source_address") return client.source_address;
    return std::to_string(client.source_port);
  };
  return std::all_of(rule.matchers.begin(), rule.matchers.end(),
                     [&](const Matcher& matcher) { return matcher.expression->matches(value_of(matcher.selector)); });
}

TelemetrySubscription ClientTelemetry::subscription_of(const TelemetryClient& client) const {
  std::set<std::string> metrics;
  std::optional<milliseconds> interval;
  for (const Rule& rule : rules_) {
    if (!matches(rule, client)) continue;
    metrics.insert(rule.metrics.begin(), rule.metrics.end());
    interval = interval ? std::min(*interval, rule.interval) : rule.interval;
  }
  TelemetrySubscription subscription;
  subscription.interval = interval.value_or(kPushIntervalDefault);
  if (metrics.contains(kAllMetrics)) metrics = {kAllMetrics};
  subscription.metrics.assign(metrics.begin(), metrics.end());
  std::string text = std::to_string(subscription.interval.count());
  for (const std::string& metric : subscription.metrics) text += "," + metric;
  subscription.id = static_cast<int32_t>(codec::crc32c(as_bytes(text)));
  return subscription;
}

void ClientTelemetry::drop(Clients::iterator client) {
  values_ -= client->second.values.size();
  clients_.erase(client);
}

void ClientTelemetry::make_room() {
  auto last_heard = [](const Client& client) { return std::max(client.subscribed_at, client.pushed_at); };
  auto oldest = std::min_element(clients_.begin(), clients_.end(), [&](const auto& a, const auto& b) {
    return last_heard(a.second) < last_heard(b.second);
  });
  if (oldest != clients_.end()) drop(oldest);
}

ClientTelemetry::Client& ClientTelemetry::client_of(const TelemetryClient& client) {
  auto found = clients_.find(client.instance_id);
  if (found == clients_.end()) {
    if (clients_.size() >= kTelemetryClientsMax) make_room();
    found = clients_.try_emplace(client.instance_id).first;
    found->second.subscription = subscription_of(client);
  }
  TelemetryClient& who = found->second.who = client;
  for (std::string* text : {&who.client_id, &who.software_name, &who.software_version}) {
    if (text->size() > kTelemetryTextBytesMax) *text = text->substr(0, kTelemetryTextBytesMax);
  }
  return found->second;
}

ClientTelemetry::Subscribed ClientTelemetry::subscribe(TelemetryClient client) {
  if (client.instance_id.is_zero()) client.instance_id.bytes = broker::random_uuid().bytes;
  auto now = clock_.monotonic();
  std::lock_guard lock(mutex_);
  refresh_rules();
  Client& known = client_of(client);
  auto subscription = subscription_of(client);
  auto last = std::max(known.subscribed_at, known.pushed_at);
  bool early = last >= Instant(0) && now - last < known.subscription.interval;
  if (early && !known.must_subscribe && subscription.id == known.subscription.id) {
    return {KafkaError::kThrottlingQuotaExceeded, client.instance_id, subscription};
  }
  known.subscribed_at = now;
  known.must_subscribe = false;
  known.subscription = subscription;
  return {KafkaError::kNone, client.instance_id, std::move(subscription)};
}

KafkaError ClientTelemetry::push(const TelemetryClient& client, const Push& push) {
  auto refuse = [&](KafkaError error) {
    if (refused_) refused_->add();
    return error;
  };
  if (client.instance_id.is_zero()) return refuse(KafkaError::kInvalidRequest);
  auto now = clock_.monotonic();
  {
    std::lock_guard lock(mutex_);
    refresh_rules();
    Client& known = client_of(client);
    if (known.terminating) return refuse(KafkaError::kInvalidRequest);
    bool first = known.pushed_at <= known.subscribed_at;
    if (!push.terminating && !first && now - known.pushed_at < known.subscription.interval) {
      return refuse(KafkaError::kThrottlingQuotaExceeded);
    }
    if (push.subscription_id != known.subscription.id || subscription_of(client).id != known.subscription.id) {
      known.must_subscribe = true;
      return refuse(KafkaError::kUnknownSubscriptionId);
    }
    known.pushed_at = now;
    known.terminating = push.terminating;
  }
  if (push.metrics.size() > static_cast<size_t>(kTelemetryBytesMax)) return refuse(KafkaError::kTelemetryTooLarge);
  if (push.compression < 0 || push.compression > static_cast<int8_t>(codec::Compression::kZstd)) {
    return refuse(KafkaError::kUnsupportedCompressionType);
  }
  auto bytes =
      codec::decompress(static_cast<codec::Compression>(push.compression), push.metrics, size_t{kTelemetryBytesMax});
  if (!bytes.ok()) {
    bool large = bytes.error().code == ErrorCode::kTooLarge;
    return refuse(large ? KafkaError::kTelemetryTooLarge : KafkaError::kInvalidRecord);
  }
  auto points = decode_otlp(*bytes);
  if (!points.ok()) {
    bool large = points.error().code == ErrorCode::kTooLarge;
    return refuse(large ? KafkaError::kTelemetryTooLarge : KafkaError::kInvalidRecord);
  }
  std::lock_guard lock(mutex_);
  keep(client_of(client), *points);
  if (pushes_) pushes_->add();
  return KafkaError::kNone;
}

void ClientTelemetry::keep(Client& client, const std::vector<OtlpPoint>& points) {
  for (const OtlpPoint& point : points) {
    std::pair key{metric_name(point.name), labels_of(client.who, point)};
    auto found = client.values.find(key);
    if (found == client.values.end()) {
      if (values_ >= kClientMetricsMax || key.first.size() + key.second.size() > kClientMetricNameBytesMax) {
        if (dropped_) dropped_->add();
        continue;
      }
      ++values_;
      found = client.values.emplace(std::move(key), 0).first;
    }
    found->second = point.is_delta ? found->second + point.value : point.value;
  }
}

std::string ClientTelemetry::exposition() {
  auto now = clock_.monotonic();
  std::lock_guard lock(mutex_);
  std::map<std::string_view, std::string> families;  // Samples of one name stand together.
  for (auto client = clients_.begin(); client != clients_.end();) {
    auto next = std::next(client);
    const Client& known = client->second;
    auto last = std::max(known.subscribed_at, known.pushed_at);
    if (now - last > known.subscription.interval * kSilentIntervalsMax) {
      drop(client);
    } else {
      for (const auto& [key, value] : known.values) {
        families[key.first] += fmt::format("{}{{{}}} {}\n", key.first, key.second, value);
      }
    }
    client = next;
  }
  std::string out;
  for (const auto& [name, samples] : families) out += fmt::format("# TYPE {} untyped\n{}", name, samples);
  return out;
}

}  // namespace headrace::kafka
