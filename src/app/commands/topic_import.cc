#include "app/commands/topic_import.h"

#include <fmt/format.h>
#include <unistd.h>

#include "app/commands.h"
#include "app/commands/cluster_options.h"
#include "base/units.h"
#include "broker/topic_import.h"

namespace headrace::app {
namespace {

/// Records may be years old: a topic that Kafka kept does not lose them to a default here.
constexpr std::string_view kRetention = "retention.ms";
constexpr std::string_view kForEver = "-1";

Result<broker::ConfigMap> topic_configs(const std::vector<std::string>& items) {
  ASSIGN_OR_RETURN(auto pairs, parse_pairs(items));
  broker::ConfigMap configs;
  for (const auto& [name, value] : pairs) {
    ASSIGN_OR_RETURN(configs[name], broker::normalize_topic_config(name, value));
  }
  configs.try_emplace(std::string(kRetention), kForEver);
  return configs;
}

void print(const broker::ImportReport& report, bool kept_for_ever) {
  for (const auto& [tp, log] : report.partitions) {
    fmt::print("{}: offsets {} to {}, {} batches, {}\n", to_string(tp), log.log_start.value, log.log_end.value,
               log.batches, format_size(log.bytes));
    if (log.torn_bytes > 0) fmt::print("  {} bytes at its end were no whole batch and are left out\n", log.torn_bytes);
    if (log.aborted_transactions > 0) fmt::print("  {} open transactions were aborted\n", log.aborted_transactions);
  }
  for (const std::string& name : report.skipped) fmt::print("{} is Kafka's own and was left out\n", name);
  if (kept_for_ever) fmt::print("the topics keep their records for ever (retention.ms=-1) until told otherwise\n");
}

}  // namespace

int import_topics(const TopicImportArguments& arguments) {
  auto configs = topic_configs(arguments.configs);
  if (!configs.ok()) return fail("topic", configs.error());
  bool kept_for_ever = configs->find(kRetention)->second == kForEver;
  broker::TopicImport import{.sources = arguments.folders,
                             .data_directory = arguments.data,
                             .configs = *std::move(configs),
                             .abort_open_transactions = arguments.abort_transactions,
                             .progress = {}};
  bool line = isatty(STDERR_FILENO) != 0;
  int64_t total = 0;
  if (line) {
    import.progress = [&total](const TopicPartition& tp, int64_t bytes) { total += bytes;
    fmt::print(stderr, "\r\x1b[Kimporting {}: {}", to_string(tp), format_size(total));
  };
}
auto report = broker::import_topics(os::real_file_system(), os::system_clock(), std::move(import));
if (line) fmt::print(stderr, "\r\x1b[K");
if (!report.ok()) return fail("topic", report.error().in("import"));
print(*report, kept_for_ever);
return 0;
}  // namespace headrace::app

}  // namespace headrace::app
