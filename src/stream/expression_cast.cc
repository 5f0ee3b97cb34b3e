// Casts between the types. A value that does not fit fails its row.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>

#include "base/check.h"
#include "columns/timestamp.h"
#include "stream/internal/map_node.h"
#include "stream/internal/utf8.h"

namespace headrace::stream {

namespace {

using Text = std::string_view;

Nodes one(NodePtr arg) {
  Nodes nodes;
  nodes.push_back(std::move(arg));
  return nodes;
}

bool unfit(EvalContext& context, size_t row, Text value, Type to) {
  constexpr size_t kShownBytes = 60;
  Text shown = value.substr(0, kShownBytes);
  context.fail(row,
               fmt::format("text \"{}\"{} is not a {}", shown, value.size() > kShownBytes ? "..." : "", to_string(to)));
  return false;
}

Text trimmed(Text text) {
  auto blank = [](char c) { return c == ' ' || (c >= '\t' && c <= '\r'); };
  while (!text.empty() && blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && blank(text.back())) text.remove_suffix(1);
  return text;
}

template <typename Number>
bool parse_number(Text text, Number& out) {
  text = trimmed(text);
  if (text.starts_with('+') && !text.starts_with("+-")) text.remove_prefix(1);
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc() && end == text.data() + text.size();
}

bool parse_bool(Text text, uint8_t& out) {
  char lower[6] = {};
  text = trimmed(text);
  if (text.empty() || text.size() > 5) return false;
  std::transform(text.begin(), text.end(), lower, lower_ascii);
  Text word(lower, text.size());
  bool yes = word == "true" || word == "t" || word == "yes" || word == "y" || word == "on" || word == "1";
  bool no = word == "false" || word == "f" || word == "no" || word == "n" || word == "off" || word == "0";
  out = yes;
  return yes || no;
}

template <typename Out, typename Parse>
NodePtr parsed(Type to, NodePtr arg, Parse parse) {
  return try_rows<Out, Text>(to, one(std::move(arg)),
                             [to, parse](EvalContext& context, size_t row, Out& out, Text text) {
                               return parse(text, out) || unfit(context, row, text, to);
                             });
}

/// To the nearest whole number, halves to even, as PostgreSQL.
bool to_bigint(EvalContext& context, size_t row, int64_t& out, double value) {
  double rounded = std::nearbyint(value);
  if (!(rounded >= -9223372036854775808.0 && rounded < 9223372036854775808.0)) {
    return context.fail(row, fmt::format("double {} is out of bigint's range", value)), false;
  }
  out = static_cast<int64_t>(rounded);
  return true;
}

bool keep(EvalContext& context, size_t row, Text text, Text& out) {
  char* room = context.text_room(row, text.size());
  if (!room) return false;
  std::memcpy(room, text.data(), text.size());
  out = {room, text.size()};
  return true;
}

template <typename In, typename Format>
NodePtr formatted(Type to, NodePtr arg, Format format) {
  return try_rows<Text, In>(to, one(std::move(arg)), [format](EvalContext& context, size_t row, Text& out, In value) {
    char room[64];
    return keep(context, row, Text(room, format(value, room)), out);
  });
}

template <typename Number>
size_t format_number(Number value, char* out) {
  return static_cast<size_t>(std::to_chars(out, out + 64, value).ptr - out);
}

size_t format_double(double value, char* out) {
  if (std::isfinite(value)) return format_number(value, out);
  Text word = std::isnan(value) ? "NaN" : value > 0 ? "Infinity" : "-Infinity";
  std::memcpy(out, word.data(), word.size());
  return word.size();
}

size_t format_bool(uint8_t value, char* out) {
  Text word = value ? "true" : "false";
  std::memcpy(out, word.data(), word.size());
  return word.size();
}

size_t format_time(int64_t ms, char* out) {
  columns::format_timestamp(std::clamp(ms, columns::kTimestampMinMs, columns::kTimestampMaxMs), out);
  return columns::kTimestampTextBytes;
}

/// "36:05:00.250": hours, which have no end, minutes, seconds and milliseconds where there are any.
size_t format_interval(int64_t ms, char* out) {
  uint64_t magnitude = ms < 0 ? uint64_t{0} - static_cast<uint64_t>(ms) : static_cast<uint64_t>(ms);
  uint64_t seconds = magnitude / 1000;
  char* at =
      fmt::format_to(out, "{}{:02}:{:02}:{:02}", ms < 0 ? "-" : "", seconds / 3600, seconds / 60 % 60, seconds % 60);
  if (magnitude % 1000 != 0) at = fmt::format_to(at, ".{:03}", magnitude % 1000);
  return static_cast<size_t>(at - out);
}

NodePtr to_text(Type to, NodePtr arg) {
  switch (arg->type()) {
    case Type::kBool: return formatted<uint8_t>(to, std::move(arg), format_bool);
    case Type::kInt64: return formatted<int64_t>(to, std::move(arg), format_number<int64_t>);
    case Type::kDouble: return formatted<double>(to, std::move(arg), format_double);
    case Type::kTimestamp: return formatted<int64_t>(to, std::move(arg), format_time);
    case Type::kInterval: return formatted<int64_t>(to, std::move(arg), format_interval);
    case Type::kText:
    case Type::kJson: break;
  }
  return map_rows<Text, Text>(to, one(std::move(arg)), [](Text text) { return text; });
}

bool parse_time(Text text, int64_t& out) {
  auto ms = columns::parse_timestamp(trimmed(text));
  if (ms) out = *ms;
  return ms.has_value();
}

NodePtr to_int64(NodePtr arg) {
  switch (arg->type()) {
    case Type::kBool: return map_rows<int64_t, uint8_t>(Type::kInt64, one(std::move(arg)), [](uint8_t a) { return a; });
    case Type::kDouble: return try_rows<int64_t, double>(Type::kInt64, one(std::move(arg)), to_bigint);
    case Type::kText:
    case Type::kJson: return parsed<int64_t>(Type::kInt64, std::move(arg), parse_number<int64_t>);
    default: return map_rows<int64_t, int64_t>(Type::kInt64, one(std::move(arg)), [](int64_t a) { return a; });
  }
}

NodePtr to_double(NodePtr arg) {
  switch (arg->type()) {
    case Type::kBool: return map_rows<double, uint8_t>(Type::kDouble, one(std::move(arg)), [](uint8_t a) { return a; });
    case Type::kText:
    case Type::kJson: return parsed<double>(Type::kDouble, std::move(arg), parse_number<double>);
    default:
      return map_rows<double, int64_t>(Type::kDouble, one(std::move(arg)),
                                       [](int64_t a) { return static_cast<double>(a); });
  }
}

NodePtr to_bool(NodePtr arg) {
  switch (arg->type()) {
    case Type::kDouble:
      return map_rows<uint8_t, double>(Type::kBool, one(std::move(arg)), [](double a) { return a != 0; });
    case Type::kText:
    case Type::kJson: return parsed<uint8_t>(Type::kBool, std::move(arg), parse_bool);
    default: return map_rows<uint8_t, int64_t>(Type::kBool, one(std::move(arg)), [](int64_t a) { return a != 0; });
  }
}

NodePtr to_timestamp(NodePtr arg) {
  if (arg->type() == Type::kText || arg->type() == Type::kJson) {
    return parsed<int64_t>(Type::kTimestamp, std::move(arg), parse_time);
  }
  return try_rows<int64_t, int64_t>(Type::kTimestamp, one(std::move(arg)),
                                    [](EvalContext& context, size_t row, int64_t& out, int64_t ms) {
                                      bool fits = ms >= columns::kTimestampMinMs && ms <= columns::kTimestampMaxMs;
                                      if (!fits) return context.fail(row, "timestamp out of range"), false;
                                      out = ms;
                                      return true;
                                    });
}

}  // namespace

NodePtr make_cast(Type to, NodePtr arg) {
  if (arg->type() == to) return arg;
  switch (to) {
    case Type::kBool: return to_bool(std::move(arg));
    case Type::kInt64: return to_int64(std::move(arg));
    case Type::kDouble: return to_double(std::move(arg));
    case Type::kText:
    case Type::kJson: return to_text(to, std::move(arg));
    case Type::kTimestamp: return to_timestamp(std::move(arg));
    case Type::kInterval: break;
  }
  return map_rows<int64_t, int64_t>(to, one(std::move(arg)), [](int64_t a) { return a; });
}

}  // namespace headrace::stream
