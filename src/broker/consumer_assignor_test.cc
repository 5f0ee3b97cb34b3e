#include "broker/consumer_assignor.h"

#include <set>

#include "broker/consumer_group_test_support.h"
#include "os/random.h"

namespace headrace::broker {
namespace {

AssignorMember member(std::string id, std::vector<Uuid> topics, PartitionSet current = {}) {
  return {std::move(id), std::nullopt, std::move(topics), std::move(current)};
}

TEST(RangeAssignor, GivesContiguousRangesInTheOrderOfIds) {
  std::vector<AssignorTopic> topics = {{topic_id(1), 5}, {topic_id(2), 5}};
  std::vector<AssignorMember> members = {member("b", {topic_id(1), topic_id(2)}),
                                         member("a", {topic_id(1), topic_id(2)})};
  auto sets = assign_range(members, topics);
  EXPECT_EQ(
      sets[1],
      (PartitionSet{
          {topic_id(1), 0}, {topic_id(1), 1}, {topic_id(1), 2}, {topic_id(2), 0}, {topic_id(2), 1}, {topic_id(2), 2}}));
  EXPECT_EQ(sets[0].size(), 4u);
}

TEST(RangeAssignor, StaticMembersComeFirstByTheirInstanceIds) {
  std::vector<AssignorTopic> topics = {{topic_id(1), 2}};
  std::vector<AssignorMember> members = {member("a", {topic_id(1)}), member("z", {topic_id(1)})};
  members[1].instance_id = "one";
  EXPECT_EQ(assign_range(members, topics)[1], (PartitionSet{{topic_id(1), 0}}));
}

TEST(UniformAssignor, KeepsWhatMembersHaveAndMovesNoMoreThanBalanceAsksFor) {
  std::vector<AssignorTopic> topics = {{topic_id(1), 6}};
  FakeTopics all;
  all.set("t", 6);
  std::vector<AssignorMember> members = {member("a", {topic_id(1)}, all.all("t")), member("b", {topic_id(1)})};
  auto sets = assign_uniform(members, topics);
  EXPECT_EQ(sets[0].size(), 3u);
  EXPECT_EQ(sets[1].size(), 3u);
  // A third one takes one from each.
  members = {member("a", {topic_id(1)}, sets[0]), member("b", {topic_id(1)}, sets[1]), member("c", {topic_id(1)})};
  auto next = assign_uniform(members, topics);
  EXPECT_EQ(next[0].intersect(sets[0]).size(), 2u);
  EXPECT_EQ(next[1].intersect(sets[1]).size(), 2u);
  EXPECT_EQ(next[2].size(), 2u);
}

TEST(UniformAssignor, TopicsThatFewSubscribeToAreOutweighedByOthers) {
  std::vector<AssignorTopic> topics = {{topic_id(1), 4}, {topic_id(2), 4}};
  std::vector<AssignorMember> members = {member("a", {topic_id(1), topic_id(2)}), member("b", {topic_id(2)})};
  auto sets = assign_uniform(members, topics);
  EXPECT_EQ(sets[0].size(), 4u);
  EXPECT_EQ(sets[1].size(), 4u);
}

// Every partition that anybody subscribes to has one owner who subscribes to it; nobody can be relieved by a move to
// somebody with two less.
TEST(UniformAssignor, IsCompleteAndBalancedForAnySubscriptions) {
  for (uint64_t seed = 1; seed <= 300; ++seed) {
    SCOPED_TRACE(seed);
    os::Random random(seed);
    std::vector<AssignorTopic> topics;
    for (int t = 0; t < 5; ++t) topics.push_back({topic_id(t + 1), static_cast<int32_t>(1 + random.below(12))});
    std::vector<AssignorMember> members;
    for (int m = 0; m < 6; ++m) {
      std::vector<Uuid> subscribed;
      for (const AssignorTopic& topic : topics) {
        if (random.chance(0.6)) subscribed.push_back(topic.id);
      }
      members.push_back(member("m" + std::to_string(m), subscribed));
    }
    for (int round = 0; round < 3; ++round) {
      auto sets = assign_uniform(members, topics);
      std::set<TopicIdPartition> seen;
      for (size_t m = 0; m < members.size(); ++m) {
        for (const TopicIdPartition& item : sets[m]) {
          ASSERT_TRUE(seen.insert(item).second);
          ASSERT_TRUE(std::binary_search(members[m].topics.begin(), members[m].topics.end(), item.topic));
          for (size_t other = 0; other < members.size(); ++other) {
            bool could = std::binary_search(members[other].topics.begin(), members[other].topics.end(), item.topic);
            ASSERT_TRUE(!could || sets[m].size() < sets[other].size() + 2);
          }
        }
      }
      for (const AssignorTopic& topic : topics) {
        bool anybody = std::any_of(members.begin(), members.end(), [&](const AssignorMember& m) {
          return std::binary_search(m.topics.begin(), m.topics.end(), topic.id);
        });
        for (int32_t p = 0; p < topic.partitions; ++p) ASSERT_EQ(seen.contains({topic.id, p}), anybody);
      }
      for (size_t m = 0; m < members.size(); ++m) members[m].current = sets[m];
      members.erase(members.begin() + static_cast<int64_t>(random.below(members.size())));
    }
  }
}

}  // namespace
}  // namespace headrace::broker
