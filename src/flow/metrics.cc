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
  return metric(name, labels, help, MetricKind::kCounter);
}

Metric& MetricsRegistry::gauge(std::string_view name, const Labels& labels, std::string_view help) {
  return metric(name, labels, help, MetricKind::kGauge);
}

Metric& MetricsRegistry::metric(std::string_view name, const Labels& labels, std::string_view help, MetricKind kind) {
  std::lock_guard lock(mutex_);
  for (Entry& entry : entries_) {
    if (entry.name != name || entry.labels != labels) continue;
    CHECK(entry.kind == kind);
    return entry.metric;
  }
  Entry& entry = entries_.emplace_back();
  entry.name = name;
  entry.labels = labels;
  entry.kind = kind;
  entry.help = help;
  return entry.metric;
}

std::vector<MetricsRegistry::Sample> MetricsRegistry::samples() const {
  std::lock_guard lock(mutex_);
  std::vector<Sample> samples;
  samples.reserve(entries_.size());
  for (const Entry& entry : entries_) {
    samples.push_back({entry.name, entry.labels, entry.kind, entry.help, entry.metric.value()});
  }
  return samples;
}

std::string MetricsRegistry::exposition() const {
  // The format wants all samples of one name together, behind its HELP and TYPE.
  std::map<std::string, std::vector<Sample>> families;
  for (Sample& sample : samples()) families[sample.name].push_back(std::move(sample));
  std::string out;
  for (const auto& [name, family] : families) {
    out += "# HELP " + name + " ";
    append_escaped(out, family.front().help, false);
    out += family.front().kind == MetricKind::kCounter ? "\n# TYPE " + name + " counter\n"
                                                       : "\n# TYPE " + name + " gauge\n";
    for (const Sample& sample : family) {
      out += name;
      append_labels(out, sample.labels);
      fmt::format_to(std::back_inserter(out), " {}\n", sample.value);
    }
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
