#include "app/config/option_reader.h"
#include "app/config/overrides.h"
#include "app/config/yaml_tree.h"

namespace headrace::app {
namespace {

using testing::HasSubstr;

TEST(YamlTree, KeepsOrderAndPlaces) {
  Problems problems;
  YamlNode root = parse_yaml("b: 1\na:\n  - x\n  - {k: v}\n", problems);
  ASSERT_TRUE(problems.empty());
  EXPECT_EQ(root.map[0].key, "b");
  EXPECT_EQ(root.map[1].place, (Place{2, 1}));
  EXPECT_EQ(root.find("a")->list[1].map[0].value.place, (Place{4, 9}));
}

TEST(YamlTree, SyntaxErrorsAndDoubleKeysHavePlaces) {
  Problems problems;
  parse_yaml("a: 1\nb: [\n", problems);
  ASSERT_EQ(problems.list().size(), 1u);
  EXPECT_GE(problems.list()[0].place.line, 2);
  Problems twice;
  parse_yaml("a: 1\na: 2\n", twice);
  EXPECT_THAT(twice.render("f.yaml"), HasSubstr("f.yaml:2:1: key 'a' is given twice"));
}

TEST(YamlTree, CharactersOfAScalarArePlacedInTheFile) {
  Problems problems;
  YamlNode root = parse_yaml("p:\n  sql: |\n    SELECT a\n    FROM t\n  q: \"SELECT b\"\n  r: SELECT c\n", problems);
  const YamlNode& p = *root.find("p");
  EXPECT_EQ(p.find("sql")->place_of(0), (Place{3, 5}));
  EXPECT_EQ(p.find("sql")->place_of(14), (Place{4, 10}));
  EXPECT_EQ(p.find("q")->place_of(7), (Place{5, 14}));
  EXPECT_EQ(p.find("r")->place_of(7), (Place{6, 13}));
}

TEST(Overrides, ReachNestedAndDottedKeys) {
  Problems problems;
  YamlNode root = parse_yaml("topics:\n  a.b: {partitions: 1}\nbus: embedded\n", problems);
  apply_overrides(root, {"topics.a.b.retention.ms=7d", "bus.kafka.bootstrap.servers=h:1", "sinks.s.enabled=true"},
                  problems);
  ASSERT_TRUE(problems.empty()) << problems.render("x");
  EXPECT_EQ(root.find("topics")->find("a.b")->find("retention.ms")->scalar, "7d");
  EXPECT_EQ(root.find("bus")->find("kafka")->find("bootstrap.servers")->scalar, "h:1");
  EXPECT_EQ(root.find("sinks")->find("s")->find("enabled")->scalar, "true");
}

TEST(Overrides, KnowTheSectionsKeysWithDots) {
  Problems problems;
  YamlNode root = parse_yaml("listen: {kafka: 'h:1'}\n", problems);
  apply_overrides(root, {"listen.advertised.kafka=h:2", "broker.topic_defaults.retention.ms=7d"}, problems);
  ASSERT_TRUE(problems.empty()) << problems.render("x");
  ASSERT_NE(root.find("listen")->find("advertised.kafka"), nullptr);
  EXPECT_EQ(root.find("listen")->find("advertised.kafka")->scalar, "h:2");
  EXPECT_EQ(root.find("listen")->find("kafka")->scalar, "h:1");
  EXPECT_EQ(root.find("broker")->find("topic_defaults")->find("retention.ms")->scalar, "7d");
}

TEST(Overrides, OfAPropertyDoNotEndAtAShorterOneThatIsThere) {
  Problems problems;
  YamlNode root = parse_yaml("topics: {t: {flush: os}}\n", problems);
  apply_overrides(root, {"topics.t.flush.ms=7"}, problems);
  ASSERT_TRUE(problems.empty()) << problems.render("x");
  EXPECT_EQ(root.find("topics")->find("t")->find("flush")->scalar, "os");
  EXPECT_EQ(root.find("topics")->find("t")->find("flush.ms")->scalar, "7");
}

TEST(Overrides, WithoutAValueAreRefused) {
  Problems problems;
  YamlNode root;
  apply_overrides(root, {"sinks"}, problems);
  EXPECT_THAT(problems.render("f"), HasSubstr("must be key=value"));
}

constexpr flow::OptionSpec kOptions[] = {
    {.name = "url", .type = flow::OptionType::kString, .required = true, .help = "Where to."},
    {.name = "batch", .type = flow::OptionType::kSize, .fallback = "1MiB", .min = 1, .help = "How much."},
    {.name = "topics", .type = flow::OptionType::kStringList, .help = "What."},
};
constexpr flow::ComponentSpec kSpec{"demo", "A demo.", kOptions};

TEST(OptionReader, TellsEveryMistakeAtOnce) {
  Problems problems;
  YamlNode root = parse_yaml("bach: 1\nbatch: many\ntopics: {a: 1}\n", problems);
  read_options(root, kSpec, "sink demo", problems);
  std::string text = problems.render("f.yaml");
  EXPECT_THAT(text, HasSubstr("f.yaml:1:1: sink demo: unknown key 'bach', did you mean 'batch'?"));
  EXPECT_THAT(text, HasSubstr("f.yaml:2:8: sink demo: batch"));
  EXPECT_THAT(text, HasSubstr("f.yaml:3:9: sink demo: 'topics' must be a"));
  EXPECT_THAT(text, HasSubstr("'url' is required"));
}

TEST(OptionReader, FillsDefaultsAndReadsLists) {
  Problems problems;
  YamlNode root = parse_yaml("url: http://h\ntopics: [a, b]\n", problems);
  flow::Options options = read_options(root, kSpec, "sink demo", problems);
  ASSERT_TRUE(problems.empty()) << problems.render("f");
  EXPECT_EQ(options.integer("batch"), 1 << 20);
  EXPECT_THAT(options.list("topics"), testing::ElementsAre("a", "b"));
}

}  // namespace
}  // namespace headrace::app
