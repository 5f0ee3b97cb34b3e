// Any body under each content type: never a crash, and a value that was taken is JSON.
#include "base/check.h"
#include "ingest/http/json_scanner.h"
#include "ingest/http/request_records.h"

using namespace headrace::ingest;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view body(reinterpret_cast<const char*>(data), size);
  for (auto type : {"application/json", "application/x-ndjson"}) {
    auto records = read_records(type, body, {});
    if (!records.ok()) continue;
    for (const auto& record : records->records) {
      if (!record.value) continue;
      JsonScanner scanner(*record.value);
      std::string_view raw;
      CHECK(scanner.value(raw) && scanner.end() && raw == *record.value);
    }
  }
  return 0;
}
