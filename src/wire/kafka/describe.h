// A declaration as JSON, for the check against the descriptors that Apache Kafka ships.
#pragma once

#include <string>

#include "wire/kafka/schema.h"

namespace headrace::wire::kafka {

/// "none", "3", "0-4" or "2+".
std::string to_text(Versions versions);

namespace internal {

template <typename T>
std::string describe_type() {
  if constexpr (IsOptional<T>::value) {
    return describe_type<typename T::value_type>();
  } else if constexpr (IsVector<T>::value) {
    return "[]" + describe_type<typename T::value_type>();
  } else if constexpr (Declared<T>) {
    return "struct";
  } else if constexpr (std::is_same_v<T, std::string>) {
    return "string";
  } else if constexpr (std::is_same_v<T, Uuid>) {
    return "uuid";
  } else if constexpr (std::is_same_v<T, Bytes>) {
    return "bytes";
  } else if constexpr (std::is_same_v<T, Records>) {
    return "records";
  } else if constexpr (std::is_same_v<T, bool>) {
    return "bool";
  } else if constexpr (std::is_same_v<T, double>) {
    return "float64";
  } else {
    static_assert(std::is_integral_v<T>);
    return (std::is_unsigned_v<T> ? "uint" : "int") + std::to_string(sizeof(T) * 8);
  }
}

/// The default of a field as text; empty where only an empty value is possible.
template <typename T>
std::string describe_default(const T& value) {
  if constexpr (IsOptional<T>::value) {
    return value ? describe_default(*value) : "null";
  } else if constexpr (std::is_same_v<T, std::string>) {
    return value;
  } else if constexpr (std::is_same_v<T, bool>) {
    return value ? "true" : "false";
  } else if constexpr (std::is_integral_v<T>) {
    return std::to_string(value);
  } else {
    return "";
  }
}

/// The struct inside of T's optionals and vectors, or T itself.
template <typename T>
struct Innermost {
  using type = T;
};
template <typename T>
struct Innermost<std::vector<T>> : Innermost<T> {};
template <typename T>
struct Innermost<std::optional<T>> : Innermost<T> {};

/// All of a field but its struct's fields and the closing brace. No template: there are some 1,500 fields.
std::string describe_field(std::string_view name, const std::string& type, Versions versions,
                           const FieldOptions& options, const std::string& fallback);

template <Declared S>
std::string describe_fields() {
  [[maybe_unused]] static const S kDefaults{};
  std::string out;
  for_each_field<S>([&]<typename Struct, typename Member>(const Field<Struct, Member>& f) {
    out += out.empty() ? "" : ",";
    out +=
        describe_field(f.name, describe_type<Member>(), f.versions, f.options, describe_default(kDefaults.*f.member));
    using Inner = typename Innermost<Member>::type;
    if constexpr (Declared<Inner>) out += R"(,"fields":)" + describe_fields<Inner>();
    out += "}";
  });
  return "[" + out + "]";
}

}  // namespace internal

/// One message as a line of JSON.
template <Declared M>
std::string describe() {
  const Spec& spec = M::kSpec;
  return R"({"name":")" + std::string(spec.name) + R"(","apiKey":)" + std::to_string(spec.api_key) +
         R"(,"versions":")" + to_text(spec.versions) + R"(","flexible":")" + to_text(spec.flexible) + R"(","fields":)" +
         internal::describe_fields<M>() + "}";
}

/// Every message and header of this module, one line of JSON each.
std::string describe_all();

}  // namespace headrace::wire::kafka
