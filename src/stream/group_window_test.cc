#include "stream/group_window.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <unordered_map>

#include "base/check.h"
#include "stream/group_key.h"

namespace headrace::stream {
namespace {

sql::Aggregate aggregate() {
  sql::Aggregate aggregate;
  sql::Expr text{.type = Type::kText}, real{.type = Type::kDouble}, whole{.type = Type::kInt64};
  aggregate.calls = {{.function = sql::AggregateFunction::kCountRows},
                     {.function = sql::AggregateFunction::kMax, .arg = text},
                     {.function = sql::AggregateFunction::kAvg, .arg = real},
                     {.function = sql::AggregateFunction::kSum, .arg = whole},
                     {.function = sql::AggregateFunction::kCount, .arg = text}};
  return aggregate;
}

TEST(GroupWindow, FindsEachOfManyKeysAgain) {
  AccumulatorLayout layout(aggregate());
  GroupWindow window(layout);
  std::mt19937 random(42);
  std::unordered_map<std::string, uint32_t> model;
  for (int i = 0; i < 20'000; ++i) {
    std::string key(random() % 20, '\0');
    for (char& c : key) c = static_cast<char>(random() % 4);
    uint32_t group = window.find(key);
    auto known = model.find(key);
    ASSERT_EQ(group, known == model.end() ? GroupWindow::kNone : known->second) << "seed 42, step " << i;
    if (group == GroupWindow::kNone) model[key] = window.insert(key);
  }
  EXPECT_EQ(window.size(), model.size());
}

GroupWindow filled(const AccumulatorLayout& layout) {
  GroupWindow window(layout);
  uint32_t group = window.insert("k");
  Accumulator* accumulators = window.accumulators(group);
  accumulators[0].count = 300;
  accumulators[1].count = 2;
  window.set_text(group, layout.calls[1].text, std::string("z\0y", 3));
  accumulators[2].count = 1;
  accumulators[2].real = -0.1;
  accumulators[3].count = 5;
  accumulators[3].whole = std::numeric_limits<int64_t>::min();
  return window;
}

TEST(GroupWindow, StateIsReadBackAsItWasWritten) {
  AccumulatorLayout layout(aggregate());
  GroupWindow window = filled(layout);
  Bytes state;
  window.write_state(0, state);
  GroupWindow other(layout);
  uint32_t group = other.insert("k");
  ASSERT_TRUE(other.read_state(group, state).ok());
  Bytes again;
  other.write_state(group, again);
  EXPECT_EQ(state, again);
  EXPECT_EQ(other.text(group, 0), std::string("z\0y", 3));
  EXPECT_EQ(other.accumulators(group)[2].real, -0.1);
}

TEST(GroupWindow, StateThatIsCutAnywhereIsRefused) {
  AccumulatorLayout layout(aggregate());
  GroupWindow window = filled(layout);
  Bytes state;
  window.write_state(0, state);
  for (size_t size = 0; size < state.size(); ++size) {
    GroupWindow other(layout);
    EXPECT_FALSE(other.read_state(other.insert("k"), BytesView(state).first(size)).ok()) << size;
  }
  state.push_back(0);
  GroupWindow other(layout);
  EXPECT_FALSE(other.read_state(other.insert("k"), state).ok());
}

TEST(GroupWindow, AShorterTextGivesBackWhatTheLongerOneTook) {
  AccumulatorLayout layout(aggregate());
  GroupWindow window(layout);
  size_t before = window.bytes();
  window.insert("k");
  window.set_text(0, 0, std::string(100'000, 'x'));
  EXPECT_GT(window.bytes(), before + 100'000);
  window.set_text(0, 0, "short");
  EXPECT_LT(window.text(0, 0).capacity(), 100u);
  EXPECT_EQ(window.text(0, 0), "short");
}

TEST(GroupWindow, OnlyTouchedGroupsAreListed) {
  AccumulatorLayout layout(aggregate());
  GroupWindow window(layout);
  window.insert("a");
  uint32_t b = window.insert("b");
  window.touch(b);
  window.touch(b);
  EXPECT_EQ(window.touched(), std::vector<uint32_t>{b});
  window.clear_touched();
  EXPECT_TRUE(window.touched().empty());
  EXPECT_TRUE(window.is_written(b));
}

std::string key_of(const Values& values) {
  std::string key;
  append_key_part(key, values, 0);
  return key;
}
std::string key_of(double value) { return key_of(Values{.type = Type::kDouble, .doubles = &value}); }
std::string key_of(int64_t value) { return key_of(Values{.type = Type::kInt64, .ints = &value}); }
std::string key_of(std::string_view value) { return key_of(Values{.type = Type::kText, .texts = &value}); }

TEST(GroupKey, BytesAreOrderedAsTheValues) {
  double inf = std::numeric_limits<double>::infinity();
  EXPECT_TRUE(std::ranges::is_sorted(
      std::vector{key_of(-inf), key_of(-1.5), key_of(-0.0), key_of(1e-300), key_of(2.0), key_of(inf)}));
  EXPECT_EQ(key_of(-0.0), key_of(0.0));
  EXPECT_EQ(key_of(std::nan("1")), key_of(-std::nan("2")));
  EXPECT_TRUE(std::ranges::is_sorted(
      std::vector{key_of(INT64_MIN), key_of(int64_t{-1}), key_of(int64_t{0}), key_of(INT64_MAX)}));
  using namespace std::string_view_literals;
  EXPECT_TRUE(std::ranges::is_sorted(
      std::vector{key_of(""sv), key_of("a"sv), key_of("a\0"sv), key_of("a\0\xff"sv), key_of("a\1"sv), key_of("b"sv)}));
}

TEST(GroupKey, ReadsBackWhatWasWrittenAndRefusesWhatIsCut) {
  using namespace std::string_view_literals;
  std::string_view text = "x\0\xff\0"sv;
  double real = -2.25;
  int64_t whole = -7;
  uint8_t valid = 0, yes = 1;
  std::string key = key_of(text) + key_of(real) + key_of(whole);
  append_key_part(key, Values{.type = Type::kInt64, .ints = &whole, .valid = &valid}, 0);
  append_key_part(key, Values{.type = Type::kBool, .bools = &yes}, 0);
  GroupKeyReader reader({Type::kText, Type::kDouble, Type::kInt64, Type::kInt64, Type::kBool});
  reader.start(1);
  ASSERT_TRUE(reader.read(key, 0));
  EXPECT_EQ(reader.column(0).texts[0], text);
  EXPECT_EQ(reader.column(1).doubles[0], real);
  EXPECT_EQ(reader.column(2).ints[0], whole);
  EXPECT_FALSE(reader.column(3).is_valid(0));
  EXPECT_TRUE(reader.column(4).is_true(0));
  for (size_t size = 0; size < key.size(); ++size) {
    reader.start(1);
    EXPECT_FALSE(reader.read(std::string_view(key).substr(0, size), 0)) << size;
  }
}

}  // namespace
}  // namespace headrace::stream
