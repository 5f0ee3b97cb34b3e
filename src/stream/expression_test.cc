// Expressions from their SQL text to JSON, over rows given as JSON.
#include "stream/expression.h"

#include <arrow/record_batch.h>

#include "base/check.h"
#include "columns/decoder.h"
#include "sql/planner.h"
#include "stream/projector.h"

namespace headrace::stream {
namespace {

using columns::Type;

sql::Stream stream() {
  sql::Stream stream{.name = "s"};
  for (auto [name, type] : std::initializer_list<std::pair<const char*, Type>>{{"i", Type::kInt64},
                                                                               {"j", Type::kInt64},
                                                                               {"d", Type::kDouble},
                                                                               {"t", Type::kText},
                                                                               {"u", Type::kText},
                                                                               {"b", Type::kBool},
                                                                               {"c", Type::kBool},
                                                                               {"at", Type::kTimestamp}}) {
    stream.columns.add({.name = name, .type = type});
  }
  return stream;
}

struct Outcome {
  std::vector<std::string> values;  ///< JSON of the column x, for each row that was not left out.
  std::vector<std::string> failures;
};

Outcome run(const std::string& sql, const std::vector<std::string>& rows) {
  std::vector<sql::Stream> streams = {stream()};
  auto plan = sql::plan_query_or_error(sql, streams);
  EXPECT_TRUE(plan.ok()) << sql << ": " << plan.error().message;
  if (!plan.ok()) return {};
  auto decoder = columns::make_decoder({.schema = plan->input});
  CHECK(decoder.ok());
  for (const auto& row : rows) {
    record::RecordView record;
    record.value = row;
    const auto* error = (*decoder)->add(record);
    EXPECT_EQ(error, nullptr) << row << ": " << (error ? error->reason : "");
  }
  auto batch = (*decoder)->finish();
  auto projector = Projector::make(*plan, "");
  CHECK(projector.ok());
  EvalContext context(plan->input);
  context.bind(*batch);
  Selection selection{nullptr, context.rows()};
  std::vector<uint32_t> kept;
  if (plan->filter) {
    auto filter = compile(*plan->filter);
    selection = select_true(filter->evaluate(context, selection), selection, context, kept);
  }
  Outcome result;
  Projector::Emit emit = [&](uint32_t, const columns::EncodedRow& row) {
    std::string json(row.value);
    result.values.push_back(json.substr(5, json.size() - 6));
  };
  (*projector)->project(context, selection, emit);
  for (const auto& failure : context.failures())
    result.failures.push_back(std::to_string(failure.row) + ": " + failure.reason);
  return result;
}

/// The expression over one row, as JSON; the reason when the row fails.
std::string eval(const std::string& expression, const std::string& row = "{}") {
  Outcome result = run("SELECT " + expression + " AS x FROM s", {row});
  if (!result.failures.empty()) return "failed " + result.failures[0];
  return result.values.empty() ? "no row" : result.values[0];
}

constexpr const char* kRow =
    R"({"i":7,"j":-2,"d":2.5,"t":"Straße 9","u":"ab","b":true,"c":false,"at":"2024-02-29T13:14:15.678Z"})";

struct Case {
  const char* expression;
  const char* result;
};

void expect_all(std::initializer_list<Case> cases, const char* row = kRow) {
  for (const auto& [expression, result] : cases) EXPECT_EQ(eval(expression, row), result) << expression;
}

TEST(Expression, ArithmeticOfEachType) {
  expect_all({{"i + j", "5"},
              {"i - j", "9"},
              {"i * j", "-14"},
              {"i / j", "-3"},
              {"i % j", "1"},
              {"mod(j, i)", "-2"},
              {"-i", "-7"},
              {"d + 1", "3.5"},
              {"d - 1", "1.5"},
              {"d * i", "17.5"},
              {"d / 2", "1.25"},
              {"d % 2", "0.5"},
              {"-d", "-2.5"},
              {"at + interval '1 hour'", "\"2024-02-29T14:14:15.678Z\""},
              {"at - interval '1 day'", "\"2024-02-28T13:14:15.678Z\""},
              {"extract(epoch from (at - (at - interval '90 seconds')))", "90"},
              {"extract(epoch from interval '10 s' * 2.5)", "25"},
              {"extract(epoch from interval '10 s' / 4)", "2.5"}});
}

TEST(Expression, NullsGoThroughOperators) {
  for (const char* expression :
       {"i + j", "i / j", "d * 2", "-i", "i < j", "t || u", "lower(t)", "round(d)", "at + interval '1 s'",
        "extract(hour from at)", "date_trunc('day', at)", "length(t)", "t LIKE 'a%'", "NOT b", "CAST(t AS bigint)",
        "CAST(i AS text)", "i IN (1, 2)", "nullif(i, 3)", "greatest(i, j)"}) {
    EXPECT_EQ(eval(expression, "{}"), "null") << expression;
  }
}

TEST(Expression, WhatCanNotBeComputedFailsItsRowAlone) {
  Outcome result = run("SELECT 10 / i AS x FROM s", {R"({"i":5})", R"({"i":0})", "{}", R"({"i":2})"});
  EXPECT_EQ(result.values, (std::vector<std::string>{"2", "null", "5"}));
  EXPECT_EQ(result.failures, (std::vector<std::string>{"1: division by zero"}));
}

TEST(Expression, FailuresNameTheReason) {
  std::string big = R"({"i":9223372036854775807,"j":-9223372036854775808,"d":0,"t":"12x","at":253402300799999})";
  expect_all({{"i + 1", "failed 0: bigint out of range"},
              {"j - 1", "failed 0: bigint out of range"},
              {"i * 2", "failed 0: bigint out of range"},
              {"-j", "failed 0: bigint out of range"},
              {"j / -1", "failed 0: bigint out of range"},
              {"abs(j)", "failed 0: bigint out of range"},
              {"i % 0", "failed 0: division by zero"},
              {"1.5 / d", "failed 0: division by zero"},
              {"CAST(t AS bigint)", "failed 0: text \"12x\" is not a bigint"},
              {"CAST(t AS double)", "failed 0: text \"12x\" is not a double"},
              {"CAST(t AS timestamp)", "failed 0: text \"12x\" is not a timestamp"},
              {"CAST(t AS boolean)", "failed 0: text \"12x\" is not a bool"},
              {"sqrt(d - 1)", "failed 0: sqrt(-1) is not a number that fits"},
              {"ln(d)", "failed 0: ln(0) is not a number that fits"},
              {"exp(d + 1000)", "failed 0: exp(1000) is not a number that fits"},
              {"power(10.0, d + 400)", "failed 0: power(10, 400) is not a number that fits"},
              {"CAST(1e300 + d AS bigint)", "failed 0: double 1e+300 is out of bigint's range"},
              {"at + interval '1 s'", "failed 0: timestamp out of range"},
              {"substring(t, 1, i - i - 1)", "failed 0: substring: negative length"}},
             big.c_str());
}

TEST(Expression, ThreeValuedLogic) {
  struct Row {
    const char *row, *conjunction, *disjunction;
  };
  for (auto [row, conjunction, disjunction] :
       {Row{R"({"b":true,"c":true})", "true", "true"}, Row{R"({"b":true,"c":false})", "false", "true"},
        Row{R"({"b":false,"c":false})", "false", "false"}, Row{R"({"b":true})", "null", "true"},
        Row{R"({"c":true})", "null", "true"}, Row{R"({"b":false})", "false", "null"},
        Row{R"({"c":false})", "false", "null"}, Row{"{}", "null", "null"}}) {
    EXPECT_EQ(eval("b AND c", row), conjunction) << row;
    EXPECT_EQ(eval("b OR c", row), disjunction) << row;
  }
  expect_all({{"NOT b", "false"}, {"i IS NULL", "false"}, {"i IS NOT NULL", "true"}});
  EXPECT_EQ(eval("i IS NULL"), "true");
}

TEST(Expression, ASettledConditionKeepsTheOtherSideFromFailing) {
  expect_all({{"i <> 0 AND 10 / i > 1", "false"},
              {"i = 0 OR 10 / i > 1", "true"},
              {"CASE WHEN i = 0 THEN -1 ELSE 10 / i END", "-1"},
              {"coalesce(i, 1 / i)", "0"},
              {"CASE WHEN b THEN 1 WHEN 1 / i > 0 THEN 2 ELSE 3 END", "1"}},
             R"({"i":0,"b":true})");
}

TEST(Expression, Comparisons) {
  expect_all({{"i = 7", "true"},
              {"i <> 7", "false"},
              {"i < 8", "true"},
              {"i <= 7", "true"},
              {"i > 7", "false"},
              {"i >= 7", "true"},
              {"d > i", "false"},
              {"t = 'Straße 9'", "true"},
              {"u < 'b'", "true"},
              {"b > c", "true"},
              {"at > '2024-01-01'", "true"},
              {"i BETWEEN 1 AND 7", "true"}});
}

TEST(Expression, InWithNullsAsSqlHasIt) {
  expect_all({{"i IN (1, 7)", "true"},
              {"i IN (1, 2)", "false"},
              {"i NOT IN (1, 2)", "true"},
              {"i IN (1, NULL)", "null"},
              {"i IN (7, NULL)", "true"},
              {"u IN ('x', 'ab')", "true"}});
}

TEST(Expression, ChoosingAmongArguments) {
  expect_all({{"coalesce(NULL, i, 3)", "7"},
              {"nullif(i, 7)", "null"},
              {"nullif(i, 8)", "7"},
              {"greatest(i, j, 3)", "7"},
              {"least(i, j, 3)", "-2"},
              {"greatest(NULL, i)", "7"},
              {"greatest(t, u)", "\"ab\""},
              {"CASE WHEN i > 5 THEN 'high' WHEN i > 2 THEN 'middle' ELSE 'low' END", "\"high\""},
              {"CASE i WHEN 1 THEN 'one' WHEN 7 THEN 'seven' END", "\"seven\""},
              {"CASE WHEN c THEN 1 END", "null"}});
}

TEST(Expression, LikeMatches) {
  expect_all({{"t LIKE 'Stra_e%'", "true"},
              {"t LIKE 'stra%'", "false"},
              {"t ILIKE 'stra%'", "true"},
              {"t LIKE '%9'", "true"},
              {"t LIKE '%'", "true"},
              {"t LIKE ''", "false"},
              {"t NOT LIKE '%x%'", "true"},
              {"'100%' LIKE '100\\%'", "true"},
              {"'100x' LIKE '100\\%'", "false"},
              {"'aXbXc' LIKE 'a%X%c'", "true"},
              {"'' LIKE '_'", "false"},
              {"'abcabd' LIKE '%abd'", "true"}});
}

TEST(Expression, TextFunctionsCountCharacters) {
  expect_all({{"lower(t)", "\"straße 9\""},
              {"upper(u)", "\"AB\""},
              {"length(t)", "8"},
              {"substring(t, 5, 2)", "\"ße\""},
              {"substring(t, 6)", "\"e 9\""},
              {"substring(t from 0 for 2)", "\"S\""},
              {"substring(t, -5)", "\"Straße 9\""},
              {"concat(u, i, NULL, b)", "\"ab7true\""},
              {"u || '-' || u", "\"ab-ab\""},
              {"trim('  a b ')", "\"a b\""},
              {"ltrim('xxa', 'x')", "\"a\""},
              {"rtrim('aßß', 'ß')", "\"a\""},
              {"btrim('xyaxy', 'xy')", "\"a\""},
              {"replace(t, 'ß', 'ss')", "\"Strasse 9\""},
              {"replace(t, '', 'x')", "\"Straße 9\""},
              {"strpos(t, 'e')", "6"},
              {"strpos(t, 'q')", "0"},
              {"left(t, 5)", "\"Straß\""},
              {"left(t, -2)", "\"Straße\""},
              {"right(t, 3)", "\"e 9\""},
              {"right(t, -6)", "\" 9\""},
              {"left(u, 9)", "\"ab\""},
              {"right(u, -9)", "\"\""},
              {"starts_with(t, 'St')", "true"}});
}

TEST(Expression, TimeFunctions) {
  expect_all({{"extract(millisecond from at)", "15678"},
              {"extract(second from at)", "15.678"},
              {"extract(minute from at)", "14"},
              {"extract(hour from at)", "13"},
              {"extract(day from at)", "29"},
              {"extract(week from at)", "9"},
              {"extract(month from at)", "2"},
              {"extract(quarter from at)", "1"},
              {"extract(year from at)", "2024"},
              {"extract(dow from at)", "4"},
              {"extract(isodow from at)", "4"},
              {"extract(doy from at)", "60"},
              {"extract(epoch from at)", "1709212455.678"},
              {"date_part('hour', at)", "13"},
              {"date_trunc('second', at)", "\"2024-02-29T13:14:15.000Z\""},
              {"date_trunc('hour', at)", "\"2024-02-29T13:00:00.000Z\""},
              {"date_trunc('day', at)", "\"2024-02-29T00:00:00.000Z\""},
              {"date_trunc('week', at)", "\"2024-02-26T00:00:00.000Z\""},
              {"date_trunc('month', at)", "\"2024-02-01T00:00:00.000Z\""},
              {"date_trunc('quarter', at)", "\"2024-01-01T00:00:00.000Z\""},
              {"date_trunc('year', at)", "\"2024-01-01T00:00:00.000Z\""},
              {"to_timestamp(1.5)", "\"1970-01-01T00:00:01.500Z\""}});
  // ISO weeks at the turn of the year, and times before 1970.
  EXPECT_EQ(eval("extract(week from at)", R"({"at":"2021-01-03"})"), "53");
  EXPECT_EQ(eval("extract(week from at)", R"({"at":"2018-12-31"})"), "1");
  EXPECT_EQ(eval("date_trunc('hour', at)", R"({"at":"1969-12-31T23:59:59.999Z"})"), "\"1969-12-31T23:00:00.000Z\"");
  EXPECT_EQ(eval("extract(second from at)", R"({"at":"1969-12-31T23:59:59.250Z"})"), "59.25");
}

TEST(Expression, Mathematics) {
  expect_all({{"abs(j)", "2"},
              {"abs(-d)", "2.5"},
              {"round(d)", "3"},
              {"round(-d)", "-3"},
              {"round(1.005 + d, 1)", "3.5"},
              {"round(1234.5, -2)", "1200"},
              {"floor(-d)", "-3"},
              {"ceil(d)", "3"},
              {"trunc(-d)", "-2"},
              {"sign(-d)", "-1"},
              {"sqrt(d * 2.5)", "2.5"},
              {"power(d, 2)", "6.25"},
              {"2 ^ 10", "1024"},
              {"ln(exp(1))", "1"},
              {"log(1000)", "3"},
              {"sin(0)", "0"},
              {"cos(0)", "1"},
              {"tan(0)", "0"},
              {"asin(0)", "0"},
              {"acos(1)", "0"},
              {"atan(0)", "0"},
              {"atan2(0, 1)", "0"},
              {"degrees(radians(90))", "90"}});
}

TEST(Expression, CastsBetweenTypes) {
  expect_all({{"CAST(d AS bigint)", "2"},
              {"CAST(3.5 AS bigint)", "4"},
              {"CAST(i AS double)", "7"},
              {"CAST(i AS text)", "\"7\""},
              {"CAST(d AS text)", "\"2.5\""},
              {"CAST(b AS text)", "\"true\""},
              {"CAST(at AS text)", "\"2024-02-29T13:14:15.678Z\""},
              {"CAST(' 42 ' AS bigint)", "42"},
              {"CAST('-1e3' AS double)", "-1000"},
              {"CAST('true' AS boolean)", "true"},
              {"CAST('2024-02-29' AS timestamp)", "\"2024-02-29T00:00:00.000Z\""},
              {"CAST(b AS bigint)", "1"}});
}

TEST(Expression, FilterKeepsWhatIsTrueOnly) {
  Outcome result = run(
      "SELECT i AS x FROM s WHERE i > 1 AND NOT b",
      {R"({"i":1,"b":false})", R"({"i":2,"b":false})", R"({"i":3})", R"({"i":4,"b":true})", R"({"i":5,"b":false})"});
  EXPECT_EQ(result.values, (std::vector<std::string>{"2", "5"}));
  EXPECT_TRUE(result.failures.empty());
}

TEST(Expression, RowsThatTheFilterDropsDoNotFailInOutputs) {
  Outcome result = run("SELECT 10 / i AS x FROM s WHERE i <> 0", {R"({"i":0})", R"({"i":5})"});
  EXPECT_EQ(result.values, (std::vector<std::string>{"2"}));
  EXPECT_TRUE(result.failures.empty());
}

TEST(Expression, ATextThatGrowsOverTheLimitFails) {
  std::string row = R"({"t":")" + std::string(300'000, 'a') + R"("})";
  EXPECT_THAT(eval("t || t || t || t", row), testing::StartsWith("failed 0: a text of"));
  EXPECT_THAT(eval("replace(t, 'a', 'aaaaaaaaaa')", row), testing::StartsWith("failed 0: a text of"));
}

TEST(Expression, AContextServesBatchAfterBatch) {
  for (int rows : {1, 3, 2}) {
    std::vector<std::string> input(static_cast<size_t>(rows), kRow);
    EXPECT_EQ(run("SELECT concat(t, i) AS x FROM s", input).values.size(), static_cast<size_t>(rows));
  }
}

}  // namespace
}  // namespace headrace::stream
