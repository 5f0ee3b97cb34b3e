#include "app/sim/fleet.h"

#include <queue>

#include "net/run_and_wait.h"
#include "os/clock.h"

namespace headrace::app {
namespace {

constexpr std::chrono::milliseconds kTick{20};
/// Connecting all at once would only fill the server's accept queue.
constexpr size_t kConnectsPerTick = 40;
constexpr double kLateSecondsMin = 4, kLateSecondsMax = 25;

}  // namespace

/// The cabs of one event loop.
class Fleet::Depot {
 public:
  Depot(net::EventLoop& loop, const FleetOptions& options, Fleet& fleet)
      : loop_(loop), options_(options), fleet_(fleet), random_(options.seed ^ (loop.index() + 1)) {}
  // All of them at once: one after the other, thousands would each wait for the loop.
  ~Depot() {
    net::run_and_wait(loop_, [this] {
      timer_.reset();
      for (auto& unit : units_) unit->device.end();
    });
  }

  void add(const City& city, uint32_t number) {
    auto unit = std::make_unique<Unit>(city, number, options_, loop_, fleet_.counters_);
    unit->due_s = random_.real() / options_.rate;
    units_.push_back(std::move(unit));
  }

  void start() {
    loop_.post([this] {
      last_ = os::system_clock().monotonic();
      tick();
    });
  }

  void stop_reporting() {
    net::run_and_wait(loop_, [this] { timer_.reset(); });
  }

  std::string trouble() {
    std::string found;
    net::run_and_wait(loop_, [&] {
      for (auto& unit : units_) {
        if (found.empty() && unit->connecting) found = unit->device.trouble();
      }
    });
    return found;
  }

 private:
  struct Unit {
    Unit(const City& city, uint32_t number, const FleetOptions& options, net::EventLoop& loop, DeviceCounters& counters)
        : cab(city, number, options.faults, options.seed),
          device(loop, {.host = options.host, .port = options.port, .client_id = cab.id()}, counters),
          topic("cabs/" + cab.id() + "/telemetry") {}
    Cab cab;
    MqttDevice device;
    std::string topic;
    double due_s = 0;  ///< Until the next report.
    bool connecting = false;
  };
  struct Late {
    double due_s;
    Unit* unit;
    std::string payload;
    bool operator<(const Late& other) const { return due_s > other.due_s; }
  };

  void tick() {
    auto now = os::system_clock().monotonic();
    double seconds = std::chrono::duration<double>(now - last_).count();
    last_ = now;
    elapsed_s_ += seconds;
    for (size_t n = 0; n < kConnectsPerTick && connected_ < units_.size(); ++n) {
      units_[connected_]->connecting = true;
      units_[connected_++]->device.connect();
    }
    for (auto& unit : units_) advance(*unit, seconds);
    send_late();
    timer_ = loop_.after(kTick, [this] { tick(); });
  }

  void advance(Unit& unit, double seconds) {
    unit.due_s -= seconds;
    if (unit.due_s > 0) return;
    double period = 1 / options_.rate;
    // A loop that was held up reports once and goes on from now.
    double behind = std::max(0.0, -unit.due_s - period);
    unit.due_s += period + behind;
    unit.cab.advance(period + behind);
    if (unit.cab.silent()) {
      fleet_.silenced_.fetch_add(1, std::memory_order_relaxed);
      return;
    }
    std::string payload;
    append_json(unit.cab.report(os::system_clock().wall_ms()), payload);
    if (random_.real() < options_.faults.late) {
      double delay = kLateSecondsMin + (kLateSecondsMax - kLateSecondsMin) * random_.real();
      late_.push({elapsed_s_ + delay, &unit, std::move(payload)});
      return;
    }
    if (random_.real() < options_.faults.duplicate) unit.device.publish(unit.topic, payload);
    unit.device.publish(unit.topic, std::move(payload));
  }

  void send_late() {
    while (!late_.empty() && late_.top().due_s <= elapsed_s_) {
      late_.top().unit->device.publish(late_.top().unit->topic, late_.top().payload);
      late_.pop();
    }
  }

  net::EventLoop& loop_;
  const FleetOptions options_;
  Fleet& fleet_;
  os::Random random_;
  std::vector<std::unique_ptr<Unit>> units_;
  std::priority_queue<Late> late_;
  size_t connected_ = 0;
  std::chrono::nanoseconds last_{0};
  double elapsed_s_ = 0;
  std::unique_ptr<net::EventLoop::Timer> timer_;
};

Fleet::Fleet(const City& city, net::EventLoops& loops, const FleetOptions& options) {
  for (size_t i = 0; i < loops.size(); ++i) {
    depots_.push_back(std::make_unique<Depot>(loops.loop(i), options, *this));
  }
  for (uint32_t number = 1; number <= options.cabs; ++number) depots_[number % depots_.size()]->add(city, number);
  for (auto& depot : depots_) depot->start();
}

Fleet::~Fleet() { depots_.clear(); }

void Fleet::stop_reporting() {
  for (auto& depot : depots_) depot->stop_reporting();
}

std::string Fleet::trouble() {
  for (auto& depot : depots_) {
    if (std::string why = depot->trouble(); !why.empty()) return why;
  }
  return "";
}

}  // namespace headrace::app
