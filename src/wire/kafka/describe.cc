#include "wire/kafka/describe.h"

#include "wire/kafka/all_messages.h"
#include "wire/kafka/headers.h"

namespace headrace::wire::kafka {
namespace {

template <int16_t... keys>
std::string describe_apis(std::integer_sequence<int16_t, keys...>) {
  return (... +
          (describe<typename Messages<keys>::Request>() + "\n" + describe<typename Messages<keys>::Response>() + "\n"));
}

}  // namespace

std::string to_text(Versions versions) {
  if (versions.empty()) return "none";
  std::string text = std::to_string(versions.min);
  if (versions.max == 32767) return text + "+";
  return versions.max == versions.min ? text : text + "-" + std::to_string(versions.max);
}

std::string describe_all() {
  return describe<RequestHeader>() + "\n" + describe<ResponseHeader>() + "\n" + describe_apis(AllApiKeys());
}

}  // namespace headrace::wire::kafka
