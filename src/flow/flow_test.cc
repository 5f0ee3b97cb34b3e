// Specs, metrics, back-off and the formats made from them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <simdjson.h>

#include "flow/metrics.h"
#include "flow/retry.h"
#include "flow/spec.h"
#include "flow/spec_json_schema.h"
#include "flow/spec_markdown.h"

namespace headrace::flow {
namespace {

using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""s;
using std::chrono_literals::operator""min;

constexpr std::string_view kColours[] = {"red", "blue"};
constexpr OptionSpec kFields[] = {
    {.name = "filter", .required = true, .help = "F."},
    {.name = "qos", .type = OptionType::kInteger, .fallback = "1", .min = 0, .max = 2, .help = "Q."}};
constexpr OptionSpec kOptions[] = {
    {.name = "url", .required = true, .help = "Where, with a | and \"quotes\"."},
    {.name = "count", .type = OptionType::kInteger, .fallback = "5", .min = 1, .max = 10, .help = "How many."},
    {.name = "ratio", .type = OptionType::kNumber, .min = 0, .max = 1, .help = "How much."},
    {.name = "on", .type = OptionType::kBoolean, .fallback = "false", .help = "Whether."},
    {.name = "wait", .type = OptionType::kDuration, .fallback = "5s", .min = 0, .max = 60'000, .help = "How long."},
    {.name = "size", .type = OptionType::kSize, .fallback = "1MiB", .min = 1, .help = "How large."},
    {.name = "colour", .type = OptionType::kChoice, .fallback = "red", .choices = kColours, .help = "Which."},
    {.name = "names", .type = OptionType::kStringList, .fallback = "a, b", .help = "Who."},
    {.name = "labels", .type = OptionType::kStringMap, .help = "What."},
    {.name = "routes", .type = OptionType::kRecordList, .help = "Routes.", .fields = kFields},
};
constexpr ComponentSpec kSpec{"thing", "A thing.", kOptions};

const OptionSpec& option(std::string_view name) {
  return *std::find_if(std::begin(kOptions), std::end(kOptions), [&](const auto& o) { return o.name == name; });
}

TEST(ParseOption, TakesWhatItsTypeAllows) {
  EXPECT_EQ(std::get<int64_t>(*parse_option(option("count"), "7")), 7);
  EXPECT_EQ(std::get<double>(*parse_option(option("ratio"), "0.5")), 0.5);
  EXPECT_EQ(std::get<bool>(*parse_option(option("on"), "true")), true);
  EXPECT_EQ(std::get<std::chrono::milliseconds>(*parse_option(option("wait"), "1m")), 1min);
  EXPECT_EQ(std::get<int64_t>(*parse_option(option("size"), "64KiB")), 65'536);
  EXPECT_EQ(std::get<std::string>(*parse_option(option("colour"), "blue")), "blue");
  EXPECT_THAT(std::get<std::vector<std::string>>(*parse_option(option("names"), "x, y,,z")),
              testing::ElementsAre("x", "y", "z"));
}

TEST(ParseOption, RefusesTheRestAndSaysWhatIsAllowed) {
  const std::pair<const char*, const char*> wrong[] = {
      {"count", "11"},  {"count", "0"},      {"count", "1.5"}, {"count", ""},  {"count", "five"}, {"ratio", "1.01"},
      {"ratio", "nan"}, {"ratio", "-1"},     {"on", "yes"},    {"wait", "2m"}, {"wait", "soon"},  {"size", "0"},
      {"size", "1XB"},  {"colour", "green"}, {"labels", "x"},  {"routes", "x"}};
  for (const auto& [name, text] : wrong) {
    auto parsed = parse_option(option(name), text);
    ASSERT_FALSE(parsed.ok()) << name << " " << text;
    EXPECT_THAT(parsed.error().message, testing::HasSubstr(describe_type(option(name))));
  }
  EXPECT_EQ(describe_type(option("count")), "a whole number from 1 to 10");
  EXPECT_EQ(describe_type(option("colour")), "one of red, blue");
}

TEST(CheckRecord, ReportsEveryMistakeAndFillsDefaults) {
  std::map<std::string, std::string> good{{"filter", "a/#"}};
  EXPECT_TRUE(check_record(option("routes"), good).empty());
  EXPECT_EQ(good["qos"], "1");
  std::map<std::string, std::string> bad{{"qos", "3"}, {"fliter", "x"}};
  auto errors = check_record(option("routes"), bad);
  ASSERT_EQ(errors.size(), 3u);
  EXPECT_EQ(errors[0].field, "");
  EXPECT_EQ(errors[1].field, "qos");
  EXPECT_EQ(errors[2].field, "fliter");
  EXPECT_THAT(errors[2].message, testing::HasSubstr("filter, qos"));
}

TEST(FillDefaults, SetsWhatIsMissingOnly) {
  Options options;
  options.set("count", int64_t{9});
  fill_defaults(kSpec, options);
  EXPECT_EQ(options.integer("count"), 9);
  EXPECT_EQ(options.duration("wait"), 5s);
  EXPECT_EQ(options.list("names").size(), 2u);
  EXPECT_FALSE(options.has("url"));
  EXPECT_FALSE(options.has("ratio"));
}

TEST(JsonSchema, IsJsonWithEveryOption) {
  std::string schema = json_schema(kSpec);
  simdjson::dom::parser parser;
  simdjson::dom::element root;
  ASSERT_EQ(parser.parse(schema).get(root), simdjson::SUCCESS) << schema;
  for (const OptionSpec& o : kOptions) {
    simdjson::dom::element property;
    EXPECT_EQ(root["properties"][o.name].get(property), simdjson::SUCCESS) << o.name;
  }
  EXPECT_EQ(int64_t(root["properties"]["count"]["maximum"]), 10);
  EXPECT_EQ(int64_t(root["properties"]["count"]["default"]), 5);
  EXPECT_EQ(std::string_view(root["properties"]["colour"]["enum"].at(1)), "blue");
  EXPECT_EQ(std::string_view(root["properties"]["routes"]["items"]["required"].at(0)), "filter");
  EXPECT_EQ(std::string_view(root["required"].at(0)), "url");
}

TEST(MarkdownTable, HasARowForEveryOptionAndField) {
  std::string table = markdown_table(kOptions);
  EXPECT_THAT(table, testing::HasSubstr("| `url` | text | required | Where, with a \\| and"));
  EXPECT_THAT(table, testing::HasSubstr("| `count` | a whole number from 1 to 10 | `5` | How many. |"));
  EXPECT_THAT(table, testing::HasSubstr("| `routes[].qos` |"));
  EXPECT_THAT(markdown_section(kSpec, 3), testing::StartsWith("### `thing`\n\nA thing.\n\n| option"));
}

TEST(Metrics, TheSameNameAndLabelsAreTheSameMetric) {
  MetricsRegistry registry;
  registry.counter("c_total", {{"a", "1"}}, "Help.").add(2);
  registry.counter("c_total", {{"a", "1"}}, "Help.").add(3);
  registry.counter("c_total", {{"a", "2"}}, "Help.").add();
  auto samples = registry.samples();
  ASSERT_EQ(samples.size(), 2u);
  EXPECT_EQ(samples[0].value, 5);
  EXPECT_EQ(samples[1].value, 1);
}

TEST(Metrics, TheExpositionGroupsFamiliesAndEscapesLabels) {
  MetricsRegistry registry;
  registry.counter("b_total", {{"topic", "x\"\\\n"}}, "Bytes\nof it.").add(7);
  registry.gauge("a", {}, "A.").set(-1);
  registry.counter("b_total", {}, "Bytes\nof it.");
  EXPECT_EQ(registry.exposition(),
            "# HELP a A.\n# TYPE a gauge\na -1\n"
            "# HELP b_total Bytes\\nof it.\n# TYPE b_total counter\nb_total 0\nb_total{topic=\"x\\\"\\\\\\n\"} 7\n");
}

TEST(Metrics, AHeldCounterIsShownWhileItIsHeld) {
  MetricsRegistry registry;
  auto held = registry.held_counter("c_total", {{"topic", "t"}}, "Help.");
  held->add(3);
  EXPECT_EQ(registry.held_counter("c_total", {{"topic", "t"}}, "Help.").get(), held.get());
  ASSERT_EQ(registry.samples().size(), 1u);
  EXPECT_EQ(registry.samples()[0].value, 3);
  held.reset();
  EXPECT_TRUE(registry.samples().empty());
  held = registry.held_counter("c_total", {{"topic", "t"}}, "Help.");
  EXPECT_EQ(registry.samples().at(0).value, 0) << "a new one begins anew";
}

TEST(Metrics, AnObservedGaugeIsAskedWhenItIsShown) {
  MetricsRegistry registry;
  int64_t value = 1;
  registry.observed_gauge("g", {}, "Help.", [&value] { return value; });
  value = 2;
  EXPECT_EQ(registry.samples().at(0).value, 2);
  EXPECT_EQ(registry.exposition(), "# HELP g Help.\n# TYPE g gauge\ng 2\n");
}

TEST(Metrics, AStateKeepsItsTimeWhileOnlyTheDetailChanges) {
  MetricsRegistry registry;
  registry.set_state("sink s", "retrying", "one");
  int64_t since = registry.states()[0].since_ms;
  registry.set_state("sink s", "retrying", "two");
  ASSERT_EQ(registry.states().size(), 1u);
  EXPECT_EQ(registry.states()[0].detail, "two");
  EXPECT_EQ(registry.states()[0].since_ms, since);
}

TEST(Backoff, GrowsToItsBoundAndBeginsAnewAfterReset) {
  Backoff backoff({.delay_min = 10ms, .delay_first = 100ms, .delay_max = 1s}, 42);
  auto largest = 0ms;
  for (int attempt = 0; attempt < 200; ++attempt) {
    auto delay = backoff.next();
    auto ceiling = std::min<int64_t>(1'000, 100ll << std::min(attempt, 20));
    EXPECT_GE(delay, 10ms);
    EXPECT_LE(delay.count(), ceiling);
    largest = std::max(largest, delay);
  }
  EXPECT_GT(largest, 800ms);
  EXPECT_EQ(backoff.attempts(), 200);
  backoff.reset();
  EXPECT_LE(backoff.next(), 100ms);
  EXPECT_EQ(backoff.next(5s), 5s);
}

TEST(Backoff, TheSameSeedGivesTheSameDelays) {
  Backoff one({}, 3), two({}, 3);
  for (int i = 0; i < 20; ++i) EXPECT_EQ(one.next(), two.next());
}

}  // namespace
}  // namespace headrace::flow
