// Errors of the world outside the program: a code that callers act on and a text that an operator can act on.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "base/check.h"

namespace headrace {

/// What a caller may do about an error. Protocol codes (Kafka, MQTT, HTTP) are mapped from these at the edges only.
enum class ErrorCode {
  kInvalidArgument,   ///< The request is wrong and stays wrong.
  kNotFound,          ///< No such topic, partition, group, file.
  kAlreadyExists,     ///< It is there already.
  kOutOfRange,        ///< An offset, time or index outside of what exists.
  kTooLarge,          ///< Over a named limit.
  kCorrupt,           ///< Bytes that do not have the format or checksum that they claim.
  kUnsupported,       ///< A version or feature that is not offered.
  kUnavailable,       ///< Not now; the same request may succeed later.
  kTimedOut,          ///< No answer within the time given; the outcome is unknown.
  kFenced,            ///< A newer owner (producer epoch, generation) took over.
  kOutOfOrder,        ///< An idempotent producer's sequence has a gap.
  kOutOfSpace,        ///< The disk (or a quota) is full.
  kPermissionDenied,  ///< The operating system or an ACL says no.
  kIo,                ///< A system call failed in another way.
  kClosed,            ///< The object was shut down.
};

/// The code's stable name, as in "out_of_space".
std::string_view to_string(ErrorCode code);

/// An error: `message` says what was being done, to what, and what to do next.
struct Error {
  ErrorCode code;
  std::string message;

  /// The same error with what the caller was doing put before it: "opening topic t: ...".
  Error in(std::string_view doing) const { return {code, std::string(doing) + ": " + message}; }
};

/// A value or an Error.
template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}      // NOLINT: implicit by design
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}  // NOLINT: implicit by design

  bool ok() const { return state_.index() == 0; }
  explicit operator bool() const { return ok(); }

  T& value() & {
    CHECK(ok());
    return *std::get_if<0>(&state_);
  }
  const T& value() const& {
    CHECK(ok());
    return *std::get_if<0>(&state_);
  }
  T&& value() && {
    CHECK(ok());
    return std::move(*std::get_if<0>(&state_));
  }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

  const Error& error() const {
    CHECK(!ok());
    return *std::get_if<1>(&state_);
  }

 private:
  std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) : error_(std::move(error)) {}  // NOLINT: implicit by design

  bool ok() const { return !error_; }
  explicit operator bool() const { return ok(); }
  const Error& error() const {
    CHECK(error_);
    return *error_;
  }

 private:
  std::optional<Error> error_;
};

using Status = Result<void>;

}  // namespace headrace

#define HEADRACE_CONCAT_(a, b) a##b
#define HEADRACE_CONCAT(a, b) HEADRACE_CONCAT_(a, b)

/// Returns the error of a Status expression to the caller.
#define RETURN_IF_ERROR(expression)                                         \
  do {                                                                      \
    if (auto status_ = (expression); !status_.ok()) return status_.error(); \
  } while (false)

/// `ASSIGN_OR_RETURN(auto file, open(path));`: the value, or the error returned to the caller.
#define ASSIGN_OR_RETURN(declaration, expression)                                                  \
  auto HEADRACE_CONCAT(result_, __LINE__) = (expression);                                          \
  if (!HEADRACE_CONCAT(result_, __LINE__).ok()) return HEADRACE_CONCAT(result_, __LINE__).error(); \
  declaration = *std::move(HEADRACE_CONCAT(result_, __LINE__))
