#include "app/sim/cab.h"
#include "app/sim/city.h"

namespace headrace::app {
namespace {

TEST(City, EveryPlaceCanBeReachedFromEveryOther) {
  const City& city = City::bundled();
  EXPECT_FALSE(city.route(0, static_cast<uint32_t>(city.size() - 1)).empty());
  auto way = city.route(7, 900);
  uint32_t at = 7;
  for (uint32_t next : way) {
    auto& streets = city.streets_from(at);
    EXPECT_TRUE(std::any_of(streets.begin(), streets.end(), [&](const auto& s) { return s.to == next; }));
    at = next;
  }
  EXPECT_EQ(at, 900u);
}

TEST(City, MalformedStreetFilesAreRefused) {
  EXPECT_FALSE(City::parse("{").ok());
  EXPECT_FALSE(City::parse(R"({"nodes":[],"edges":[]})").ok());
  EXPECT_FALSE(City::parse(R"({"nodes":[[1,2]],"edges":[[0,5,0]]})").ok());
}

TEST(Geometry, DistancesAndBearings) {
  Coordinates a{40.7, -74.0}, north{40.71, -74.0}, east{40.7, -73.99};
  EXPECT_NEAR(distance_m(a, north), 1112, 1);
  EXPECT_NEAR(bearing_deg(a, north), 0, 0.01);
  EXPECT_NEAR(bearing_deg(a, east), 90, 0.01);
}

TEST(Cab, TheSameSeedDrivesTheSameWay) {
  Cab one(City::bundled(), 3, {}, 42), two(City::bundled(), 3, {}, 42);
  std::string a, b;
  for (int i = 0; i < 300; ++i) {
    one.advance(1);
    two.advance(1);
    append_json(one.report(i), a);
    append_json(two.report(i), b);
  }
  EXPECT_EQ(a, b);
}

TEST(Cab, MovesNoFasterThanItsSpeedometerSays) {
  Cab cab(City::bundled(), 1, {}, 7);
  Coordinates before = cab.report(0).at;
  double travelled = 0;
  for (int i = 0; i < 600; ++i) {
    cab.advance(1);
    Telemetry t = cab.report(i);
    double step = distance_m(before, t.at);
    EXPECT_LE(step, t.speed_kmh / 3.6 + 25) << i;  // Corners are cut at most by what was left of the street.
    travelled += step;
    before = t.at;
  }
  EXPECT_GT(travelled, 1000);
}

TEST(Cab, FaultsShowInWhatItReports) {
  Faults all{.hot = 1, .silent = 1, .speeding = 1};
  double hottest = 0, fastest = 0;
  bool silent = false;
  Cab cab(City::bundled(), 1, all, 11);
  for (int i = 0; i < 3600; ++i) {
    cab.advance(1);
    hottest = std::max(hottest, cab.report(i).engine_temp_c);
    fastest = std::max(fastest, cab.report(i).speed_kmh);
    silent |= cab.silent();
  }
  EXPECT_GT(hottest, 110);
  EXPECT_GT(fastest, 60);
  EXPECT_TRUE(silent);
  Cab calm(City::bundled(), 1, {.hot = 0, .silent = 0, .speeding = 0}, 11);
  for (int i = 0; i < 3600; ++i) {
    calm.advance(1);
    EXPECT_LT(calm.report(i).engine_temp_c, 105);
    EXPECT_LE(calm.report(i).speed_kmh, 60);
  }
}

}  // namespace
}  // namespace headrace::app
