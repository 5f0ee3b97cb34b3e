#include "wire/kafka/describe.h"

#include "wire/kafka/all_messages.h"
#include "wire/kafka/headers.h"

namespace headrace::wire::kafka {
namespace {

template <int16_t... keys>
std::string describe_apis(std::integer_sequence<int16_t, keys...>) {
  std::string all;
  auto add = [&](const std::string& line) { all += line + "\n"; };
  ((add(describe<typename Messages<keys>::Request>()), add(describe<typename Messages<keys>::Response>())), ...);
  return all;
}

}  // namespace

std::string to_text(Versions versions) {
  if (versions.empty()) return "none";
  std::string text = std::to_string(versions.min);
  if (versions.max == 32767) return text + "+";
  return versions.max == versions.min ? text : text + "-" + std::to_string(versions.max);
}

namespace internal {

std::string describe_field(std::string_view name, const std::string& type, Versions versions,
                           const FieldOptions& options, const std::string& fallback) {
  return R"({"name":")" + std::string(name) + R"(","type":")" + type + R"(","versions":")" + to_text(versions) +
         R"(","nullable":")" + to_text(options.nullable) + R"(","tagged":")" + to_text(options.tagged) + R"(","tag":)" +
         std::to_string(options.tag) + R"(,"default":")" + fallback + "\"";
}

}  // namespace internal

std::string describe_all() {
  return describe<RequestHeader>() + "\n" + describe<ResponseHeader>() + "\n" + describe_apis(AllApiKeys());
}

}  // namespace headrace::wire::kafka
