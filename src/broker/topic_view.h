// What consumer groups see of the broker's topics.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "broker/topic.h"

namespace headrace::broker {

/// Thread-safe, cheap to ask.
class TopicView {
 public:
  struct Entry {
    Uuid id;
    int32_t partitions = 0;
  };
  virtual ~TopicView() = default;

  /// Another number after every change of what there is.
  virtual uint64_t version() const = 0;
  virtual std::optional<Entry> find_entry(std::string_view name) const = 0;
  virtual std::optional<std::string> find_name(const Uuid& id) const = 0;
  /// What a regular expression may match: all topics but the broker's own.
  virtual std::vector<std::string> names() const = 0;
};

}  // namespace headrace::broker
