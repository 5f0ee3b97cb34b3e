#include "app/sim/cab.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>

namespace headrace::app {
namespace {

constexpr double kAccelerationKmhPerS = 6, kBrakingKmhPerS = 12;
constexpr double kFlagFall = 3.0, kFarePerKm = 1.75;
constexpr double kFuelPctPerKm = 0.35;
constexpr double kNormalTempC = 90, kHotTempC = 122;
/// Chances a second that a cab with a fault shows it.
constexpr double kHotEverySecond = 1.0 / 90, kSilentEverySecond = 1.0 / 240, kSpurtEverySecond = 1.0 / 60;

}  // namespace

void append_json(const Telemetry& t, std::string& out) {
  fmt::format_to(std::back_inserter(out),
                 R"({{"cab":"{}","ts":{},"lat":{:.6f},"lon":{:.6f},"speed_kmh":{:.1f},"heading":{:.0f},)"
                 R"("engine_temp_c":{:.1f},"fuel_pct":{:.1f},"status":"{}","fare":{:.2f}}})",
                 t.cab, t.ts_ms, t.at.lat, t.at.lon, t.speed_kmh, t.heading_deg, t.engine_temp_c, t.fuel_pct,
                 t.occupied ? "occupied" : "free", t.fare);
}

Cab::Cab(const City& city, uint32_t number, const Faults& faults, uint64_t seed)
    : city_(city), random_(seed * 0x9e3779b97f4a7c15 + number), id_(fmt::format("cab-{:04}", number)) {
  runs_hot_ = random_.real() < faults.hot;
  goes_silent_ = random_.real() < faults.silent;
  speeds_ = random_.real() < faults.speeding;
  from_ = static_cast<uint32_t>(random_.below(city.size()));
  fuel_pct_ = 30 + 70 * random_.real();
  engine_temp_c_ = 75 + 20 * random_.real();
  occupied_ = random_.real() < 0.5;
  plan_trip();
  along_m_ = street_m_ * random_.real();
}

void Cab::plan_trip() {
  fare_ = occupied_ ? kFlagFall : 0;
  while (way_.empty()) {
    way_ = city_.route(from_, static_cast<uint32_t>(random_.below(city_.size())));
  }
  std::reverse(way_.begin(), way_.end());
  along_m_ = 0;
  arrive();
}

/// Turns into the street to the next node of the way.
void Cab::arrive() {
  for (const City::Street& street : city_.streets_from(from_)) {
    if (street.to == way_.back()) street_m_ = street.metres, street_limit_kmh_ = street.limit_kmh;
  }
  heading_deg_ = bearing_deg(city_.node(from_), city_.node(way_.back()));
}

double Cab::target_kmh() const {
  double target = street_limit_kmh_ * (spurt_s_ > 0 ? 1.9 : 0.92);
  // Slower towards the end of the street: there is a corner or a light.
  double left_m = street_m_ - along_m_;
  return spurt_s_ > 0 ? target : std::min(target, 12 + left_m * 0.6);
}

void Cab::drive(double seconds) {
  if (stop_s_ > 0) {
    stop_s_ -= seconds;
    speed_kmh_ = 0;
    return;
  }
  double change = target_kmh() - speed_kmh_;
  speed_kmh_ += std::clamp(change, -kBrakingKmhPerS * seconds, kAccelerationKmhPerS * seconds);
  double metres = speed_kmh_ / 3.6 * seconds;
  along_m_ += metres;
  if (occupied_) fare_ += metres / 1000 * kFarePerKm;
  fuel_pct_ -= metres / 1000 * kFuelPctPerKm;
  if (fuel_pct_ < 8) fuel_pct_ = 100, stop_s_ = 20;
  while (along_m_ >= street_m_) {
    along_m_ -= street_m_;
    from_ = way_.back();
    way_.pop_back();
    if (way_.empty()) {
      occupied_ = !occupied_ && random_.real() < 0.9;
      stop_s_ = 3 + 7 * random_.real();
      return plan_trip();
    }
    arrive();
    if (random_.real() < 0.12) stop_s_ = 2 + 10 * random_.real();
  }
}

void Cab::heat(double seconds) {
  double towards = hot_s_ > 0 ? kHotTempC : kNormalTempC + speed_kmh_ * 0.05;
  engine_temp_c_ += (towards - engine_temp_c_) * std::min(1.0, seconds * (hot_s_ > 0 ? 0.08 : 0.03));
}

void Cab::advance(double seconds) {
  auto begins = [&](bool prone, double every_second) { return prone && random_.real() < every_second * seconds; };
  for (double* left : {&hot_s_, &silent_s_, &spurt_s_}) *left = std::max(0.0, *left - seconds);
  if (hot_s_ == 0 && begins(runs_hot_, kHotEverySecond)) hot_s_ = 60 + 60 * random_.real();
  if (silent_s_ == 0 && begins(goes_silent_, kSilentEverySecond)) silent_s_ = 30 + 60 * random_.real();
  if (spurt_s_ == 0 && begins(speeds_, kSpurtEverySecond)) spurt_s_ = 8 + 12 * random_.real();
  drive(seconds);
  heat(seconds);
}

Telemetry Cab::report(int64_t now_ms) const {
  Coordinates at = way_.empty()
                       ? city_.node(from_)
                       : between(city_.node(from_), city_.node(way_.back()), std::min(1.0, along_m_ / street_m_));
  return {.cab = id_,
          .ts_ms = now_ms,
          .at = at,
          .speed_kmh = speed_kmh_,
          .heading_deg = heading_deg_,
          .engine_temp_c = engine_temp_c_,
          .fuel_pct = fuel_pct_,
          .occupied = occupied_,
          .fare = occupied_ ? fare_ : 0};
}

}  // namespace headrace::app
