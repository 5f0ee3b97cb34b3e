// Mistakes of a configuration file, collected so that all are told at once.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace headrace::app {

/// A place in a file, counted from 1; line 0 is the file as a whole.
struct Place {
  int line = 0;
  int column = 0;
  friend auto operator<=>(const Place&, const Place&) = default;
};

struct Problem {
  Place place;
  std::string text;  ///< What is wrong, and what is allowed.
};

class Problems {
 public:
  void add(Place place, std::string text) { list_.push_back({place, std::move(text)}); }
  bool empty() const { return list_.empty(); }
  const std::vector<Problem>& list() const { return list_; }
  /// One line each, `file:line:column: text`, in the file's order.
  std::string render(std::string_view file) const;

 private:
  std::vector<Problem> list_;
};

/// ", did you mean 'x'?" for the nearest of `known` when one is near enough, else "".
std::string did_you_mean(std::string_view word, const std::vector<std::string_view>& known);

}  // namespace headrace::app
