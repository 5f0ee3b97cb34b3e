#include "flow/metrics.h"

#include <fmt/format.h>

#include <iterator>

#include "base/check.h"
#include "os/clock.h"

namespace headrace::flow {
namespace {

void append_escaped(std::string& out, std::string_view text, bool quotes) {
  for (char c : text) {
    if (c == '\\') {
      out += "\\\\";
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '"' && quotes) {
      out += "\\\"";
    } else {
      out += c;
    }
  }
}

void append_labels(std::string& out, const Labels& labels) {
  if (labels.empty()) return;
  char before = '{';
  for (const auto& [name, value] : labels) {
    out += before;
    out += name;
    out += "=\"";
    append_escaped(out, value, true);
    out += '"';
    before = ',';
  }
  out += '}';
}

}  // namespace

Metric& MetricsRegistry::counter(std::string_view name, const Labels& labels, std::string_view help) {
  return kept_metric({std::string(name), labels}, help, MetricKind::kCounter);
}

Metric& MetricsRegistry::gauge(std::string_view name, const Labels& labels, std::string_view help) {
  return kept_metric({std::string(name), labels}, help, MetricKind::kGauge);
}

Metric& MetricsRegistry::kept_metric(const Key& key, std::string_view help, MetricKind kind) {
  std::lock_guard lock(mutex_);
  Entry& entry = find_or_add(key, help, kind);
  if (!entry.kept) entry.kept = std::make_unique<Metric>();
  entry.metric = entry.kept.get();
  return *entry.metric;
}

std::shared_ptr<Metric> MetricsRegistry::held_counter(std::string_view name, const Labels& labels,
                                                      std::string_view help) {
  Key key{std::string(name), labels};
  std::lock_guard lock(mutex_);
  Entry& entry = find_or_add(key, help, MetricKind::kCounter);
  if (auto held = entry.held.lock()) return held;
  std::shared_ptr<Metric> made(new Metric(), [this, key](Metric* metric) { release(key, metric); });
  entry.metric = made.get();
  entry.held = made;
  return made;
}

void MetricsRegistry::observed_gauge(std::string_view name, const Labels& labels, std::string_view help,
                                     Function<int64_t()> value) {
  std::lock_guard lock(mutex_);
  find_or_add({std::string(name), labels}, help, MetricKind::kGauge).observed = std::move(value);
}

MetricsRegistry::Entry& MetricsRegistry::find_or_add(const Key& key, std::string_view help, MetricKind kind) {
  auto found = entries_.find(key);
  if (found == entries_.end()) found = entries_.emplace(key, Entry{.kind = kind, .help = std::string(help)}).first;
  CHECK(found->second.kind == kind);
  return found->second;
}

/// Nobody holds it any more; perhaps a new one of its name.
void MetricsRegistry::release(const Key& key, Metric* metric) {
  {
    std::lock_guard lock(mutex_);
    auto found = entries_.find(key);
    if (found != entries_.end() && found->second.metric == metric) entries_.erase(found);
  }
  delete metric;
}

std::vector<MetricsRegistry::Sample> MetricsRegistry::samples() const {
  std::lock_guard lock(mutex_);
  std::vector<Sample> samples;
  samples.reserve(entries_.size());
  for (const auto& [key, entry] : entries_) {
    int64_t value = entry.observed ? entry.observed() : entry.metric->value();
    samples.push_back({key.first, key.second, entry.kind, entry.help, value});
  }
  return samples;
}

std::string MetricsRegistry::exposition() const {
  // The format wants all samples of one name together, behind its HELP and TYPE: they come sorted.
  std::string out, family;
  for (const Sample& sample : samples()) {
    if (sample.name != family) {
      family = sample.name;
      out += "# HELP " + family + " ";
      append_escaped(out, sample.help, false);
      out += "\n# TYPE " + family + (sample.kind == MetricKind::kCounter ? " counter\n" : " gauge\n");
    }
    out += sample.name;
    append_labels(out, sample.labels);
    fmt::format_to(std::back_inserter(out), " {}\n", sample.value);
  }
  return out;
}

void MetricsRegistry::set_state(std::string_view component, std::string_view state, std::string_view detail) {
  int64_t now_ms = os::system_clock().wall_ms();
  std::lock_guard lock(mutex_);
  auto [it, added] = states_.try_emplace(std::string(component));
  State& entry = it->second;
  if (added || entry.state != state) entry.since_ms = now_ms;
  entry.component = component;
  entry.state = state;
  entry.detail = detail;
}

std::vector<MetricsRegistry::State> MetricsRegistry::states() const {
  std::lock_guard lock(mutex_);
  std::vector<State> states;
  for (const auto& [component, state] : states_) states.push_back(state);
  return states;
}

}  // namespace headrace::flow
