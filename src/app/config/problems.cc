#include "app/config/problems.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

namespace headrace::app {
namespace {

/// Levenshtein distance.
size_t distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 0; i < a.size(); ++i) {
    size_t diagonal = row[0]++;
    for (size_t j = 0; j < b.size(); ++j) {
      size_t best = std::min({row[j + 1] + 1, row[j] + 1, diagonal + (a[i] != b[j])});
      diagonal = row[j + 1];
      row[j + 1] = best;
    }
  }
  return row.back();
}

}  // namespace

std::string Problems::render(std::string_view file) const {
  auto sorted = list_;
  std::stable_sort(sorted.begin(), sorted.end(), [](const auto& a, const auto& b) { return a.place < b.place; });
  std::string out;
  for (const Problem& problem : sorted) {
    if (problem.place.line == 0) {
      out += fmt::format("{}: {}\n", file, problem.text);
    } else {
      out += fmt::format("{}:{}:{}: {}\n", file, problem.place.line, problem.place.column, problem.text);
    }
  }
  return out;
}

std::string did_you_mean(std::string_view word, const std::vector<std::string_view>& known) {
  std::string_view best;
  size_t best_distance = word.size() / 3 + 2;
  for (std::string_view candidate : known) {
    size_t d = distance(word, candidate);
    if (d < best_distance) best = candidate, best_distance = d;
  }
  return best.empty() ? "" : fmt::format(", did you mean '{}'?", best);
}

}  // namespace headrace::app
