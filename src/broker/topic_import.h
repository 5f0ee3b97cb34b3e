// Brings topics that Apache Kafka wrote into the data directory of an instance that does not run.
#pragma once

#include <string>
#include <vector>

#include "base/function.h"
#include "base/result.h"
#include "broker/topic_config.h"
#include "log/log_import.h"
#include "os/clock.h"
#include "os/file.h"

namespace headrace::broker {

struct TopicImport {
  std::vector<std::string> sources;  ///< Partition folders ("…/mytopic-0"), or log.dirs of brokers that do not run.
  std::string data_directory;        ///< Ours; created when missing.
  ConfigMap configs;                 ///< Of every topic that comes in, normalised.
  bool abort_open_transactions = false;
  Function<void(const TopicPartition& tp, int64_t bytes)> progress;
};

struct ImportedPartition {
  TopicPartition tp;
  log::ImportedLog log;
};

struct ImportReport {
  std::vector<ImportedPartition> partitions;
  std::vector<std::string> skipped;  ///< Kafka's own topics.
};

/// All topics or none come in, whole, whatever crashes or fails; the error says so where only the next start or import
/// finds out which. Topic ids are kept, and producer ids are not given out again. kUnavailable: an instance runs on the
/// data directory, or a broker on the source. kAlreadyExists: a topic is there. kNotFound: no partition folders, or
/// some of a topic's partitions are missing. Else as log::import_log.
Result<ImportReport> import_topics(os::FileSystem& files, os::Clock& clock, TopicImport options);

}  // namespace headrace::broker
