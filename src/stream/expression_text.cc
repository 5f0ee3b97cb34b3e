// Functions on text, in code points.
#include <algorithm>
#include <cstring>
#include <limits>

#include "base/check.h"
#include "stream/internal/like.h"
#include "stream/internal/map_node.h"

namespace headrace::stream {

namespace {

using sql::Function;
using Text = std::string_view;

template <typename F>
NodePtr mapped_characters(Nodes args, F convert) {
  return try_rows<Text, Text>(Type::kText, std::move(args),
                              [convert](EvalContext& context, size_t row, Text& out, Text text) {
                                char* room = context.text_room(row, text.size());
                                if (!room) return false;
                                std::transform(text.begin(), text.end(), room, convert);
                                out = {room, text.size()};
                                return true;
                              });
}

Text substring(Text text, int64_t start, int64_t count) {
  int64_t end = 0;
  if (__builtin_add_overflow(start, count, &end)) end = std::numeric_limits<int64_t>::max();
  start = std::max<int64_t>(start, 1);
  return end > start ? code_point_range(text, start - 1, end - start) : Text();
}

NodePtr make_substring(Nodes args) {
  if (args.size() == 2) {
    return map_rows<Text, Text, int64_t>(Type::kText, std::move(args), [](Text text, int64_t start) {
      return substring(text, start, std::numeric_limits<int64_t>::max());
    });
  }
  return try_rows<Text, Text, int64_t, int64_t>(
      Type::kText, std::move(args),
      [](EvalContext& context, size_t row, Text& out, Text text, int64_t start, int64_t count) {
        if (count < 0) return context.fail(row, "substring: negative length"), false;
        out = substring(text, start, count);
        return true;
      });
}

/// concat() and ||: the second is NULL when an operand is.
class ConcatNode final : public Node {
 public:
  ConcatNode(Nodes args, bool null_is_empty)
      : Node(Type::kText), args_(std::move(args)), null_is_empty_(null_is_empty), values_(args_.size()) {}
  bool can_fail() const override { return true; }
  const Values& evaluate(EvalContext& context, Selection selection) override {
    for (size_t i = 0; i < args_.size(); ++i) values_[i] = &args_[i]->evaluate(context, selection);
    buffer_.prepare(Type::kText, context.rows());
    const uint8_t* valid = null_is_empty_ ? nullptr : merge_valid(values_, selection, buffer_);
    auto* out = buffer_.data<Text>();
    selection.for_each([&](size_t row) {
      if (!valid || valid[row]) out[row] = join(context, row);
    });
    return buffer_.values();
  }

 private:
  Text join(EvalContext& context, size_t row) const {
    size_t size = 0;
    for (const Values* value : values_) size += part(*value, row).size();
    char* room = context.text_room(row, size);
    if (!room) return {};
    char* at = room;
    for (const Values* value : values_) {
      Text text = part(*value, row);
      at = std::copy(text.begin(), text.end(), at);
    }
    return {room, size};
  }
  static Text part(const Values& values, size_t row) {
    return values.is_valid(row) ? values.texts[row & values.mask] : Text();
  }

  Nodes args_;
  bool null_is_empty_;
  std::vector<const Values*> values_;
  ValueBuffer buffer_;
};

/// Whether the code point at the start of `text` is one of `set`; its size.
size_t leading_in(Text text, Text set) {
  if (text.empty()) return 0;
  size_t size = code_point_offset(text.substr(1), 0) + 1;
  return set.find(text.substr(0, size)) != Text::npos ? size : 0;
}
size_t trailing_in(Text text, Text set) {
  if (text.empty()) return 0;
  size_t at = text.size() - 1;
  while (at > 0 && !starts_code_point(text[at])) --at;
  return set.find(text.substr(at)) != Text::npos ? text.size() - at : 0;
}

template <bool kLeft, bool kRight>
Text trim(Text text, Text set) {
  while (size_t size = kLeft ? leading_in(text, set) : 0) text.remove_prefix(size);
  while (size_t size = kRight ? trailing_in(text, set) : 0) text.remove_suffix(size);
  return text;
}

template <bool kLeft, bool kRight>
NodePtr make_trim(Nodes args) {
  if (args.size() == 1) {
    return map_rows<Text, Text>(Type::kText, std::move(args), [](Text text) { return trim<kLeft, kRight>(text, " "); });
  }
  return map_rows<Text, Text, Text>(Type::kText, std::move(args), trim<kLeft, kRight>);
}

bool replace(EvalContext& context, size_t row, Text& out, Text text, Text from, Text to) {
  if (from.empty()) return out = text, true;
  size_t hits = 0;
  for (size_t at = text.find(from); at != Text::npos; at = text.find(from, at + from.size())) ++hits;
  if (hits == 0) return out = text, true;
  size_t size = text.size() - hits * from.size() + hits * to.size();
  char* room = context.text_room(row, size);
  if (!room) return false;
  char* end = room;
  size_t from_here = 0;
  for (size_t at = text.find(from); at != Text::npos; at = text.find(from, from_here)) {
    end = std::copy(text.begin() + static_cast<ptrdiff_t>(from_here), text.begin() + static_cast<ptrdiff_t>(at), end);
    end = std::copy(to.begin(), to.end(), end);
    from_here = at + from.size();
  }
  std::copy(text.begin() + static_cast<ptrdiff_t>(from_here), text.end(), end);
  out = {room, size};
  return true;
}

int64_t position(Text text, Text needle) {
  size_t at = text.find(needle);
  return at == Text::npos ? 0 : code_points(text.substr(0, at)) + 1;
}

/// n characters; for a negative n, all but -n.
int64_t kept(Text text, int64_t n) {
  int64_t total = code_points(text);
  if (n >= 0) return std::min(n, total);
  return n <= -total ? 0 : total + n;
}
Text left(Text text, int64_t n) { return code_point_range(text, 0, kept(text, n)); }
Text right(Text text, int64_t n) {
  int64_t keep = kept(text, n);
  return text.substr(code_point_offset(text, code_points(text) - keep));
}

}  // namespace

NodePtr make_text(Function function, Type type, Nodes args) {
  switch (function) {
    case Function::kLike: return map_rows<uint8_t, Text, Text>(type, std::move(args), like<false>);
    case Function::kILike: return map_rows<uint8_t, Text, Text>(type, std::move(args), like<true>);
    case Function::kLower: return mapped_characters(std::move(args), lower_ascii);
    case Function::kUpper: return mapped_characters(std::move(args), upper_ascii);
    case Function::kLength: return map_rows<int64_t, Text>(type, std::move(args), code_points);
    case Function::kSubstring: return make_substring(std::move(args));
    case Function::kConcat: return std::make_unique<ConcatNode>(std::move(args), true);
    case Function::kConcatOperator: return std::make_unique<ConcatNode>(std::move(args), false);
    case Function::kTrim: return make_trim<true, true>(std::move(args));
    case Function::kTrimLeft: return make_trim<true, false>(std::move(args));
    case Function::kTrimRight: return make_trim<false, true>(std::move(args));
    case Function::kReplace: return try_rows<Text, Text, Text, Text>(type, std::move(args), replace);
    case Function::kPosition: return map_rows<int64_t, Text, Text>(type, std::move(args), position);
    case Function::kLeft: return map_rows<Text, Text, int64_t>(type, std::move(args), left);
    case Function::kRight: return map_rows<Text, Text, int64_t>(type, std::move(args), right);
    case Function::kStartsWith:
      return map_rows<uint8_t, Text, Text>(type, std::move(args),
                                           [](Text text, Text prefix) { return text.starts_with(prefix); });
    default: break;
  }
  CHECK(!"a text function");
  return nullptr;
}

}  // namespace headrace::stream
