// The bus's contract on the cluster that HEADRACE_TEST_KAFKA names; without one there is nothing to run.
#include <cstdlib>

#include "bus/bus_contract_test.h"
#include "bus_kafka/kafka_bus.h"

namespace headrace::bus {
namespace {

class KafkaUnderTest final : public BusUnderTest {
 public:
  explicit KafkaUnderTest(const std::string& servers) : bus_(*bus_kafka::connect({{"bootstrap.servers", servers}})) {}
  Bus& bus() override { return *bus_; }

 private:
  std::unique_ptr<Bus> bus_;
};

std::vector<BusFactory> factories() {
  const char* servers = std::getenv("HEADRACE_TEST_KAFKA");
  if (servers == nullptr) return {};
  return {{"kafka", [=] { return std::make_unique<KafkaUnderTest>(servers); }}};
}

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(BusContract);
INSTANTIATE_TEST_SUITE_P(Kafka, BusContract, testing::ValuesIn(factories()), bus_name);

}  // namespace
}  // namespace headrace::bus
