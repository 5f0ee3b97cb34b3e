#include "app/sim/city.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>
#include <numbers>
#include <queue>

#include "embedded/streets.h"

namespace headrace::app {
namespace {

constexpr double kEarthRadiusM = 6'371'008.8;
constexpr double kRadians = std::numbers::pi / 180;
/// Speed limits by the street's class: side street, avenue, main road, shore highway.
constexpr float kLimitsKmh[] = {32, 40, 45, 60};

Result<City> malformed(std::string_view what) {
  return Error{ErrorCode::kCorrupt, fmt::format("reading the street file: {}", what)};
}

}  // namespace

double distance_m(Coordinates a, Coordinates b) {
  double dlat = (b.lat - a.lat) * kRadians, dlon = (b.lon - a.lon) * kRadians;
  double h = std::pow(std::sin(dlat / 2), 2) +
             std::cos(a.lat * kRadians) * std::cos(b.lat * kRadians) * std::pow(std::sin(dlon / 2), 2);
  return 2 * kEarthRadiusM * std::asin(std::min(1.0, std::sqrt(h)));
}

double bearing_deg(Coordinates a, Coordinates b) {
  double dlon = (b.lon - a.lon) * kRadians;
  double y = std::sin(dlon) * std::cos(b.lat * kRadians);
  double x = std::cos(a.lat * kRadians) * std::sin(b.lat * kRadians) -
             std::sin(a.lat * kRadians) * std::cos(b.lat * kRadians) * std::cos(dlon);
  return std::fmod(std::atan2(y, x) / kRadians + 360, 360);
}

Coordinates between(Coordinates a, Coordinates b, double fraction) {
  return {a.lat + (b.lat - a.lat) * fraction, a.lon + (b.lon - a.lon) * fraction};
}

Result<City> City::parse(std::string_view json) try {
  simdjson::dom::parser parser;
  simdjson::dom::element root = parser.parse(json.data(), json.size());
  City city;
  for (simdjson::dom::array node : root["nodes"].get_array()) {
    city.nodes_.push_back({node.at(1).get_double(), node.at(0).get_double()});
  }
  city.streets_.resize(city.nodes_.size());
  for (simdjson::dom::array edge : root["edges"].get_array()) {
    uint64_t from = edge.at(0).get_uint64(), to = edge.at(1).get_uint64(), kind = edge.at(2).get_uint64();
    if (from >= city.size() || to >= city.size() || kind >= std::size(kLimitsKmh))
      return malformed("an edge to nowhere");
    auto metres = static_cast<float>(distance_m(city.nodes_[from], city.nodes_[to]));
    city.streets_[from].push_back({static_cast<uint32_t>(to), metres, kLimitsKmh[kind]});
    city.streets_[to].push_back({static_cast<uint32_t>(from), metres, kLimitsKmh[kind]});
  }
  if (city.nodes_.empty()) return malformed("it has no nodes");
  return city;
} catch (const simdjson::simdjson_error& e) {
  return malformed(e.what());
}

const City& City::bundled() {
  static const City city = [] {
    auto parsed = parse(embedded::streets()[0].bytes);
    CHECK(parsed.ok());
    return *std::move(parsed);
  }();
  return city;
}

std::vector<uint32_t> City::route(uint32_t from, uint32_t to) const {
  constexpr float kFastestKmh = *std::max_element(std::begin(kLimitsKmh), std::end(kLimitsKmh));
  constexpr uint32_t kNone = std::numeric_limits<uint32_t>::max();
  struct Candidate {
    double estimate, cost;
    uint32_t node;
    bool operator<(const Candidate& other) const { return estimate > other.estimate; }
  };
  std::vector<double> best(size(), std::numeric_limits<double>::infinity());
  std::vector<uint32_t> before(size(), kNone);
  std::priority_queue<Candidate> open;
  best[from] = 0;
  open.push({0, 0, from});
  while (!open.empty() && open.top().node != to) {
    Candidate at = open.top();
    open.pop();
    if (at.cost > best[at.node]) continue;
    for (const Street& street : streets_[at.node]) {
      double cost = at.cost + street.metres / street.limit_kmh;
      if (cost >= best[street.to]) continue;
      best[street.to] = cost;
      before[street.to] = at.node;
      open.push({cost + distance_m(nodes_[street.to], nodes_[to]) / kFastestKmh, cost, street.to});
    }
  }
  std::vector<uint32_t> way;
  if (best[to] == std::numeric_limits<double>::infinity()) return way;
  for (uint32_t node = to; node != from; node = before[node]) way.push_back(node);
  std::reverse(way.begin(), way.end());
  return way;
}

}  // namespace headrace::app
