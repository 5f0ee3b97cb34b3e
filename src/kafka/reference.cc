// docs/reference/kafka-apis.md from the dispatch table.
#include <fmt/format.h>

#include "kafka/api.h"
#include "kafka/kafka_server.h"
#include "wire/kafka/describe.h"

namespace headrace::kafka {

std::string reference_page() {
  std::string page =
      "# Kafka APIs\n\n"
      "Generated from the dispatch table; `./dev docs` writes it. Each API is one file, `src/kafka/api/NN_name.cc`, "
      "whose\n"
      "head says what it does and what each version changed.\n\n"
      "| Key | API | Versions | Flexible from |\n|---:|---|---|---|\n";
  for (const Api* api : api_table()) {
    std::string flexible = api->request.flexible.empty() ? "never" : std::to_string(api->request.flexible.min);
    page += fmt::format("| {} | {} | {} | {} |\n", api->key, api->name, wire::kafka::to_text(api->versions), flexible);
  }
  page +=
      "\nApiVersions tells these ranges, except that it names Produce from 0 on: librdkafka takes a broker without "
      "those\n"
      "versions for one without any compression (KAFKA-18659). They are not served.\n";
  return page;
}

}  // namespace headrace::kafka
