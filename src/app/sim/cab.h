// One cab: how it drives, earns, burns fuel and breaks.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "app/sim/city.h"
#include "os/random.h"

namespace headrace::app {

/// How often things go wrong, as chances.
struct Faults {
  double hot = 0.03;         ///< Of a cab: its engine overheats now and then.
  double silent = 0.02;      ///< Of a cab: it loses its connection's coverage now and then.
  double speeding = 0.05;    ///< Of a cab: its driver is one who speeds.
  double late = 0.002;       ///< Of a message: sent seconds after its time.
  double duplicate = 0.002;  ///< Of a message: sent twice.
};

/// What a cab reports.
struct Telemetry {
  std::string cab;
  int64_t ts_ms = 0;
  Coordinates at;
  double speed_kmh = 0;
  double heading_deg = 0;
  double engine_temp_c = 0;
  double fuel_pct = 0;
  bool occupied = false;
  double fare = 0;  ///< Of the trip so far, 0 when free.
};

/// Appends the JSON object that goes over MQTT.
void append_json(const Telemetry& telemetry, std::string& out);

/// A cab's life, advanced second by second. Everything random comes from its own generator.
class Cab {
 public:
  Cab(const City& city, uint32_t number, const Faults& faults, uint64_t seed);

  const std::string& id() const { return id_; }
  /// Lives through `seconds`.
  void advance(double seconds);
  /// Without coverage: reports are not sent.
  bool silent() const { return silent_s_ > 0; }
  Telemetry report(int64_t now_ms) const;

 private:
  void drive(double seconds);
  void arrive();
  void plan_trip();
  void heat(double seconds);
  double target_kmh() const;

  const City& city_;
  os::Random random_;
  std::string id_;
  bool runs_hot_, goes_silent_, speeds_;

  uint32_t from_;
  std::vector<uint32_t> way_;  ///< Nodes still ahead, the next one last.
  double street_m_ = 0, street_limit_kmh_ = 32;
  double along_m_ = 0;  ///< From `from_` towards the next node.
  double speed_kmh_ = 0, heading_deg_ = 0;
  double stop_s_ = 0;  ///< Standing: at lights, or for a fare.
  double engine_temp_c_ = 70, fuel_pct_ = 100;
  double hot_s_ = 0, silent_s_ = 0, spurt_s_ = 0;  ///< Left of the fault that is on.
  bool occupied_ = false;
  double fare_ = 0;
};

}  // namespace headrace::app
