// headrace topic import: topics from folders that Apache Kafka wrote.
#pragma once

#include <string>
#include <vector>

namespace headrace::app {

struct TopicImportArguments {
  std::vector<std::string> folders;
  std::string data;
  std::vector<std::string> configs;  ///< key=value
  bool abort_transactions = false;
};

/// Imports, printing what came in; the exit code.
int import_topics(const TopicImportArguments& arguments);

}  // namespace headrace::app
