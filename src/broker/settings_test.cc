#include "broker/settings.h"

#include <filesystem>

#include "broker/broker_test_support.h"

namespace headrace::broker {
namespace {

QuotaEntity entity(std::optional<std::optional<std::string>> user, std::optional<std::optional<std::string>> client) {
  QuotaEntity entity;
  if (user) entity["user"] = *user;
  if (client) entity["client-id"] = *client;
  return entity;
}
constexpr std::nullopt_t kDefault = std::nullopt;
using Part = std::optional<std::optional<std::string>>;
Part named(std::string name) { return std::optional(std::move(name)); }
Part by_default() { return std::optional<std::string>(kDefault); }

class SettingsTest : public ::testing::Test {
 protected:
  SettingsTest() { open(); }
  void open() {
    broker_.reset();
    auto opened = Broker::open({.data_directory = directory_.path()}, metrics_);
    CHECK(opened.ok());
    broker_ = *std::move(opened);
  }
  Settings& settings() { return broker_->settings(); }

  TempDirectory directory_;
  flow::MetricsRegistry metrics_;
  std::unique_ptr<Broker> broker_;
};

TEST(ClientQuotas, TheMostSpecificQuotaApplies) {
  ClientQuotas quotas;
  struct Case {
    QuotaEntity entity;
    double limit;
    std::string user, client;  ///< Who shares it.
  };
  const Case cases[] = {
      // From the least specific on.
      {entity({}, by_default()), 1, "", "app"},
      {entity({}, named("app")), 2, "", "app"},
      {entity(by_default(), {}), 3, "ann", ""},
      {entity(by_default(), by_default()), 4, "ann", "app"},
      {entity(by_default(), named("app")), 5, "ann", "app"},
      {entity(named("ann"), {}), 6, "ann", ""},
      {entity(named("ann"), by_default()), 7, "ann", "app"},
      {entity(named("ann"), named("app")), 8, "ann", "app"},
  };
  EXPECT_FALSE(quotas.find(kProducerByteRate, "ann", "app"));
  for (const Case& one : cases) {
    quotas.put(one.entity, {{std::string(kProducerByteRate), one.limit}});
    auto found = quotas.find(kProducerByteRate, "ann", "app");
    ASSERT_TRUE(found);
    EXPECT_EQ(found->limit, one.limit);
    EXPECT_EQ(found->user, one.user) << one.limit;
    EXPECT_EQ(found->client, one.client) << one.limit;
  }
  EXPECT_FALSE(quotas.find(kConsumerByteRate, "ann", "app")) << "another key";
  EXPECT_EQ(quotas.find(kProducerByteRate, "bob", "other")->limit, 4);
}

TEST(ClientQuotas, KeysNameEntitiesWhateverIsInThem) {
  for (const QuotaEntity& one :
       {entity(named("a=b;c%"), by_default()), entity({}, named("ä x")), entity(by_default(), {})}) {
    auto parsed = ClientQuotas::parse_key(ClientQuotas::key_of(one));
    ASSERT_TRUE(parsed) << ClientQuotas::key_of(one);
    EXPECT_EQ(*parsed, one);
  }
  EXPECT_EQ(ClientQuotas::key_of(entity(named("ann"), by_default())), "client-id;user=ann");
  for (std::string_view wrong : {"", "planet=x", "user=%2", "ip=1;user=a"}) {
    EXPECT_FALSE(ClientQuotas::parse_key(wrong)) << wrong;
  }
}

TEST_F(SettingsTest, QuotasAreThereAfterARestart) {
  EXPECT_EQ(settings().quotas_version(), 0u);
  auto ann = entity(named("ann"), {});
  ASSERT_TRUE(settings().alter_quota(ann, {{"producer_byte_rate", 1000.0}, {"request_percentage", 12.5}}, false).ok());
  ASSERT_TRUE(settings().alter_quota(entity({}, by_default()), {{"consumer_byte_rate", 1e9}}, false).ok());
  ASSERT_TRUE(settings().alter_quota(ann, {{"producer_byte_rate", {}}}, false).ok());
  ASSERT_TRUE(settings().alter_quota(ann, {{"consumer_byte_rate", 5.0}}, /*validate_only=*/true).ok());
  open();
  EXPECT_GT(settings().quotas_version(), 0u);
  EXPECT_EQ(settings().quotas()->entries().size(), 2u);
  EXPECT_EQ(settings().quotas()->values_of(ann), (QuotaValues{{"request_percentage", 12.5}}));
  ASSERT_TRUE(settings().alter_quota(ann, {{"request_percentage", {}}}, false).ok());
  open();
  EXPECT_EQ(settings().quotas()->entries().size(), 1u);
}

TEST_F(SettingsTest, WrongQuotasAreRefused) {
  auto refused = [&](const QuotaEntity& one, const std::string& key, double value) {
    Status status = settings().alter_quota(one, {{key, value}}, false);
    return !status.ok() && status.error().code == ErrorCode::kInvalidArgument;
  };
  auto ann = entity(named("ann"), {});
  EXPECT_TRUE(refused({}, "producer_byte_rate", 1));
  EXPECT_TRUE(refused({{"planet", "x"}}, "producer_byte_rate", 1));
  EXPECT_TRUE(refused(entity(named(""), {}), "producer_byte_rate", 1));
  EXPECT_TRUE(refused(ann, "speed", 1));
  EXPECT_TRUE(refused(ann, "producer_byte_rate", 1.5));
  EXPECT_TRUE(refused(ann, "producer_byte_rate", 0));
  EXPECT_TRUE(refused(ann, "connection_creation_rate", 1));
  EXPECT_TRUE(refused({{"ip", "127.0.0.1"}}, "producer_byte_rate", 1));
  EXPECT_FALSE(refused({{"ip", "127.0.0.1"}}, "connection_creation_rate", 1));
}

TEST_F(SettingsTest, ConfigsOfResourcesAreThereAfterARestart) {
  ConfigMap configs{{"interval.ms", "1000"}, {"metrics", "a,b"}};
  ASSERT_TRUE(settings().put_configs(ResourceKind::kClientMetrics, "all", configs).ok());
  ASSERT_TRUE(settings().put_configs(ResourceKind::kClientMetrics, "gone", configs).ok());
  ASSERT_TRUE(settings().put_configs(ResourceKind::kClientMetrics, "gone", {}).ok());
  open();
  EXPECT_EQ(settings().names(ResourceKind::kClientMetrics), std::vector<std::string>{"all"});
  EXPECT_EQ(settings().configs(ResourceKind::kClientMetrics, "all"), configs);
  EXPECT_TRUE(settings().names(ResourceKind::kGroup).empty());
}

// The metadata log is rewritten from what is in memory at 8 MiB: the change that makes it so long is among that.
TEST_F(SettingsTest, AChangeThatHasTheMetadataLogRewrittenIsKept) {
  auto put = [this](int number) {
    ConfigMap configs;
    for (int i = 0; i < 30; ++i)
      configs["option " + std::to_string(i)] = std::to_string(number) + std::string(30'000, 'x');
    ASSERT_TRUE(settings().put_configs(ResourceKind::kClientMetrics, "m", configs).ok());
  };
  for (int writes = 8; writes <= 11; ++writes) {
    broker_.reset();
    std::filesystem::remove_all(directory_.path());
    open();
    for (int i = 1; i <= writes; ++i) put(i);
    open();
    auto kept = settings().configs(ResourceKind::kClientMetrics, "m");
    EXPECT_TRUE(kept["option 0"].starts_with(std::to_string(writes) + "x")) << writes;
  }
}

}  // namespace
}  // namespace headrace::broker
