#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <simdjson.h>

#include "os/clock.h"
#include "os/simulated_file_system.h"
#include "sinks/file/envelope.h"
#include "sinks/file/rotating_file.h"
#include "sinks/json_text.h"

namespace headrace::sinks {
namespace {

using std::chrono_literals::operator""s;
using std::chrono_literals::operator""min;
using std::chrono_literals::operator""h;
using testing::ElementsAre;

constexpr int64_t kNow = 1'795'240'320'123;  // 2026-11-21T05:52:00.123Z
const std::string kFirstName = "s-20261121T055200.123Z.ndjson";

std::string minified(std::string_view text, bool object) {
  JsonText json;
  std::string out = "before";
  auto status = object ? json.append_object(text, out) : json.append_value(text, out);
  return status.ok() ? out.substr(6) : "error: " + status.error().message + (out == "before" ? "" : " but it wrote");
}

TEST(JsonText, IsWrittenOnOneLineWithItsNumbersAndStringsAsTheyWere) {
  EXPECT_EQ(minified("{\n  \"a\": 1.50e3,\r\n  \"b\": \"x  \\n y\"\n}\n", true), R"({"a":1.50e3,"b":"x  \n y"})");
  EXPECT_EQ(minified(" [1, 2] ", false), "[1,2]");
  EXPECT_EQ(minified("{\"big\": 12345678901234567890}", true), R"({"big":12345678901234567890})");
}

TEST(JsonText, WhatIsNoObjectIsRefusedWithTheReason) {
  EXPECT_EQ(minified("[1]", true), "error: the JSON is an array, not an object");
  EXPECT_EQ(minified("\"x\"", true), "error: the JSON is a string, not an object");
  EXPECT_EQ(minified("17", true), "error: the JSON is a bare value, not an object");
}

TEST(JsonText, BrokenTextsAreRefusedAndLeaveNothing) {
  const std::string deep(5'000, '[');
  for (std::string_view text : std::initializer_list<std::string_view>{"", " ", "{", "{\"a\":}", "{} {}", "{}x", "nope",
                                                                       "\"\xff\"", "{\"a\":\"\x01\"}", deep}) {
    EXPECT_THAT(minified(text, false), testing::StartsWith("error: not JSON: ")) << text;
    EXPECT_THAT(minified(text, false), testing::Not(testing::EndsWith("wrote"))) << text;
  }
}

TEST(Envelope, HasTheWholeRecord) {
  TopicPartition tp{"cabs", PartitionId(2)};
  JsonText json;
  std::string out;
  record::RecordView record{Offset(7), 1234, "cab-1", "{ \"a\": 1 }", {{"h", "v"}, {"n", std::nullopt}, {"b", "\xff"}}};
  append_envelope({&tp, record}, json, out);
  EXPECT_EQ(
      out,
      R"({"topic":"cabs","partition":2,"offset":7,"timestamp":1234,"key":"cab-1","value":{"a":1},)"
      R"("headers":[{"name":"h","value_text":"v"},{"name":"n","value":null},{"name":"b","value_base64":"/w=="}]})");
}

TEST(Envelope, TellsTextBytesAndNullApart) {
  TopicPartition tp{"t", PartitionId(0)};
  JsonText json;
  auto line = [&](std::optional<std::string_view> key, std::optional<std::string_view> value) {
    std::string out;
    append_envelope({&tp, {Offset(0), 0, key, value, {}}}, json, out);
    simdjson::dom::parser parser;
    EXPECT_EQ(parser.parse(out).error(), simdjson::SUCCESS) << out;
    return out.substr(out.find("\"key"));
  };
  EXPECT_EQ(line(std::nullopt, std::nullopt), R"("key":null,"value":null})");
  EXPECT_EQ(line("", "free \"text\"\n"), "\"key\":\"\",\"value_text\":\"free \\\"text\\\"\\u000a\"}");
  EXPECT_EQ(line("\xfe\xff", "\x80"), R"("key_base64":"/v8=","value_base64":"gA=="})");
  EXPECT_EQ(line("abc", "null"), R"("key":"abc","value":null})");
}

class RotatingFileTest : public testing::Test {
 protected:
  RotatingFile open(uint64_t bytes_max = 1'000, std::chrono::milliseconds age_max = 1h) {
    auto file = RotatingFile::open({.directory = "disk/out", .prefix = "s", .bytes_max = bytes_max, .age_max = age_max},
                                   files_, clock_);
    EXPECT_TRUE(file.ok()) << (file.ok() ? "" : file.error().message);
    return *std::move(file);
  }
  std::string content(const std::string& name) {
    auto bytes = os::read_file(files_, "disk/out/" + name, 1 << 20);
    return bytes.ok() ? std::string(as_text(*bytes)) : "error: " + bytes.error().message;
  }
  std::vector<std::string> names() { return *files_.list("disk/out"); }

  os::SimulatedFileSystem files_;
  os::ManualClock clock_{kNow};
};

TEST_F(RotatingFileTest, AppendsToAnOpenFileNamedByItsFirstWrite) {
  auto file = open();
  EXPECT_TRUE(names().empty());
  ASSERT_TRUE(file.append("a\n").ok());
  clock_.advance(1min);
  ASSERT_TRUE(file.append("b\n").ok());
  EXPECT_THAT(names(), ElementsAre(kFirstName + ".open"));
  EXPECT_EQ(content(kFirstName + ".open"), "a\nb\n");
}

TEST_F(RotatingFileTest, IsPutAsideBeforeItOutgrowsItsSize) {
  auto file = open(5);
  ASSERT_TRUE(file.append("12\n").ok());
  ASSERT_TRUE(file.append("34\n").ok());
  EXPECT_THAT(names(), ElementsAre(kFirstName, "s-20261121T055200.124Z.ndjson.open"));
  EXPECT_EQ(content(kFirstName), "12\n");
  ASSERT_TRUE(file.append("longer than a file\n").ok());
  EXPECT_EQ(content("s-20261121T055200.125Z.ndjson.open"), "longer than a file\n");
}

TEST_F(RotatingFileTest, IsPutAsideAtItsAge) {
  auto file = open(1'000, 10min);
  ASSERT_TRUE(file.append("a\n").ok());
  clock_.advance(9min);
  ASSERT_TRUE(file.rotate_when_due().ok());
  EXPECT_THAT(names(), ElementsAre(kFirstName + ".open"));
  clock_.advance(1min);
  ASSERT_TRUE(file.rotate_when_due().ok());
  EXPECT_THAT(names(), ElementsAre(kFirstName));
  EXPECT_EQ(file.open_path(), "");
}

TEST_F(RotatingFileTest, GoesOnAfterARestartWithItsAgeAndWithoutATornLine) {
  {
    auto file = open(1'000, 10min);
    ASSERT_TRUE(file.append("whole\n").ok());
  }
  auto raw = *files_.open("disk/out/" + kFirstName + ".open", os::OpenMode::kReadWrite);
  ASSERT_TRUE(raw->write_at(6, as_bytes("torn")).ok());
  clock_.advance(5min);
  auto file = open(1'000, 10min);
  EXPECT_EQ(file.open_path(), "disk/out/" + kFirstName + ".open");
  ASSERT_TRUE(file.append("next\n").ok());
  EXPECT_EQ(content(kFirstName + ".open"), "whole\nnext\n");
  clock_.advance(5min);
  ASSERT_TRUE(file.rotate_when_due().ok());
  EXPECT_THAT(names(), ElementsAre(kFirstName));
}

TEST_F(RotatingFileTest, LeavesOtherFilesAlone) {
  ASSERT_TRUE(files_.make_directories("disk/out").ok());
  std::vector<std::string> others{"other-20261121T055200.123Z.ndjson.open", "s-20261121T055200.123Z.ndjson",
                                  "s-notes.ndjson.open"};
  for (const auto& name : others) ASSERT_TRUE(files_.open("disk/out/" + name, os::OpenMode::kCreate).ok());
  auto file = open();
  ASSERT_TRUE(file.append("a\n").ok());
  EXPECT_EQ(file.open_path(), "disk/out/s-20261121T055200.124Z.ndjson.open");
  EXPECT_EQ(names().size(), 4u);
}

/// Appends lines "0", "1", ... two at a time until one append fails, rotating every few; the number answered for.
int append_until_failure(RotatingFile& file, int first, int end, os::ManualClock& clock) {
  int next = first;
  for (; next < end; next += 2) {
    clock.advance(20s);
    if (!file.append(std::to_string(next) + "\n" + std::to_string(next + 1) + "\n").ok()) break;
  }
  return next;
}

/// Every line in all files of the folder, in the files' order; a line that is not a number is a torn one.
std::vector<int> all_lines(os::SimulatedFileSystem& files) {
  std::vector<int> lines;
  const std::vector<std::string> names = *files.list("disk/out");
  for (const std::string& name : names) {
    std::string text(as_text(*os::read_file(files, "disk/out/" + name, 1 << 20)));
    EXPECT_TRUE(text.empty() || text.back() == '\n') << name << ": " << text;
    for (size_t at = 0, end = 0; (end = text.find('\n', at)) != std::string::npos; at = end + 1) {
      std::string line = text.substr(at, end - at);
      EXPECT_TRUE(!line.empty() && line.find_first_not_of("0123456789") == std::string::npos)
          << name << ": '" << line << "'";
      lines.push_back(line.empty() ? -1 : std::stoi(line));
    }
  }
  return lines;
}

void expect_complete(std::vector<int> lines, int end) {
  std::sort(lines.begin(), lines.end());
  lines.erase(std::unique(lines.begin(), lines.end()), lines.end());
  ASSERT_EQ(lines.size(), static_cast<size_t>(end));
  for (int i = 0; i < end; ++i) EXPECT_EQ(lines[static_cast<size_t>(i)], i);
}

constexpr int kLines = 24;
const RotatingFileOptions kSmall{.directory = "disk/out", .prefix = "s", .bytes_max = 20, .age_max = 1min};

TEST(RotatingFileFaults, ACrashAtAnyOperationLosesNoAnsweredLine) {
  for (auto mode : {os::CrashMode::kKeep, os::CrashMode::kDrop, os::CrashMode::kTear, os::CrashMode::kRandom}) {
    for (uint64_t operations = 0;; ++operations) {
      SCOPED_TRACE(testing::Message() << "mode " << static_cast<int>(mode) << ", crash after " << operations
                                      << " operations, seed 11");
      os::SimulatedFileSystem files;
      os::ManualClock clock(kNow);
      ASSERT_TRUE(os::make_directories_durably(files, "disk").ok());
      files.crash_after(operations);
      int answered = 0;
      if (auto file = RotatingFile::open(kSmall, files, clock); file.ok())
        answered = append_until_failure(*file, 0, kLines, clock);
      bool crashed = files.crashed();
      files.crash();
      files.restart(mode, 11);
      auto file = RotatingFile::open(kSmall, files, clock);
      ASSERT_TRUE(file.ok()) << file.error().message;
      ASSERT_EQ(append_until_failure(*file, answered, kLines, clock), kLines);
      expect_complete(all_lines(files), kLines);
      if (!crashed || HasFailure()) break;
    }
  }
}

TEST(RotatingFileFaults, AnyCallMayFailOnceAndNoLineIsLost) {
  using Call = os::DiskCall;
  for (auto call :
       {Call::kOpen, Call::kCreate, Call::kWrite, Call::kSync, Call::kTruncate, Call::kRename, Call::kSyncDirectory}) {
    for (auto fault : {os::DiskFault::kIoError, os::DiskFault::kOutOfSpace}) {
      for (uint64_t nth = 1;; ++nth) {
        SCOPED_TRACE(testing::Message() << os::to_string(call) << " " << nth << ", fault " << static_cast<int>(fault));
        os::SimulatedFileSystem files;
        os::ManualClock clock(kNow);
        ASSERT_TRUE(os::make_directories_durably(files, "disk").ok());
        files.fail(call, nth, fault);
        auto file = RotatingFile::open(kSmall, files, clock);
        if (!file.ok()) file = RotatingFile::open(kSmall, files, clock);
        ASSERT_TRUE(file.ok());
        int next = 0;
        for (int attempt = 0; next < kLines && attempt < 3; ++attempt)
          next = append_until_failure(*file, next, kLines, clock);
        ASSERT_EQ(next, kLines);
        files.crash();
        files.restart(os::CrashMode::kDrop, 1);
        expect_complete(all_lines(files), kLines);
        if (!files.fault_happened() || HasFailure()) break;
      }
    }
  }
}

}  // namespace
}  // namespace headrace::sinks
