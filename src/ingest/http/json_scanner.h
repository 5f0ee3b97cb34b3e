// A strict JSON reader that keeps each value's own text and knows where a mistake is. Values go into records as they
// were written, so nothing is parsed further than needed to be sure that it is JSON (RFC 8259).
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/result.h"

namespace headrace::ingest {

/// Steps through one text. A mistake fails the scanner: every later call answers false, and error() says what is wrong
/// and where ("line 3, column 14: ...").
class JsonScanner {
 public:
  static constexpr int kDepthMax = 512;

  /// `first_line` is the number of the text's first line in messages.
  explicit JsonScanner(std::string_view text, size_t first_line = 1) : text_(text), first_line_(first_line) {}

  bool ok() const { return error_.empty(); }
  Error error() const;

  /// The next character that is no white space; 0 at the end.
  char peek();
  /// Consumes `c`, if it is next.
  bool accept(char c);
  /// Consumes `c` or fails.
  bool expect(char c);
  /// Consumes one whole value and gives its text.
  bool value(std::string_view& raw);
  /// Consumes a string and gives it decoded, as UTF-8.
  bool string(std::string& decoded);
  /// Fails unless only white space is left.
  bool end();
  /// Fails at the place where the scanner is.
  bool fail(std::string_view what) { return fail_at(at_, what); }

 private:
  bool fail_at(size_t at, std::string_view what);
  void skip_space();
  bool skip_value(int depth);
  bool skip_members(int depth);
  bool skip_elements(int depth);
  bool skip_string(std::string* decoded);
  bool escape(std::string* decoded);
  bool hex4(uint32_t& unit);
  bool skip_number();
  bool skip_digits();
  bool skip_word(std::string_view word);
  char current() const { return at_ < text_.size() ? text_[at_] : '\0'; }

  std::string_view text_;
  size_t first_line_;
  size_t at_ = 0;
  size_t error_at_ = 0;
  std::string error_;
};

}  // namespace headrace::ingest
