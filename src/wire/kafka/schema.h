// How a Kafka protocol message is declared: a struct, and beside it one table that names every field with the versions
// that carry it. Decoding, encoding, comparison, the descriptor check, the tests and the fuzz target all come from the
// table.
//
//   struct HeartbeatRequest {
//     std::string group_id;
//     std::optional<std::string> group_instance_id;
//
//     static constexpr Spec kSpec{.name = "HeartbeatRequest", .api_key = 12, .versions = "0-4", .flexible = "4+"};
//     static constexpr auto fields() {
//       using S = HeartbeatRequest;
//       return std::tuple(field("GroupId", &S::group_id, "0+"),
//                         field("GroupInstanceId", &S::group_instance_id, "3+", {.nullable = "3+"}));
//     }
//   };
//
// Member types and what they are on the wire:
//   bool int8_t int16_t uint16_t int32_t int64_t   big-endian
//   double                                         float64: IEEE 754, big-endian
//   std::string                                    string (compact in flexible versions)
//   std::optional<std::string>                     string that may be null in its `nullable` versions
//   Uuid                                           16 bytes
//   Bytes                                          bytes, copied
//   Records                                        record batches, never copied; may be null
//   a struct with fields()                         its fields in turn
//   std::optional<struct>                          one byte, -1 for null or 1, and the struct
//   std::vector<T>, std::optional<std::vector<T>>  array
#pragma once

#include <array>
#include <bit>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <vector>

#include "base/bytes.h"
#include "base/file_range.h"

namespace headrace::wire::kafka {

/// A range of versions, written as Kafka's descriptors do: "3", "0-4", "2+", "none".
struct Versions {
  int16_t min = 0;
  int16_t max = -1;  ///< Below min: no version.

  constexpr Versions() = default;
  constexpr Versions(int16_t from, int16_t to) : min(from), max(to) {}
  consteval Versions(const char* text) {  // NOLINT: implicit, so that tables stay readable
    if (std::string_view(text) == "none") return;
    min = number(text);
    max = *text == '+' ? int16_t{32767} : *text == '-' ? number(++text) : min;
  }

  constexpr bool contains(int16_t version) const { return version >= min && version <= max; }
  constexpr bool empty() const { return max < min; }
  friend constexpr bool operator==(Versions, Versions) = default;

 private:
  static constexpr int16_t number(const char*& text) {
    int16_t value = 0;
    for (; *text >= '0' && *text <= '9'; ++text) value = static_cast<int16_t>(value * 10 + (*text - '0'));
    return value;
  }
};

/// 128 bits that name a topic or directory; all zero for none.
struct Uuid {
  std::array<uint8_t, 16> bytes{};
  bool is_zero() const { return *this == Uuid(); }
  friend auto operator<=>(const Uuid&, const Uuid&) = default;
};

/// Record batches as they lie in memory, in one or more pieces that are sent one after the other.
struct Records {
  bool null = true;
  std::vector<SharedBytes> parts;
  FileRange file;  ///< Behind the parts; of messages to be sent only.

  Records() = default;
  explicit Records(SharedBytes part) : null(false) { parts.push_back(std::move(part)); }
  explicit Records(std::vector<SharedBytes> pieces) : null(false), parts(std::move(pieces)) {}
  explicit Records(FileRange range) : null(false), file(std::move(range)) {}

  size_t size() const {
    size_t total = file.size;
    for (const auto& part : parts) total += part.size();
    return total;
  }
};

/// What is said once of a message.
struct Spec {
  std::string_view name;
  int16_t api_key = -1;
  Versions versions;  ///< The versions that these structs can read and write.
  Versions flexible;  ///< The versions with compact lengths and tagged fields (KIP-482).
};

struct FieldOptions {
  Versions nullable = {};
  Versions tagged = {};
  int16_t tag = -1;
  bool never_compact = false;  ///< Keeps the two-byte length in flexible versions too (the client id in headers).
};

template <typename Struct, typename Member>
struct Field {
  std::string_view name;
  Member Struct::*member;
  Versions versions;
  FieldOptions options;
};

template <typename Struct, typename Member>
constexpr Field<Struct, Member> field(std::string_view name, Member Struct::*member, Versions versions,
                                      FieldOptions options = {}) {
  return {name, member, versions, options};
}

/// A struct that is declared by fields().
template <typename T>
concept Declared = requires {
  T::fields();
};

/// The messages of one API; specialised beside each declaration.
template <int16_t api_key>
struct Messages;

/// The table of `S`, made once at compile time.
template <Declared S>
inline constexpr auto kFieldsOf = S::fields();

/// Calls `visit(field)` for every field of `S`, in the order of the wire.
template <Declared S, typename Visit>
constexpr void for_each_field(Visit&& visit) {
  std::apply([&](const auto&... fields) { (visit(fields), ...); }, kFieldsOf<S>);
}

template <typename T>
struct IsVector : std::false_type {};
template <typename T>
struct IsVector<std::vector<T>> : std::bool_constant<!std::is_same_v<T, uint8_t>> {};
template <typename T>
struct IsOptional : std::false_type {};
template <typename T>
struct IsOptional<std::optional<T>> : std::true_type {};

/// Same content, field by field, in all versions.
template <typename T>
bool equal(const T& a, const T& b) {
  if constexpr (Declared<T>) {
    bool same = true;
    for_each_field<T>([&](const auto& f) { same = same && equal(a.*f.member, b.*f.member); });
    return same;
  } else if constexpr (IsVector<T>::value) {
    if (a.size() != b.size()) return false;
    for (size_t i = 0; i < a.size(); ++i) {
      if (!equal<typename T::value_type>(a[i], b[i])) return false;
    }
    return true;
  } else if constexpr (IsOptional<T>::value) {
    return a.has_value() == b.has_value() && (!a || equal(*a, *b));
  } else if constexpr (std::is_same_v<T, Records>) {
    Bytes left, right;
    for (const auto& part : a.parts) left.insert(left.end(), part.view().begin(), part.view().end());
    for (const auto& part : b.parts) right.insert(right.end(), part.view().begin(), part.view().end());
    return a.null == b.null && left == right;
  } else if constexpr (std::is_same_v<T, double>) {
    return std::bit_cast<int64_t>(a) == std::bit_cast<int64_t>(b);  // Bit by bit, NaN included.
  } else {
    return a == b;
  }
}

}  // namespace headrace::wire::kafka
