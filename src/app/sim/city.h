// The streets of a city as a graph, and ways through it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace headrace::app {

/// Degrees, WGS 84.
struct Coordinates {
  double lat = 0;
  double lon = 0;
};

/// Metres between two places (haversine on a sphere of 6,371,008.8 m).
double distance_m(Coordinates a, Coordinates b);
/// Degrees clockwise from north, 0 to 360, when going from `a` to `b`.
double bearing_deg(Coordinates a, Coordinates b);
/// The place a fraction (0 to 1) of the way from `a` to `b`; for the length of a street a straight line will do.
Coordinates between(Coordinates a, Coordinates b, double fraction);

class City {
 public:
  struct Street {
    uint32_t to;
    float metres;
    float limit_kmh;
  };

  /// Reads a street file: `nodes` [[lon, lat], ...] and `edges` [[from, to, class], ...], both ways open.
  static Result<City> parse(std::string_view json);
  /// The city inside the program.
  static const City& bundled();

  size_t size() const { return nodes_.size(); }
  Coordinates node(uint32_t index) const { return nodes_[index]; }
  const std::vector<Street>& streets_from(uint32_t node) const { return streets_[node]; }

  /// The quickest way, as nodes after `from` up to `to` (A*); empty where there is none.
  std::vector<uint32_t> route(uint32_t from, uint32_t to) const;

 private:
  std::vector<Coordinates> nodes_;
  std::vector<std::vector<Street>> streets_;
};

}  // namespace headrace::app
