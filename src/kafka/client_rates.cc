#include "kafka/client_rates.h"

#include <algorithm>
#include <cmath>

namespace headrace::kafka {
namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;

constexpr nanoseconds kMemory = kQuotaWindow * kQuotaWindows;

constexpr std::string_view kKeys[kRateKinds] = {broker::kProducerByteRate, broker::kConsumerByteRate,
                                                broker::kRequestPercentage, broker::kControllerMutationRate};
constexpr std::string_view kMetricNames[kRateKinds] = {"produce", "fetch", "request", "controller_mutation"};

double seconds(nanoseconds time) { return std::chrono::duration<double>(time).count(); }

milliseconds to_wait(double seconds) {
  constexpr double kRounding = 1e-6;        // What doubles add to a whole number of milliseconds.
  constexpr double kWaitSecondsMax = 3600;  // Nobody waits longer for a broker: clients give up long before.
  return milliseconds(static_cast<int64_t>(std::ceil(std::min(seconds, kWaitSecondsMax) * 1000 - kRounding)));
}

}  // namespace

bool WindowedRate::live(const Window& window, nanoseconds now) const {
  return window.used && now - window.start < kMemory;
}

void WindowedRate::record(double amount, nanoseconds now) {
  if (!windows_[current_].used || now - windows_[current_].start >= kQuotaWindow) {
    current_ = (current_ + 1) % windows_.size();
    windows_[current_] = {now, 0, true};
  }
  windows_[current_].amount += amount;
}

milliseconds WindowedRate::wait(double limit, nanoseconds now) const {
  double total = 0;
  nanoseconds oldest = now;
  for (const Window& window : windows_) {
    if (!live(window, now)) continue;
    total += window.amount;
    oldest = std::min(oldest, window.start);
  }
  nanoseconds elapsed = now - oldest;
  auto full_windows = elapsed / nanoseconds(kQuotaWindow);
  if (full_windows < kQuotaWindows - 1) elapsed += (kQuotaWindows - 1 - full_windows) * nanoseconds(kQuotaWindow);
  double rate = total / seconds(elapsed);
  return rate <= limit ? milliseconds(0) : to_wait((rate - limit) / limit * seconds(elapsed));
}

void TokenBucket::fill(double limit, nanoseconds now) {
  double most = limit * kQuotaWindows * seconds(kQuotaWindow);
  tokens_ = tokens_ ? std::min(most, *tokens_ + limit * seconds(now - filled_)) : most;
  filled_ = now;
}

milliseconds TokenBucket::wait(double limit, nanoseconds now) {
  fill(limit, now);
  return *tokens_ >= 0 ? milliseconds(0) : to_wait(-*tokens_ / limit);
}

void TokenBucket::take(double amount, double limit, nanoseconds now) {
  fill(limit, now);
  *tokens_ -= amount;
}

ClientRates::ClientRates(const broker::Settings& settings, os::Clock& clock, flow::MetricsRegistry* metrics)
    : settings_(settings), clock_(clock) {
  if (!metrics) return;
  for (size_t i = 0; i < kRateKinds; ++i) {
    throttled_[i] = &metrics->counter("headrace_kafka_throttled_total", {{"quota", std::string(kMetricNames[i])}},
                                      "Requests whose client had to wait for its quota.");
  }
}

milliseconds ClientRates::told(RateKind kind, milliseconds wait) {
  if (kind == RateKind::kRequest) wait = std::min(wait, kRequestThrottleMax);
  auto* metric = throttled_[static_cast<size_t>(kind)];
  if (wait.count() > 0 && metric) metric->add();
  return wait;
}

milliseconds ClientRates::record(RateKind kind, std::string_view user, std::string_view client, double amount) {
  if (!active()) return milliseconds(0);
  auto now = clock_.monotonic();
  std::lock_guard lock(mutex_);
  const Applied& applied = client_of(user, client, now).applied[static_cast<size_t>(kind)];
  if (!applied.meter) return milliseconds(0);
  applied.meter->rate.record(amount, now);
  return told(kind, applied.meter->rate.wait(applied.limit, now));
}

milliseconds ClientRates::wait(RateKind kind, std::string_view user, std::string_view client) {
  if (!active()) return milliseconds(0);
  auto now = clock_.monotonic();
  std::lock_guard lock(mutex_);
  const Applied& applied = client_of(user, client, now).applied[static_cast<size_t>(kind)];
  return applied.meter ? told(kind, applied.meter->rate.wait(applied.limit, now)) : milliseconds(0);
}

milliseconds ClientRates::record_unless_over(RateKind kind, std::string_view user, std::string_view client,
                                             double amount) {
  if (!active()) return milliseconds(0);
  auto now = clock_.monotonic();
  std::lock_guard lock(mutex_);
  const Applied& applied = client_of(user, client, now).applied[static_cast<size_t>(kind)];
  if (!applied.meter) return milliseconds(0);
  WindowedRate with_it = applied.meter->rate;
  with_it.record(amount, now);
  auto wait = with_it.wait(applied.limit, now);
  // A batch larger than the quota allows at once is sent when the client has waited for the rest: with_it's rate can't
  // fall to the limit while nothing is sent.
  bool never_fits = amount > applied.limit * (kQuotaWindows - 1) * seconds(kQuotaWindow);
  if (never_fits) wait = applied.meter->rate.wait(applied.limit, now);
  if (wait.count() == 0) applied.meter->rate = with_it;
  return told(kind, wait);
}

std::optional<int64_t> ClientRates::fetch_bytes_max(std::string_view user, std::string_view client) {
  if (!active()) return std::nullopt;
  auto now = clock_.monotonic();
  std::lock_guard lock(mutex_);
  const Applied& applied = client_of(user, client, now).applied[static_cast<size_t>(RateKind::kFetch)];
  if (!applied.meter) return std::nullopt;
  double most = applied.limit * (kQuotaWindows - 1) * seconds(kQuotaWindow);
  return static_cast<int64_t>(std::min(most, 1e15));
}

milliseconds ClientRates::mutate(std::string_view user, std::string_view client, int64_t partitions, bool strict) {
  if (!active()) return milliseconds(0);
  auto now = clock_.monotonic();
  std::lock_guard lock(mutex_);
  const Applied& applied = client_of(user, client, now).applied[static_cast<size_t>(RateKind::kMutation)];
  if (!applied.meter) return milliseconds(0);
  auto wait = applied.meter->bucket.wait(applied.limit, now);
  if (wait.count() == 0 || !strict) applied.meter->bucket.take(static_cast<double>(partitions), applied.limit, now);
  return told(RateKind::kMutation, wait);
}

milliseconds ClientRates::connect(std::string_view ip) {
  if (!active()) return milliseconds(0);
  auto limit = settings_.quotas()->find_for_ip(broker::kConnectionCreationRate, ip);
  if (!limit) return milliseconds(0);
  auto now = clock_.monotonic();
  std::lock_guard lock(mutex_);
  if (addresses_.size() >= kRatedClientsMax) {
    std::erase_if(addresses_, [&](const auto& one) { return now - one.second.last_used > kMemory; });
  }
  bool room = addresses_.size() < kRatedClientsMax;
  Address& address = addresses_[room ? std::string(ip) : std::string()];
  WindowedRate with_it = address.rate;
  with_it.record(1, now);
  address.last_used = now;
  auto wait = with_it.wait(*limit, now);
  if (wait.count() == 0) address.rate = with_it;
  return wait;
}

ClientRates::Client& ClientRates::client_of(std::string_view user, std::string_view client, nanoseconds now) {
  client = client.substr(0, kRatedNameBytesMax);
  uint64_t version = settings_.quotas_version();
  auto name = [](std::string_view a, std::string_view b) { return std::string(a) + '\0' + std::string(b); };
  auto found = clients_.find(name(user, client));
  if (found == clients_.end()) {
    if (clients_.size() >= kRatedClientsMax) prune(now);
    bool room = clients_.size() < kRatedClientsMax;
    found = clients_.try_emplace(room ? name(user, client) : name(user, "")).first;
  }
  Client& known = found->second;
  if (known.version != version) apply(known, user, client, version);
  known.last_used = now;
  return known;
}

void ClientRates::apply(Client& client, std::string_view user, std::string_view name, uint64_t version) {
  auto quotas = settings_.quotas();
  for (size_t kind = 0; kind < kRateKinds; ++kind) {
    Applied& applied = client.applied[kind];
    auto quota = quotas->find(kKeys[kind], user, name);
    if (!quota) {
      applied = {};
      continue;
    }
    auto& shared = meters_[std::to_string(kind) + quota->user + '\0' + quota->client];
    auto meter = shared.lock();
    if (!meter) shared = meter = std::make_shared<Meter>();
    // Percents of a thread are its seconds a second.
    double unit = kind == static_cast<size_t>(RateKind::kRequest) ? 0.01 : 1;
    applied = {std::move(meter), quota->limit * unit};
  }
  client.version = version;
}

/// Forgets clients whose rates are 0 anyway.
void ClientRates::prune(nanoseconds now) {
  if (pruned_at_ && now - *pruned_at_ < std::chrono::seconds(1)) return;
  pruned_at_ = now;
  std::erase_if(clients_, [&](const auto& one) { return now - one.second.last_used > kMemory; });
  std::erase_if(meters_, [](const auto& one) { return one.second.expired(); });
}

}  // namespace headrace::kafka
