// Regular expressions over topic names and the like, in the syntax of RE2 as KIP-848 has it: linear time whatever a
// client sends.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

namespace headrace::broker {

class TopicPattern {
 public:
  /// kInvalidArgument with what is wrong in the expression.
  static Result<TopicPattern> compile(std::string_view expression);
  TopicPattern(TopicPattern&&) noexcept;
  TopicPattern& operator=(TopicPattern&&) noexcept;
  ~TopicPattern();

  /// Whether the expression matches the whole name.
  bool matches(std::string_view name) const;

 private:
  struct Impl;
  explicit TopicPattern(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace headrace::broker
