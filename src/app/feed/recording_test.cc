#include "app/feed/recording.h"

#include <zlib.h>

#include <cstdio>
#include <fstream>

#include "base/temp_directory.h"

namespace headrace::app {
namespace {

using testing::HasSubstr;

class RecordingTest : public testing::Test {
 protected:
  std::string file(const std::string& name, const std::string& text) {
    std::string path = folder_.path() + "/" + name;
    if (name.ends_with(".gz")) {
      gzFile out = gzopen(path.c_str(), "wb");
      gzwrite(out, text.data(), static_cast<unsigned>(text.size()));
      gzclose(out);
    } else {
      std::ofstream(path) << text;
    }
    return path;
  }

  /// The messages of a file; a failure's text ends the list.
  std::vector<std::string> messages(const std::string& name, const std::string& text) {
    std::vector<std::string> out;
    auto recording = Recording::open(file(name, text));
    if (!recording.ok()) return {recording.error().message};
    for (;;) {
      auto row = (*recording)->next();
      if (!row.ok()) return out.push_back(row.error().message), out;
      if (!*row) return out;
      out.push_back((*row)->json);
    }
  }

  TempDirectory folder_;
};

TEST_F(RecordingTest, CsvRowsBecomeObjectsWithNumbersAsNumbers) {
  EXPECT_THAT(
      messages("a.csv", "t,v,s\n2013-12-02 21:15:00,73.96,x\r\n1,,007\n"),
      testing::ElementsAre(R"({"t":"2013-12-02 21:15:00","v":73.96,"s":"x"})", R"({"t":1,"v":null,"s":"007"})"));
}

TEST_F(RecordingTest, QuotedFieldsMayHoldAnything) {
  EXPECT_THAT(messages("a.csv", "a,b\n\"x,\"\"y\"\"\nz\",2\n"),
              testing::ElementsAre(R"({"a":"x,\"y\"\u000az","b":2})"));
}

TEST_F(RecordingTest, CompressedFilesReadTheSame) {
  EXPECT_THAT(messages("a.csv.gz", "a\n1\n2\n"), testing::ElementsAre(R"({"a":1})", R"({"a":2})"));
  EXPECT_THAT(messages("a.ndjson.gz", "{\"a\":1}\n\n{\"a\":2}"), testing::ElementsAre(R"({"a":1})", R"({"a":2})"));
}

TEST_F(RecordingTest, MistakesNameFileLineAndColumn) {
  EXPECT_THAT(messages("a.csv", "a,b\n1,2\n3\n").back(), HasSubstr("a.csv:3:1: 1 fields"));
  EXPECT_THAT(messages("a.csv", "a,b\n1,\"2\n").back(), HasSubstr("a.csv:2:3: a quote that is never closed"));
  EXPECT_THAT(messages("a.ndjson", "{\"a\":1}\n[1]\n").back(), HasSubstr("a.ndjson:2:1: not a JSON object"));
  EXPECT_THAT(messages("a.txt", "x").back(), HasSubstr("must be .csv"));
  EXPECT_THAT(Recording::open(folder_.path() + "/none.csv").error().message, HasSubstr("can't be read"));
}

TEST(RecordedTime, TakesTheUsualForms) {
  EXPECT_EQ(parse_recorded_time("1732180000"), 1732180000000);
  EXPECT_EQ(parse_recorded_time("1732180000123"), 1732180000123);
  EXPECT_EQ(parse_recorded_time("2008-10-23 05:53:05"), 1224741185000);
  EXPECT_EQ(parse_recorded_time("yesterday"), std::nullopt);
}

}  // namespace
}  // namespace headrace::app
