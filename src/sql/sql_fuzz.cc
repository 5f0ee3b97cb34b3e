// Any text may come as SQL: it gives a plan that explains itself, or an error inside of the text.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "sql/planner.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace headrace;
  using columns::Type;
  static const std::vector<sql::Stream> streams = {{"s",
                                                    columns::Schema({{"t", Type::kTimestamp},
                                                                     {"a", Type::kInt64},
                                                                     {"b", Type::kDouble},
                                                                     {"c", Type::kText},
                                                                     {"d", Type::kBool},
                                                                     {"e", Type::kJson}}),
                                                    "t"}};
  std::string_view text(reinterpret_cast<const char*>(data), size);
  sql::PlanResult result = sql::plan_query(text, streams);
  if (result.ok()) {
    CHECK(!sql::explain(*result.plan).empty());
    CHECK(result.plan->output.size() == result.plan->outputs.size());
  } else {
    CHECK(!result.error.message.empty());
    CHECK(result.error.offset <= size);
  }
  return 0;
}
