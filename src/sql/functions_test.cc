#include "sql/functions.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "sql/internal/interval.h"

namespace headrace::sql {
namespace {

constexpr std::string_view kBegin = "<!-- generated from src/sql/functions.cc: begin -->\n";
constexpr std::string_view kEnd = "<!-- generated: end -->\n";

std::string read_text(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

/// With HEADRACE_UPDATE_TESTDATA=1 in the environment the page is written anew.
TEST(Functions, TheReferencePageListsThem) {
  std::filesystem::path page = std::filesystem::path(HEADRACE_SOURCE) / "docs/sql.md";
  std::string text = read_text(page);
  size_t begin = text.find(kBegin), end = text.find(kEnd);
  ASSERT_NE(begin, std::string::npos);
  ASSERT_NE(end, std::string::npos);
  begin += kBegin.size();
  if (std::getenv("HEADRACE_UPDATE_TESTDATA")) {
    std::ofstream(page) << text.substr(0, begin) << "\n" << function_reference() << "\n" << text.substr(end);
    return;
  }
  EXPECT_EQ(text.substr(begin, end - begin), "\n" + function_reference() + "\n");
}

TEST(Functions, OverloadsOfANameStandTogetherAndAreDifferent) {
  std::vector<std::string> seen, signatures;
  for (const FunctionSpec& spec : function_table()) {
    if (seen.empty() || seen.back() != spec.name) {
      EXPECT_THAT(seen, testing::Not(testing::Contains(std::string(spec.name)))) << spec.name;
      seen.emplace_back(spec.name);
    }
    signatures.push_back(signature(spec));
    EXPECT_LE(spec.required, spec.param_count);
    EXPECT_FALSE(to_string(spec.function).empty());
  }
  std::sort(signatures.begin(), signatures.end());
  EXPECT_EQ(std::adjacent_find(signatures.begin(), signatures.end()), signatures.end());
}

TEST(Functions, EveryTimeUnitHasANameThatReadsBack) {
  for (int i = 0; i <= static_cast<int>(TimeUnit::kDoy); ++i) {
    TimeUnit unit = static_cast<TimeUnit>(i);
    EXPECT_EQ(parse_time_unit(to_string(unit)), unit);
  }
  EXPECT_EQ(parse_time_unit("HOUR"), TimeUnit::kHour);
  EXPECT_EQ(parse_time_unit("fortnight"), std::nullopt);
}

TEST(Interval, ReadsUnitsAndClocks) {
  EXPECT_EQ(*parse_interval("10 seconds"), 10'000);
  EXPECT_EQ(*parse_interval(" 1 hour 30 minutes "), 5'400'000);
  EXPECT_EQ(*parse_interval("1.5s"), 1500);
  EXPECT_EQ(*parse_interval("-2 d"), -172'800'000);
  EXPECT_EQ(*parse_interval("1 day 02:03:04.5"), 93'784'500);
  EXPECT_EQ(*parse_interval("-00:00:01"), -1000);
  EXPECT_EQ(*parse_interval("250 ms"), 250);
  EXPECT_EQ(*parse_interval("1 WEEK"), 604'800'000);
  for (std::string_view text : {"", " ", "seconds", "5", "5 parsecs", "1 month", "2 years", "1:", "1:60", "nan s",
                                "inf s", "1e3 s", "99999999999 days", "1 s x"}) {
    EXPECT_FALSE(parse_interval(text).ok()) << text;
  }
}

}  // namespace
}  // namespace headrace::sql
