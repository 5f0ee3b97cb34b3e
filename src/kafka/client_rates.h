// Enforces quotas (KIP-13, KIP-124, KIP-219, KIP-599, KIP-612): measures what users and clients do, and tells how long
// one that does more than its quota has to wait. The wait is in the response (throttle_time_ms), and the server takes
// no further request from the connection until it is over.
#pragma once

#include <array>
#include <chrono>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "broker/settings.h"
#include "flow/metrics.h"
#include "os/clock.h"

namespace headrace::kafka {

inline constexpr int kQuotaWindows = 11;                        ///< Kafka's quota.window.num.
inline constexpr std::chrono::milliseconds kQuotaWindow{1000};  ///< Kafka's quota.window.size.seconds.
/// The longest wait for request_percentage; other quotas ask for as long as it takes.
inline constexpr std::chrono::milliseconds kRequestThrottleMax{1000};
/// Clients whose rates are remembered; those over it share one rate a quota.
inline constexpr size_t kRatedClientsMax = 20'000;
/// Of a client's id; clients that differ only behind it share their rates.
inline constexpr size_t kRatedNameBytesMax = 256;

/// An amount a second over the last windows. As Kafka's `Rate`, it takes the windows before the first amount for idle,
/// so that a client may use ten seconds of its quota at once.
class WindowedRate {
 public:
  void record(double amount, std::chrono::nanoseconds now);
  /// How long nothing may be recorded for the rate to fall to `limit`.
  std::chrono::milliseconds wait(double limit, std::chrono::nanoseconds now) const;

 private:
  struct Window {
    std::chrono::nanoseconds start{};
    double amount = 0;
    bool used = false;
  };
  bool live(const Window& window, std::chrono::nanoseconds now) const;
  std::array<Window, kQuotaWindows> windows_{};
  size_t current_ = 0;
};

/// Credits that fill up with `limit` a second to those of all windows, and may be overdrawn once (KIP-599).
class TokenBucket {
 public:
  /// Zero while there are credits left.
  std::chrono::milliseconds wait(double limit, std::chrono::nanoseconds now);
  void take(double amount, double limit, std::chrono::nanoseconds now);

 private:
  void fill(double limit, std::chrono::nanoseconds now);
  std::optional<double> tokens_;
  std::chrono::nanoseconds filled_{};
};

/// What is measured of users and clients.
enum class RateKind { kProduce, kFetch, kRequest, kMutation };
inline constexpr size_t kRateKinds = 4;

/// Thread-safe. Costs one atomic load as long as there are no quotas.
class ClientRates {
 public:
  ClientRates(const broker::Settings& settings, os::Clock& clock, flow::MetricsRegistry* metrics);

  /// Whether there ever were quotas: what else is here needs no call before.
  bool active() const { return settings_.quotas_version() != 0; }

  /// Notes `amount` (bytes; seconds of a thread for kRequest) and tells how long to wait.
  std::chrono::milliseconds record(RateKind kind, std::string_view user, std::string_view client, double amount);
  /// The same without noting anything.
  std::chrono::milliseconds wait(RateKind kind, std::string_view user, std::string_view client);
  /// Notes `amount` when that needs no wait. What a fetch does with its answer: one that is not sent does not count.
  std::chrono::milliseconds record_unless_over(RateKind kind, std::string_view user, std::string_view client,
                                               double amount);
  /// The most bytes that the client may fetch at once without being over its quota for ever; nothing: no quota.
  std::optional<int64_t> fetch_bytes_max(std::string_view user, std::string_view client);

  /// Creations and deletions of partitions. With a wait nothing is noted when `strict`, and it must not be done;
  /// clients that do not know the error for that have their way, and wait afterwards.
  std::chrono::milliseconds mutate(std::string_view user, std::string_view client, int64_t partitions, bool strict);

  /// Notes a new connection from `ip`; a wait says that it is one too many.
  std::chrono::milliseconds connect(std::string_view ip);

 private:
  struct Meter {
    WindowedRate rate;
    TokenBucket bucket;  ///< Of kMutation.
  };
  struct Applied {
    std::shared_ptr<Meter> meter;  ///< Null: no quota.
    double limit = 0;
  };
  /// A user and client, and what applies to them under one version of the quotas.
  struct Client {
    uint64_t version = 0;
    std::chrono::nanoseconds last_used{};
    std::array<Applied, kRateKinds> applied;
  };
  using Meters = std::unordered_map<std::string, std::weak_ptr<Meter>>;

  Client& client_of(std::string_view user, std::string_view client, std::chrono::nanoseconds now);
  void apply(Client& client, std::string_view user, std::string_view name, uint64_t version);
  void prune(std::chrono::nanoseconds now);
  std::chrono::milliseconds told(RateKind kind, std::chrono::milliseconds wait);

  const broker::Settings& settings_;
  os::Clock& clock_;
  std::array<flow::Metric*, kRateKinds> throttled_{};

  std::mutex mutex_;
  std::unordered_map<std::string, Client> clients_;
  std::optional<std::chrono::nanoseconds> pruned_at_;
  Meters meters_;  ///< By quota kind and those who share it.
  struct Address {
    WindowedRate rate;
    std::chrono::nanoseconds last_used{};
  };
  std::unordered_map<std::string, Address> addresses_;
};

}  // namespace headrace::kafka
