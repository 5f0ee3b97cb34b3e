// Runs testdata/*.test: queries with the plan or the error that each gives. A file is a row of cases:
//
//   # comment
//   query
//   SELECT ...
//   ----
//   <explain(plan), or the error's text>
//   <empty line>
//
// With HEADRACE_UPDATE_TESTDATA=1 in the environment the files are written anew with what the queries give now.
#include "sql/planner.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

namespace headrace::sql {
namespace {

using columns::Type;

std::vector<Stream> test_streams() {
  columns::Schema cabs({{"cab", Type::kText, false},
                        {"at", Type::kTimestamp, false},
                        {"speed", Type::kDouble},
                        {"lat", Type::kDouble},
                        {"lon", Type::kDouble},
                        {"heading", Type::kInt64},
                        {"occupied", Type::kBool},
                        {"engineTemp", Type::kDouble, true, "engine.temp"},
                        {"extra", Type::kJson}});
  columns::Schema plain({{"id", Type::kInt64}, {"text", Type::kText}});
  return {{"cabs", cabs, "at"}, {"plain", plain, ""}, {"site.plain", plain, ""}};
}

std::string answer(const std::string& sql) {
  static const std::vector<Stream> streams = test_streams();
  PlanResult result = plan_query(sql, streams);
  return result.ok() ? explain(*result.plan) : "error " + result.error.to_string() + "\n";
}

struct Case {
  std::string before;  ///< Comments and empty lines in front of it.
  std::string sql;
  std::string expected;
};

std::vector<Case> read_cases(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::vector<Case> cases;
  std::string line, before;
  while (std::getline(file, line)) {
    if (line != "query") {
      before += line + "\n";
      continue;
    }
    Case one{.before = std::exchange(before, "")};
    while (std::getline(file, line) && line != "----") one.sql += (one.sql.empty() ? "" : "\n") + line;
    while (std::getline(file, line) && !line.empty()) one.expected += line + "\n";
    cases.push_back(std::move(one));
  }
  return cases;
}

void write_cases(const std::filesystem::path& path, const std::vector<Case>& cases) {
  std::ofstream file(path);
  for (const Case& one : cases) file << one.before << "query\n" << one.sql << "\n----\n" << answer(one.sql) << "\n";
}

class TestData : public testing::TestWithParam<std::filesystem::path> {};

TEST_P(TestData, QueriesGiveThePlanOrErrorThatIsWritten) {
  std::vector<Case> cases = read_cases(GetParam());
  ASSERT_FALSE(cases.empty());
  if (std::getenv("HEADRACE_UPDATE_TESTDATA")) return write_cases(GetParam(), cases);
  for (const Case& one : cases) EXPECT_EQ(answer(one.sql), one.expected) << "for\n" << one.sql;
}

std::vector<std::filesystem::path> test_files() {
  std::vector<std::filesystem::path> files;
  for (const auto& entry :
       std::filesystem::directory_iterator(std::filesystem::path(HEADRACE_SOURCE) / "src/sql/testdata")) {
    if (entry.path().extension() == ".test") files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}
INSTANTIATE_TEST_SUITE_P(Planner, TestData, testing::ValuesIn(test_files()),
                         [](const auto& info) { return info.param.stem().string(); });

TEST(Planner, ErrorsTellLineColumnAndShowTheText) {
  std::vector<Stream> streams = test_streams();
  PlanResult result = plan_query("SELECT cab,\n       'é' AS x,\n\tsped\nFROM cabs", streams);
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error.message, "column \"sped\" does not exist in stream cabs; did you mean \"speed\"?");
  EXPECT_EQ(result.error.line, 3);
  EXPECT_EQ(result.error.column, 2);
  EXPECT_EQ(result.error.excerpt, "\tsped\n\t^");
  result = plan_query("SELECT 'é' AS x, sped FROM cabs", streams);
  EXPECT_EQ(result.error.column, 18);
  EXPECT_EQ(result.error.offset, 18u);  // é has two bytes.
  EXPECT_EQ(plan_query_or_error("SELECT", streams).error().code, ErrorCode::kInvalidArgument);
}

TEST(Planner, InputHoldsOnlyTheColumnsThatAreUsed) {
  PlanResult result =
      plan_query("SELECT cab, speed * 3.6 AS kmh FROM cabs WHERE speed > 13.9 AND _partition = 0", test_streams());
  ASSERT_TRUE(result.ok()) << result.error.to_string();
  columns::Schema expected(
      {{"speed", Type::kDouble}, {"_partition", Type::kInt64, false}, {"cab", Type::kText, false}});
  EXPECT_EQ(result.plan->input, expected);
}

TEST(Planner, DeepAndLongTextsAreRefusedNotCrashedOn) {
  std::vector<Stream> streams = test_streams();
  auto repeated = [](std::string_view piece, size_t bytes) {
    std::string text;
    while (text.size() + piece.size() <= bytes) text += piece;
    return text;
  };
  std::vector<std::string> texts = {
      "SELECT 1" + repeated("+1", 16000) + " AS x FROM cabs",
      "SELECT " + repeated("-", 1) + repeated(" -", 16000) + "heading AS x FROM cabs",
      "SELECT " + repeated("abs(", 10000) + "heading" + repeated(")", 2500) + " AS x FROM cabs",
      "SELECT " + repeated("not ", 16000) + "occupied AS x FROM cabs",
      "SELECT " + repeated("case when ", 16000) + " FROM cabs",
      "SELECT heading" + repeated(" is distinct from 1", 16000) + " AS x FROM cabs",
      "SELECT heading" + repeated(" between 1 and 2", 3000) + " AS x FROM cabs",
      "SELECT heading" + repeated("::text::int", 16000) + " AS x FROM cabs",
      "SELECT cab FROM " + repeated("(select * from ", 16000),
      repeated("x", kSqlBytesMax + 1),
      std::string("SELECT 1\0 FROM cabs", 19),
      "SELECT '\xff' FROM cabs",
  };
  for (const std::string& text : texts) EXPECT_FALSE(plan_query(text, streams).ok()) << text.substr(0, 60);
  std::string wide = "SELECT cab FROM cabs WHERE heading = 1";
  while (wide.size() < kSqlBytesMax - 20) wide += " OR heading = 2";
  EXPECT_TRUE(plan_query(wide, streams).ok());
  std::string parentheses = "SELECT " + repeated("(", 8000) + "1" + repeated(")", 8000) + " AS x FROM cabs";
  EXPECT_TRUE(plan_query(parentheses, streams).ok());
}

TEST(Planner, AnyThreadMayPlan) {
  std::vector<Stream> streams = test_streams();
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int k = 0; k < 50; ++k) EXPECT_TRUE(plan_query("SELECT cab, speed FROM cabs WHERE speed > 5", streams).ok());
    });
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace headrace::sql
