#include "app/config/option_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

namespace headrace::app {
namespace {

using flow::OptionSpec;
using flow::OptionType;

/// The scalar entries of a map, for string maps and records.
std::map<std::string, std::string> scalars(const YamlNode& node, std::string_view where, Problems& problems) {
  std::map<std::string, std::string> out;
  for (const YamlEntry& entry : node.map) {
    if (entry.value.kind != YamlNode::Kind::kScalar) {
      problems.add(entry.place, fmt::format("{}: '{}' must be a single value", where, entry.key));
      continue;
    }
    out[entry.key] = entry.value.scalar;
  }
  return out;
}

void read_list(const YamlNode& node, const OptionSpec& option, flow::Options& options, std::string_view where,
               Problems& problems) {
  std::vector<std::string> items;
  for (const YamlNode& item : node.list) {
    if (item.kind == YamlNode::Kind::kScalar) {
      items.push_back(item.scalar);
    } else {
      problems.add(item.place, fmt::format("{}: '{}' is a list of single values", where, option.name));
    }
  }
  options.set(option.name, std::move(items));
}

void read_records(const YamlNode& node, const OptionSpec& option, flow::Options& options, std::string_view where,
                  Problems& problems) {
  std::vector<std::map<std::string, std::string>> records;
  for (const YamlNode& item : node.list) {
    if (!expect_kind(item, YamlNode::Kind::kMap, fmt::format("{}: an item of '{}'", where, option.name), problems))
      continue;
    auto record = scalars(item, where, problems);
    for (const flow::FieldError& error : flow::check_record(option, record)) {
      Place place = item.place;
      for (const YamlEntry& entry : item.map) {
        if (entry.key == error.field) place = entry.value.place;
      }
      problems.add(place, fmt::format("{}: {}", where, error.message));
    }
    records.push_back(std::move(record));
  }
  options.set(option.name, std::move(records));
}

void read_option(const YamlNode& node, const OptionSpec& option, flow::Options& options, std::string_view where,
                 Problems& problems) {
  using Kind = YamlNode::Kind;
  if (node.kind == Kind::kScalar && option.type != OptionType::kStringMap && option.type != OptionType::kRecordList) {
    auto value = flow::parse_option(option, node.scalar);
    if (value.ok()) {
      options.set(option.name, *std::move(value));
    } else {
      problems.add(node.place, fmt::format("{}: {}: {}", where, option.name, value.error().message));
    }
  } else if (node.kind == Kind::kList && option.type == OptionType::kStringList) {
    read_list(node, option, options, where, problems);
  } else if (node.kind == Kind::kMap && option.type == OptionType::kStringMap) {
    options.set(option.name, scalars(node, where, problems));
  } else if (node.kind == Kind::kList && option.type == OptionType::kRecordList) {
    read_records(node, option, options, where, problems);
  } else {
    problems.add(node.place, fmt::format("{}: '{}' must be a {}, and is {}", where, option.name,
                                         flow::describe_type(option), describe(node.kind)));
  }
}

}  // namespace

Place place_in(const YamlNode& map, std::string_view key) {
  const YamlNode* value = map.find(key);
  return value ? value->place : map.place;
}

bool expect_kind(const YamlNode& node, YamlNode::Kind kind, std::string_view where, Problems& problems) {
  if (node.kind == kind) return true;
  if (node.kind == YamlNode::Kind::kNull && kind == YamlNode::Kind::kMap) return true;
  problems.add(node.place, fmt::format("{} must be {}, and is {}", where, describe(kind), describe(node.kind)));
  return false;
}

void refuse_unknown_keys(const YamlNode& node, const std::vector<std::string_view>& known, std::string_view where,
                         Problems& problems) {
  for (const YamlEntry& entry : node.map) {
    if (std::find(known.begin(), known.end(), entry.key) != known.end()) continue;
    problems.add(entry.place, fmt::format("{}: unknown key '{}'{} Allowed: {}", where, entry.key,
                                          did_you_mean(entry.key, known).empty() ? "." : did_you_mean(entry.key, known),
                                          fmt::join(known, ", ")));
  }
}

flow::Options read_options(const YamlNode& node, const flow::ComponentSpec& spec, std::string_view where,
                           Problems& problems, const std::vector<std::string_view>& also) {
  flow::Options options;
  if (expect_kind(node, YamlNode::Kind::kMap, where, problems)) {
    std::vector<std::string_view> known;
    for (const OptionSpec& option : spec.options) known.push_back(option.name);
    known.insert(known.end(), also.begin(), also.end());
    refuse_unknown_keys(node, known, where, problems);
    for (const OptionSpec& option : spec.options) {
      const YamlNode* value = node.find(option.name);
      if (value) {
        read_option(*value, option, options, where, problems);
      } else if (option.required) {
        problems.add(node.place, fmt::format("{}: '{}' is required: {}", where, option.name, option.help));
      }
    }
  }
  flow::fill_defaults(spec, options);
  return options;
}

}  // namespace headrace::app
