// The syntax tree of one SELECT: what the grammar gave, without what is not supported (refused while reading).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace headrace::sql {

/// The first thing wrong with a text. Later ones are dropped: work goes on over placeholders until somebody looks.
class Mistakes {
 public:
  void add(int offset, std::string message) {
    if (!first_) first_ = Mistake{offset, std::move(message)};
  }
  bool any() const { return first_.has_value(); }

  struct Mistake {
    int offset;  ///< Byte of the text.
    std::string message;
  };
  const Mistake& first() const { return *first_; }

 private:
  std::optional<Mistake> first_;
};

/// An expression as it was written.
struct Node {
  enum class Kind : uint8_t {
    kNull,
    kBool,  ///< `integer` is 0 or 1.
    kInteger,
    kNumber,
    kText,      ///< A literal.
    kColumn,    ///< `path`.
    kStar,      ///< `*`, or `s.*` with `path` = {s}.
    kOperator,  ///< `text`: "+", "=", "like", "not like", "between", "in", "is null", ...; lower case, of `args`.
    kFunction,  ///< `text` is its name.
    kCast,      ///< args[0] to the type that `text` names.
    kCase,      ///< when, then, ..., else (always there); a CASE with an operand has it in front and `integer` 1.
  };
  Kind kind = Kind::kNull;
  int offset = 0;
  std::string text;
  std::vector<std::string> path;
  int64_t integer = 0;
  double number = 0;
  std::vector<Node> args;
  bool star_argument = false;  ///< count(*)
  std::vector<Node> filter;    ///< FILTER (WHERE ...): none or one.

  /// Equal but for where it stands.
  bool same_as(const Node& other) const;
};

struct SelectItem {
  Node expr;
  std::string alias;
  int offset = 0;  ///< Where it starts.
};

struct Select {
  std::vector<SelectItem> items;
  std::string from;  ///< Of a dotted name all parts, with dots.
  std::string from_alias;
  int from_offset = 0;
  std::optional<Node> where;
  std::vector<Node> group_by;
  std::optional<Node> having;
};

/// Parses one SELECT. With a mistake the result means nothing.
Select read_select(const std::string& sql, Mistakes& mistakes);

}  // namespace headrace::sql
