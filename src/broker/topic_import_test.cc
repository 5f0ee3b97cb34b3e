#include "broker/topic_import.h"

#include <gtest/gtest.h>

#include "base/logging.h"
#include "broker/broker_test_support.h"
#include "broker/metadata.h"
#include "os/simulated_file_system.h"

namespace headrace::broker {
namespace {

const std::string kData = "/ours";

// "log.dirs" of a Kafka, "/kafka", and a data directory of ours on one simulated disk.
class TopicImportTest : public ::testing::Test {
 protected:
  TopicImportTest() {
    for (const char* directory : {"/kafka", "/ours"}) EXPECT_TRUE(disk_.make_directories(directory).ok());
    EXPECT_TRUE(disk_.sync_directory("/").ok());
  }

  void write_partition(const std::string& name, const std::vector<record::Batch>& batches = {batch_of({"v"})}) {
    std::string directory = "/kafka/" + name;
    auto log = log::PartitionLog::open(disk_, clock_, directory, {});
    ASSERT_TRUE(log.ok()) << log.error().message;
    for (const record::Batch& batch : batches) {
      ASSERT_TRUE((*log)->append(std::span(&batch, 1), LeaderEpoch(0)).ok());
    }
    ASSERT_TRUE((*log)->close().ok());
    ASSERT_TRUE(disk_.remove(directory + "/headrace.checkpoint").ok());
  }
  void write_text(const std::string& path, std::string_view text) {
    ASSERT_TRUE(os::write_file_atomically(disk_, path, BytesView(as_bytes(text))).ok());
  }
  Result<ImportReport> import(std::vector<std::string> sources = {"/kafka"}) {
    TopicImport options;
    options.sources = std::move(sources);
    options.data_directory = kData;
    return import_topics(disk_, clock_, std::move(options));
  }
  Error refusal(std::vector<std::string> sources = {"/kafka"}) {
    auto report = import(std::move(sources));
    EXPECT_FALSE(report.ok());
    return report.ok() ? Error{} : report.error();
  }
  std::unique_ptr<Metadata> metadata() {
    return *Metadata::open(disk_, clock_, kData + "/" + std::string(kMetadataDirectory));
  }

  os::SimulatedFileSystem disk_;
  os::ManualClock clock_{1700000000000};
};

TEST_F(TopicImportTest, BringsTopicsWithTheirIdsAndLeavesKafkasOwnOut) {
  write_partition("cabs-0");
  write_partition("cabs-1");
  write_partition("__consumer_offsets-0");
  write_partition("gone-0.0123-delete");
  write_text("/kafka/cabs-0/partition.metadata", "version: 0\ntopic_id: AAAAAAAAAAAAAAAAAAAAAQ");
  auto report = import();
  ASSERT_TRUE(report.ok()) << report.error().message;
  EXPECT_EQ(report->partitions.size(), 2u);
  EXPECT_EQ(report->skipped, std::vector<std::string>{"__consumer_offsets"});
  auto topics = metadata()->topics();
  ASSERT_EQ(topics.size(), 1u);
  EXPECT_EQ(topics.at("cabs").partitions, 2);
  Uuid one;
  one.bytes.back() = 1;
  EXPECT_EQ(topics.at("cabs").id, one);
  EXPECT_TRUE(*disk_.exists("/ours/cabs-1/00000000000000000000.log"));
}

TEST_F(TopicImportTest, NeverGivesTheProducersIdsOutAgain) {
  write_partition("cabs-0", {record::with_producer(batch_of({"v"}), {ProducerId(4711), 0, 0, false})});
  ASSERT_TRUE(import().ok());
  EXPECT_GT(*metadata()->reserve_producer_ids(1), 4711);
}

TEST_F(TopicImportTest, TakesTheLogStartFromKafkasCheckpoint) {
  write_partition("cabs-0", {batch_of({"a"}), batch_of({"b"}), batch_of({"c"})});
  write_text("/kafka/log-start-offset-checkpoint", "0\n2\nother 0 7\ncabs 0 2\n");
  auto report = import({"/kafka/cabs-0/"});
  ASSERT_TRUE(report.ok()) << report.error().message;
  EXPECT_EQ(report->partitions.at(0).log.log_start, Offset(2));
}

TEST_F(TopicImportTest, ATopicThatIsThereStaysAsItIs) {
  write_partition("cabs-0");
  ASSERT_TRUE(import().ok());
  EXPECT_EQ(refusal().code, ErrorCode::kAlreadyExists);
}

TEST_F(TopicImportTest, AMissingPartitionIsNamed) {
  write_partition("cabs-1");
  Error error = refusal();
  EXPECT_EQ(error.code, ErrorCode::kNotFound);
  EXPECT_NE(error.message.find("partition 0 of at least 2"), std::string::npos) << error.message;
  EXPECT_TRUE(metadata()->topics().empty());
}

TEST_F(TopicImportTest, APartitionInTwoPlacesIsAnError) {
  write_partition("cabs-0");
  ASSERT_TRUE(disk_.make_directories("/kafka/second/cabs-0").ok());
  EXPECT_EQ(refusal({"/kafka", "/kafka/second"}).code, ErrorCode::kInvalidArgument);
}

TEST_F(TopicImportTest, RunningOwnersOfEitherDirectoryAreInTheWay) {
  write_partition("cabs-0");
  write_text("/kafka/.lock", "");
  auto kafka = disk_.lock("/kafka/.lock");
  EXPECT_NE(refusal().message.find("a broker runs on /kafka"), std::string::npos);
  kafka->reset();
  auto ours = disk_.lock("/ours/.lock");
  EXPECT_NE(refusal().message.find("an instance runs on /ours"), std::string::npos);
  ours->reset();
  EXPECT_TRUE(import().ok());
}

TEST_F(TopicImportTest, AnImportThatACrashCutShortIsDoneAnew) {
  write_partition("cabs-0");
  write_partition("cabs-1");
  ASSERT_TRUE(disk_.sync_directory("/kafka").ok());
  bool done = false;
  for (uint64_t operations = 1; !done; ++operations) {
    ASSERT_LT(operations, 1000u);
    disk_.crash_after(operations);
    auto report = import();
    done = report.ok() || report.error().code == ErrorCode::kAlreadyExists;  // The crash came behind the last word.
    disk_.restart(os::CrashMode::kRandom, operations);
  }
  EXPECT_FALSE(metadata()->topics().at("cabs").deleting);
  for (const char* directory : {"/ours/cabs-0", "/ours/cabs-1"}) {
    auto log = log::PartitionLog::open(disk_, clock_, directory, {});
    ASSERT_TRUE(log.ok()) << log.error().message;
    EXPECT_EQ((*log)->log_end_offset(), Offset(1));
  }
}

/// Of the topics that are there, the records, by partition; a folder that belongs to none is not looked at.
std::map<std::string, std::vector<std::string>> records_after_a_start(os::SimulatedFileSystem& disk) {
  flow::MetricsRegistry metrics;
  auto broker = Broker::open({.data_directory = kData, .flush_threads = 1}, metrics, os::system_clock(), disk);
  EXPECT_TRUE(broker.ok()) << broker.error().message;
  std::map<std::string, std::vector<std::string>> found;
  for (const auto& topic : (*broker)->topics()) {
    if (topic->internal) continue;
    for (const auto& partition : topic->partitions) found[to_string(partition->tp())] = values_in(*partition);
  }
  return found;
}

struct ImportFault {
  const char* name;
  os::DiskCall call;
  os::DiskFault fault;
  std::optional<os::CrashMode> crash;  ///< With which the import's failure ends.
};

class FailingImport : public TopicImportTest, public testing::WithParamInterface<ImportFault> {
 protected:
  FailingImport() { set_log_level(LogLevel::kError); }
  ~FailingImport() override { set_log_level(LogLevel::kInfo); }
  /// What a start on this data directory finds; the directory is empty again then.
  std::map<std::string, std::vector<std::string>> start_and_clear() {
    auto found = records_after_a_start(disk_);
    EXPECT_TRUE(os::remove_tree(disk_, kData).ok());
    EXPECT_TRUE(disk_.make_directories(kData).ok());
    EXPECT_TRUE(disk_.sync_directory("/").ok());
    return found;
  }
  /// An import of which the n-th call fails.
  Result<ImportReport> import_failing_at(uint64_t nth) {
    disk_.fail(GetParam().call, nth, GetParam().fault);
    auto report = import();
    happened_ = disk_.fault_happened();
    disk_.fail(GetParam().call, UINT64_MAX, GetParam().fault);  // No call of the start does.
    if (!report.ok() && GetParam().crash) {
      disk_.crash();
      disk_.restart(*GetParam().crash, nth);
    }
    return report;
  }

  bool happened_ = true;
};

TEST_P(FailingImport, BringsAllTopicsOrNone) {
  const std::map<std::string, std::vector<std::string>> all{{"a-0", {"1"}}, {"b-0", {"2"}}, {"b-1", {"3"}}};
  write_partition("a-0", {batch_of({"1"})});
  write_partition("b-0", {batch_of({"2"})});
  write_partition("b-1", {batch_of({"3"})});
  ASSERT_TRUE(disk_.sync_directory("/kafka").ok());
  int failed = 0;
  for (uint64_t nth = 1; happened_ && !HasFailure(); ++nth) {
    SCOPED_TRACE(std::string(os::to_string(GetParam().call)) + " " + std::to_string(nth));
    auto report = import_failing_at(nth);
    failed += !report.ok();
    bool in_doubt = !report.ok() && report.error().message.find("all topics came in or none") != std::string::npos;
    auto found = start_and_clear();
    if (report.ok() || (in_doubt && !found.empty())) {
      EXPECT_EQ(found, all);
    } else {
      EXPECT_TRUE(found.empty()) << report.error().message;
    }
  }
  EXPECT_GT(failed, 0);
}

TEST_P(FailingImport, GoesThroughWhenItIsDoneAgain) {
  write_partition("a-0");
  write_partition("b-0");
  ASSERT_TRUE(disk_.sync_directory("/kafka").ok());
  for (uint64_t nth = 1; happened_ && !HasFailure(); ++nth) {
    SCOPED_TRACE(std::string(os::to_string(GetParam().call)) + " " + std::to_string(nth));
    auto report = import_failing_at(nth);
    if (!report.ok()) report = import();
    bool was_done = !report.ok() && report.error().code == ErrorCode::kAlreadyExists;  // It was in doubt.
    EXPECT_TRUE(report.ok() || was_done) << report.error().message;
    EXPECT_EQ(start_and_clear().size(), 2u);
  }
}

constexpr std::array<ImportFault, 7> kImportFaults{{
    {"ARenameFails", os::DiskCall::kRename, os::DiskFault::kIoError, std::nullopt},
    {"ARenameFailsAndThePowerGoes", os::DiskCall::kRename, os::DiskFault::kIoError, os::CrashMode::kDrop},
    {"AnFsyncFails", os::DiskCall::kSync, os::DiskFault::kIoError, std::nullopt},
    {"AnFsyncFailsAndThePowerGoes", os::DiskCall::kSync, os::DiskFault::kIoError, os::CrashMode::kRandom},
    {"ADirectorysFsyncFailsAndThePowerGoes", os::DiskCall::kSyncDirectory, os::DiskFault::kIoError,
     os::CrashMode::kDrop},
    {"AWriteFailsAndThePowerGoes", os::DiskCall::kWrite, os::DiskFault::kIoError, os::CrashMode::kKeep},
    {"TheDiskIsFull", os::DiskCall::kWrite, os::DiskFault::kOutOfSpace, std::nullopt},
}};

INSTANTIATE_TEST_SUITE_P(Faults, FailingImport, testing::ValuesIn(kImportFaults),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace headrace::broker
