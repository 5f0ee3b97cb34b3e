#include "broker/group_config.h"

#include <gtest/gtest.h>

namespace headrace::broker {
namespace {

using namespace std::chrono_literals;

TEST(GroupConfig, WhatIsNotSetIsTheDefault) {
  GroupTimeouts defaults{.session = 30s, .heartbeat = 3s};
  auto none = apply_group_configs({}, defaults);
  ASSERT_TRUE(none.ok());
  EXPECT_EQ(none->session, 30s);
  auto one = apply_group_configs({{"consumer.session.timeout.ms", "60000"}}, defaults);
  ASSERT_TRUE(one.ok());
  EXPECT_EQ(one->session, 60s);
  EXPECT_EQ(one->heartbeat, 3s);
}

TEST(GroupConfig, NonsenseIsRefused) {
  auto refused = [](ConfigMap set) { return !apply_group_configs(set, {}).ok(); };
  EXPECT_TRUE(refused({{"consumer.session.timeout.ms", "soon"}}));
  EXPECT_TRUE(refused({{"consumer.session.timeout.ms", "60000 "}}));
  EXPECT_TRUE(refused({{"consumer.session.timeout.ms", "99"}}));
  EXPECT_TRUE(refused({{"consumer.session.timeout.ms", "1800001"}}));
  EXPECT_TRUE(refused({{"consumer.session.timeout.ms", "5000"}})) << "not more than the heartbeat interval";
  EXPECT_TRUE(refused({{"consumer.heartbeat.interval.ms", "45000"}})) << "not less than the session timeout";
  EXPECT_TRUE(refused({{"share.session.timeout.ms", "45000"}}));
}

TEST(GroupConfig, EveryOptionIsDescribed) {
  auto entries = describe_group_configs({{"consumer.session.timeout.ms", "60000"}}, {});
  ASSERT_EQ(entries.size(), 2u);
  EXPECT_EQ(entries[0].value, "5000");
  EXPECT_TRUE(entries[0].is_default);
  EXPECT_EQ(entries[1].value, "60000");
  EXPECT_FALSE(entries[1].is_default);
}

}  // namespace
}  // namespace headrace::broker
